//! The text of a term, or of a reference, becomes a term.

use std::ops::RangeInclusive;

use super::Term;
use crate::domain::arn::{AccountRegion, Arn};
use crate::domain::key::Kind;
use crate::domain::spelling::{moving_label, without_slash};

impl Term {
    /// Reads one term, without the `-` of an exclusion.
    ///
    /// # Errors
    /// The text that was expected instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (term, pinned) = match text.split_once(':').ok_or(ANY_TERM)? {
            ("arn", _) => Self::parse_arn(text)?,
            ("ssm", "") => return Err("a parameter's name after ssm:"),
            (word, path) => {
                let kind = Kind::ALL
                    .into_iter()
                    .find(|kind| kind.word() == word)
                    .ok_or(ANY_TERM)?;
                Self::parse_bare(kind, path)?
            }
        };
        if pinned {
            Err("a secret without a version-id, which never changes")
        } else {
            Ok(term)
        }
    }

    /// Reads a reference of a task definition: an ARN, or the name of a `bare` in the service's own
    /// account and Region. The answer is true beside a term that names a version which never
    /// changes.
    pub(in crate::domain) fn parse_reference(
        text: &str,
        bare: Kind,
    ) -> Result<(Self, bool), &'static str> {
        let (term, pinned) = if text.starts_with("arn:") {
            Self::parse_arn(text)?
        } else {
            Self::parse_bare(bare, text)?
        };
        if term.is_prefix() {
            Err("the name or ARN of one thing, which does not end in a slash")
        } else {
            Ok((term, pinned))
        }
    }

    /// Reads a name without account and Region. A parameter's name begins with a slash or not: both
    /// are the same parameter.
    fn parse_bare(kind: Kind, path: &str) -> Result<(Self, bool), &'static str> {
        match kind {
            Kind::Parameter => Self::parse_parameter(None, without_slash(path)),
            Kind::Object | Kind::Secret | Kind::Profile => {
                Ok((Self::of(kind, None, path).well_formed()?, false))
            }
        }
    }

    fn parse_arn(text: &str) -> Result<(Self, bool), &'static str> {
        let arn = Arn::parse(text).ok_or("a complete ARN")?;
        let (kind, path) = named_by(&arn).ok_or(
            "the ARN of a parameter, an object, a secret or an AppConfig configuration profile",
        )?;
        if kind != Kind::Object && (arn.account.is_empty() || arn.region.is_empty()) {
            return Err("an ARN with account and Region");
        }
        let home = Some(arn.home());
        match kind {
            Kind::Parameter => Self::parse_parameter(home, &path),
            Kind::Secret => {
                let (stage, pinned) = version_of(arn.resource)?;
                let term = Self {
                    stage: stage.map(str::to_owned),
                    from_secret_arn: true,
                    ..Self::of(kind, home, &path)
                };
                Ok((term.well_formed()?, pinned))
            }
            Kind::Object | Kind::Profile => Ok((Self::of(kind, home, &path).well_formed()?, false)),
        }
    }

    /// Reads a parameter, or the secret behind its name: Parameter Store keeps nothing of its own
    /// below that path, has no metadata of it and sends no event. The name takes a version of the
    /// secret after a colon.
    ///
    /// "Referencing AWS Secrets Manager secrets from Parameter Store parameters", AWS Systems
    /// Manager User Guide.
    fn parse_parameter(
        home: Option<AccountRegion>,
        path: &str,
    ) -> Result<(Self, bool), &'static str> {
        if path.starts_with("aws/") && SECRETS.starts_with(path) {
            return Err(
                "a parameter of your own, or a secret's name after /aws/reference/secretsmanager/",
            );
        }
        let Some(secret) = path.strip_prefix(SECRETS) else {
            return Ok((Self::of(Kind::Parameter, home, path).well_formed()?, false));
        };
        let (name, version) = secret
            .split_once(':')
            .map_or((secret, None), |(name, version)| (name, Some(version)));
        let of_stage = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if version.is_some_and(|version| version.is_empty() || !version.chars().all(of_stage)) {
            return Err(
                "the name of a secret, then at most one colon and a version-id or a staging label",
            );
        }
        let (stage, pinned) = match version {
            Some(id) if VERSION_ID.contains(&id.len()) => (None, true),
            Some(label) => (moving_label(label), false),
            None => (None, false),
        };
        let term = Self {
            stage: stage.map(str::to_owned),
            ..Self::of(Kind::Secret, home, name)
        };
        Ok((term.well_formed()?, pinned))
    }

    /// Checks the path against the rules of its kind.
    fn well_formed(self) -> Result<Self, &'static str> {
        let check = match self.kind {
            Kind::Parameter => check_parameter,
            Kind::Object => check_object,
            Kind::Secret => check_secret,
            Kind::Profile => check_profile,
        };
        check(&self.path)?;
        Ok(self)
    }
}

fn check_parameter(path: &str) -> Result<(), &'static str> {
    let letters = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if !path.chars().all(letters) {
        Err(
            "a parameter's name: letters, digits and _ . - / (a version or label cannot be watched)",
        )
    } else if path.starts_with('/') || path.contains("//") {
        Err("a parameter's name with at most one leading slash, and one slash between its segments")
    } else {
        Ok(())
    }
}

fn check_object(path: &str) -> Result<(), &'static str> {
    let bucket = path.split_once('/').map(|(bucket, _)| bucket);
    if bucket.is_some_and(|bucket| !bucket.is_empty()) {
        Ok(())
    } else {
        Err("s3:bucket/key, s3:bucket/prefix/ or, for the whole bucket, s3:bucket/")
    }
}

fn check_secret(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("a secret's name, or the beginning of names that ends in a slash")
    } else if path.contains(':') {
        Err("a secret's name, in which no colon can be (its ARN takes a version)")
    } else {
        Ok(())
    }
}

fn check_profile(path: &str) -> Result<(), &'static str> {
    let segments: Vec<_> = path.split('/').collect();
    if segments.len() == 3 && segments.iter().all(|segment| !segment.is_empty()) {
        Ok(())
    } else {
        Err("appconfig:application/environment/profile")
    }
}

/// The thing that an ARN of one of the four sources names; `None` for any other ARN. The text after
/// a secret's name and a colon is left out.
fn named_by(arn: &Arn<'_>) -> Option<(Kind, String)> {
    match arn.service {
        "ssm" => {
            let name = arn.resource.strip_prefix("parameter/")?;
            Some((Kind::Parameter, name.to_owned()))
        }
        "s3" => Some((Kind::Object, arn.resource.to_owned())),
        "secretsmanager" => {
            let path = arn.resource.strip_prefix("secret:")?;
            Some((Kind::Secret, path.split(':').next()?.to_owned()))
        }
        "appconfig" => {
            let path = arn.resource.strip_prefix("application/")?;
            let (application, path) = path.split_once("/environment/")?;
            let (environment, profile) = path.split_once("/configuration/")?;
            let path = format!("{application}/{environment}/{profile}");
            Some((Kind::Profile, path))
        }
        _ => None,
    }
}

/// The path at which Parameter Store hands out secrets, without its leading slash.
const SECRETS: &str = "aws/reference/secretsmanager/";

/// The characters of a secret's version-id. A label of that length is unlikely.
/// `ClientRequestToken` of `PutSecretValue`, AWS Secrets Manager API Reference.
const VERSION_ID: RangeInclusive<usize> = 32..=64;

/// Reads the stage, if it is one that moves by itself; the answer is true beside it if there is a
/// version-id: `secret:name-AbCdEf:json-key:version-stage:version-id`, all three optional, stage
/// and id not together. "Specifying sensitive data using Secrets Manager secrets", Amazon ECS
/// Developer Guide.
fn version_of(resource: &str) -> Result<(Option<&str>, bool), &'static str> {
    let mut parts = resource.split(':').skip(3);
    let (stage, id) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if parts.next().is_some() || (!stage.is_empty() && !id.is_empty()) {
        return Err(
            "the ARN of a secret, then at most :json-key:version-stage: or :json-key::version-id",
        );
    }
    Ok((
        moving_label(stage).filter(|stage| !stage.is_empty()),
        !id.is_empty(),
    ))
}

const ANY_TERM: &str = "auto, ssm:/name, ssm:/path/, s3:bucket/key, s3:bucket/prefix/, \
                        secret:name, secret:prefix/, appconfig:application/environment/profile or \
                        an ARN";

//! One term of a watch tag, or one reference: a thing, or everything below a path.

use std::ops::RangeInclusive;

use super::arn::{AccountRegion, Arn};
use super::key::{self, Key, Kind};

/// One thing, or everything below one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    kind: Kind,
    /// `None`: the account and Region of whoever says it.
    place: Option<AccountRegion>,
    path: String,
    /// The label of a secret that moves by itself, where the term names one.
    stage: Option<String>,
    /// The path stood in the ARN of a secret, so that it may end in the six characters of a whole
    /// one.
    from_secret_arn: bool,
}

impl Term {
    /// Reads one term, without the `-` of an exclusion.
    ///
    /// # Errors
    /// What was expected instead.
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
    /// account and Region. Tells whether it names a version that never changes.
    pub(super) fn parse_reference(text: &str, bare: Kind) -> Result<(Self, bool), &'static str> {
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

    /// A bare parameter's name begins with a slash or not: both are the same parameter.
    fn parse_bare(kind: Kind, path: &str) -> Result<(Self, bool), &'static str> {
        match kind {
            Kind::Parameter => Self::parse_parameter(None, key::without_slash(path)),
            Kind::Object | Kind::Secret | Kind::Profile => {
                Ok((Self::of(kind, None, path).well_formed()?, false))
            }
        }
    }

    fn parse_arn(text: &str) -> Result<(Self, bool), &'static str> {
        let arn = Arn::parse(text).ok_or("a complete ARN")?;
        let (kind, path) = key::named_by(&arn).ok_or(
            "the ARN of a parameter, an object, a secret or an AppConfig configuration profile",
        )?;
        if kind != Kind::Object && (arn.account.is_empty() || arn.region.is_empty()) {
            return Err("an ARN with account and Region");
        }
        let place = Some(arn.home());
        match kind {
            Kind::Parameter => Self::parse_parameter(place, &path),
            Kind::Secret => {
                let (stage, pinned) = version_of(arn.resource)?;
                let term = Self {
                    stage: stage.map(str::to_owned),
                    from_secret_arn: true,
                    ..Self::of(kind, place, &path)
                };
                Ok((term.well_formed()?, pinned))
            }
            Kind::Object | Kind::Profile => {
                Ok((Self::of(kind, place, &path).well_formed()?, false))
            }
        }
    }

    /// A parameter, or the secret that stands behind its name: Parameter Store keeps nothing of its
    /// own below that path, knows no metadata of it and sends no event. It takes a version of
    /// the secret after a colon.
    ///
    /// "Referencing AWS Secrets Manager secrets from Parameter Store parameters", AWS Systems
    /// Manager User Guide.
    fn parse_parameter(
        place: Option<AccountRegion>,
        path: &str,
    ) -> Result<(Self, bool), &'static str> {
        if path.starts_with("aws/") && SECRETS.starts_with(path) {
            return Err(
                "a parameter of your own, or a secret's name after /aws/reference/secretsmanager/",
            );
        }
        let Some(secret) = path.strip_prefix(SECRETS) else {
            return Ok((Self::of(Kind::Parameter, place, path).well_formed()?, false));
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
            Some(label) => (key::moving_label(label), false),
            None => (None, false),
        };
        let term = Self {
            stage: stage.map(str::to_owned),
            ..Self::of(Kind::Secret, place, name)
        };
        Ok((term.well_formed()?, pinned))
    }

    fn of(kind: Kind, place: Option<AccountRegion>, path: &str) -> Self {
        Self {
            kind,
            place,
            path: path.to_owned(),
            stage: None,
            from_secret_arn: false,
        }
    }

    /// What kind of thing it names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The path that it names everything below of, where that is in the account and Region `home`,
    /// or, for objects, in its partition.
    #[must_use]
    pub fn prefix(&self, home: &AccountRegion) -> Option<&str> {
        let place = self.place.as_ref().unwrap_or(home);
        let is_at_home = if self.kind == Kind::Object {
            place.partition == home.partition
        } else {
            place == home
        };
        (self.is_prefix() && is_at_home).then_some(self.path.as_str())
    }

    /// Whether it names everything below a path.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// Whether it names `key`, said by a service whose account and Region are `home`. Only whole
    /// segments of a path count.
    #[must_use]
    pub fn matches(&self, key: &Key, home: &AccountRegion) -> bool {
        self.stage.as_deref() == key.stage() && self.names_thing(key, home)
    }

    /// The same, whatever the stage of a secret.
    pub(super) fn names_thing(&self, key: &Key, home: &AccountRegion) -> bool {
        self.kind == key.kind() && key.is_at(self.place.as_ref().unwrap_or(home)) && self.names(key)
    }

    fn names(&self, key: &Key) -> bool {
        if self.is_prefix() {
            key.path().starts_with(&self.path)
        } else {
            key.path() == self.path || (self.from_secret_arn && self.names_whole_arn(key))
        }
    }

    /// An ARN of a secret may be whole, with six more characters, or not.
    fn names_whole_arn(&self, key: &Key) -> bool {
        let named = || key::without_suffix(&self.path).filter(|(name, _)| *name == key.path());
        named().is_some_and(|(_, suffix)| key.suffix().is_none_or(|known| known == suffix))
    }

    /// The one key that it names, said from `home`; `None` for a prefix. The ARN of a secret is
    /// taken for a whole one where it may be.
    #[must_use]
    pub fn key(&self, home: &AccountRegion) -> Option<Key> {
        let whole = key::without_suffix(&self.path).filter(|_| self.from_secret_arn);
        let (path, suffix) = whole.map_or((self.path.as_str(), None), |(name, suffix)| {
            (name, Some(suffix))
        });
        (!self.is_prefix()).then(|| self.key_of(path, home).with_suffix(suffix))
    }

    /// Every key that it may name: an ARN of a secret may be whole, or that of a name which ends
    /// alike.
    pub fn keys(&self, home: &AccountRegion) -> impl Iterator<Item = Key> {
        let key = self.key(home);
        let alike = key
            .as_ref()
            .filter(|key| key.suffix().is_some())
            .map(|_| self.key_of(&self.path, home));
        key.into_iter().chain(alike)
    }

    fn key_of(&self, path: &str, home: &AccountRegion) -> Key {
        let place = self.place.as_ref().unwrap_or(home).clone();
        Key::of_kind(self.kind, place, path).at_stage(self.stage.as_deref().unwrap_or(key::CURRENT))
    }

    fn well_formed(self) -> Result<Self, &'static str> {
        let path = self.path.as_str();
        let fault = match self.kind {
            Kind::Parameter => {
                let letters = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
                if !path.chars().all(letters) {
                    Some(
                        "a parameter's name: letters, digits and _ . - / (a version or label \
                         cannot be watched)",
                    )
                } else if path.starts_with('/') || path.contains("//") {
                    Some(
                        "a parameter's name with at most one leading slash, and one slash between \
                         its segments",
                    )
                } else {
                    None
                }
            }
            Kind::Object => {
                let named = path
                    .split_once('/')
                    .is_some_and(|(bucket, _)| !bucket.is_empty());
                (!named).then_some(
                    "s3:bucket/key, s3:bucket/prefix/ or, for the whole bucket, s3:bucket/",
                )
            }
            Kind::Secret if path.is_empty() => {
                Some("a secret's name, or the beginning of names that ends in a slash")
            }
            Kind::Secret => path
                .contains(':')
                .then_some("a secret's name, in which no colon can be (its ARN takes a version)"),
            Kind::Profile => {
                let segments: Vec<_> = path.split('/').collect();
                let named =
                    segments.len() == 3 && segments.iter().all(|segment| !segment.is_empty());
                (!named).then_some("appconfig:application/environment/profile")
            }
        };
        fault.map_or(Ok(self), Err)
    }
}

/// Where Parameter Store hands out secrets, as the names of parameters are kept here: without the
/// leading slash.
const SECRETS: &str = "aws/reference/secretsmanager/";

/// Characters of a secret's version-id; nobody has a label of that length. `ClientRequestToken` of
/// `PutSecretValue`, AWS Secrets Manager API Reference.
const VERSION_ID: RangeInclusive<usize> = 32..=64;

/// The stage, where it is one that moves by itself, and whether there is a version id:
/// `secret:name-AbCdEf:json-key:version-stage:version-id`, all three optional, stage and id not
/// together. "Specifying sensitive data using Secrets Manager secrets", Amazon ECS Developer Guide.
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
        key::moving_label(stage).filter(|stage| !stage.is_empty()),
        !id.is_empty(),
    ))
}

const ANY_TERM: &str = "auto, ssm:/name, ssm:/path/, s3:bucket/key, s3:bucket/prefix/, \
                        secret:name, secret:prefix/, appconfig:application/environment/profile or \
                        an ARN";

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> AccountRegion {
        AccountRegion::of_region("123456789012", "eu-west-1")
    }

    fn matches(term: &str, key: &Key) -> bool {
        Term::parse(term).unwrap().matches(key, &home())
    }

    fn parameter(name: &str) -> Key {
        Key::parameter(home(), name)
    }

    #[test]
    fn a_term_names_one_parameter_in_every_spelling() {
        for term in [
            "ssm:/app/db",
            "ssm:app/db",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db",
        ] {
            assert!(matches(term, &parameter("/app/db")), "{term}");
            assert!(!matches(term, &parameter("/app/db-url")), "{term}");
            assert!(!matches(term, &parameter("/app/db/url")), "{term}");
        }
    }

    #[test]
    fn a_prefix_names_whole_segments_only() {
        assert!(matches("ssm:/app/", &parameter("/app/x")));
        assert!(matches("ssm:/app/", &parameter("/app/x/y")));
        assert!(!matches("ssm:/app/", &parameter("/app2/x")));
        assert!(!matches("ssm:/app/", &parameter("/app")));
        assert!(matches("ssm:/", &parameter("anything")));
    }

    #[test]
    fn a_bare_term_means_the_services_own_account_and_region() {
        let elsewhere = Key::parameter(
            AccountRegion::of_region("123456789012", "us-east-1"),
            "/app/db",
        );

        assert!(!matches("ssm:/app/db", &elsewhere));
        assert!(matches(
            "arn:aws:ssm:us-east-1:123456789012:parameter/app/db",
            &elsewhere
        ));
    }

    #[test]
    fn an_object_lives_in_its_partition_alone() {
        let object = Key::object("aws", "bucket", "app/prod.yaml");

        for term in [
            "s3:bucket/app/prod.yaml",
            "s3:bucket/app/",
            "s3:bucket/",
            "arn:aws:s3:::bucket/app/",
        ] {
            assert!(matches(term, &object), "{term}");
        }
        assert!(!matches("s3:bucket2/", &object));
        assert!(!matches("arn:aws-cn:s3:::bucket/", &object));
    }

    #[test]
    fn what_is_no_term_says_what_was_expected() {
        for (text, expected) in [
            ("app/db", "auto, ssm:"),
            ("smm:/app", "auto, ssm:"),
            ("ssm:", "a parameter's name after ssm:"),
            ("ssm://app", "one leading slash"),
            ("ssm:/app//db", "one slash between its segments"),
            ("ssm:/app//", "one slash between its segments"),
            (
                "arn:aws:ssm:eu-west-1:123456789012:parameter//app/db",
                "one leading slash",
            ),
            (
                "arn:aws:ssm:eu-west-1:123456789012:parameter/app//db",
                "one slash between its segments",
            ),
            ("ssm:/app/db:3", "a version or label cannot be watched"),
            ("s3:bucket", "for the whole bucket"),
            ("s3:/key", "s3:bucket/key"),
            ("secret:", "a secret's name"),
            ("secret:prod/db:CANARY", "no colon"),
            ("ssm:/aws/", "a parameter of your own"),
            ("ssm:/aws/reference/secretsmanager/", "a secret's name"),
            ("ssm:/aws/reference/secretsmanager/db:", "a staging label"),
            (
                "ssm:/aws/reference/secretsmanager/db:a:b",
                "a staging label",
            ),
            (
                "ssm:/aws/reference/secretsmanager/db:a1b2c3d4-5678-90ab-cdef-000000000001",
                "without a version-id",
            ),
            ("appconfig:a/b", "application/environment/profile"),
            (
                "arn:aws:sns:eu-west-1:123456789012:topic",
                "the ARN of a parameter",
            ),
            ("arn:aws:ssm:::parameter/app", "account and Region"),
            ("arn:aws", "a complete ARN"),
        ] {
            let told = Term::parse(text).unwrap_err();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    /// A secret's name may begin with a slash, so that two of them are none too many.
    #[test]
    fn a_parameter_that_hands_out_a_secret_is_that_secret() {
        let secret = |name: &str| Key::secret(home(), name);
        let arn = |name: &str| {
            format!(
                "arn:aws:ssm:eu-west-1:123456789012:parameter/aws/reference/secretsmanager/{name}"
            )
        };
        for (name, expected) in [
            ("prod/db", secret("prod/db")),
            ("/prod/db", secret("/prod/db")),
            ("prod/db-backup", secret("prod/db-backup")),
            ("prod/db:CANARY", secret("prod/db").at_stage("CANARY")),
            ("prod/db:AWSCURRENT", secret("prod/db")),
            ("prod/db:AWSPREVIOUS", secret("prod/db")),
        ] {
            for term in [
                format!("ssm:/aws/reference/secretsmanager/{name}"),
                format!("ssm:aws/reference/secretsmanager/{name}"),
                arn(name),
            ] {
                let keys: Vec<_> = Term::parse(&term).unwrap().keys(&home()).collect();
                assert_eq!(keys, std::slice::from_ref(&expected), "{term}");
                assert!(matches(&term, &expected), "{term}");
            }
        }
        assert!(matches(
            "ssm:/aws/reference/secretsmanager/prod/",
            &secret("prod/db")
        ));
        assert!(!matches(
            "ssm:/aws/reference/secretsmanager/prod/",
            &secret("production")
        ));
        assert!(!matches(
            "ssm:/aws/reference/secretsmanager/prod/db",
            &secret("prod/db").at_stage("CANARY")
        ));
    }

    #[test]
    fn only_a_term_without_trailing_slash_names_one_key() {
        assert_eq!(
            Term::parse("ssm:/app/db").unwrap().key(&home()),
            Some(parameter("app/db"))
        );
        assert_eq!(Term::parse("ssm:/app/").unwrap().key(&home()), None);
    }
}

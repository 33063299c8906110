//! The canonical identity of a thing that can change.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::arn::{AccountRegion, Arn};

/// The stage that a secret's readers read, unless they name another one.
pub const CURRENT: &str = "AWSCURRENT";

/// The stage that Secrets Manager attaches to the version which [`CURRENT`] leaves.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The label, unless it is one that moves whenever the current version does. [`PREVIOUS`] has no
/// event of its own: whoever reads it is to be restarted when [`CURRENT`] moves. "What's in a
/// Secrets Manager secret?", AWS Secrets Manager User Guide.
pub(super) fn moving_label(label: &str) -> Option<&str> {
    (label != CURRENT && label != PREVIOUS).then_some(label)
}

/// What kind of thing a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A parameter of Systems Manager Parameter Store.
    Parameter,
    /// An object in Amazon S3.
    Object,
    /// A secret of AWS Secrets Manager.
    Secret,
    /// A configuration profile of AWS `AppConfig`, in one environment of one application.
    Profile,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Parameter, Self::Object, Self::Secret, Self::Profile];

    /// The word before the colon in a watch term.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Parameter => "ssm",
            Self::Object => "s3",
            Self::Secret => "secret",
            Self::Profile => "appconfig",
        }
    }
}

/// A thing that can change: a kind, where it lives, and a path within that. Two spellings of one
/// thing are one `Key`.
///
/// A copy shares the parts of the original: a plan names each key once for every service that
/// watches it.
#[derive(Clone, Debug)]
pub struct Key(Arc<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    place: AccountRegion,
    path: String,
    /// Which of a secret's versions, where it is neither [`CURRENT`] nor [`PREVIOUS`]: a label of
    /// the owner's own moves without the current version.
    stage: Option<String>,
    /// The six characters at the end of a secret's ARN, where known. A name has one ARN at a time,
    /// so they are no part of the identity.
    suffix: Option<String>,
    /// Another path that may be meant: what told of a change does not say which of the two it is.
    /// No part of the identity either.
    also: Option<String>,
}

impl Key {
    /// A parameter. `/app/db` and `app/db` have the same ARN and are the same parameter.
    #[must_use]
    pub fn parameter(place: AccountRegion, name: &str) -> Self {
        Self::of_kind(Kind::Parameter, place, without_slash(name))
    }

    /// An object; its key is taken as it is.
    #[must_use]
    pub fn object(partition: &str, bucket: &str, key: &str) -> Self {
        let place = AccountRegion {
            partition: partition.to_owned(),
            ..AccountRegion::default()
        };
        Self::of_kind(Kind::Object, place, &format!("{bucket}/{key}"))
    }

    /// The current version of a secret.
    #[must_use]
    pub fn secret(place: AccountRegion, name: &str) -> Self {
        Self::of_kind(Kind::Secret, place, name)
    }

    /// A configuration profile, all three by name or all three by id.
    #[must_use]
    pub fn profile(
        place: AccountRegion,
        application: &str,
        environment: &str,
        profile: &str,
    ) -> Self {
        Self::of_kind(
            Kind::Profile,
            place,
            &format!("{application}/{environment}/{profile}"),
        )
    }

    /// A thing of this kind, its path as [`Key::path`] tells it.
    #[must_use]
    pub fn of_kind(kind: Kind, place: AccountRegion, path: &str) -> Self {
        let place = if kind == Kind::Object {
            place.partition_only()
        } else {
            place
        };
        Self(Arc::new(Parts {
            kind,
            place,
            path: path.to_owned(),
            stage: None,
            suffix: None,
            also: None,
        }))
    }

    /// The version of a secret that a label stands at. The previous version changes with the
    /// current one, and is the same key.
    #[must_use]
    pub fn at_stage(self, stage: &str) -> Self {
        let stage = moving_label(stage).map(str::to_owned);
        Self(Arc::new(Parts {
            stage,
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// The same secret, whose ARN is known to end in these six characters; others are none.
    #[must_use]
    pub fn with_suffix(self, suffix: Option<&str>) -> Self {
        let suffix = suffix.filter(|suffix| is_suffix(suffix)).map(str::to_owned);
        Self(Arc::new(Parts {
            suffix,
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// The same change, which may be one of `other`, of the same kind and place: whoever watches
    /// either of them is concerned.
    #[must_use]
    pub fn with_alternative(self, other: &Self) -> Self {
        if self.0.also.is_some() || other.path() == self.path() {
            return self;
        }
        Self(Arc::new(Parts {
            also: Some(other.path().to_owned()),
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// The same without the other key that may be meant.
    #[must_use]
    pub fn without_alternative(self) -> Self {
        if self.0.also.is_none() {
            self
        } else {
            Self(Arc::new(Parts {
                also: None,
                ..Arc::unwrap_or_clone(self.0)
            }))
        }
    }

    /// The other key that may be meant.
    #[must_use]
    pub fn alternative(&self) -> Option<Self> {
        let path = self.0.also.clone()?;
        Some(Self(Arc::new(Parts {
            path,
            also: None,
            ..Parts::clone(&self.0)
        })))
    }

    /// What the key names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Where it lives.
    #[must_use]
    pub fn home(&self) -> &AccountRegion {
        &self.0.place
    }

    /// The name without its leading slash, `bucket/key`, or `application/environment/profile`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The label of a secret, where it is neither [`CURRENT`] nor [`PREVIOUS`].
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        self.0.stage.as_deref()
    }

    /// The six characters at the end of a secret's ARN, where known.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        self.0.suffix.as_deref()
    }

    /// Whether it lives in the account and Region `home`, or, for an object, in the same partition.
    #[must_use]
    pub fn is_at(&self, home: &AccountRegion) -> bool {
        match self.0.kind {
            Kind::Object => self.0.place.partition == home.partition,
            Kind::Parameter | Kind::Secret | Kind::Profile => self.0.place == *home,
        }
    }

    /// Whether it is the same thing, whatever the stage.
    #[must_use]
    pub fn is_the_thing_of(&self, other: &Self) -> bool {
        (self.0.kind, &self.0.place, &self.0.path) == (other.0.kind, &other.0.place, &other.0.path)
    }

    /// Its ARN; a secret's without the six characters where they are not known, which Secrets
    /// Manager takes as well.
    #[must_use]
    pub fn arn(&self) -> String {
        let Parts {
            kind,
            place:
                AccountRegion {
                    partition,
                    account,
                    region,
                },
            path,
            stage: _,
            suffix,
            also: _,
        } = &*self.0;
        match kind {
            Kind::Parameter => format!("arn:{partition}:ssm:{region}:{account}:parameter/{path}"),
            Kind::Object => format!("arn:{partition}:s3:::{path}"),
            Kind::Secret => {
                let suffix = suffix
                    .as_ref()
                    .map(|suffix| format!("-{suffix}"))
                    .unwrap_or_default();
                format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{path}{suffix}")
            }
            Kind::Profile => {
                let mut segments = path.split('/');
                let mut next = || segments.next().unwrap_or_default();
                let (application, environment, profile) = (next(), next(), next());
                format!(
                    "arn:{partition}:appconfig:{region}:{account}:application/{application}/\
                     environment/{environment}/configuration/{profile}"
                )
            }
        }
    }

    /// The shortest term that watches it from `home`, and its stage.
    #[must_use]
    pub fn seen_from(&self, home: &AccountRegion) -> String {
        let stage = self
            .0
            .stage
            .as_ref()
            .map(|stage| format!(" at stage {stage}"))
            .unwrap_or_default();
        let term = if self.is_at(home) {
            self.term()
        } else {
            self.arn()
        };
        term + &stage
    }

    fn term(&self) -> String {
        format!(
            "{}:{}{}",
            self.0.kind.word(),
            if self.0.kind == Kind::Parameter {
                "/"
            } else {
                ""
            },
            self.0.path
        )
    }

    fn identity(&self) -> (Kind, &AccountRegion, &str, Option<&str>) {
        let Parts {
            kind,
            place,
            path,
            stage,
            suffix: _,
            also: _,
        } = &*self.0;
        (*kind, place, path, stage.as_deref())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.identity() == other.identity()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            Ordering::Equal
        } else {
            self.identity().cmp(&other.identity())
        }
    }
}

/// The term that watches this key from its own account and Region.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen_from(&self.0.place))
    }
}

/// What an ARN of one of the four sources names; `None` for any other. What follows a secret's
/// name, after a colon, is left out.
pub(super) fn named_by(arn: &Arn<'_>) -> Option<(Kind, String)> {
    match arn.service {
        "ssm" => Some((
            Kind::Parameter,
            arn.resource.strip_prefix("parameter/")?.to_owned(),
        )),
        "s3" => Some((Kind::Object, arn.resource.to_owned())),
        "secretsmanager" => Some((
            Kind::Secret,
            arn.resource
                .strip_prefix("secret:")?
                .split(':')
                .next()?
                .to_owned(),
        )),
        "appconfig" => {
            let path = arn.resource.strip_prefix("application/")?;
            let (application, path) = path.split_once("/environment/")?;
            let (environment, profile) = path.split_once("/configuration/")?;
            Some((
                Kind::Profile,
                format!("{application}/{environment}/{profile}"),
            ))
        }
        _ => None,
    }
}

pub(super) fn without_slash(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// The name and the six characters of what may be a whole ARN: `prod/db-AbCdEf`. A name may itself
/// end like that, so that this is a guess where the name is not told.
#[must_use]
pub fn without_suffix(path: &str) -> Option<(&str, &str)> {
    let (name, suffix) = path.rsplit_once('-')?;
    (!name.is_empty() && is_suffix(suffix)).then_some((name, suffix))
}

fn is_suffix(text: &str) -> bool {
    text.len() == 6 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> AccountRegion {
        AccountRegion::of_region("123456789012", "eu-west-1")
    }

    #[test]
    fn a_leading_slash_makes_no_other_parameter() {
        assert_eq!(
            Key::parameter(home(), "/app/db"),
            Key::parameter(home(), "app/db")
        );
    }

    #[test]
    fn another_account_or_region_makes_another_parameter() {
        let here = Key::parameter(home(), "/app/db");

        assert_ne!(
            here,
            Key::parameter(
                AccountRegion::of_region("210987654321", "eu-west-1"),
                "/app/db"
            )
        );
        assert_ne!(
            here,
            Key::parameter(
                AccountRegion::of_region("123456789012", "eu-west-2"),
                "/app/db"
            )
        );
    }

    #[test]
    fn the_end_of_an_arn_makes_no_other_secret_and_a_label_does() {
        let secret = Key::secret(home(), "prod/db");

        assert_eq!(secret, secret.clone().with_suffix(Some("AbCdEf")));
        assert_eq!(secret, secret.clone().at_stage("AWSCURRENT"));
        assert_eq!(
            secret,
            secret.clone().at_stage("AWSPREVIOUS"),
            "it moves with the current version"
        );
        assert_ne!(secret, secret.clone().at_stage("CANARY"));
        assert_eq!(secret.clone().with_suffix(Some("-AbCdEf")).suffix(), None);
    }

    #[test]
    fn a_key_is_shown_as_the_term_that_watches_it() {
        assert_eq!(
            Key::parameter(home(), "MyParameter").to_string(),
            "ssm:/MyParameter"
        );
        assert_eq!(
            Key::object("aws", "bucket", "app/prod.yaml").to_string(),
            "s3:bucket/app/prod.yaml"
        );
        assert_eq!(
            Key::secret(home(), "prod/db")
                .at_stage("CANARY")
                .to_string(),
            "secret:prod/db at stage CANARY"
        );
    }

    #[test]
    fn from_elsewhere_a_key_is_shown_as_its_arn() {
        let elsewhere = AccountRegion::of_region("123456789012", "us-east-1");

        assert_eq!(
            Key::parameter(home(), "/app/db").seen_from(&elsewhere),
            "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db"
        );
        assert_eq!(
            Key::object("aws", "bucket", "key").seen_from(&elsewhere),
            "s3:bucket/key"
        );
    }
}

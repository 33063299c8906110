//! The canonical identity of a thing that can change.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;
use std::sync::Arc;

use super::arn::AccountRegion;
use super::spelling::{is_suffix, moving_label, without_slash};

pub use super::spelling::{CURRENT, PREVIOUS, without_suffix};

/// The kind of a thing that can change.
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

/// A thing that can change: its kind, its account and Region, and its path there. Two spellings of
/// one thing are one `Key`.
///
/// A copy shares the parts of the original: a plan has a copy of the key for every service that
/// watches it.
#[derive(Clone, Debug)]
pub struct Key(Arc<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    home: AccountRegion,
    path: String,
    /// The label of a secret's version, if it is neither [`CURRENT`] nor [`PREVIOUS`]: a label
    /// of the owner's own moves without the current version.
    stage: Option<String>,
    /// The six characters at the end of a secret's ARN, if known. A name has one ARN at a time,
    /// so they are no part of the identity.
    suffix: Option<String>,
    /// Another path that may be meant, if an event does not say which of the two it is. It is no
    /// part of the identity either.
    alternative: Option<String>,
}

impl Key {
    /// A parameter. `/app/db` and `app/db` have the same ARN and are the same parameter.
    #[must_use]
    pub fn parameter(home: AccountRegion, name: &str) -> Self {
        Self::of_kind(Kind::Parameter, home, without_slash(name))
    }

    /// An object; its key is taken as it is.
    #[must_use]
    pub fn object(partition: &str, bucket: &str, key: &str) -> Self {
        let home = AccountRegion {
            partition: partition.into(),
            ..AccountRegion::default()
        };
        Self::of_kind(Kind::Object, home, &format!("{bucket}/{key}"))
    }

    /// The current version of a secret.
    #[must_use]
    pub fn secret(home: AccountRegion, name: &str) -> Self {
        Self::of_kind(Kind::Secret, home, name)
    }

    /// A configuration profile, all three by name or all three by id.
    #[must_use]
    pub fn profile(
        home: AccountRegion,
        application: &str,
        environment: &str,
        profile: &str,
    ) -> Self {
        Self::of_kind(
            Kind::Profile,
            home,
            &format!("{application}/{environment}/{profile}"),
        )
    }

    /// A thing of this kind, with the path that [`Key::path`] has.
    #[must_use]
    pub fn of_kind(kind: Kind, home: AccountRegion, path: &str) -> Self {
        let home = if kind == Kind::Object {
            home.partition_only()
        } else {
            home
        };
        Self(Arc::new(Parts {
            kind,
            home,
            path: path.to_owned(),
            stage: None,
            suffix: None,
            alternative: None,
        }))
    }

    /// The version of a secret that has a label. The previous version changes with the current one,
    /// and is the same key.
    #[must_use]
    pub fn at_stage(self, stage: &str) -> Self {
        let stage = moving_label(stage).map(str::to_owned);
        Self(Arc::new(Parts {
            stage,
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// The same secret, whose ARN ends in these six characters. Any other text is no such end.
    #[must_use]
    pub fn with_suffix(self, suffix: Option<&str>) -> Self {
        let suffix = suffix.filter(|suffix| is_suffix(suffix)).map(str::to_owned);
        Self(Arc::new(Parts {
            suffix,
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// The same key, or perhaps `other`, of the same kind, account and Region: an event of it affects
    /// the services that watch either.
    #[must_use]
    pub fn with_alternative(self, other: &Self) -> Self {
        if self.0.alternative.is_some() || other.path() == self.path() {
            return self;
        }
        Self(Arc::new(Parts {
            alternative: Some(other.path().to_owned()),
            ..Arc::unwrap_or_clone(self.0)
        }))
    }

    /// The same without the other key that may be meant.
    #[must_use]
    pub fn without_alternative(self) -> Self {
        if self.0.alternative.is_none() {
            self
        } else {
            Self(Arc::new(Parts {
                alternative: None,
                ..Arc::unwrap_or_clone(self.0)
            }))
        }
    }

    /// The other key that may be meant.
    #[must_use]
    pub fn alternative(&self) -> Option<Self> {
        let path = self.0.alternative.clone()?;
        Some(Self(Arc::new(Parts {
            path,
            alternative: None,
            ..Parts::clone(&self.0)
        })))
    }

    /// The kind of the thing.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The account and Region of the thing.
    #[must_use]
    pub fn home(&self) -> &AccountRegion {
        &self.0.home
    }

    /// The name without its leading slash, `bucket/key`, or `application/environment/profile`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Its path, and the other one that may be meant.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        iter::once(self.path()).chain(self.0.alternative.as_deref())
    }

    /// The label of a secret, if it is neither [`CURRENT`] nor [`PREVIOUS`].
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        self.0.stage.as_deref()
    }

    /// The six characters at the end of a secret's ARN, if known.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        self.0.suffix.as_deref()
    }

    /// True if it lives in the account and Region `home`, or, for an object, in the same partition.
    #[must_use]
    pub fn is_at(&self, home: &AccountRegion) -> bool {
        match self.0.kind {
            Kind::Object => self.0.home.partition == home.partition,
            Kind::Parameter | Kind::Secret | Kind::Profile => self.0.home == *home,
        }
    }

    /// The same thing without its stage: of a secret, the current version. It is the first of its
    /// stages in their order.
    #[must_use]
    pub fn thing(&self) -> Self {
        if self.0.stage.is_none() {
            self.clone()
        } else {
            Self(Arc::new(Parts {
                stage: None,
                ..Parts::clone(&self.0)
            }))
        }
    }

    /// Its ARN. If the six characters at the end of a secret's ARN are not known, it ends before
    /// them: Secrets Manager takes that as well.
    #[must_use]
    pub fn arn(&self) -> String {
        let Parts {
            kind,
            home:
                AccountRegion {
                    partition,
                    account,
                    region,
                },
            path,
            stage: _,
            suffix,
            alternative: _,
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
            home,
            path,
            stage,
            suffix: _,
            alternative: _,
        } = &*self.0;
        (*kind, home, path, stage.as_deref())
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
        f.write_str(&self.seen_from(&self.0.home))
    }
}

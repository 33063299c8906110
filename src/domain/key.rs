//! The canonical identity of a thing that can change.

use std::fmt;

use super::arn::{Arn, Place};

/// What kind of thing a key names. The word before the colon in a watch term is its `Display`.
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

    /// The word of the tag language.
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

/// A thing that can change: a kind, where it lives, and a path within that. Two spellings of one thing are one `Key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    kind: Kind,
    place: Place,
    path: String,
}

impl Key {
    /// A parameter. `/app/db` and `app/db` have the same ARN and are the same parameter.
    #[must_use]
    pub fn parameter(place: Place, name: &str) -> Self {
        Self { kind: Kind::Parameter, place, path: without_slash(name).to_owned() }
    }

    /// An object; its key is taken as it is.
    #[must_use]
    pub fn object(partition: &str, bucket: &str, key: &str) -> Self {
        let place = Place { partition: partition.to_owned(), account: String::new(), region: String::new() };
        Self { kind: Kind::Object, place, path: format!("{bucket}/{key}") }
    }

    pub(super) fn from_parts(kind: Kind, place: &Place, path: &str) -> Self {
        let place = if kind == Kind::Object { place.partition_only() } else { place.clone() };
        Self { kind, place, path: path.to_owned() }
    }

    /// What the key names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it lives.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The name without its leading slash, `bucket/key`, or `application/environment/profile`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The term that watches this key from its own account and Region.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place: _, path } = self;
        write!(f, "{}:{}{path}", kind.word(), if *kind == Kind::Parameter { "/" } else { "" })
    }
}

/// What an ARN of one of the four sources names; `None` for any other.
pub(super) fn named_by(arn: &Arn<'_>) -> Option<(Kind, String)> {
    match arn.service {
        "ssm" => Some((Kind::Parameter, without_slash(arn.resource.strip_prefix("parameter")?).to_owned())),
        "s3" => Some((Kind::Object, arn.resource.to_owned())),
        "secretsmanager" => Some((Kind::Secret, arn.resource.strip_prefix("secret:")?.to_owned())),
        "appconfig" => {
            let path = arn.resource.strip_prefix("application/")?;
            let (application, path) = path.split_once("/environment/")?;
            let (environment, profile) = path.split_once("/configuration/")?;
            Some((Kind::Profile, format!("{application}/{environment}/{profile}")))
        }
        _ => None,
    }
}

pub(super) fn without_slash(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Place {
        Place::of_region("123456789012", "eu-west-1")
    }

    #[test]
    fn a_leading_slash_makes_no_other_parameter() {
        assert_eq!(Key::parameter(home(), "/app/db"), Key::parameter(home(), "app/db"));
    }

    #[test]
    fn another_account_or_region_makes_another_parameter() {
        let here = Key::parameter(home(), "/app/db");

        assert_ne!(here, Key::parameter(Place::of_region("210987654321", "eu-west-1"), "/app/db"));
        assert_ne!(here, Key::parameter(Place::of_region("123456789012", "eu-west-2"), "/app/db"));
    }

    #[test]
    fn a_key_is_shown_as_the_term_that_watches_it() {
        assert_eq!(Key::parameter(home(), "MyParameter").to_string(), "ssm:/MyParameter");
        assert_eq!(Key::object("aws", "bucket", "app/prod.yaml").to_string(), "s3:bucket/app/prod.yaml");
    }
}

//! References to secrets, and to versions of them.

/// The label of the current version.
pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
pub(super) const PENDING: &str = "AWSPENDING";
/// A hyphen and this many letters and digits end a secret's ARN.
pub(super) const SUFFIX: usize = 6;
/// The fewest characters that the id of a version has.
const SHORTEST_ID: usize = 32;

/// The name, or the full or partial ARN, of a secret, with the version of it:
/// `NAME:json-key:version-stage:version-id`, empty parts left out at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector<'a> {
    pub(crate) id: SecretId<'a>,
    pub(super) stage: &'a str,
    pub(super) version: &'a str,
}

/// The name of a secret in a reference.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SecretId<'a> {
    Name(&'a str),
    /// The part after `:secret:` in an ARN: the name, mostly with its suffix.
    Arn(&'a str),
}

impl<'a> Selector<'a> {
    /// `text` is the part after `secret:` in a term, or in an ARN if `in_arn`. The JSON key does
    /// not matter: a version is read whole.
    pub(crate) fn parse(text: &'a str, in_arn: bool) -> Self {
        let mut parts = text.splitn(4, ':');
        let id = parts.next().unwrap_or_default();
        let _json_key = parts.next();
        let stage = parts.next().unwrap_or_default();
        let version = parts.next().unwrap_or_default();
        let id = if in_arn {
            SecretId::Arn(id)
        } else {
            SecretId::Name(id)
        };
        Self {
            id,
            stage: if stage.is_empty() { CURRENT } else { stage },
            version,
        }
    }

    /// `text` is the part after `/aws/reference/secretsmanager/` in a parameter's name: `NAME`,
    /// `NAME:version-stage` or `NAME:version-id`.
    pub(crate) fn of_parameter(text: &'a str) -> Self {
        let (name, version) = text.split_once(':').unwrap_or((text, CURRENT));
        let is_id = SHORTEST_ID <= version.len();
        let (stage, version) = if is_id {
            (CURRENT, version)
        } else {
            (version, "")
        };
        Self {
            id: SecretId::Name(name),
            stage,
            version,
        }
    }
}

impl<'a> SecretId<'a> {
    pub(super) fn from_api(id: &'a str) -> Self {
        id.split_once(":secret:")
            .map_or(Self::Name(id), |(_, resource)| Self::Arn(resource))
    }
}

/// The name in `name-AbCdEf`; `None` without such an end.
pub(crate) fn name_in(resource: &str) -> Option<&str> {
    let (name, suffix) = resource.rsplit_once('-')?;
    (suffix.len() == SUFFIX && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .then_some(name)
}

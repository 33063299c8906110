//! The spellings of names: slashes of parameters, labels and ARNs of secrets.

/// The stage that readers of a secret get, unless they name another one.
pub const CURRENT: &str = "AWSCURRENT";

/// The stage that Secrets Manager attaches to the version which [`CURRENT`] leaves.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// The label, unless it is one that moves whenever the current version does. [`PREVIOUS`] has no
/// event of its own: its readers are restarted when [`CURRENT`] moves. "What's in a Secrets Manager
/// secret?", AWS Secrets Manager User Guide.
pub(super) fn moving_label(label: &str) -> Option<&str> {
    (label != CURRENT && label != PREVIOUS).then_some(label)
}

pub(super) fn without_slash(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// The name and the six characters of a path that may come from a whole ARN: `prod/db-AbCdEf`. A
/// name may itself end like that: without knowing the name, this is a guess.
#[must_use]
pub fn without_suffix(path: &str) -> Option<(&str, &str)> {
    let (name, suffix) = path.rsplit_once('-')?;
    (!name.is_empty() && is_suffix(suffix)).then_some((name, suffix))
}

pub(super) fn is_suffix(text: &str) -> bool {
    text.len() == 6 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

//! The command that brings the value before a change back, for a person to run.
//!
//! A rollback of Amazon ECS does not bring it back: the deployment before has the same task
//! definition, so its new tasks read the new value too. The function itself reads and writes no
//! value.

use super::arn::AccountRegion;
use super::change::{Change, ChangeKind};
use super::key::{Key, Kind};
use super::text::is_shown;

/// The value before a change, and the way back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The key that changed.
    pub key: Key,
    /// The version that the change made, if known.
    pub version: Option<String>,
    /// The version before it, if known.
    pub previous: Option<String>,
    /// One line for a shell, or the reason why there is none.
    pub command: Result<String, NoCommand>,
}

/// The reason why no command is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCommand {
    /// The version before is not known.
    UnknownVersion,
    /// The change made the first version.
    FirstVersion,
    /// The version that the secret has now is not known, and the command must name it.
    UnknownCurrent,
    /// A label of the owner's own: nothing says which version had it before.
    OwnStage,
    /// The key has a character that must not be pasted, or begins like the name of a file.
    UnsafeKey,
    /// `AppConfig` goes back by a new deployment, for which a strategy must be chosen.
    NeedsDeployment,
    /// The key was deleted.
    Deleted,
}

impl NoCommand {
    /// The reason in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::UnknownVersion => "the version before is not known",
            Self::FirstVersion => "it is the first version",
            Self::UnknownCurrent => {
                "the version that has AWSCURRENT now is not known, and the command must name it"
            }
            Self::OwnStage => "nothing says which version had this label before",
            Self::UnsafeKey => "the key has characters that are not safe to paste",
            Self::NeedsDeployment => {
                "deploy the configuration version before: aws appconfig start-deployment"
            }
            Self::Deleted => "the key was deleted",
        }
    }
}

impl Restore {
    /// The way back from a change.
    #[must_use]
    pub fn of(change: &Change) -> Self {
        let previous = previous(change);
        Self {
            command: command(change, previous.as_deref()),
            key: change.key.clone(),
            version: change.version.clone(),
            previous,
        }
    }
}

/// The version before: the one that metadata named, else the number before that of a parameter.
fn previous(change: &Change) -> Option<String> {
    let number = || {
        let version: u64 = change.version.as_ref()?.parse().ok()?;
        let before = version.checked_sub(1).filter(|before| *before > 0)?;
        (change.key.kind() == Kind::Parameter).then(|| before.to_string())
    };
    change.previous.clone().or_else(number)
}

fn command(change: &Change, previous: Option<&str>) -> Result<String, NoCommand> {
    let key = &change.key;
    let parts = [Some(key.path()), previous, change.version.as_deref()];
    if change.kind == ChangeKind::Deleted {
        return Err(NoCommand::Deleted);
    }
    if key.alternative().is_some() || !parts.into_iter().flatten().all(is_safe) {
        return Err(NoCommand::UnsafeKey);
    }
    if key.stage().is_some() {
        return Err(NoCommand::OwnStage);
    }
    let unknown = if key.kind() == Kind::Parameter && change.version.as_deref() == Some("1") {
        NoCommand::FirstVersion
    } else {
        NoCommand::UnknownVersion
    };
    match key.kind() {
        Kind::Parameter => parameter(key, previous.ok_or(unknown)?),
        Kind::Secret => {
            let current = change.version.as_deref();
            let current = current.ok_or(NoCommand::UnknownCurrent);
            Ok(secret(key, previous.ok_or(unknown)?, current?))
        }
        Kind::Object => object(key, previous.ok_or(unknown)?),
        Kind::Profile => Err(NoCommand::NeedsDeployment),
    }
}

/// Writes the old value as a new version, with the type, the tier and the KMS key that it had. If
/// the old version cannot be read, nothing is written.
fn parameter(key: &Key, previous: &str) -> Result<String, NoCommand> {
    let number: u64 = previous.parse().map_err(|_| NoCommand::UnknownVersion)?;
    let name = if key.path().contains('/') {
        format!("/{}", key.path())
    } else {
        key.path().to_owned()
    };
    let region = region(key.home());
    let query = format!(
        "Parameters[?Version==`{number}`]|[0].merge({{Name:Name,Value:Value,Type:Type,Tier:Tier}},\
         KeyId&&{{KeyId:KeyId}}||`{{}}`)"
    );
    Ok(format!(
        "aws ssm put-parameter{region} --overwrite --cli-input-json \"$(aws ssm \
         get-parameter-history{region} {} --with-decryption {} --output json)\"",
        option("--name", &name),
        option("--query", &query),
    ))
}

/// Moves the label back. It fails, and changes nothing, if another version has it by now.
fn secret(key: &Key, previous: &str, current: &str) -> String {
    format!(
        "aws secretsmanager update-secret-version-stage{} {} --version-stage AWSCURRENT {} {}",
        region(key.home()),
        option("--secret-id", key.path()),
        option("--move-to-version-id", previous),
        option("--remove-from-version-id", current),
    )
}

/// Copies the old version onto the key: that makes a new version, with the metadata of the old one.
fn object(key: &Key, previous: &str) -> Result<String, NoCommand> {
    let (bucket, name) = key.path().split_once('/').ok_or(NoCommand::UnsafeKey)?;
    let source = format!("{bucket}/{}?versionId={}", encoded(name), encoded(previous));
    Ok(format!(
        "aws s3api copy-object {} {} {}",
        option("--bucket", bucket),
        option("--key", name),
        option("--copy-source", &source),
    ))
}

/// `--region …`, if it is known.
fn region(home: &AccountRegion) -> String {
    if home.region.is_empty() {
        String::new()
    } else {
        format!(" {}", option("--region", &home.region))
    }
}

/// An option with its value. A value that begins with a hyphen would be read as an option.
fn option(name: &str, value: &str) -> String {
    let joint = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{joint}{}", word(value))
}

/// One word of a shell, whatever is in it: in single quotes unless all its characters are plain.
#[must_use]
pub fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The percent-encoded form of a text, in which a slash stays as it is.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

/// True if a text may be pasted: it has no character that moves the cursor, ends the line or turns
/// the text, and the AWS CLI does not take it for the name of a file whose content it would send.
fn is_safe(text: &str) -> bool {
    let is_file = ["file://", "fileb://", "http://", "https://"];
    let path = text.split_once('/').map_or("", |(_, rest)| rest);
    let begins = |prefix: &str| text.starts_with(prefix) || path.starts_with(prefix);
    text.chars().all(is_shown) && !is_file.into_iter().any(begins)
}

#[cfg(test)]
mod tests;

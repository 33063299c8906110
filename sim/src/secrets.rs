//! Secrets Manager: secrets whose versions wear staging labels, each move of a label an event.

pub(crate) mod api;
mod rotation;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::clockwork::Clockwork;
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::events;
use crate::tagging::Tags;
use crate::world::World;
pub(crate) use rotation::RotationStep;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const PENDING: &str = "AWSPENDING";
/// A hyphen and this many letters and digits end a secret's ARN.
const SUFFIX: usize = 6;
/// The id of a version has this many characters at least.
const SHORTEST_ID: usize = 32;

/// All secrets of the account, by name.
#[derive(Debug, Default)]
pub(crate) struct Secrets(BTreeMap<String, Secret>);

#[derive(Debug)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    created_at: Timestamp,
    /// Moves on every change, be it of the description alone.
    changed_at: Timestamp,
    rotated_at: Option<Timestamp>,
    /// Marked for deletion, since when.
    deleted_at: Option<Timestamp>,
    /// Oldest first.
    versions: Vec<Version>,
    /// How often each label came to a version.
    moves: BTreeMap<String, u64>,
    tags: Tags,
}

#[derive(Clone, Debug)]
struct Version {
    id: String,
    value: String,
    created_at: Timestamp,
    /// Without any the version is deprecated.
    labels: Vec<String>,
}

/// A secret's name, or a full or partial ARN, and what of it:
/// `NAME:json-key:version-stage:version-id`, empty parts left out at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selector<'a> {
    pub(crate) id: SecretId<'a>,
    stage: &'a str,
    version: &'a str,
}

/// How a secret is named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SecretId<'a> {
    Name(&'a str),
    /// What follows `:secret:` in an ARN: the name, mostly with its suffix.
    Arn(&'a str),
}

impl<'a> Selector<'a> {
    /// `text` is what follows `secret:` in a term, or in an ARN if `in_arn`. The JSON key is of no
    /// consequence: a version is read whole.
    pub(crate) fn parse(text: &'a str, in_arn: bool) -> Self {
        let mut parts = text.splitn(4, ':');
        let id = parts.next().unwrap_or_default();
        let (_json_key, stage, version) = (
            parts.next(),
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
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

    /// `text` is what follows `/aws/reference/secretsmanager/` in a parameter's name: `NAME`,
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

impl Secrets {
    /// The secret of this name or ARN. A full ARN goes before a partial one: a name may itself end
    /// in a hyphen and six characters.
    fn find(&self, id: SecretId<'_>) -> Option<&Secret> {
        match id {
            SecretId::Name(name) => self.0.get(name),
            SecretId::Arn(resource) => self
                .0
                .values()
                .find(|secret| secret.resource() == resource)
                .or_else(|| self.0.get(resource)),
        }
    }

    /// What a selector names and how often its label has come to a version; a version named by its
    /// id never changes. A name that ends in `/` stands for all secrets below it.
    pub(crate) fn versions_of(&self, selector: Selector<'_>) -> Vec<(String, u64)> {
        if let SecretId::Name(prefix) | SecretId::Arn(prefix) = selector.id
            && prefix.ends_with('/')
        {
            let below = self
                .0
                .values()
                .filter(|secret| secret.name.starts_with(prefix));
            return below
                .filter_map(|secret| secret.version_of(selector))
                .collect();
        }
        self.find(selector.id)
            .and_then(|secret| secret.version_of(selector))
            .into_iter()
            .collect()
    }

    /// Creates what a selector names, as far as it does not exist, without an event.
    pub(crate) fn ensure_exists(
        &mut self,
        config: &AccountConfig,
        clock: &mut Clockwork,
        selector: Selector<'_>,
    ) {
        if self.find(selector.id).is_none() {
            let secret = match selector.id {
                SecretId::Name(name) => Secret::new(config, clock, name),
                SecretId::Arn(resource) => match name_in(resource) {
                    Some(name) => Secret {
                        arn: config.arn("secretsmanager", &format!("secret:{resource}")),
                        ..Secret::new(config, clock, name)
                    },
                    None => Secret::new(config, clock, resource),
                },
            };
            self.0.insert(secret.name.clone(), secret);
        }
        let Some(name) = self.find(selector.id).map(|secret| secret.name.clone()) else {
            return;
        };
        let Some(secret) = self.0.get_mut(&name) else {
            return;
        };
        let wanted = |id: &str| selector.version.is_empty() || id == selector.version;
        let known = secret
            .versions
            .iter()
            .rev()
            .find(|version| wanted(&version.id))
            .map(|version| version.id.clone());
        let id = known.unwrap_or_else(|| {
            let id = if selector.version.is_empty() {
                clock.uuid()
            } else {
                selector.version.to_owned()
            };
            secret.versions.push(Version::new(&id, clock.now));
            id
        });
        for label in [CURRENT, selector.stage] {
            if secret.holder(label).is_some() {
                continue;
            }
            if label == PREVIOUS {
                let before = clock.uuid();
                secret.versions.insert(0, Version::new(&before, clock.now));
                secret.attach(label, &before);
            } else {
                secret.attach(label, &id);
            }
        }
    }

    /// A secret's full ARN.
    pub(crate) fn arn(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|secret| secret.arn.clone())
    }

    /// # Errors
    /// `ResourceNotFoundException`.
    fn get(&self, id: &str) -> ApiResult<&Secret> {
        self.find(SecretId::from_api(id)).ok_or_else(not_found)
    }

    /// # Errors
    /// `ResourceNotFoundException`, or `InvalidRequestException` for a secret that is marked for
    /// deletion.
    fn live(&mut self, id: &str) -> ApiResult<&mut Secret> {
        let name = self.get(id)?.name.clone();
        let secret = self.0.get_mut(&name).ok_or_else(not_found)?;
        if secret.deleted_at.is_some() {
            let message = "You can't perform this operation on the secret because it was marked \
                           for deletion.";
            return Err(ApiError::new("InvalidRequestException", message));
        }
        Ok(secret)
    }
}

impl<'a> SecretId<'a> {
    fn from_api(id: &'a str) -> Self {
        id.split_once(":secret:")
            .map_or(Self::Name(id), |(_, resource)| Self::Arn(resource))
    }
}

/// The name in `name-AbCdEf`; `None` if it does not end so.
pub(crate) fn name_in(resource: &str) -> Option<&str> {
    let (name, suffix) = resource.rsplit_once('-')?;
    (suffix.len() == SUFFIX && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .then_some(name)
}

impl Version {
    fn new(id: &str, created_at: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            value: "value".to_owned(),
            created_at,
            labels: Vec::new(),
        }
    }
}

impl Secret {
    /// A secret without a version, whose ARN ends as chance has it.
    fn new(config: &AccountConfig, clock: &mut Clockwork, name: &str) -> Self {
        let arn = config.arn(
            "secretsmanager",
            &format!("secret:{name}-{}", clock.token(SUFFIX)),
        );
        Self {
            name: name.to_owned(),
            arn,
            description: None,
            created_at: clock.now,
            changed_at: clock.now,
            rotated_at: None,
            deleted_at: None,
            versions: Vec::new(),
            moves: BTreeMap::new(),
            tags: Tags::new(),
        }
    }

    fn resource(&self) -> &str {
        self.arn
            .split_once(":secret:")
            .map_or("", |(_, resource)| resource)
    }

    /// The id of the version that wears a label.
    fn holder(&self, label: &str) -> Option<&str> {
        self.versions
            .iter()
            .find(|version| version.labels.iter().any(|worn| worn == label))
            .map(|version| version.id.as_str())
    }

    fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    fn version_of(&self, selector: Selector<'_>) -> Option<(String, u64)> {
        let Selector { stage, version, .. } = selector;
        if self.deleted_at.is_some() {
            return None;
        }
        if !version.is_empty() {
            return self
                .version(version)
                .map(|_| (format!("secret:{}:::{version}", self.name), 1));
        }
        self.holder(stage)?;
        let thing = if stage == CURRENT {
            format!("secret:{}", self.name)
        } else {
            format!("secret:{}::{stage}:", self.name)
        };
        Some((thing, self.moves.get(stage).copied().unwrap_or_default()))
    }

    /// Attaches a label to a version, taking it from the one that wore it; `AWSPREVIOUS` follows
    /// where `AWSCURRENT` was. Whether it moved.
    fn attach(&mut self, label: &str, id: &str) -> bool {
        let before = self.holder(label).map(str::to_owned);
        if before.as_deref() == Some(id) {
            return false;
        }
        self.detach(label);
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == id) {
            version.labels.push(label.to_owned());
        }
        *self.moves.entry(label.to_owned()).or_default() += 1;
        if let Some(before) = before.filter(|_| label == CURRENT) {
            self.attach(PREVIOUS, &before);
        }
        true
    }

    fn detach(&mut self, label: &str) {
        for version in &mut self.versions {
            version.labels.retain(|worn| worn != label);
        }
    }
}

impl World {
    /// Moves a label to a version, and tells of it.
    fn move_label(&mut self, name: &str, label: &str, id: &str) {
        let Some(secret) = self.secrets.0.get_mut(name) else {
            return;
        };
        if !secret.attach(label, id) {
            return;
        }
        secret.changed_at = self.clock.now;
        let arn = secret.arn.clone();
        if label != PENDING && label != PREVIOUS {
            let told = events::Secret { name, arn: &arn };
            self.emit(|envelope| events::secret_label_updated(envelope, &told, label, id));
        }
    }
}

fn not_found() -> ApiError {
    ApiError::new(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

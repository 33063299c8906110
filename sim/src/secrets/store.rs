//! Secrets, whose versions have staging labels.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::selector::{CURRENT, PENDING, PREVIOUS, SUFFIX, SecretId, Selector, name_in};
use crate::clockwork::Clockwork;
use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::events::secrets as events;
use crate::shared::Shared;
use crate::tags::Tags;

/// All secrets of the account, by name.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(super) BTreeMap<String, Secret>);

#[derive(Debug)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) created_at: Timestamp,
    /// Changes with everything, even with the description alone.
    pub(super) changed_at: Timestamp,
    pub(super) rotated_at: Option<Timestamp>,
    /// The time at which it was marked for deletion.
    pub(super) deleted_at: Option<Timestamp>,
    /// Oldest first.
    pub(super) versions: Vec<Version>,
    /// The number of times that each label came to a version.
    moves: BTreeMap<String, u64>,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) value: String,
    pub(super) created_at: Timestamp,
    /// A version without a label is deprecated.
    pub(super) labels: Vec<String>,
}

impl Secrets {
    /// The secret of this name or ARN. A full ARN takes precedence over a partial one: a name may
    /// itself end in a hyphen and six characters.
    pub(super) fn find(&self, id: SecretId<'_>) -> Option<&Secret> {
        match id {
            SecretId::Name(name) => self.0.get(name),
            SecretId::Arn(resource) => self
                .0
                .values()
                .find(|secret| secret.resource() == resource)
                .or_else(|| self.0.get(resource)),
        }
    }

    /// The things that a selector names, with the number of times that the label has come to a
    /// version. A version that is named by its id never changes. A name that ends in `/` stands for
    /// all secrets below it.
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

    /// Creates the secret and the version that a selector names, if they do not exist, without an
    /// event.
    pub(crate) fn ensure_exists(
        &mut self,
        config: &AccountConfig,
        clock: &mut Clockwork,
        selector: Selector<'_>,
    ) {
        if self.find(selector.id).is_none() {
            let secret = Secret::named(config, clock, selector.id);
            self.0.insert(secret.name.clone(), secret);
        }
        let name = self.find(selector.id).map(|secret| secret.name.clone());
        if let Some(secret) = name.and_then(|name| self.0.get_mut(&name)) {
            secret.ensure_version(clock, selector);
        }
    }

    /// A secret's full ARN.
    pub(crate) fn arn(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|secret| secret.arn.clone())
    }

    /// # Errors
    /// `ResourceNotFoundException`.
    pub(super) fn get(&self, id: &str) -> ApiResult<&Secret> {
        self.find(SecretId::from_api(id)).ok_or_else(not_found)
    }

    /// # Errors
    /// `ResourceNotFoundException`, or `InvalidRequestException` for a secret that is marked for
    /// deletion.
    pub(super) fn live(&mut self, id: &str) -> ApiResult<&mut Secret> {
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
    /// A secret without a version, with a random end of its ARN.
    pub(super) fn new(config: &AccountConfig, clock: &mut Clockwork, name: &str) -> Self {
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

    /// A secret that this name or ARN means.
    fn named(config: &AccountConfig, clock: &mut Clockwork, id: SecretId<'_>) -> Self {
        match id {
            SecretId::Name(name) => Self::new(config, clock, name),
            SecretId::Arn(resource) => match name_in(resource) {
                Some(name) => Self {
                    arn: config.arn("secretsmanager", &format!("secret:{resource}")),
                    ..Self::new(config, clock, name)
                },
                None => Self::new(config, clock, resource),
            },
        }
    }

    /// Creates the version and attaches the labels that a selector asks for, if they are not there.
    fn ensure_version(&mut self, clock: &mut Clockwork, selector: Selector<'_>) {
        let wanted = |id: &str| selector.version.is_empty() || id == selector.version;
        let mut newest_first = self.versions.iter().rev();
        let known = newest_first
            .find(|version| wanted(&version.id))
            .map(|version| version.id.clone());
        let id = known.unwrap_or_else(|| {
            let id = if selector.version.is_empty() {
                clock.uuid()
            } else {
                selector.version.to_owned()
            };
            self.versions.push(Version::new(&id, clock.now));
            id
        });
        for label in [CURRENT, selector.stage] {
            if self.holder(label).is_some() {
                continue;
            }
            if label == PREVIOUS {
                let before = clock.uuid();
                self.versions.insert(0, Version::new(&before, clock.now));
                self.attach(label, &before);
            } else {
                self.attach(label, &id);
            }
        }
    }

    fn resource(&self) -> &str {
        self.arn
            .split_once(":secret:")
            .map_or("", |(_, resource)| resource)
    }

    /// The id of the version that has a label.
    pub(super) fn holder(&self, label: &str) -> Option<&str> {
        self.versions
            .iter()
            .find(|version| version.labels.iter().any(|worn| worn == label))
            .map(|version| version.id.as_str())
    }

    pub(super) fn version(&self, id: &str) -> Option<&Version> {
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

    /// Moves a label to a version; `AWSPREVIOUS` follows to the version that had `AWSCURRENT`.
    /// Returns true if the label moved.
    pub(super) fn attach(&mut self, label: &str, id: &str) -> bool {
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

    pub(super) fn detach(&mut self, label: &str) {
        for version in &mut self.versions {
            version.labels.retain(|worn| worn != label);
        }
    }
}

impl Secrets {
    /// Moves a label to a version, and sends the event of it.
    pub(super) fn move_label(&mut self, shared: &mut Shared, name: &str, label: &str, id: &str) {
        let Some(secret) = self.0.get_mut(name) else {
            return;
        };
        if !secret.attach(label, id) {
            return;
        }
        secret.changed_at = shared.clock.now;
        let arn = secret.arn.clone();
        if label != PENDING && label != PREVIOUS {
            let secret = events::Secret { name, arn: &arn };
            shared.emit(|envelope| events::secret_label_updated(envelope, &secret, label, id));
        }
    }
}

pub(super) fn not_found() -> ApiError {
    ApiError::new(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

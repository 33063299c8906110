//! Parameter Store: parameters in versions, each change an event.

pub(crate) mod api;
mod tags;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::AccountConfig;
use crate::error::{ApiError, ApiResult};
use crate::events::ssm::{Parameter, parameter_store_change};
use crate::shared::Shared;
use crate::tags::Tags;

#[derive(Debug, Default)]
pub(crate) struct ParameterStore {
    parameters: BTreeMap<String, Stored>,
}

/// A parameter, or the rest of a deleted one.
#[derive(Debug, Default)]
struct Stored {
    kind: String,
    description: Option<String>,
    /// The number of writes, also before a deletion. AWS counts anew after a deletion, and a task
    /// that holds version 1 of the deleted parameter does not hold version 1 of the new one.
    writes: u64,
    /// Oldest first; empty once it is deleted.
    versions: Vec<Version>,
    tags: Tags,
}

#[derive(Clone, Debug)]
struct Version {
    number: u64,
    value: String,
    modified_at: Timestamp,
    modified_by: String,
    labels: Vec<String>,
}

/// A parameter and its newest version.
struct Live<'a> {
    name: &'a str,
    stored: &'a Stored,
    newest: &'a Version,
}

/// The input of `PutParameter`.
pub(crate) struct Put {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) kind: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) overwrite: bool,
    pub(crate) user: String,
}

impl ParameterStore {
    /// The parameter of this name, with or without the slash that it begins with, or all below a
    /// path that ends in `/`, and how often they were written.
    pub(crate) fn versions_of(&self, name: &str) -> Vec<(String, u64)> {
        let bare = |name: &str| name.trim_start_matches('/').to_owned();
        let matches = |known: &str| {
            if name.ends_with('/') {
                bare(known).starts_with(&bare(name))
            } else {
                bare(known) == bare(name)
            }
        };
        let live = self.live().filter(|live| matches(live.name));
        live.map(|live| (format!("ssm:{}", live.name), live.stored.writes))
            .collect()
    }

    /// The number of versions of a parameter that a replica does not have: those after `since`. It
    /// always has one.
    pub(crate) fn not_replicated(&self, name: &str, since: Timestamp) -> u64 {
        let written = self.written_at(name);
        let newer = written.iter().filter(|at| **at > since).count();
        newer.min(written.len().saturating_sub(1)) as u64
    }

    /// The times at which a parameter was written, oldest first, since it was last deleted.
    pub(crate) fn written_at(&self, name: &str) -> Vec<Timestamp> {
        let versions = self
            .parameters
            .get(name)
            .map(|stored| stored.versions.as_slice())
            .unwrap_or_default();
        versions.iter().map(|version| version.modified_at).collect()
    }

    pub(crate) fn ensure_exists(&mut self, config: &AccountConfig, name: &str, now: Timestamp) {
        if self.versions_of(name).is_empty() {
            self.write(Put::by_owner(config, name), now);
        }
    }

    /// Parameters that exist.
    fn live(&self) -> impl Iterator<Item = Live<'_>> {
        self.parameters.iter().filter_map(|(name, stored)| {
            Some(Live {
                name,
                stored,
                newest: stored.versions.last()?,
            })
        })
    }

    /// Parameters as they were at this time, to a reader without newer writes.
    fn live_at(&self, time: Timestamp) -> impl Iterator<Item = Live<'_>> {
        self.parameters.iter().filter_map(move |(name, stored)| {
            let mut newest_first = stored.versions.iter().rev();
            let newest = newest_first.find(|version| version.modified_at <= time)?;
            Some(Live {
                name,
                stored,
                newest,
            })
        })
    }

    fn current(&self, name: &str) -> Option<(&Stored, &Version)> {
        let stored = self.parameters.get(name)?;
        Some((stored, stored.versions.last()?))
    }

    fn write(&mut self, put: Put, now: Timestamp) -> u64 {
        let stored = self.parameters.entry(put.name).or_default();
        let number = stored
            .versions
            .last()
            .map_or(1, |version| version.number + 1);
        stored.writes += 1;
        if let Some(kind) = put.kind {
            stored.kind = kind;
        }
        if put.description.is_some() {
            stored.description = put.description;
        }
        stored.versions.push(Version {
            number,
            value: put.value,
            modified_at: now,
            modified_by: put.user,
            labels: Vec::new(),
        });
        number
    }
}

impl Put {
    /// A new value, from the owner of the account.
    pub(crate) fn by_owner(config: &AccountConfig, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: "value".to_owned(),
            kind: Some("String".to_owned()),
            description: None,
            overwrite: true,
            user: config.user_arn("owner"),
        }
    }
}

impl ParameterStore {
    pub(crate) fn put(&mut self, shared: &mut Shared, put: Put) -> ApiResult<u64> {
        let exists = self.current(&put.name).is_some();
        if exists && !put.overwrite {
            let message = "The parameter already exists. To overwrite this value, set the \
                           overwrite option in the request to true.";
            return Err(ApiError::new("ParameterAlreadyExists", message));
        }
        let name = put.name.clone();
        let version = self.write(put, shared.clock.now);
        self.emit_change(shared, if exists { "Update" } else { "Create" }, &name);
        Ok(version)
    }

    /// Deletes a parameter with its tags, which leave the tag index later.
    pub(crate) fn delete(&mut self, shared: &mut Shared, name: &str) -> ApiResult<()> {
        self.current(name).ok_or_else(not_found)?;
        self.emit_change(shared, "Delete", name);
        if let Some(stored) = self.parameters.get_mut(name) {
            stored.versions.clear();
            stored.description = None;
            if !std::mem::take(&mut stored.tags).is_empty() {
                shared.index_later(shared.config.parameter_arn(name), Tags::new());
            }
        }
        Ok(())
    }

    /// Attaches labels to a version, by default to the newest; a label belongs to one version only.
    pub(crate) fn label(
        &mut self,
        shared: &mut Shared,
        name: &str,
        version: Option<u64>,
        labels: &[String],
    ) -> ApiResult<u64> {
        let number = version
            .or(self.current(name).map(|(_, newest)| newest.number))
            .ok_or_else(not_found)?;
        let stored = self.parameters.get_mut(name).ok_or_else(not_found)?;
        let known = stored
            .versions
            .iter()
            .any(|version| version.number == number);
        if !known {
            return Err(ApiError::new(
                "ParameterVersionNotFound",
                format!("Systems Manager could not find version {number} of {name}."),
            ));
        }
        for version in &mut stored.versions {
            version.labels.retain(|label| !labels.contains(label));
            if version.number == number {
                version.labels.extend_from_slice(labels);
            }
        }
        self.emit_change(shared, "LabelParameterVersion", name);
        Ok(number)
    }

    fn emit_change(&self, shared: &mut Shared, operation: &str, name: &str) {
        let Some(stored) = self.parameters.get(name) else {
            return;
        };
        let parameter = Parameter {
            name,
            kind: &stored.kind,
            description: stored.description.as_deref(),
        };
        shared.emit(|envelope| parameter_store_change(envelope, operation, &parameter));
    }
}

fn not_found() -> ApiError {
    ApiError::new("ParameterNotFound", "")
}

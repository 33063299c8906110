//! One term of a watch tag, or one reference: a thing, or everything below a path.

mod parse;
#[cfg(test)]
mod tests;

use std::iter;

use super::arn::AccountRegion;
use super::key::{Key, Kind};
use super::spelling::{CURRENT, without_suffix};

/// One thing, or everything below one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    kind: Kind,
    /// The account and Region in the term. Without them, those of the service that has the term
    /// are meant.
    home: Option<AccountRegion>,
    path: String,
    /// The label of a secret that moves by itself, if the term names one.
    stage: Option<String>,
    /// True if the path comes from the ARN of a secret, so that it may end in the six characters of
    /// a whole ARN.
    from_secret_arn: bool,
}

impl Term {
    fn of(kind: Kind, home: Option<AccountRegion>, path: &str) -> Self {
        Self {
            kind,
            home,
            path: path.to_owned(),
            stage: None,
            from_secret_arn: false,
        }
    }

    /// The kind of the things that it names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The paths by which it names keys. The ARN of a secret that may be whole has two.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let of_whole_arn = self.name_in_whole_arn().map(|(name, _)| name);
        iter::once(self.path.as_str()).chain(of_whole_arn)
    }

    /// The path of a prefix in the account and Region `home`, or, of objects, in its partition. `None`
    /// for one thing, and for a prefix elsewhere.
    #[must_use]
    pub fn prefix(&self, home: &AccountRegion) -> Option<&str> {
        let own = self.home.as_ref().unwrap_or(home);
        let is_at_home = if self.kind == Kind::Object {
            own.partition == home.partition
        } else {
            own == home
        };
        (self.is_prefix() && is_at_home).then_some(self.path.as_str())
    }

    /// True if it names everything below a path.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// True if it names `key`, as a term of a service in the account and Region `home`. A prefix
    /// matches whole segments of a path.
    #[must_use]
    pub fn matches(&self, key: &Key, home: &AccountRegion) -> bool {
        self.stage.as_deref() == key.stage() && self.names_thing(key, home)
    }

    /// True if it names the thing of `key`, for a secret with any stage.
    pub(super) fn names_thing(&self, key: &Key, home: &AccountRegion) -> bool {
        self.kind == key.kind() && key.is_at(self.home.as_ref().unwrap_or(home)) && self.names(key)
    }

    fn names(&self, key: &Key) -> bool {
        if self.is_prefix() {
            key.path().starts_with(&self.path)
        } else {
            key.path() == self.path || self.names_by_whole_arn(key)
        }
    }

    /// True if the ARN of a secret is whole, with its last six characters, and names `key`.
    fn names_by_whole_arn(&self, key: &Key) -> bool {
        self.name_in_whole_arn().is_some_and(|(name, suffix)| {
            name == key.path() && key.suffix().is_none_or(|known| known == suffix)
        })
    }

    /// The name and the last six characters of the ARN of a secret, if it may be whole.
    fn name_in_whole_arn(&self) -> Option<(&str, &str)> {
        let is_secret = self.from_secret_arn;
        is_secret.then(|| without_suffix(&self.path)).flatten()
    }

    /// The one key that it names, as a term of a service in the account and Region `home`; `None`
    /// for a prefix. The ARN of a secret that may be whole is taken for whole.
    #[must_use]
    pub fn key(&self, home: &AccountRegion) -> Option<Key> {
        let whole = self.name_in_whole_arn();
        let (path, suffix) = whole.map_or((self.path.as_str(), None), |(name, suffix)| {
            (name, Some(suffix))
        });
        (!self.is_prefix()).then(|| self.key_of(path, home).with_suffix(suffix))
    }

    /// Every key that it may name: the ARN of a secret may be whole, or that of a name which ends
    /// like one.
    pub fn keys(&self, home: &AccountRegion) -> impl Iterator<Item = Key> {
        let key = self.key(home);
        let alike = key
            .as_ref()
            .filter(|key| key.suffix().is_some())
            .map(|_| self.key_of(&self.path, home));
        key.into_iter().chain(alike)
    }

    fn key_of(&self, path: &str, home: &AccountRegion) -> Key {
        let home = self.home.as_ref().unwrap_or(home).clone();
        Key::of_kind(self.kind, home, path).at_stage(self.stage.as_deref().unwrap_or(CURRENT))
    }
}

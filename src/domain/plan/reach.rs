//! The number of services that each change would restart, for the rule of the blast radius.

use std::collections::BTreeMap;

use super::rule::Rule;
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;

/// The number of services that each change would restart, now or later, whatever its scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach(BTreeMap<Key, usize>);

impl Reach {
    pub(super) fn add(&mut self, key: &Key, services: usize) {
        *self.0.entry(key.clone()).or_default() += services;
    }

    /// The greater number of each change.
    pub(super) fn at_least(mut self, known: &Self) -> Self {
        for (key, services) in &known.0 {
            let reached = self.0.entry(key.clone()).or_default();
            *reached = (*reached).max(*services);
        }
        self
    }

    pub(super) fn of_key(&self, key: &Key) -> usize {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// The reason that a change gives, once the number of its services is known.
    pub(super) fn limit(&self, key: &Key, reason: Reason, policy: &Policy) -> Reason {
        let limit = Reason::BlastRadius;
        let applies = match limit.rule() {
            Rule::Reach(rule) => rule(self.of_key(key), policy),
            _ => false,
        };
        if reason > limit && applies {
            limit
        } else {
            reason
        }
    }
}

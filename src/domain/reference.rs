//! The references of a task definition, or of a service: the things that a task reads when it
//! starts.

use super::arn::AccountRegion;
use super::key::{Key, Kind};
use super::term::Term;
use super::text::bounded;

/// The references of one task definition, or of one service itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Things that each new task reads anew.
    pub unpinned: Vec<Term>,
    /// Versions of secrets, named by their ids: they never change.
    pub pinned: Vec<Term>,
    /// References that do not parse.
    pub invalid: Vec<InvalidReference>,
}

/// A reference that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidReference {
    /// The field that has it: `containerDefinitions[app].secrets[DB_URL]`.
    pub field: String,
    /// The text that was expected there.
    pub expected: &'static str,
}

impl InvalidReference {
    /// The mistake in words. `owner` is the owner of the field: `the task definition`.
    #[must_use]
    pub fn in_words(&self, owner: &str) -> String {
        let Self { field, expected } = self;
        format!(
            "{} of {owner} does not parse: expected {expected}",
            bounded(field)
        )
    }
}

impl References {
    /// Adds the reference `text` of a `field`. Text that is no ARN is the name of a thing of the kind
    /// `bare`.
    ///
    /// "Specifying sensitive data", "Pass environment variables" and "Task definition parameters",
    /// Amazon ECS Developer Guide.
    pub fn add(&mut self, field: impl FnOnce() -> String, text: &str, bare: Kind) {
        match Term::parse_reference(text, bare) {
            Ok((term, false)) => self.unpinned.push(term),
            Ok((term, true)) => self.pinned.push(term),
            Err(expected) => self.invalid.push(InvalidReference {
                field: field(),
                expected,
            }),
        }
    }

    /// True if any version of the key's thing is among them, for a service in the account and Region
    /// `home`. Without that thing a task does not start.
    #[must_use]
    pub fn name(&self, key: &Key, home: &AccountRegion) -> bool {
        self.unpinned
            .iter()
            .chain(&self.pinned)
            .any(|term| term.names_thing(key, home))
    }

    /// The number of references, those that do not parse included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.unpinned.len() + self.pinned.len() + self.invalid.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

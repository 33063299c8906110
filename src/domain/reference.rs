//! What a task definition, or a service, refers to: the things that a task reads when it starts.

use super::arn::AccountRegion;
use super::key::{Key, Kind};
use super::term::Term;
use super::text::bounded;

/// The references of one task definition, or of one service itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// What new tasks read anew.
    pub followed: Vec<Term>,
    /// Versions of secrets, named by their ids: they never change.
    pub pinned: Vec<Term>,
    /// What does not parse.
    pub unread: Vec<UnreadReference>,
}

/// A reference that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadReference {
    /// Where it stands: `containerDefinitions[app].secrets[DB_URL]`.
    pub field: String,
    /// What was expected there.
    pub expected: &'static str,
}

impl UnreadReference {
    /// The mistake in words, where `owner` is what has the field: `the task definition`.
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
    /// Adds the reference `text` that stands in `field`; where it is not an ARN, it is the name of
    /// a `bare`.
    ///
    /// "Specifying sensitive data", "Pass environment variables" and "Task definition parameters",
    /// Amazon ECS Developer Guide.
    pub fn add(&mut self, field: impl FnOnce() -> String, text: &str, bare: Kind) {
        match Term::parse_reference(text, bare) {
            Ok((term, false)) => self.followed.push(term),
            Ok((term, true)) => self.pinned.push(term),
            Err(expected) => self.unread.push(UnreadReference {
                field: field(),
                expected,
            }),
        }
    }

    /// Whether any version of a thing is among them, for a service whose account and Region are
    /// `home`: without it a task does not start.
    #[must_use]
    pub fn name(&self, key: &Key, home: &AccountRegion) -> bool {
        self.followed
            .iter()
            .chain(&self.pinned)
            .any(|term| term.names_thing(key, home))
    }

    /// How much there is to keep.
    #[must_use]
    pub fn len(&self) -> usize {
        self.followed.len() + self.pinned.len() + self.unread.len()
    }

    /// Whether nothing is referred to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

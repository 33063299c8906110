//! The keys that a service watches: the terms of its `reloader:watch` tags.

use super::arn::AccountRegion;
use super::key::Key;
use super::reference::References;
use super::term::Term;

/// The terms of a service's watch tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Watches everything that the service and its task definition refer to.
    pub auto: bool,
    /// Watches these.
    pub terms: Vec<Term>,
    /// Never watches these.
    pub exclusions: Vec<Term>,
}

/// The relation of a service to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// A term, or a reference of its task definition, names the key.
    Watched,
    /// A term or a reference names the key, and an exclusion forbids it.
    Excluded,
    /// Its task definition names a version of the key that never changes.
    Pinned,
    /// The task definition decides, but was not read.
    NeedsTaskDefinition,
    /// No term or reference names the key.
    None,
}

impl Watch {
    /// The relation of a service in the account and Region `home` to `key`. The service has
    /// references of its `own`, and those of its task `definition`, if that was read. If an event
    /// may mean two keys, the one that is watched counts.
    #[must_use]
    pub fn match_of(
        &self,
        key: &Key,
        home: &AccountRegion,
        own: &References,
        definition: Option<&References>,
    ) -> Match {
        let one = self.match_of_one(key, home, own, definition);
        let Some(alternative) = key.alternative() else {
            return one;
        };
        let other = self.match_of_one(&alternative, home, own, definition);
        let either = [one, other];
        let deciding = [Match::Watched, Match::NeedsTaskDefinition];
        deciding
            .into_iter()
            .find(|deciding| either.contains(deciding))
            .unwrap_or(if one == Match::None { other } else { one })
    }

    fn match_of_one(
        &self,
        key: &Key,
        home: &AccountRegion,
        own: &References,
        definition: Option<&References>,
    ) -> Match {
        let name = |terms: &[Term]| terms.iter().any(|term| term.matches(key, home));
        let unless_excluded = |found| {
            let exclude = |term: &Term| term.names_thing(key, home);
            if self.exclusions.iter().any(exclude) {
                Match::Excluded
            } else {
                found
            }
        };
        if name(&self.terms) {
            return unless_excluded(Match::Watched);
        }
        if !self.auto {
            return Match::None;
        }
        if name(&own.unpinned) {
            return unless_excluded(Match::Watched);
        }
        let Some(definition) = definition else {
            return Match::NeedsTaskDefinition;
        };
        if name(&definition.unpinned) {
            unless_excluded(Match::Watched)
        } else if name(&definition.pinned) || name(&own.pinned) {
            unless_excluded(Match::Pinned)
        } else {
            Match::None
        }
    }

    /// True if such a service refers to any version of the key's thing, pinned ones included.
    #[must_use]
    pub fn refers_to(
        &self,
        key: &Key,
        home: &AccountRegion,
        own: &References,
        definition: Option<&References>,
    ) -> bool {
        let refers = |key: &Key| {
            let name = |terms: &[Term]| terms.iter().any(|term| term.names_thing(key, home));
            let mut references = [own].into_iter().chain(definition);
            let by_reference = self.auto && references.any(|references| references.name(key, home));
            (name(&self.terms) || by_reference) && !name(&self.exclusions)
        };
        refers(key) || key.alternative().as_ref().is_some_and(refers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::Kind;

    fn home() -> AccountRegion {
        AccountRegion::of_region("123456789012", "eu-west-1")
    }

    fn parameter(name: &str) -> Key {
        Key::parameter(home(), name)
    }

    #[test]
    fn an_exclusion_wins() {
        let watch = Watch {
            terms: vec![Term::parse("ssm:/app/").unwrap()],
            exclusions: vec![Term::parse("ssm:/app/flags/").unwrap()],
            ..Watch::default()
        };

        assert_eq!(
            watch.match_of(&parameter("/app/db"), &home(), &References::default(), None),
            Match::Watched
        );
        assert_eq!(
            watch.match_of(
                &parameter("/app/flags/a"),
                &home(),
                &References::default(),
                None
            ),
            Match::Excluded
        );
        assert_eq!(
            watch.match_of(&parameter("/other"), &home(), &References::default(), None),
            Match::None
        );
    }

    #[test]
    fn auto_leaves_a_key_that_no_term_names_to_the_task_definition() {
        let watch = Watch {
            auto: true,
            terms: vec![Term::parse("ssm:/app/").unwrap()],
            exclusions: Vec::new(),
        };

        assert_eq!(
            watch.match_of(&parameter("/app/db"), &home(), &References::default(), None),
            Match::Watched
        );
        assert_eq!(
            watch.match_of(&parameter("/other"), &home(), &References::default(), None),
            Match::NeedsTaskDefinition
        );
    }

    #[test]
    fn a_reference_of_the_service_itself_needs_no_task_definition() {
        let watch = Watch {
            auto: true,
            ..Watch::default()
        };
        let mut own = References::default();
        own.add(String::new, "/app/db", Kind::Parameter);

        assert_eq!(
            watch.match_of(&parameter("/app/db"), &home(), &own, None),
            Match::Watched
        );
        assert_eq!(
            watch.match_of(&parameter("/other"), &home(), &own, None),
            Match::NeedsTaskDefinition
        );
        assert!(watch.refers_to(&parameter("/app/db"), &home(), &own, None));
        assert_eq!(
            Watch::default().match_of(&parameter("/app/db"), &home(), &own, None),
            Match::None,
            "only `auto` asks for it"
        );
    }
}

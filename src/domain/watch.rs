//! What a service listens to: the terms of its `reloader:watch` tags.

use super::arn::AccountRegion;
use super::key::Key;
use super::reference::References;
pub use super::term::Term;

/// The terms of a service's watch tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Listens to whatever the service and its task definition refer to.
    pub auto: bool,
    /// Listens to these.
    pub terms: Vec<Term>,
    /// But never to these.
    pub exclusions: Vec<Term>,
}

/// How a service stands to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// A term, or a reference of its task definition, names it.
    Watched,
    /// Something would name it, and an exclusion forbids it.
    Excluded,
    /// Its task definition names a version of it that never changes.
    Pinned,
    /// The task definition decides, and was not read.
    NeedsTaskDefinition,
    /// Nothing names it.
    None,
}

impl Watch {
    /// The relation to `key` of a service whose account and Region are `home`. It has references of
    /// its `own`, and those of its task `definition`, where that was read. Of two keys that may
    /// be meant, the one counts that it listens to.
    #[must_use]
    pub fn match_of(
        &self,
        key: &Key,
        home: &AccountRegion,
        own: &References,
        definition: Option<&References>,
    ) -> Match {
        let listens = |key: &Key| self.listens_to(key, home, own, definition);
        match (listens(key), key.alternative().map(|other| listens(&other))) {
            (listening, None | Some(Match::None)) | (Match::None, Some(listening)) => listening,
            (Match::Watched, Some(_)) | (_, Some(Match::Watched)) => Match::Watched,
            (Match::NeedsTaskDefinition, Some(_)) | (_, Some(Match::NeedsTaskDefinition)) => {
                Match::NeedsTaskDefinition
            }
            (listening, Some(_)) => listening,
        }
    }

    fn listens_to(
        &self,
        key: &Key,
        home: &AccountRegion,
        own: &References,
        definition: Option<&References>,
    ) -> Match {
        let names = |terms: &[Term]| terms.iter().any(|term| term.matches(key, home));
        let listening = match definition {
            _ if names(&self.terms) => Match::Watched,
            _ if !self.auto => Match::None,
            _ if names(&own.followed) => Match::Watched,
            None => Match::NeedsTaskDefinition,
            Some(definition) if names(&definition.followed) => Match::Watched,
            Some(definition) if names(&definition.pinned) || names(&own.pinned) => Match::Pinned,
            Some(_) => Match::None,
        };
        let excluded = || {
            self.exclusions
                .iter()
                .any(|term| term.names_thing(key, home))
        };
        if matches!(listening, Match::Watched | Match::Pinned) && excluded() {
            Match::Excluded
        } else {
            listening
        }
    }

    /// Whether such a service refers to any version of the thing, pinned ones among them.
    #[must_use]
    pub fn refers_to(
        &self,
        key: &Key,
        home: &AccountRegion,
        own: &References,
        definition: Option<&References>,
    ) -> bool {
        let refers = |key: &Key| {
            let names = |terms: &[Term]| terms.iter().any(|term| term.names_thing(key, home));
            let by_reference = || {
                self.auto
                    && (own.name(key, home)
                        || definition.is_some_and(|definition| definition.name(key, home)))
            };
            (names(&self.terms) || by_reference()) && !names(&self.exclusions)
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
    fn auto_leaves_what_no_term_names_to_the_task_definition() {
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
    fn what_the_service_itself_refers_to_needs_no_task_definition() {
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

//! What a service listens to: the terms of its `reloader:watch` tags.

use super::arn::{Arn, Place};
use super::key::{self, Key, Kind};

/// The terms of a service's watch tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Listens to whatever the task definition refers to.
    pub auto: bool,
    /// Listens to these.
    pub terms: Vec<Term>,
    /// But never to these.
    pub exclusions: Vec<Term>,
}

/// How a service stands to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// A term names it.
    Yes,
    /// A term or `auto` would name it, and an exclusion forbids it.
    Excluded,
    /// The task definition decides.
    AskTaskDefinition,
    /// Nothing names it.
    No,
}

impl Watch {
    /// How a service whose account and Region are `home` stands to `key`.
    #[must_use]
    pub fn listens(&self, key: &Key, home: &Place) -> Listening {
        let named_by = |terms: &[Term]| terms.iter().any(|term| term.matches(key, home));
        let named = named_by(&self.terms);
        if !named && !self.auto {
            Listening::No
        } else if named_by(&self.exclusions) {
            Listening::Excluded
        } else if named {
            Listening::Yes
        } else {
            Listening::AskTaskDefinition
        }
    }
}

/// One thing, or everything below one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    kind: Kind,
    /// `None`: the account and Region of whoever says it.
    place: Option<Place>,
    path: String,
}

impl Term {
    /// Reads one term, without the `-` of an exclusion.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (kind, place, path) = if text.starts_with("arn:") {
            let arn = Arn::parse(text).ok_or("a complete ARN")?;
            let (kind, path) =
                key::named_by(&arn).ok_or("the ARN of a parameter, an object, a secret or an AppConfig configuration profile")?;
            if kind != Kind::Object && (arn.account.is_empty() || arn.region.is_empty()) {
                return Err("an ARN with account and Region");
            }
            (kind, Some(arn.place()), path)
        } else {
            let (word, path) = text.split_once(':').ok_or(ANY_TERM)?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or(ANY_TERM)?;
            let path = if kind == Kind::Parameter && !path.is_empty() { parameter_path(path)? } else { path };
            (kind, None, path.to_owned())
        };
        well_formed(kind, &path, text)?;
        Ok(Self { kind, place, path })
    }

    /// Whether it names everything below a path.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// Whether it names `key`, said by a service whose account and Region are `home`. Only whole segments of a path count.
    #[must_use]
    pub fn matches(&self, key: &Key, home: &Place) -> bool {
        let place = self.place.as_ref().unwrap_or(home);
        let same_place = match self.kind {
            Kind::Object => place.partition == key.place().partition,
            Kind::Parameter | Kind::Secret | Kind::Profile => place == key.place(),
        };
        self.kind == key.kind() && same_place && if self.is_prefix() { key.path().starts_with(&self.path) } else { key.path() == self.path }
    }

    /// The one key that it names, said from `home`; `None` for a prefix.
    #[must_use]
    pub fn key(&self, home: &Place) -> Option<Key> {
        (!self.is_prefix()).then(|| Key::from_parts(self.kind, self.place.as_ref().unwrap_or(home), &self.path))
    }
}

const ANY_TERM: &str = "auto, ssm:/name, ssm:/path/, s3:bucket/key, s3:bucket/prefix/, secret:name, secret:prefix/, appconfig:application/environment/profile or an ARN";

/// A bare parameter term begins with the slash or with the name.
fn parameter_path(path: &str) -> Result<&str, &'static str> {
    let path = key::without_slash(path);
    if path.starts_with('/') { Err("a parameter's name with one leading slash") } else { Ok(path) }
}

fn well_formed(kind: Kind, path: &str, text: &str) -> Result<(), &'static str> {
    match kind {
        Kind::Parameter => {
            let letters = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
            if text.ends_with(':') || text.ends_with(":parameter") {
                Err("a parameter's name after ssm:")
            } else if !path.chars().all(letters) {
                Err("a parameter's name: letters, digits and _ . - / (a version or label cannot be watched)")
            } else {
                Ok(())
            }
        }
        Kind::Object => match path.split_once('/') {
            Some((bucket, _)) if !bucket.is_empty() => Ok(()),
            _ => Err("s3:bucket/key, s3:bucket/prefix/ or, for the whole bucket, s3:bucket/"),
        },
        Kind::Secret => {
            if path.is_empty() || path.starts_with('/') {
                Err("a secret's name after secret:")
            } else {
                Ok(())
            }
        }
        Kind::Profile => {
            let segments: Vec<_> = path.split('/').collect();
            if segments.len() == 3 && segments.iter().all(|segment| !segment.is_empty()) {
                Ok(())
            } else {
                Err("appconfig:application/environment/profile")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Place {
        Place::of_region("123456789012", "eu-west-1")
    }

    fn matches(term: &str, key: &Key) -> bool {
        Term::parse(term).unwrap().matches(key, &home())
    }

    fn parameter(name: &str) -> Key {
        Key::parameter(home(), name)
    }

    #[test]
    fn a_term_names_one_parameter_in_every_spelling() {
        for term in ["ssm:/app/db", "ssm:app/db", "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db"] {
            assert!(matches(term, &parameter("/app/db")), "{term}");
            assert!(!matches(term, &parameter("/app/db-url")), "{term}");
            assert!(!matches(term, &parameter("/app/db/url")), "{term}");
        }
    }

    #[test]
    fn a_prefix_names_whole_segments_only() {
        assert!(matches("ssm:/app/", &parameter("/app/x")));
        assert!(matches("ssm:/app/", &parameter("/app/x/y")));
        assert!(!matches("ssm:/app/", &parameter("/app2/x")));
        assert!(!matches("ssm:/app/", &parameter("/app")));
        assert!(matches("ssm:/", &parameter("anything")));
    }

    #[test]
    fn a_bare_term_means_the_services_own_account_and_region() {
        let elsewhere = Key::parameter(Place::of_region("123456789012", "us-east-1"), "/app/db");

        assert!(!matches("ssm:/app/db", &elsewhere));
        assert!(matches("arn:aws:ssm:us-east-1:123456789012:parameter/app/db", &elsewhere));
    }

    #[test]
    fn an_object_lives_in_its_partition_alone() {
        let object = Key::object("aws", "bucket", "app/prod.yaml");

        for term in ["s3:bucket/app/prod.yaml", "s3:bucket/app/", "s3:bucket/", "arn:aws:s3:::bucket/app/"] {
            assert!(matches(term, &object), "{term}");
        }
        assert!(!matches("s3:bucket2/", &object));
        assert!(!matches("arn:aws-cn:s3:::bucket/", &object));
    }

    #[test]
    fn an_exclusion_wins() {
        let watch = Watch {
            terms: vec![Term::parse("ssm:/app/").unwrap()],
            exclusions: vec![Term::parse("ssm:/app/flags/").unwrap()],
            ..Watch::default()
        };

        assert_eq!(watch.listens(&parameter("/app/db"), &home()), Listening::Yes);
        assert_eq!(watch.listens(&parameter("/app/flags/a"), &home()), Listening::Excluded);
        assert_eq!(watch.listens(&parameter("/other"), &home()), Listening::No);
    }

    #[test]
    fn auto_leaves_what_no_term_names_to_the_task_definition() {
        let watch = Watch { auto: true, terms: vec![Term::parse("ssm:/app/").unwrap()], exclusions: Vec::new() };

        assert_eq!(watch.listens(&parameter("/app/db"), &home()), Listening::Yes);
        assert_eq!(watch.listens(&parameter("/other"), &home()), Listening::AskTaskDefinition);
    }

    #[test]
    fn what_is_no_term_says_what_was_expected() {
        for (text, expected) in [
            ("app/db", "auto, ssm:"),
            ("smm:/app", "auto, ssm:"),
            ("ssm:", "a parameter's name after ssm:"),
            ("ssm://app", "one leading slash"),
            ("ssm:/app/db:3", "a version or label cannot be watched"),
            ("s3:bucket", "for the whole bucket"),
            ("s3:/key", "s3:bucket/key"),
            ("secret:", "a secret's name"),
            ("appconfig:a/b", "application/environment/profile"),
            ("arn:aws:sns:eu-west-1:123456789012:topic", "the ARN of a parameter"),
            ("arn:aws:ssm:::parameter/app", "account and Region"),
            ("arn:aws", "a complete ARN"),
        ] {
            let told = Term::parse(text).unwrap_err();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }

    #[test]
    fn only_a_term_without_trailing_slash_names_one_key() {
        assert_eq!(Term::parse("ssm:/app/db").unwrap().key(&home()), Some(parameter("app/db")));
        assert_eq!(Term::parse("ssm:/app/").unwrap().key(&home()), None);
    }
}

//! What a service listens to: the terms of its `reloader:watch` tags.

use super::arn::{Arn, Place};
use super::key::{self, Key, Kind};
use super::reference::References;

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
    /// A term, or a reference of its task definition, names it.
    Yes,
    /// Something would name it, and an exclusion forbids it.
    Excluded,
    /// Its task definition names a version of it that never changes.
    Pinned,
    /// The task definition decides, and is not known.
    AskTaskDefinition,
    /// Nothing names it.
    No,
}

impl Watch {
    /// How a service whose account and Region are `home`, and whose task definition has these references, stands to `key`.
    #[must_use]
    pub fn listens(&self, key: &Key, home: &Place, references: Option<&References>) -> Listening {
        let names = |terms: &[Term]| terms.iter().any(|term| term.matches(key, home));
        let listening = match references {
            _ if names(&self.terms) => Listening::Yes,
            _ if !self.auto => Listening::No,
            None => Listening::AskTaskDefinition,
            Some(references) if names(&references.followed) => Listening::Yes,
            Some(references) if names(&references.pinned) => Listening::Pinned,
            Some(_) => Listening::No,
        };
        let excluded = || self.exclusions.iter().any(|term| term.names_thing(key, home));
        if matches!(listening, Listening::Yes | Listening::Pinned) && excluded() { Listening::Excluded } else { listening }
    }

    /// Whether such a service refers to any version of the thing, pinned ones among them.
    #[must_use]
    pub fn refers_to(&self, key: &Key, home: &Place, references: Option<&References>) -> bool {
        let names = |terms: &[Term]| terms.iter().any(|term| term.names_thing(key, home));
        let by_definition = |references: &References| names(&references.followed) || names(&references.pinned);
        (names(&self.terms) || (self.auto && references.is_some_and(by_definition))) && !names(&self.exclusions)
    }
}

/// One thing, or everything below one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    kind: Kind,
    /// `None`: the account and Region of whoever says it.
    place: Option<Place>,
    path: String,
    /// The label of a secret, where it is not the current one; nothing but a reference names one.
    stage: Option<String>,
}

impl Term {
    /// Reads one term, without the `-` of an exclusion.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.starts_with("arn:") {
            let (term, pinned) = Self::parse_arn(text)?;
            return if pinned { Err("the ARN of a secret without a version-id, which never changes") } else { Ok(term) };
        }
        let (word, path) = text.split_once(':').ok_or(ANY_TERM)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or(ANY_TERM)?;
        let path = match kind {
            Kind::Parameter if path.is_empty() => return Err("a parameter's name after ssm:"),
            Kind::Parameter => parameter_path(path)?,
            Kind::Object | Kind::Secret | Kind::Profile => path,
        };
        Self { kind, place: None, path: path.to_owned(), stage: None }.well_formed()
    }

    /// Reads a reference of a task definition: an ARN, or the name of a `bare` in the service's own account and Region. Tells whether it names
    /// a version that never changes.
    pub(super) fn parse_reference(text: &str, bare: Kind) -> Result<(Self, bool), &'static str> {
        let (term, pinned) = if text.starts_with("arn:") {
            Self::parse_arn(text)?
        } else {
            let path = if bare == Kind::Parameter { parameter_path(text)? } else { text };
            (Self { kind: bare, place: None, path: path.to_owned(), stage: None }.well_formed()?, false)
        };
        if term.is_prefix() { Err("the name or ARN of one thing, which does not end in a slash") } else { Ok((term, pinned)) }
    }

    fn parse_arn(text: &str) -> Result<(Self, bool), &'static str> {
        let arn = Arn::parse(text).ok_or("a complete ARN")?;
        let (kind, path) =
            key::named_by(&arn).ok_or("the ARN of a parameter, an object, a secret or an AppConfig configuration profile")?;
        if kind != Kind::Object && (arn.account.is_empty() || arn.region.is_empty()) {
            return Err("an ARN with account and Region");
        }
        let (stage, pinned) = if kind == Kind::Secret { version_of(arn.resource)? } else { (None, false) };
        let term = Self { kind, place: Some(arn.place()), path, stage: stage.map(str::to_owned) }.well_formed()?;
        Ok((term, pinned))
    }

    /// What kind of thing it names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The path that it names everything below of, where that is in the account and Region `home`, or, for objects, in its partition.
    #[must_use]
    pub fn prefix(&self, home: &Place) -> Option<&str> {
        let place = self.place.as_ref().unwrap_or(home);
        let is_at_home = if self.kind == Kind::Object { place.partition == home.partition } else { place == home };
        (self.is_prefix() && is_at_home).then_some(self.path.as_str())
    }

    /// Whether it names everything below a path.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// Whether it names `key`, said by a service whose account and Region are `home`. Only whole segments of a path count.
    #[must_use]
    pub fn matches(&self, key: &Key, home: &Place) -> bool {
        self.stage.as_deref() == key.stage() && self.names_thing(key, home)
    }

    /// The same, whatever the stage of a secret.
    fn names_thing(&self, key: &Key, home: &Place) -> bool {
        self.kind == key.kind() && key.is_at(self.place.as_ref().unwrap_or(home)) && self.names(key)
    }

    fn names(&self, key: &Key) -> bool {
        if self.is_prefix() {
            key.path().starts_with(&self.path)
        } else {
            key.path() == self.path || (self.place.is_some() && self.names_whole_arn(key))
        }
    }

    /// An ARN of a secret may be whole, with six more characters, or not.
    fn names_whole_arn(&self, key: &Key) -> bool {
        let named = || key::without_suffix(&self.path).filter(|(name, _)| *name == key.path());
        self.kind == Kind::Secret && named().is_some_and(|(_, suffix)| key.suffix().is_none_or(|known| known == suffix))
    }

    /// The one key that it names, said from `home`; `None` for a prefix. The ARN of a secret is taken for a whole one where it may be.
    #[must_use]
    pub fn key(&self, home: &Place) -> Option<Key> {
        let whole = key::without_suffix(&self.path).filter(|_| self.kind == Kind::Secret && self.place.is_some());
        let (path, suffix) = whole.map_or((self.path.as_str(), None), |(name, suffix)| (name, Some(suffix)));
        (!self.is_prefix()).then(|| self.key_of(path, home).with_suffix(suffix))
    }

    /// Every key that it may name: an ARN of a secret may be whole, or that of a name which ends alike.
    pub fn keys(&self, home: &Place) -> impl Iterator<Item = Key> {
        let key = self.key(home);
        let alike = key.as_ref().filter(|key| key.suffix().is_some()).map(|_| self.key_of(&self.path, home));
        key.into_iter().chain(alike)
    }

    fn key_of(&self, path: &str, home: &Place) -> Key {
        let place = self.place.as_ref().unwrap_or(home).clone();
        Key::of_kind(self.kind, place, path).at_stage(self.stage.as_deref().unwrap_or(key::CURRENT))
    }

    fn well_formed(self) -> Result<Self, &'static str> {
        let path = self.path.as_str();
        let fault = match self.kind {
            Kind::Parameter => {
                let letters = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
                let fault = "a parameter's name: letters, digits and _ . - / (a version or label cannot be watched)";
                (!path.chars().all(letters)).then_some(fault)
            }
            Kind::Object => {
                let named = path.split_once('/').is_some_and(|(bucket, _)| !bucket.is_empty());
                (!named).then_some("s3:bucket/key, s3:bucket/prefix/ or, for the whole bucket, s3:bucket/")
            }
            Kind::Secret => path.is_empty().then_some("a secret's name after secret:"),
            Kind::Profile => {
                let segments: Vec<_> = path.split('/').collect();
                let named = segments.len() == 3 && segments.iter().all(|segment| !segment.is_empty());
                (!named).then_some("appconfig:application/environment/profile")
            }
        };
        fault.map_or(Ok(self), Err)
    }
}

/// The stage, where it is not the current one, and whether there is a version id: `secret:name-AbCdEf:json-key:version-stage:version-id`, all
/// three optional, stage and id not together. "Specifying sensitive data using Secrets Manager secrets", Amazon ECS Developer Guide.
fn version_of(resource: &str) -> Result<(Option<&str>, bool), &'static str> {
    let mut parts = resource.split(':').skip(3);
    let (stage, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if parts.next().is_some() || (!stage.is_empty() && !id.is_empty()) {
        return Err("the ARN of a secret, then at most :json-key:version-stage: or :json-key::version-id");
    }
    Ok((Some(stage).filter(|stage| !stage.is_empty() && *stage != key::CURRENT), !id.is_empty()))
}

const ANY_TERM: &str = "auto, ssm:/name, ssm:/path/, s3:bucket/key, s3:bucket/prefix/, secret:name, secret:prefix/, appconfig:application/environment/profile or an ARN";

/// A bare parameter term begins with the slash or with the name.
fn parameter_path(path: &str) -> Result<&str, &'static str> {
    let path = key::without_slash(path);
    if path.starts_with('/') { Err("a parameter's name with one leading slash") } else { Ok(path) }
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

        assert_eq!(watch.listens(&parameter("/app/db"), &home(), None), Listening::Yes);
        assert_eq!(watch.listens(&parameter("/app/flags/a"), &home(), None), Listening::Excluded);
        assert_eq!(watch.listens(&parameter("/other"), &home(), None), Listening::No);
    }

    #[test]
    fn auto_leaves_what_no_term_names_to_the_task_definition() {
        let watch = Watch { auto: true, terms: vec![Term::parse("ssm:/app/").unwrap()], exclusions: Vec::new() };

        assert_eq!(watch.listens(&parameter("/app/db"), &home(), None), Listening::Yes);
        assert_eq!(watch.listens(&parameter("/other"), &home(), None), Listening::AskTaskDefinition);
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

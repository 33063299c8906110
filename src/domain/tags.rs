//! The tag language, by which the owner of a service rules its restarts.

#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;

use super::term::Term;
use super::watch::Watch;
use super::window::Window;

pub use values::{DURATION, Endpoint, Mode, Pause, Strategy, parse_duration};

/// A tag, or a term of one, that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The tag's key.
    pub tag: String,
    /// The number of its term, counted from 1. The text of it is not repeated: a wrong tag may hold
    /// anything.
    pub term: Option<usize>,
    /// The text that was expected.
    pub expected: &'static str,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tag,
            term,
            expected,
        } = self;
        match term {
            Some(term) => write!(
                f,
                "term {term} of the tag {tag} does not parse: expected {expected}"
            ),
            None => write!(f, "the tag {tag} does not parse: expected {expected}"),
        }
    }
}

/// The parsed tags of a service: all that begin with our prefix. The rare ones lie on the heap, since
/// thousands of services are listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tags {
    /// `watch`, `watch/2` …; `None` if the service has not opted in.
    pub watch: Option<Watch>,
    /// `strategy`.
    pub strategy: Option<Strategy>,
    /// `mode`.
    pub mode: Mode,
    /// `pause`.
    pub pause: Option<Pause>,
    /// `order`, 0 to 99.
    pub order: u8,
    /// `min-interval`.
    pub min_interval: Option<SignedDuration>,
    /// `window`.
    pub window: Option<Box<Window>>,
    /// `endpoint`.
    pub endpoint: Option<Box<Endpoint>>,
    /// `on-failure` = `deploy`.
    pub deploy_on_failure: bool,
    /// `codedeploy`: application and deployment group.
    pub code_deploy: Option<Box<(String, String)>>,
    /// `allow` = `downtime`.
    pub allow_downtime: bool,
    /// Watch terms that do not parse. The others work.
    pub unread_terms: Vec<Mistake>,
    /// Guards that do not parse. They fail closed: the service is not restarted.
    pub invalid: Vec<Mistake>,
}

impl Tags {
    /// Reads those of `tags` whose keys begin with `prefix` and a colon.
    #[must_use]
    pub fn parse<'a>(prefix: &str, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut parsed = Self::default();
        let ours: BTreeMap<_, _> = tags
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.strip_prefix(':')?, value)))
            .collect();
        for (name, value) in ours {
            let tag = || format!("{prefix}:{name}");
            if name == WATCH
                || name
                    .strip_prefix("watch/")
                    .is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number >= 2))
            {
                parsed.read_terms(name, value, &tag());
            } else if let Err(expected) = parsed.read_guard(name, value) {
                parsed.invalid.push(Mistake {
                    tag: tag(),
                    term: None,
                    expected,
                });
            }
        }
        parsed
    }

    /// The mistakes.
    pub fn mistakes(&self) -> impl Iterator<Item = &Mistake> {
        self.unread_terms.iter().chain(&self.invalid)
    }

    fn read_terms(&mut self, name: &str, value: &str, tag: &str) {
        // Only the tag without a number opts in: services are listed by that tag.
        if name != WATCH && self.watch.is_none() {
            return;
        }
        let watch = self.watch.get_or_insert_default();
        for (index, text) in value.split_whitespace().enumerate() {
            let mistake = |expected| Mistake {
                tag: tag.to_owned(),
                term: Some(index + 1),
                expected,
            };
            if text == "auto" {
                watch.auto = true;
            } else if let Some(text) = text.strip_prefix('-') {
                match Term::parse(text) {
                    Ok(term) => watch.exclusions.push(term),
                    Err(expected) => self.invalid.push(mistake(expected)),
                }
            } else {
                match Term::parse(text) {
                    Ok(term) => watch.terms.push(term),
                    Err(expected) => self.unread_terms.push(mistake(expected)),
                }
            }
        }
        watch.terms.shrink_to_fit();
        if value.split_whitespace().next().is_none() {
            self.unread_terms.push(Mistake {
                tag: tag.to_owned(),
                term: None,
                expected: "at least one term",
            });
        }
    }

    fn read_guard(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        let value = value.trim();
        match name {
            "strategy" => self.strategy = Some(values::strategy(value)?),
            "mode" => self.mode = values::mode(value)?,
            "pause" => self.pause = Some(values::pause(value)?),
            "order" => self.order = values::order(value)?,
            "min-interval" => self.min_interval = Some(values::duration(value)?),
            "window" => self.window = Some(values::window(value)?.into()),
            "endpoint" => self.endpoint = Some(values::endpoint(value)?.into()),
            "on-failure" => self.deploy_on_failure = values::only(value, "deploy")?,
            "codedeploy" => self.code_deploy = Some(values::code_deploy(value)?.into()),
            "allow" => self.allow_downtime = values::only(value, "downtime")?,
            _ => return Err(NO_SUCH_TAG),
        }
        Ok(())
    }
}

const WATCH: &str = "watch";

const NO_SUCH_TAG: &str = "one of watch, watch/2 …, strategy, mode, pause, order, min-interval, \
                           window, endpoint, on-failure, codedeploy or allow after the colon";

//! The environment becomes settings, all mistakes reported together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::domain::queue::Queue;
use crate::domain::tags::{DURATION, parse_duration};

/// Where settings come from.
pub trait Vars {
    /// The value of the variable `name`, where it is set.
    fn var(&self, name: &str) -> Option<String>;
}

impl Vars for BTreeMap<&str, &str> {
    fn var(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| (*value).to_owned())
    }
}

/// `enforce`, or `notify`: decide, report, restart nothing.
pub const MODE: &str = "RELOADER_MODE";
/// The part of the tag keys before the colon.
pub const TAG_PREFIX: &str = "RELOADER_TAG_PREFIX";
/// Cluster names, separated by commas.
pub const CLUSTERS: &str = "RELOADER_CLUSTERS";
/// Most services one change may restart.
pub const MAX_SERVICES: &str = "RELOADER_MAX_SERVICES";
/// Least time between two restarts of a service.
pub const MIN_INTERVAL: &str = "RELOADER_MIN_INTERVAL";
/// Most restarts of a service in an hour.
pub const MAX_RESTARTS_PER_HOUR: &str = "RELOADER_MAX_RESTARTS_PER_HOUR";
/// Most rollouts of one change at once.
pub const MAX_IN_FLIGHT: &str = "RELOADER_MAX_IN_FLIGHT";
/// Starts at once, of the whole function.
pub const RESTART_BURST: &str = "RELOADER_RESTART_BURST";
/// Starts per second after that, of the whole function.
pub const RESTART_RATE: &str = "RELOADER_RESTART_RATE";
/// How many invocations may run at once.
pub const CONCURRENCY: &str = "RELOADER_CONCURRENCY";
/// Least time between a change and a restart.
pub const SETTLE: &str = "RELOADER_SETTLE";
/// `repair` or `report`.
pub const SWEEP: &str = "RELOADER_SWEEP";
/// Changes older than this are reported by the sweep, never repaired.
pub const SWEEP_SINCE: &str = "RELOADER_SWEEP_SINCE";
/// After which a hold without a known end is abandoned.
pub const HOLD_LIMIT: &str = "RELOADER_HOLD_LIMIT";
/// After which a rollout that neither completed nor failed is timed out.
pub const OUTCOME_DEADLINE: &str = "RELOADER_OUTCOME_DEADLINE";
/// How long a completed rollout must stay well before higher orders follow.
pub const QUIET: &str = "RELOADER_QUIET";
/// Within one order, the first service goes alone.
pub const CANARY: &str = "RELOADER_CANARY";
/// Where held work goes.
pub const QUEUE_URL: &str = "RELOADER_QUEUE_URL";
/// Where notifications go.
pub const EVENT_BUS: &str = "RELOADER_EVENT_BUS";

/// Every variable that is read.
pub const NAMES: [&str; 19] = [
    MODE,
    TAG_PREFIX,
    CLUSTERS,
    MAX_SERVICES,
    MIN_INTERVAL,
    MAX_RESTARTS_PER_HOUR,
    MAX_IN_FLIGHT,
    RESTART_BURST,
    RESTART_RATE,
    CONCURRENCY,
    SETTLE,
    SWEEP,
    SWEEP_SINCE,
    HOLD_LIMIT,
    OUTCOME_DEADLINE,
    QUIET,
    CANARY,
    QUEUE_URL,
    EVENT_BUS,
];

/// A rolling deployment is waited for ten minutes, and what an invocation had no time for a few
/// more.
const LEAST_HOLD_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// A rollout that has just been started has no task yet.
const LEAST_DEADLINE: SignedDuration = SignedDuration::from_mins(1);

/// What the function was set to, checked once at its start. A setting whose feature comes with a
/// later version is checked and named in `without_effect`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `RELOADER_MODE` = `notify`.
    pub notify_only: bool,
    /// `RELOADER_TAG_PREFIX`.
    pub tag_prefix: String,
    /// `RELOADER_CLUSTERS`; empty for all.
    pub clusters: BTreeSet<String>,
    /// `RELOADER_MAX_SERVICES`.
    pub max_services: usize,
    /// `RELOADER_RESTART_BURST`, of the whole function.
    pub restart_burst: u32,
    /// `RELOADER_RESTART_RATE`, per second, of the whole function.
    pub restart_rate: f64,
    /// `RELOADER_CONCURRENCY`: each process takes this part of every pace.
    pub concurrency: u32,
    /// `RELOADER_SETTLE`.
    pub settle: SignedDuration,
    /// `RELOADER_MIN_INTERVAL`.
    pub min_interval: SignedDuration,
    /// `RELOADER_MAX_RESTARTS_PER_HOUR`.
    pub restarts_per_hour: usize,
    /// `RELOADER_MAX_IN_FLIGHT`.
    pub max_in_flight: usize,
    /// `RELOADER_HOLD_LIMIT`.
    pub hold_limit: SignedDuration,
    /// `RELOADER_OUTCOME_DEADLINE`.
    pub outcome_deadline: SignedDuration,
    /// `RELOADER_SWEEP` = `repair`.
    pub sweep_repairs: bool,
    /// `RELOADER_SWEEP_SINCE`.
    pub sweep_since: SignedDuration,
    /// `RELOADER_QUEUE_URL`; where there is none, what is left to do is left to the sweep.
    pub queue_url: Option<String>,
    /// Variables that are set to something else than their default, and that this version does not
    /// act on yet.
    pub without_effect: Vec<&'static str>,
}

/// Variables that do not hold what they should.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid settings: {}", mistakes.join("; "))]
pub struct InvalidSettings {
    mistakes: Vec<String>,
}

impl Settings {
    /// Reads and checks every variable.
    ///
    /// # Errors
    /// Names each variable that does not parse, what it holds, and what was expected.
    pub fn load(vars: &dyn Vars) -> Result<Self, InvalidSettings> {
        let mut reader = Reader {
            vars,
            mistakes: Vec::new(),
            without_effect: Vec::new(),
        };
        let settings = Self {
            notify_only: reader.read(MODE, false, "enforce or notify", |text| {
                word(text, &[("enforce", false), ("notify", true)])
            }),
            tag_prefix: reader.read(
                TAG_PREFIX,
                "reloader".to_owned(),
                "1 to 100 of letters, digits and _ . - / @",
                tag_prefix,
            ),
            clusters: reader.read(
                CLUSTERS,
                BTreeSet::new(),
                "cluster names separated by commas",
                clusters,
            ),
            max_services: reader.read(MAX_SERVICES, 100, "a number from 1 on", |text| {
                at_least_one(text.parse().ok()?)
            }),
            restart_burst: reader.read(RESTART_BURST, 40, "a number from 1 to 1000", |text| {
                text.parse().ok().filter(|burst| (1..=1000).contains(burst))
            }),
            restart_rate: reader.read(
                RESTART_RATE,
                4.0,
                "a rate per second from 0.1 to 1000",
                |text| {
                    text.parse()
                        .ok()
                        .filter(|rate| (0.1..=1000.0).contains(rate))
                },
            ),
            concurrency: reader.read(CONCURRENCY, 2, "a number from 1 to 1000", |text| {
                text.parse()
                    .ok()
                    .filter(|number| (1..=1000).contains(number))
            }),
            settle: reader.read(
                SETTLE,
                SignedDuration::from_secs(2),
                "a duration from 0s to 60s",
                |text| {
                    parse_duration(text).filter(|settle| *settle <= SignedDuration::from_mins(1))
                },
            ),
            min_interval: reader.read(
                MIN_INTERVAL,
                SignedDuration::from_mins(5),
                DURATION,
                parse_duration,
            ),
            restarts_per_hour: reader.read(
                MAX_RESTARTS_PER_HOUR,
                6,
                "a number from 1 on",
                |text| at_least_one(text.parse().ok()?),
            ),
            max_in_flight: reader.read(MAX_IN_FLIGHT, 50, "a number from 1 on", |text| {
                at_least_one(text.parse().ok()?)
            }),
            hold_limit: reader.read(
                HOLD_LIMIT,
                SignedDuration::from_hours(24),
                "a duration of 15m or more",
                |text| parse_duration(text).filter(|limit| *limit >= LEAST_HOLD_LIMIT),
            ),
            outcome_deadline: reader.read(
                OUTCOME_DEADLINE,
                SignedDuration::from_mins(30),
                "a duration of 1m or more",
                |text| parse_duration(text).filter(|deadline| *deadline >= LEAST_DEADLINE),
            ),
            sweep_repairs: reader.read(SWEEP, true, "repair or report", |text| {
                word(text, &[("repair", true), ("report", false)])
            }),
            sweep_since: reader.read(
                SWEEP_SINCE,
                SignedDuration::from_hours(24),
                DURATION,
                parse_duration,
            ),
            queue_url: reader.read(
                QUEUE_URL,
                None,
                "the URL of a queue, such as https://sqs.eu-west-1.amazonaws.com/123456789012/name",
                |text| {
                    let is_url = text.starts_with("https://") || text.starts_with("http://");
                    Queue::from_url(text)
                        .filter(|_| is_url)
                        .map(|_| Some(text.to_owned()))
                },
            ),
            without_effect: Vec::new(),
        };
        reader.check(
            QUIET,
            &SignedDuration::from_secs(60),
            DURATION,
            parse_duration,
        );
        reader.check(CANARY, &false, "true or false", |text| {
            word(text, &[("true", true), ("false", false)])
        });
        reader.check(
            EVENT_BUS,
            &String::new(),
            "the name or ARN of an event bus",
            |text| Some(text.to_owned()),
        );
        let Reader {
            mistakes,
            without_effect,
            ..
        } = reader;
        if mistakes.is_empty() {
            Ok(Self {
                without_effect,
                ..settings
            })
        } else {
            Err(InvalidSettings { mistakes })
        }
    }
}

struct Reader<'a> {
    vars: &'a dyn Vars,
    mistakes: Vec<String>,
    without_effect: Vec<&'static str>,
}

impl Reader<'_> {
    /// An empty variable is one that is not set: templates cannot leave one out.
    fn read<T>(
        &mut self,
        name: &'static str,
        default: T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let Some(text) = self.vars.var(name).filter(|text| !text.trim().is_empty()) else {
            return default;
        };
        parse(text.trim()).unwrap_or_else(|| {
            self.mistakes
                .push(format!("{name}={text:?} is not {expected}"));
            default
        })
    }

    /// Reads a variable that nothing acts on yet.
    fn check<T: PartialEq>(
        &mut self,
        name: &'static str,
        default: &T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) {
        if self
            .read(name, None, expected, |text| parse(text).map(Some))
            .is_some_and(|value| value != *default)
        {
            self.without_effect.push(name);
        }
    }
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, meaning)| *meaning)
}

fn at_least_one(number: usize) -> Option<usize> {
    (number >= 1).then_some(number)
}

fn tag_prefix(text: &str) -> Option<String> {
    let letters = |c: char| c.is_alphanumeric() || "_.-/@".contains(c);
    (text.chars().count() <= 100 && text.chars().all(letters) && !text.starts_with("aws"))
        .then(|| text.to_owned())
}

fn clusters(text: &str) -> Option<BTreeSet<String>> {
    let names: BTreeSet<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let letters = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    names
        .iter()
        .all(|name| !name.is_empty() && name.chars().all(letters))
        .then_some(names)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default)]
    struct Spy(RefCell<BTreeSet<String>>);

    impl Vars for Spy {
        fn var(&self, name: &str) -> Option<String> {
            self.0.borrow_mut().insert(name.to_owned());
            None
        }
    }

    #[test]
    fn without_variables_the_defaults_hold() {
        let settings = Settings::load(&BTreeMap::new()).unwrap();

        assert_eq!(
            (
                settings.notify_only,
                settings.tag_prefix.as_str(),
                settings.max_services
            ),
            (false, "reloader", 100)
        );
        assert_eq!(
            (
                settings.restart_burst,
                settings.restart_rate,
                settings.concurrency,
                settings.settle
            ),
            (40, 4.0, 2, SignedDuration::from_secs(2))
        );
        assert!(settings.clusters.is_empty() && settings.without_effect.is_empty());
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        assert_eq!(
            Settings::load(&BTreeMap::from([(CLUSTERS, ""), (MODE, " ")])),
            Settings::load(&BTreeMap::new())
        );
    }

    #[test]
    fn every_mistake_is_reported_together() {
        let vars = BTreeMap::from([
            (MODE, "dry"),
            (MAX_SERVICES, "0"),
            (RESTART_RATE, "NaN"),
            (CONCURRENCY, "0"),
            (SWEEP_SINCE, "soon"),
            (CLUSTERS, "a,,b"),
        ]);

        assert_eq!(
            Settings::load(&vars).unwrap_err().to_string(),
            "invalid settings: RELOADER_MODE=\"dry\" is not enforce or notify; \
             RELOADER_CLUSTERS=\"a,,b\" is not cluster names separated by commas; \
             RELOADER_MAX_SERVICES=\"0\" is not a number from 1 on; RELOADER_RESTART_RATE=\"NaN\" \
             is not a rate per second from 0.1 to 1000; RELOADER_CONCURRENCY=\"0\" is not a \
             number from 1 to 1000; RELOADER_SWEEP_SINCE=\"soon\" is not a duration such as 90s, \
             10m or 1h"
        );
    }

    #[test]
    fn a_setting_of_a_later_version_is_named_only_where_it_is_changed() {
        let vars = BTreeMap::from([(QUIET, "60s"), (CANARY, "true"), (SETTLE, "5s")]);

        assert_eq!(Settings::load(&vars).unwrap().without_effect, [CANARY]);
    }

    #[test]
    fn every_name_is_read() {
        let spy = Spy::default();

        Settings::load(&spy).unwrap();

        assert_eq!(spy.0.into_inner(), BTreeSet::from(NAMES.map(str::to_owned)));
    }
}

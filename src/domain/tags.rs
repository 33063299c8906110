//! The tag language: what the owner of a service says about its restarts.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::watch::{Term, Watch};
use super::window::Window;

/// How a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// A forced deployment of Amazon ECS.
    Deploy,
    /// A CodeDeploy deployment of the same task definition.
    CodeDeploy,
    /// `StopTask`, one task at a time.
    StopTasks,
    /// An HTTP request to each task.
    HotReload,
}

/// Whether the decision is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Restart.
    #[default]
    Auto,
    /// Decide and tell, do nothing.
    Notify,
    /// Do nothing.
    Off,
}

/// Until when restarts are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Until the tag is removed.
    UntilRemoved,
    /// Until an instant.
    Until(Timestamp),
}

/// Where a hot reload is requested in each task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// The container's port.
    pub port: u16,
    /// With its leading slash.
    pub path: String,
}

/// A tag, or a term of one, that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The tag's key.
    pub tag: String,
    /// Which of its terms, counted from 1. What it says is not repeated: a tag that went wrong may
    /// hold anything.
    pub term: Option<usize>,
    /// What would have parsed.
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

/// All tags of a service that begin with our prefix, parsed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tags {
    /// `watch`, `watch/2` …; `None` where the service has not opted in.
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
    pub window: Option<Window>,
    /// `endpoint`.
    pub endpoint: Option<Endpoint>,
    /// `on-failure` = `deploy`.
    pub deploy_on_failure: bool,
    /// `codedeploy`: application and deployment group.
    pub code_deploy: Option<(String, String)>,
    /// `allow` = `downtime`.
    pub allow_downtime: bool,
    /// Watch terms that do not parse: the good ones beside them work.
    pub unread_terms: Vec<Mistake>,
    /// Guards that do not parse: they fail closed, and the service is not restarted.
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

    /// Everything that does not parse.
    pub fn mistakes(&self) -> impl Iterator<Item = &Mistake> {
        self.unread_terms.iter().chain(&self.invalid)
    }

    fn read_terms(&mut self, name: &str, value: &str, tag: &str) {
        // Only the tag without a number opts in: it is what the look-up asks for.
        if name != WATCH && self.watch.is_none() {
            return;
        }
        let watch = self.watch.get_or_insert_default();
        for (place, text) in value.split_whitespace().enumerate() {
            let mistake = |expected| Mistake {
                tag: tag.to_owned(),
                term: Some(place + 1),
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
            "strategy" => {
                self.strategy = Some(match value {
                    "deploy" => Strategy::Deploy,
                    "code-deploy" => Strategy::CodeDeploy,
                    "stop-tasks" => Strategy::StopTasks,
                    "hot-reload" => Strategy::HotReload,
                    _ => return Err("deploy, code-deploy, stop-tasks or hot-reload"),
                });
            }
            "mode" => {
                self.mode = match value {
                    "auto" => Mode::Auto,
                    "notify" => Mode::Notify,
                    "off" => Mode::Off,
                    _ => return Err("auto, notify or off"),
                };
            }
            "pause" => {
                self.pause = Some(match value {
                    "true" => Pause::UntilRemoved,
                    instant => Pause::Until(instant.parse().map_err(|_| {
                        "true or an instant such as 2026-01-31T10:00:00Z; remove the tag to go on"
                    })?),
                });
            }
            "order" => {
                self.order = value
                    .parse()
                    .ok()
                    .filter(|order| *order <= 99)
                    .ok_or("a number from 0 to 99")?;
            }
            "min-interval" => self.min_interval = Some(parse_duration(value).ok_or(DURATION)?),
            "window" => {
                self.window = Some(Window::parse(value).ok_or(
                    "days, times and a time zone, such as Mon-Fri 02:00-04:00 Europe/Berlin",
                )?);
            }
            "endpoint" => {
                self.endpoint = Some(
                    parse_endpoint(value)
                        .ok_or("a method, a port and a path, such as POST 8080/-/reload")?,
                );
            }
            "on-failure" => self.deploy_on_failure = exactly(value, "deploy", "deploy")?,
            "codedeploy" => {
                let (application, group) = value
                    .split_once('/')
                    .filter(|(a, g)| !a.is_empty() && !g.is_empty())
                    .ok_or("application/deployment-group")?;
                self.code_deploy = Some((application.to_owned(), group.to_owned()));
            }
            "allow" => self.allow_downtime = exactly(value, "downtime", "downtime")?,
            _ => {
                return Err("one of watch, watch/2 …, strategy, mode, pause, order, \
                            min-interval, window, endpoint, on-failure, codedeploy or allow \
                            after the colon");
            }
        }
        Ok(())
    }
}

const WATCH: &str = "watch";

/// What [`parse_duration`] expects.
pub const DURATION: &str = "a duration such as 90s, 10m or 1h";

fn exactly(value: &str, word: &str, expected: &'static str) -> Result<bool, &'static str> {
    if value == word {
        Ok(true)
    } else {
        Err(expected)
    }
}

/// Reads `90s`, `10m`, `1h`, `1h 30m`; nothing negative.
#[must_use]
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    text.parse::<SignedDuration>()
        .ok()
        .filter(|duration| !duration.is_negative())
}

fn parse_endpoint(text: &str) -> Option<Endpoint> {
    let (method, target) = text.split_once(' ')?;
    let (port, path) = target.split_once('/')?;
    ["GET", "POST", "PUT"].contains(&method).then_some(())?;
    Some(Endpoint {
        method: method.to_owned(),
        port: port.parse().ok().filter(|port| *port != 0)?,
        path: format!("/{path}"),
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;

    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        Tags::parse("reloader", pairs.iter().copied())
    }

    fn invalid(name: &str, value: &str) -> String {
        let tags = tags(&[
            ("reloader:watch", "ssm:/app/"),
            (&format!("reloader:{name}"), value),
        ]);
        tags.invalid.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_watch_tag_goes_on_in_numbered_ones() {
        let tags = tags(&[
            ("reloader:watch", "ssm:/a s3:b/c"),
            ("reloader:watch/2", "secret:prod/db"),
            ("reloader:watch/3", "-ssm:/a/b"),
            ("Name", "api"),
        ]);

        let watch = tags.watch.unwrap();
        assert_eq!(
            (watch.terms.len(), watch.exclusions.len(), watch.auto),
            (3, 1, false)
        );
    }

    #[test]
    fn a_numbered_tag_alone_does_not_opt_in() {
        assert_eq!(tags(&[("reloader:watch/2", "ssm:/a")]).watch, None);
    }

    #[test]
    fn a_term_that_does_not_parse_leaves_the_others_working() {
        let tags = tags(&[("reloader:watch", "ssm:/app/ app/db auto")]);

        let watch = tags.watch.as_ref().unwrap();
        assert_eq!((watch.terms.len(), watch.auto), (1, true));
        assert!(tags.invalid.is_empty());
        assert!(
            tags.unread_terms[0].to_string().starts_with(
                "term 2 of the tag reloader:watch does not parse: expected auto, ssm:"
            )
        );
    }

    #[test]
    fn an_exclusion_that_does_not_parse_refuses_the_service() {
        assert!(
            tags(&[("reloader:watch", "ssm:/app/ -app/db")]).invalid[0]
                .to_string()
                .starts_with("term 2 of the tag reloader:watch")
        );
    }

    #[test]
    fn every_guard_parses() {
        let tags = tags(&[
            ("reloader:watch", "auto"),
            ("reloader:strategy", "hot-reload"),
            ("reloader:mode", "notify"),
            ("reloader:pause", "2026-01-31T10:00:00+01:00"),
            ("reloader:order", "99"),
            ("reloader:min-interval", "90s"),
            ("reloader:window", "Mon-Fri 02:00-04:00 Europe/Berlin"),
            ("reloader:endpoint", "POST 8080/-/reload"),
            ("reloader:on-failure", "deploy"),
            ("reloader:codedeploy", "shop/blue-green"),
            ("reloader:allow", "downtime"),
        ]);

        assert_eq!(tags.invalid, []);
        assert_eq!(
            (tags.strategy, tags.mode, tags.order),
            (Some(Strategy::HotReload), Mode::Notify, 99)
        );
        assert_eq!(
            tags.pause,
            Some(Pause::Until("2026-01-31T09:00:00Z".parse().unwrap()))
        );
        assert_eq!(tags.min_interval, Some(SignedDuration::from_secs(90)));
        assert_eq!(
            tags.endpoint,
            Some(Endpoint {
                method: "POST".to_owned(),
                port: 8080,
                path: "/-/reload".to_owned()
            })
        );
        assert_eq!(
            tags.window
                .map(|window| (window.from, window.to, window.opens.hour())),
            Some((Weekday::Monday, Weekday::Friday, 2))
        );
        assert!(tags.deploy_on_failure && tags.allow_downtime && tags.code_deploy.is_some());
    }

    #[test]
    fn a_guard_that_does_not_parse_says_what_was_expected() {
        for (name, value, expected) in [
            (
                "strategy",
                "rolling",
                "deploy, code-deploy, stop-tasks or hot-reload",
            ),
            ("mode", "on", "auto, notify or off"),
            ("pause", "yes", "true or an instant"),
            ("order", "100", "from 0 to 99"),
            ("order", "-1", "from 0 to 99"),
            ("min-interval", "10", "a duration"),
            ("min-interval", "-10m", "a duration"),
            (
                "window",
                "Mon-Fri 02:00-04:00 Europe/Atlantis",
                "a time zone",
            ),
            ("window", "Mon-Fri 2-4 Europe/Berlin", "a time zone"),
            ("endpoint", "POST 0/reload", "a port"),
            ("on-failure", "stop", "expected deploy"),
            ("codedeploy", "shop", "application/deployment-group"),
            ("allow", "all", "expected downtime"),
            ("windwo", "Mon", "one of watch"),
            ("watch/1", "ssm:/a", "one of watch"),
        ] {
            let told = invalid(name, value);
            assert!(told.contains(expected), "{name}={value}: {told}");
        }
    }

    #[test]
    fn what_a_wrong_tag_holds_is_never_repeated() {
        assert!(!invalid("mode", "hunter2").contains("hunter2"));
    }
}

//! Requests of people: `{"reload": {"changed": ["ssm:/app/x"], "at": "2026-01-31T10:00:00Z",
//! "dry_run": true, "max_services": 500, "reason": "text"}}` or `{"reload": {"services":
//! ["cluster/name"], "dry_run": true, "reason": "text"}}`. One of `changed` and `services` must be
//! there; the rest is optional.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::change::{Change, ChangeKind, REQUEST, end_of_event_time};
use crate::domain::received::RequestLine;
use crate::domain::request::Request;
use crate::domain::term::Term;
use crate::domain::text::bounded;
use crate::json::{self, Malformed};

/// A manual invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Manual {
    changed: Vec<Term>,
    at: Timestamp,
    /// The rest of the request. Its time is that of its message, also when that is redelivered.
    pub request: Request,
}

/// A sweep: `{"sweep": {"repair": false}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with repair")]
pub struct Sweep {
    /// True if stale services are restarted; `None` for the function's own setting.
    pub repair: Option<bool>,
}

impl Sweep {
    /// The line of the log about it.
    #[must_use]
    pub fn line(self) -> RequestLine {
        let sweep = match self.repair {
            Some(true) => "repair",
            Some(false) => "report",
            None => "as set",
        };
        RequestLine {
            sweep: Some(sweep),
            ..RequestLine::default()
        }
    }
}

/// Reads the object in `sweep`.
pub(super) fn decode_sweep(sweep: &RawValue) -> Result<Sweep, Malformed> {
    json::read(sweep.get())
}

impl Manual {
    /// The changes that it names. A bare term means the account and Region `home`.
    pub fn changes(&self, home: &AccountRegion) -> impl Iterator<Item = Change> {
        self.changed
            .iter()
            .flat_map(|term| term.keys(home))
            .map(|key| Change {
                source: REQUEST,
                ..Change::new(key, self.at, ChangeKind::Written, "manual")
            })
    }

    /// The number of keys and services that it names.
    pub(super) fn weight(&self) -> usize {
        self.changed.len() + self.request.services.len()
    }

    /// True if it names keys, false if it names services.
    #[must_use]
    pub fn names_keys(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The line of the log about it.
    #[must_use]
    pub fn line(&self) -> RequestLine {
        let Request {
            services,
            requested_at: _,
            dry_run,
            max_services,
            reason,
            sender: _,
        } = &self.request;
        let some = |count: usize| (count > 0).then_some(count);
        RequestLine {
            changed: some(self.changed.len()),
            services: some(services.len()),
            dry_run: *dry_run,
            max_services: *max_services,
            request_reason: reason.clone(),
            ..RequestLine::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(expecting = "an object with changed, at, services, dry_run, max_services or reason")]
struct WireRequest {
    #[serde(default, deserialize_with = "json::texts")]
    changed: Vec<String>,
    #[serde(default, deserialize_with = "json::maybe_time")]
    at: Option<Timestamp>,
    #[serde(default, deserialize_with = "json::texts")]
    services: Vec<String>,
    #[serde(default, deserialize_with = "json::or_default")]
    dry_run: bool,
    #[serde(default, deserialize_with = "json::maybe_services")]
    max_services: Option<usize>,
    reason: Option<String>,
}

const NOTHING: &str = "changed or services, such as {\"changed\": [\"ssm:/app/x\"]} or \
                       {\"services\": [\"cluster/name\"]}";
const BOTH: &str = "changed or services, not both: send two requests, such as {\"changed\": \
                    [\"ssm:/app/x\"]} and then {\"services\": [\"cluster/name\"]}";
const ONLY_CHANGED: &str = "nothing: at and max_services are for changed; services are restarted \
                            now, as many as are named";

const LONG_ARN: &str = "cluster/name, since an ARN in the short format names no cluster";

/// The time by which a caller's clock may be ahead of ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);

/// Reads the object in `reload`. Without `at`, the changes have the time of the message, so that a
/// redelivery means the same.
pub(super) fn decode(reload: &RawValue, sent_at: Timestamp) -> Result<Manual, Malformed> {
    let request: WireRequest = json::read(reload.get())?;
    request.check(sent_at)?;
    let WireRequest {
        changed,
        at,
        services,
        dry_run,
        max_services,
        reason,
    } = request;
    let terms = changed.iter().enumerate();
    let terms = terms.map(|(index, text)| {
        one_key(text).map_err(|expected| Malformed::at(format!("changed[{index}]"), expected))
    });
    let ids = services.iter().enumerate();
    let ids = ids.map(|(index, text)| {
        service(text).map_err(|expected| Malformed::at(format!("services[{index}]"), expected))
    });
    let reason = reason.as_deref().map(str::trim);
    Ok(Manual {
        changed: terms.collect::<Result<_, _>>()?,
        at: at.map_or(sent_at, |at| end_of_event_time(at, sent_at)),
        request: Request {
            services: ids.collect::<Result<_, _>>()?,
            requested_at: sent_at,
            dry_run,
            max_services,
            reason: reason.filter(|text| !text.is_empty()).map(bounded),
            sender: None,
        },
    })
}

impl WireRequest {
    /// Checks the fields that exclude each other, and the time.
    fn check(&self, sent_at: Timestamp) -> Result<(), Malformed> {
        let is_late = |at: Timestamp| at.duration_since(sent_at) > CLOCKS_DIFFER;
        match (self.changed.is_empty(), self.services.is_empty()) {
            (true, true) => Err(Malformed::at("", NOTHING)),
            (false, false) => Err(Malformed::at("", BOTH)),
            (true, false) if self.at.is_some() => Err(Malformed::at("at", ONLY_CHANGED)),
            (true, false) if self.max_services.is_some() => {
                Err(Malformed::at("max_services", ONLY_CHANGED))
            }
            (false, true) if self.at.is_some_and(is_late) => {
                Err(Malformed::at("at", "a time that has passed"))
            }
            (true, false) | (false, true) => Ok(()),
        }
    }
}

fn one_key(text: &str) -> Result<Term, &'static str> {
    let term = Term::parse(text)?;
    if term.is_prefix() {
        Err("one key, not a prefix")
    } else {
        Ok(term)
    }
}

/// Reads `cluster/name`, or an ARN with its account and Region.
fn service(text: &str) -> Result<(ServiceId, Option<AccountRegion>), &'static str> {
    if let Some((id, home)) = ServiceId::from_arn(text) {
        Ok((id, Some(home)))
    } else if let Some(id) = ServiceId::from_path(text) {
        Ok((id, None))
    } else if ServiceId::is_short_arn(text) {
        Err(LONG_ARN)
    } else {
        Err("cluster/name or a service's ARN in the long format")
    }
}

//! What a person asks for: `{"reload": {"changed": ["ssm:/app/x"], "at": "2026-01-31T10:00:00Z",
//! "dry_run": true, "max_services": 500, "reason": "text"}}` or `{"reload": {"services":
//! ["cluster/name"], "dry_run": true, "reason": "text"}}`; all but `changed` or `services` is
//! optional.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::change::{Change, ChangeKind, REQUEST, end_of_event_time};
use crate::domain::defer::Request;
use crate::domain::received::RequestLine;
use crate::domain::text::bounded;
use crate::domain::watch::Term;
use crate::json::{self, Malformed};

/// A manual invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Manual {
    changed: Vec<Term>,
    at: Timestamp,
    /// What is wanted beside that. A message that comes again was asked when it was sent.
    pub request: Request,
}

/// A sweep: `{"sweep": {"repair": false}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with repair")]
pub struct Sweep {
    /// Whether stale services are restarted; what the function is set to, where that is not told.
    pub repair: Option<bool>,
}

impl Sweep {
    /// The line of it.
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

/// Reads what is in `sweep`.
pub(super) fn decode_sweep(sweep: &RawValue) -> Result<Sweep, Malformed> {
    json::read(sweep.get())
}

impl Manual {
    /// The changes that it tells, where a bare term means the account and Region `home`.
    pub fn changes(&self, home: &AccountRegion) -> impl Iterator<Item = Change> {
        self.changed
            .iter()
            .flat_map(|term| term.keys(home))
            .map(|key| Change {
                source: REQUEST,
                ..Change::new(key, self.at, ChangeKind::Written, "manual")
            })
    }

    /// How many keys and services it names.
    pub(super) fn weight(&self) -> usize {
        self.changed.len() + self.request.services.len()
    }

    /// Whether it names keys, instead of services.
    #[must_use]
    pub fn names_keys(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The line of it.
    #[must_use]
    pub fn line(&self) -> RequestLine {
        let Request {
            services,
            asked_at: _,
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
#[serde(
    deny_unknown_fields,
    expecting = "an object with changed, at, services, dry_run, max_services or reason"
)]
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

/// How far a caller's clock may be ahead of ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);

/// Reads what is in `reload`. Without `at`, the changes are as old as the message that tells them,
/// so that its redelivery is the same.
pub(super) fn decode(reload: &RawValue, sent_at: Timestamp) -> Result<Manual, Malformed> {
    let WireRequest {
        changed,
        at,
        services,
        dry_run,
        max_services,
        reason,
    } = json::read(reload.get())?;
    match (changed.is_empty(), services.is_empty()) {
        (true, true) => return Err(Malformed::at("", NOTHING)),
        (false, false) => return Err(Malformed::at("", BOTH)),
        (true, false) if at.is_some() => return Err(Malformed::at("at", ONLY_CHANGED)),
        (true, false) if max_services.is_some() => {
            return Err(Malformed::at("max_services", ONLY_CHANGED));
        }
        (true, false) | (false, true) => {}
    }
    let terms = changed.iter().enumerate().map(|(place, text)| {
        let term = Term::parse(text)
            .map_err(|expected| Malformed::at(format!("changed[{place}]"), expected))?;
        if term.is_prefix() {
            Err(Malformed::at(
                format!("changed[{place}]"),
                "one key, not a prefix",
            ))
        } else {
            Ok(term)
        }
    });
    let ids = services.iter().enumerate().map(|(place, text)| {
        let id = ServiceId::from_arn(text)
            .map(|(id, home)| (id, Some(home)))
            .or_else(|| Some((ServiceId::from_path(text)?, None)));
        let expected = if ServiceId::is_short_arn(text) {
            LONG_ARN
        } else {
            "cluster/name or a service's ARN in the long format"
        };
        id.ok_or_else(|| Malformed::at(format!("services[{place}]"), expected))
    });
    if at.is_some_and(|at| at.duration_since(sent_at) > CLOCKS_DIFFER) {
        return Err(Malformed::at("at", "a time that has passed"));
    }
    Ok(Manual {
        changed: terms.collect::<Result<_, _>>()?,
        at: at.map_or(sent_at, |at| end_of_event_time(at, sent_at)),
        request: Request {
            services: ids.collect::<Result<_, _>>()?,
            asked_at: sent_at,
            dry_run,
            max_services,
            reason: reason
                .as_deref()
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(bounded),
            sender: None,
        },
    })
}

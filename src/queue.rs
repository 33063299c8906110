//! Work that the function sent itself through its queue: `{"deferred": {"version": 1, …}}`. Later
//! versions read what this one wrote.

mod followed;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::followed::Followed;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::change::{Change, ChangeKind, Scope, distinct, known_source, not_ahead_of};
use crate::domain::defer::{Attempt, DeferredWork, Request};
use crate::domain::history::Rollout;
use crate::domain::key::{Key, Kind};
use crate::domain::reason::Reason;
use crate::domain::text::bounded;
use crate::json::{self, MOST_ENTRIES, Malformed};

/// It grows when a field goes or changes its meaning.
const VERSION: u32 = 1;

/// Bytes of a message, well below what a queue takes (256 KiB).
const LONGEST: usize = 200_000;

#[derive(Serialize)]
struct Envelope<'a> {
    deferred: &'a Message,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "an object with version, not_before and work")]
struct Message {
    version: u32,
    #[serde(deserialize_with = "json::time")]
    not_before: Timestamp,
    #[serde(default, deserialize_with = "json::or_default")]
    hops: u32,
    #[serde(
        default,
        skip_serializing_if = "is_none",
        deserialize_with = "json::or_default"
    )]
    failed_listings: u32,
    #[serde(default, deserialize_with = "json::list")]
    work: Vec<Work>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "json::members"
    )]
    attempts: BTreeMap<String, Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Asked>,
}

/// Changes that are to be looked at for the same services: for all, where neither list is there.
/// Where there are no changes, the list goes on that the work before it began.
#[derive(Default, Serialize, Deserialize)]
struct Work {
    #[serde(default, deserialize_with = "json::list")]
    changes: Vec<WireChange>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_texts"
    )]
    only: Option<Vec<String>>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_texts"
    )]
    except: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct WireChange {
    #[serde(deserialize_with = "json::text")]
    kind: String,
    #[serde(deserialize_with = "json::text")]
    path: String,
    #[serde(deserialize_with = "json::text")]
    partition: String,
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "json::any_text"
    )]
    account: String,
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "json::any_text"
    )]
    region: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    stage: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    suffix: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    also: Option<String>,
    #[serde(deserialize_with = "json::time")]
    at: Timestamp,
    what: What,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    version: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    previous: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    etag: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    by: Option<String>,
    #[serde(deserialize_with = "json::text")]
    event: String,
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "json::any_text"
    )]
    source: String,
    #[serde(
        default,
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "json::or_default"
    )]
    ignored: bool,
    #[serde(
        default,
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "json::or_default"
    )]
    enriched: bool,
    #[serde(
        default,
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "json::or_default"
    )]
    crowded: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Labelled,
    Deleted,
    Written,
}

#[derive(Serialize, Deserialize)]
struct Wait {
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_text"
    )]
    last_reason: Option<String>,
    #[serde(default, deserialize_with = "json::seconds")]
    waited_seconds: u32,
    #[serde(default, deserialize_with = "json::or_default")]
    count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<Followed>,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    #[serde(default, deserialize_with = "json::members")]
    services: BTreeMap<String, Option<(String, String, String)>>,
    #[serde(rename = "asked_at", deserialize_with = "json::time")]
    at: Timestamp,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_services"
    )]
    max_services: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
}

/// The bodies of the messages that tell of work for later: one, unless it is too long for a queue,
/// or has more in a list than [`decode`] takes.
#[must_use]
pub fn encode(again: &DeferredWork) -> Vec<String> {
    let write = || {
        serde_json::to_string(&Envelope {
            deferred: &Message::from(again),
        })
        .unwrap_or_default()
    };
    let text = (!is_too_much(again)).then(write);
    match text.filter(|text| text.len() <= LONGEST) {
        Some(text) => vec![text],
        // What cannot be parted goes as it is.
        None => halves(again).map_or_else(
            || vec![write()],
            |halves| halves.iter().flat_map(encode).collect(),
        ),
    }
}

/// Whether a list has too many entries. Those of services that need no second look go on from one
/// list to the next.
fn is_too_much(again: &DeferredWork) -> bool {
    let DeferredWork {
        not_before: _,
        hops: _,
        failed_listings: _,
        changes,
        attempts,
        request,
    } = again;
    let (mut most, mut names) = (0, 0);
    for scope in distinct(changes) {
        match scope {
            Scope::All => {}
            Scope::Only(these) => (most, names) = (most.max(these.len()), names + these.len()),
            Scope::AllExcept(others) => names += others.len(),
        }
    }
    let requested = request.as_ref().map_or(0, |request| request.services.len());
    let work = changes.len() + names / MOST_ENTRIES;
    [most, work, attempts.len(), requested]
        .iter()
        .any(|entries| *entries > MOST_ENTRIES)
        || names > MOST_NAMES
}

/// With more names than this, a message is too long whatever they are: the shortest is `"a/b",`.
const MOST_NAMES: usize = LONGEST / 6;

/// Bytes of a change, and of a service that is named, by and large.
const OF_CHANGE: usize = 200;
const OF_SERVICE: usize = 40;

/// Half of the changes each, or half of the services, whichever takes more room: all changes beside
/// half of the services would be as long as before. In the end a list of those that need no second
/// look is left out: looking twice does no harm.
fn halves(again: &DeferredWork) -> Option<Vec<DeferredWork>> {
    let these = distinct(&again.changes).filter_map(|scope| {
        if let Scope::Only(these) = scope {
            Some(these)
        } else {
            None
        }
    });
    let mut services: BTreeSet<&ServiceId> = these
        .flat_map(|these| these.iter())
        .chain(again.attempts.keys())
        .collect();
    services.extend(
        again
            .request
            .iter()
            .flat_map(|request| request.services.keys()),
    );
    let middle = services
        .iter()
        .nth(services.len() / 2)
        .filter(|_| services.len() > 1);
    match (again.changes.as_slice(), middle) {
        ([_, _, ..], Some(middle))
            if again.changes.len() * OF_CHANGE < services.len() * OF_SERVICE =>
        {
            Some(by_services(again, middle))
        }
        (several @ [_, _, ..], _) => {
            let (first, second) = several.split_at(several.len() / 2);
            let request = again.request.clone().map(|request| Request {
                services: BTreeMap::new(),
                ..request
            });
            Some(vec![
                DeferredWork {
                    changes: first.to_vec(),
                    ..again.clone()
                },
                DeferredWork {
                    changes: second.to_vec(),
                    request,
                    ..again.clone()
                },
            ])
        }
        (_, Some(middle)) => Some(by_services(again, middle)),
        // With a list, even an empty one, it is known that this is not the first look.
        ([change], None) => matches!(&change.scope, Scope::AllExcept(others) if !others.is_empty())
            .then(|| {
                vec![DeferredWork {
                    changes: vec![Change {
                        scope: Scope::all_except(BTreeSet::new()),
                        ..change.clone()
                    }],
                    ..again.clone()
                }]
            }),
        ([], None) => None,
    }
}

fn by_services(again: &DeferredWork, middle: &ServiceId) -> Vec<DeferredWork> {
    vec![
        part(again, |id| id < middle, true),
        part(again, |id| id >= middle, false),
    ]
}

/// What concerns some services; and what names none, where `others` asks for it too.
fn part(again: &DeferredWork, is_in: impl Fn(&ServiceId) -> bool, others: bool) -> DeferredWork {
    let DeferredWork {
        not_before,
        hops,
        failed_listings,
        changes,
        attempts,
        request,
    } = again;
    let parts: BTreeMap<usize, Option<Scope>> = distinct(changes)
        .map(|scope| {
            let part = match scope {
                Scope::Only(these) => Some(
                    these
                        .iter()
                        .filter(|id| is_in(id))
                        .cloned()
                        .collect::<BTreeSet<_>>(),
                )
                .filter(|these| !these.is_empty())
                .map(Scope::only),
                Scope::All | Scope::AllExcept(_) => others.then(|| scope.clone()),
            };
            (scope.place(), part)
        })
        .collect();
    let changes = changes.iter().filter_map(|change| {
        Some(Change {
            scope: parts.get(&change.scope.place())?.clone()?,
            ..change.clone()
        })
    });
    let attempts = attempts
        .iter()
        .filter(|(id, _)| is_in(id))
        .map(|(id, attempts)| (id.clone(), attempts.clone()))
        .collect();
    let request = request.as_ref().map(|request| {
        let services = request
            .services
            .iter()
            .filter(|(id, _)| is_in(id))
            .map(|(id, place)| (id.clone(), place.clone()))
            .collect();
        Request {
            services,
            ..request.clone()
        }
    });
    DeferredWork {
        not_before: *not_before,
        hops: *hops,
        failed_listings: *failed_listings,
        changes: changes.collect(),
        attempts,
        request,
    }
}

/// Reads what [`encode`] of this version, or of one before it, wrote before `clock`.
pub(super) fn decode(text: &RawValue, clock: Timestamp) -> Result<DeferredWork, Malformed> {
    let Message {
        version,
        not_before,
        hops,
        failed_listings,
        work,
        attempts,
        request,
    } = json::read(text.get())?;
    if version > VERSION {
        return Err(Malformed::at(
            "version",
            format!("a number up to {VERSION}: a newer version of ecs-reloader sent this"),
        ));
    }
    let mut changes = Vec::new();
    let mut work = work.into_iter().enumerate().peekable();
    while let Some((
        place,
        Work {
            changes: told,
            mut only,
            mut except,
        },
    )) = work.next()
    {
        while let Some((_, more)) = work.next_if(|(_, more)| more.changes.is_empty()) {
            only.iter_mut()
                .zip(more.only)
                .for_each(|(only, more)| only.extend(more));
            except
                .iter_mut()
                .zip(more.except)
                .for_each(|(except, more)| except.extend(more));
        }
        let scope = match (only, except) {
            (Some(only), _) => Scope::only(services(&only)?),
            (None, Some(except)) => Scope::all_except(services(&except)?),
            (None, None) => Scope::All,
        };
        for told in told {
            let change = told.into_change(scope.clone(), clock);
            changes.push(change.ok_or_else(|| {
                Malformed::at(
                    format!("work[{place}].changes"),
                    "a kind: ssm, s3, secret or appconfig",
                )
            })?);
        }
    }
    if changes.len() > MOST_ENTRIES {
        return Err(Malformed::at("work", "at most 1000 changes"));
    }
    let attempts = attempts
        .into_iter()
        .map(|(id, wait)| Ok((service(&id)?, Attempt::from(wait))))
        .collect::<Result<_, _>>()?;
    let request = request.map(Request::try_from).transpose()?;
    Ok(DeferredWork {
        not_before,
        hops,
        failed_listings,
        changes,
        attempts,
        request,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

fn service(text: &str) -> Result<ServiceId, Malformed> {
    ServiceId::from_path(text).ok_or_else(|| Malformed::at("", "services as cluster/name"))
}

fn services(texts: &[String]) -> Result<BTreeSet<ServiceId>, Malformed> {
    texts.iter().map(|text| service(text)).collect()
}

fn names<'a>(ids: impl IntoIterator<Item = &'a ServiceId>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
}

/// The changes for the same services, and the list of these, which goes on where it has too many
/// entries.
fn work(changes: &[&Change]) -> Vec<Work> {
    let first = Work {
        changes: changes
            .iter()
            .map(|change| WireChange::from(*change))
            .collect(),
        ..Work::default()
    };
    match changes.first().map(|change| &change.scope) {
        None | Some(Scope::All) => vec![first],
        Some(Scope::Only(these)) => vec![Work {
            only: Some(names(&**these)),
            ..first
        }],
        Some(Scope::AllExcept(others)) => {
            let mut others = others.iter();
            let mut next = || names(others.by_ref().take(MOST_ENTRIES));
            let first = Work {
                except: Some(next()),
                ..first
            };
            let more = std::iter::repeat_with(next).take_while(|names| !names.is_empty());
            std::iter::once(first)
                .chain(more.map(|names| Work {
                    except: Some(names),
                    ..Work::default()
                }))
                .collect()
        }
    }
}

impl From<&DeferredWork> for Message {
    fn from(again: &DeferredWork) -> Self {
        let DeferredWork {
            not_before,
            hops,
            failed_listings,
            changes,
            attempts,
            request,
        } = again;
        let mut groups: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            groups.entry(change.scope.place()).or_default().push(change);
        }
        let work = groups.into_values().flat_map(|changes| work(&changes));
        Self {
            version: VERSION,
            not_before: *not_before,
            hops: *hops,
            failed_listings: *failed_listings,
            work: work.collect(),
            attempts: attempts
                .iter()
                .map(|(id, attempts)| (id.to_string(), Wait::from(attempts.clone())))
                .collect(),
            request: request.as_ref().map(Asked::from),
        }
    }
}

impl From<&Change> for WireChange {
    fn from(change: &Change) -> Self {
        let Change {
            key,
            at,
            kind,
            version,
            previous,
            etag,
            by,
            ignored,
            enriched,
            crowded,
            note,
            event,
            source,
            scope: _,
        } = change.clone();
        let AccountRegion {
            partition,
            account,
            region,
        } = key.place().clone();
        Self {
            kind: key.kind().word().to_owned(),
            path: key.path().to_owned(),
            partition,
            account,
            region,
            stage: key.stage().map(str::to_owned),
            suffix: key.suffix().map(str::to_owned),
            also: key.perhaps().map(|other| other.path().to_owned()),
            at,
            what: match kind {
                ChangeKind::Labelled => What::Labelled,
                ChangeKind::Deleted => What::Deleted,
                ChangeKind::Written => What::Written,
            },
            version,
            previous,
            etag,
            by,
            event,
            source: source.to_owned(),
            ignored,
            // What could not be told is asked for again.
            enriched: enriched && note.is_none(),
            crowded,
        }
    }
}

impl WireChange {
    fn into_change(self, scope: Scope, clock: Timestamp) -> Option<Change> {
        let Self {
            kind,
            path,
            partition,
            account,
            region,
            stage,
            suffix,
            also,
            at,
            what,
            version,
            previous,
            etag,
            by,
            event,
            ..
        } = self;
        let (source, ignored, enriched, crowded) =
            (self.source, self.ignored, self.enriched, self.crowded);
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
        let place = AccountRegion {
            partition,
            account,
            region,
        };
        let key = Key::of_kind(kind, place.clone(), &path);
        let key = also.iter().fold(key, |key, also| {
            key.or_perhaps(&Key::of_kind(kind, place.clone(), also))
        });
        let key = stage
            .iter()
            .fold(key, |key, stage| key.at_stage(stage))
            .with_suffix(suffix.as_deref());
        let kind = match what {
            What::Labelled => ChangeKind::Labelled,
            What::Deleted => ChangeKind::Deleted,
            What::Written => ChangeKind::Written,
        };
        let (change, source) = (
            Change::new(key, not_ahead_of(at, clock), kind, &event),
            known_source(&source),
        );
        Some(Change {
            version,
            previous,
            etag,
            by,
            ignored,
            enriched,
            crowded,
            source,
            scope,
            ..change
        })
    }
}

impl From<Attempt> for Wait {
    fn from(
        Attempt {
            last_reason,
            waited,
            count,
            rollout,
        }: Attempt,
    ) -> Self {
        Self {
            last_reason: last_reason.map(|reason| reason.code().to_owned()),
            waited_seconds: json::to_seconds(waited),
            count,
            rollout: rollout.map(Followed::from),
        }
    }
}

impl From<Wait> for Attempt {
    fn from(
        Wait {
            last_reason,
            waited_seconds,
            count,
            rollout,
        }: Wait,
    ) -> Self {
        let last_reason = last_reason.and_then(|code| {
            Reason::ALL
                .iter()
                .find(|reason| reason.code() == code)
                .copied()
        });
        Self {
            last_reason,
            waited: SignedDuration::from_secs(waited_seconds.into()),
            count,
            rollout: rollout.map(Rollout::from),
        }
    }
}

impl From<&Request> for Asked {
    fn from(request: &Request) -> Self {
        let Request {
            services,
            asked_at,
            dry_run: _,
            max_services,
            reason,
            sender,
        } = request;
        let place = |place: &AccountRegion| {
            (
                place.partition.clone(),
                place.account.clone(),
                place.region.clone(),
            )
        };
        let services = services
            .iter()
            .map(|(id, home)| (id.to_string(), home.as_ref().map(place)))
            .collect();
        Self {
            services,
            at: *asked_at,
            max_services: *max_services,
            reason: reason.clone(),
            sender: sender.clone(),
        }
    }
}

impl TryFrom<Asked> for Request {
    type Error = Malformed;

    fn try_from(
        Asked {
            services,
            at,
            max_services,
            reason,
            sender,
        }: Asked,
    ) -> Result<Self, Malformed> {
        let place = |(partition, account, region)| AccountRegion {
            partition,
            account,
            region,
        };
        let services = services
            .into_iter()
            .map(|(id, home)| Ok((service(&id)?, home.map(place))))
            .collect::<Result<_, Malformed>>()?;
        let (reason, sender) = (
            reason.as_deref().map(bounded),
            sender.as_deref().map(bounded),
        );
        // What only tells is not sent on.
        Ok(Self {
            services,
            asked_at: at,
            dry_run: false,
            max_services,
            reason,
            sender,
        })
    }
}

#[cfg(test)]
mod tests;

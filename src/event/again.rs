//! Work that the function sent itself through its queue: `{"again": {"version": 1, …}}`. Later
//! versions read what this one wrote.

mod followed;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::followed::Followed;
use super::json::{self, MOST_ENTRIES, Malformed};
use crate::domain::again::{Again, Waiting, Wish};
use crate::domain::arn::{Place, ServiceId};
use crate::domain::change::{Change, ChangeKind, Whom, distinct, known_source, not_ahead_of};
use crate::domain::history::Rollout;
use crate::domain::key::{Key, Kind};
use crate::domain::reason::Reason;
use crate::domain::text::bounded;

/// It grows when a field goes or changes its meaning.
const VERSION: u32 = 1;

/// Bytes of a message, well below what a queue takes (256 KiB).
const LONGEST: usize = 200_000;

#[derive(Serialize)]
struct Envelope<'a> {
    again: &'a Message,
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
    unlisted: u32,
    #[serde(default, deserialize_with = "json::list")]
    work: Vec<Work>,
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "json::members"
    )]
    waiting: BTreeMap<String, Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wish: Option<Asked>,
}

/// Changes that are to be looked at for the same services: for all, where neither list is there.
/// Where there are no changes, the list goes on that the work before it began.
#[derive(Default, Serialize, Deserialize)]
struct Work {
    #[serde(default, deserialize_with = "json::list")]
    changes: Vec<Told>,
    #[serde(
        rename = "for",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_texts"
    )]
    only: Option<Vec<String>>,
    #[serde(
        rename = "not_for",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "json::maybe_texts"
    )]
    but: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct Told {
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
    learnt: bool,
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
    told: Option<String>,
    #[serde(default, deserialize_with = "json::seconds")]
    waited_seconds: u32,
    #[serde(default, deserialize_with = "json::or_default")]
    looks: u32,
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
pub fn encode(again: &Again) -> Vec<String> {
    let write = || {
        serde_json::to_string(&Envelope {
            again: &Message::from(again),
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
fn is_too_much(again: &Again) -> bool {
    let Again {
        not_before: _,
        hops: _,
        unlisted: _,
        changes,
        waiting,
        wish,
    } = again;
    let (mut most, mut names) = (0, 0);
    for whom in distinct(changes) {
        match whom {
            Whom::Everyone => {}
            Whom::Only(these) => (most, names) = (most.max(these.len()), names + these.len()),
            Whom::EveryoneBut(others) => names += others.len(),
        }
    }
    let wished = wish.as_ref().map_or(0, |wish| wish.services.len());
    let work = changes.len() + names / MOST_ENTRIES;
    [most, work, waiting.len(), wished]
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
fn halves(again: &Again) -> Option<Vec<Again>> {
    let these = distinct(&again.changes).filter_map(|whom| {
        if let Whom::Only(these) = whom {
            Some(these)
        } else {
            None
        }
    });
    let mut services: BTreeSet<&ServiceId> = these
        .flat_map(|these| these.iter())
        .chain(again.waiting.keys())
        .collect();
    services.extend(again.wish.iter().flat_map(|wish| wish.services.keys()));
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
            let wish = again.wish.clone().map(|wish| Wish {
                services: BTreeMap::new(),
                ..wish
            });
            Some(vec![
                Again {
                    changes: first.to_vec(),
                    ..again.clone()
                },
                Again {
                    changes: second.to_vec(),
                    wish,
                    ..again.clone()
                },
            ])
        }
        (_, Some(middle)) => Some(by_services(again, middle)),
        // With a list, even an empty one, it is known that this is not the first look.
        ([change], None) => matches!(&change.whom, Whom::EveryoneBut(others) if !others.is_empty())
            .then(|| {
                vec![Again {
                    changes: vec![Change {
                        whom: Whom::everyone_but(BTreeSet::new()),
                        ..change.clone()
                    }],
                    ..again.clone()
                }]
            }),
        ([], None) => None,
    }
}

fn by_services(again: &Again, middle: &ServiceId) -> Vec<Again> {
    vec![
        part(again, |id| id < middle, true),
        part(again, |id| id >= middle, false),
    ]
}

/// What concerns some services; and what names none, where `others` asks for it too.
fn part(again: &Again, is_in: impl Fn(&ServiceId) -> bool, others: bool) -> Again {
    let Again {
        not_before,
        hops,
        unlisted,
        changes,
        waiting,
        wish,
    } = again;
    let parts: BTreeMap<usize, Option<Whom>> = distinct(changes)
        .map(|whom| {
            let part = match whom {
                Whom::Only(these) => Some(
                    these
                        .iter()
                        .filter(|id| is_in(id))
                        .cloned()
                        .collect::<BTreeSet<_>>(),
                )
                .filter(|these| !these.is_empty())
                .map(Whom::only),
                Whom::Everyone | Whom::EveryoneBut(_) => others.then(|| whom.clone()),
            };
            (whom.place(), part)
        })
        .collect();
    let changes = changes.iter().filter_map(|change| {
        Some(Change {
            whom: parts.get(&change.whom.place())?.clone()?,
            ..change.clone()
        })
    });
    let waiting = waiting
        .iter()
        .filter(|(id, _)| is_in(id))
        .map(|(id, waiting)| (id.clone(), waiting.clone()))
        .collect();
    let wish = wish.as_ref().map(|wish| {
        let services = wish
            .services
            .iter()
            .filter(|(id, _)| is_in(id))
            .map(|(id, place)| (id.clone(), place.clone()))
            .collect();
        Wish {
            services,
            ..wish.clone()
        }
    });
    Again {
        not_before: *not_before,
        hops: *hops,
        unlisted: *unlisted,
        changes: changes.collect(),
        waiting,
        wish,
    }
}

/// Reads what [`encode`] of this version, or of one before it, wrote before `clock`.
pub(super) fn decode(text: &RawValue, clock: Timestamp) -> Result<Again, Malformed> {
    let Message {
        version,
        not_before,
        hops,
        unlisted,
        work,
        waiting,
        wish,
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
            mut but,
        },
    )) = work.next()
    {
        while let Some((_, more)) = work.next_if(|(_, more)| more.changes.is_empty()) {
            only.iter_mut()
                .zip(more.only)
                .for_each(|(only, more)| only.extend(more));
            but.iter_mut()
                .zip(more.but)
                .for_each(|(but, more)| but.extend(more));
        }
        let whom = match (only, but) {
            (Some(only), _) => Whom::only(services(&only)?),
            (None, Some(but)) => Whom::everyone_but(services(&but)?),
            (None, None) => Whom::Everyone,
        };
        for told in told {
            let change = told.into_change(whom.clone(), clock);
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
    let waiting = waiting
        .into_iter()
        .map(|(id, wait)| Ok((service(&id)?, Waiting::from(wait))))
        .collect::<Result<_, _>>()?;
    let wish = wish.map(Wish::try_from).transpose()?;
    Ok(Again {
        not_before,
        hops,
        unlisted,
        changes,
        waiting,
        wish,
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
        changes: changes.iter().map(|change| Told::from(*change)).collect(),
        ..Work::default()
    };
    match changes.first().map(|change| &change.whom) {
        None | Some(Whom::Everyone) => vec![first],
        Some(Whom::Only(these)) => vec![Work {
            only: Some(names(&**these)),
            ..first
        }],
        Some(Whom::EveryoneBut(others)) => {
            let mut others = others.iter();
            let mut next = || names(others.by_ref().take(MOST_ENTRIES));
            let first = Work {
                but: Some(next()),
                ..first
            };
            let more = std::iter::repeat_with(next).take_while(|names| !names.is_empty());
            std::iter::once(first)
                .chain(more.map(|names| Work {
                    but: Some(names),
                    ..Work::default()
                }))
                .collect()
        }
    }
}

impl From<&Again> for Message {
    fn from(again: &Again) -> Self {
        let Again {
            not_before,
            hops,
            unlisted,
            changes,
            waiting,
            wish,
        } = again;
        let mut groups: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            groups.entry(change.whom.place()).or_default().push(change);
        }
        let work = groups.into_values().flat_map(|changes| work(&changes));
        Self {
            version: VERSION,
            not_before: *not_before,
            hops: *hops,
            unlisted: *unlisted,
            work: work.collect(),
            waiting: waiting
                .iter()
                .map(|(id, waiting)| (id.to_string(), Wait::from(waiting.clone())))
                .collect(),
            wish: wish.as_ref().map(Asked::from),
        }
    }
}

impl From<&Change> for Told {
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
            learnt,
            crowded,
            note,
            event,
            source,
            whom: _,
        } = change.clone();
        let Place {
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
            learnt: learnt && note.is_none(),
            crowded,
        }
    }
}

impl Told {
    fn into_change(self, whom: Whom, clock: Timestamp) -> Option<Change> {
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
        let (source, ignored, learnt, crowded) =
            (self.source, self.ignored, self.learnt, self.crowded);
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
        let place = Place {
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
            learnt,
            crowded,
            source,
            whom,
            ..change
        })
    }
}

impl From<Waiting> for Wait {
    fn from(
        Waiting {
            told,
            waited,
            looks,
            rollout,
        }: Waiting,
    ) -> Self {
        Self {
            told: told.map(|reason| reason.code().to_owned()),
            waited_seconds: json::to_seconds(waited),
            looks,
            rollout: rollout.map(Followed::from),
        }
    }
}

impl From<Wait> for Waiting {
    fn from(
        Wait {
            told,
            waited_seconds,
            looks,
            rollout,
        }: Wait,
    ) -> Self {
        let told = told.and_then(|code| {
            Reason::ALL
                .iter()
                .find(|reason| reason.code() == code)
                .copied()
        });
        Self {
            told,
            waited: SignedDuration::from_secs(waited_seconds.into()),
            looks,
            rollout: rollout.map(Rollout::from),
        }
    }
}

impl From<&Wish> for Asked {
    fn from(wish: &Wish) -> Self {
        let Wish {
            services,
            asked_at,
            dry_run: _,
            max_services,
            reason,
            sender,
        } = wish;
        let place = |place: &Place| {
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

impl TryFrom<Asked> for Wish {
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
        let place = |(partition, account, region)| Place {
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

//! Work that the function sent itself through its queue: `{"again": {"version": 1, …}}`. Later versions read what this one wrote.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::json::{self, Malformed};
use crate::domain::again::{Again, Waiting, Wish};
use crate::domain::arn::{Place, ServiceId};
use crate::domain::change::{Change, ChangeKind, Whom};
use crate::domain::key::{Key, Kind};
use crate::domain::reason::Reason;
use crate::domain::text::bounded;

/// It grows when a field goes or changes its meaning.
const VERSION: u32 = 1;

/// Bytes of a message, well below what a queue takes (1 MiB; 256 KiB where its owner has not raised that).
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
    #[serde(default)]
    hops: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    unlisted: u32,
    work: Vec<Work>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<String, Wait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wish: Option<Asked>,
}

/// Changes that are to be looked at for the same services: for all, where neither list is there.
#[derive(Serialize, Deserialize)]
struct Work {
    changes: Vec<Told>,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    only: Option<BTreeSet<String>>,
    #[serde(rename = "not_for", default, skip_serializing_if = "Option::is_none")]
    but: Option<BTreeSet<String>>,
}

#[derive(Serialize, Deserialize)]
struct Told {
    kind: String,
    path: String,
    partition: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    account: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suffix: Option<String>,
    #[serde(deserialize_with = "json::time")]
    at: Timestamp,
    what: What,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    event: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    source: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ignored: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    learnt: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    #[serde(default)]
    waited_seconds: i64,
    #[serde(default)]
    looks: u32,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    #[serde(default)]
    services: BTreeMap<String, Option<(String, String, String)>>,
    #[serde(rename = "asked_at", deserialize_with = "json::time")]
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_services: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
}

/// The bodies of the messages that tell of work for later: one, unless it is too long for a queue.
#[must_use]
pub fn encode(again: &Again) -> Vec<String> {
    let text = serde_json::to_string(&Envelope { again: &Message::from(again) }).unwrap_or_default();
    match (text.len() > LONGEST).then(|| halves(again)).flatten() {
        Some(halves) => halves.iter().flat_map(encode).collect(),
        None => vec![text],
    }
}

/// Half of the services each; where one is left, or all but some are meant, half of the changes. In the end a list of those that need no second look is left
/// out: looking twice does no harm.
fn halves(again: &Again) -> Option<Vec<Again>> {
    let these = |change: &Change| if let Whom::Only(these) = &change.whom { these.clone() } else { BTreeSet::new() };
    let mut services: BTreeSet<_> = again.changes.iter().flat_map(these).chain(again.waiting.keys().cloned()).collect();
    services.extend(again.wish.iter().flat_map(|wish| wish.services.keys().cloned()));
    if let Some(middle) = services.iter().nth(services.len() / 2).filter(|_| services.len() > 1) {
        return Some(vec![part(again, |id| id < middle, true), part(again, |id| id >= middle, false)]);
    }
    match again.changes.as_slice() {
        [Change { whom: Whom::EveryoneBut(_), .. }] => {
            let changes = again.changes.iter().map(|change| Change { whom: Whom::Everyone, ..change.clone() });
            Some(vec![Again { changes: changes.collect(), ..again.clone() }])
        }
        [] | [_] => None,
        several => {
            let (first, second) = several.split_at(several.len() / 2);
            Some(vec![Again { changes: first.to_vec(), ..again.clone() }, Again { changes: second.to_vec(), ..again.clone() }])
        }
    }
}

/// What concerns some services; and what names none, where `others` asks for it too.
fn part(again: &Again, is_in: impl Fn(&ServiceId) -> bool, others: bool) -> Again {
    let Again { not_before, hops, unlisted, changes, waiting, wish } = again;
    let changes = changes.iter().filter_map(|change| match &change.whom {
        Whom::Only(these) => {
            let these: BTreeSet<_> = these.iter().filter(|id| is_in(id)).cloned().collect();
            (!these.is_empty()).then(|| Change { whom: Whom::Only(these), ..change.clone() })
        }
        Whom::Everyone | Whom::EveryoneBut(_) => others.then(|| change.clone()),
    });
    let waiting = waiting.iter().filter(|(id, _)| is_in(id)).map(|(id, waiting)| (id.clone(), *waiting)).collect();
    let wish = wish.as_ref().map(|wish| {
        let services = wish.services.iter().filter(|(id, _)| is_in(id)).map(|(id, place)| (id.clone(), place.clone())).collect();
        Wish { services, ..wish.clone() }
    });
    Again { not_before: *not_before, hops: *hops, unlisted: *unlisted, changes: changes.collect(), waiting, wish }
}

/// Reads what [`encode`] of this version, or of one before it, wrote.
pub(super) fn decode(text: &RawValue) -> Result<Again, Malformed> {
    let Message { version, not_before, hops, unlisted, work, waiting, wish } = json::read(text.get())?;
    if version > VERSION {
        return Err(Malformed::at("version", format!("a number up to {VERSION}: a newer version of ecs-reloader sent this")));
    }
    let mut changes = Vec::new();
    for (place, Work { changes: told, only, but }) in work.into_iter().enumerate() {
        let whom = match (only, but) {
            (Some(only), _) => Whom::Only(services(&only)?),
            (None, Some(but)) => Whom::EveryoneBut(services(&but)?),
            (None, None) => Whom::Everyone,
        };
        for told in told {
            let change = told.into_change(whom.clone());
            changes.push(change.ok_or_else(|| Malformed::at(format!("work[{place}].changes"), "a kind: ssm, s3, secret or appconfig"))?);
        }
    }
    let waiting = waiting.into_iter().map(|(id, wait)| Ok((service(&id)?, Waiting::from(wait)))).collect::<Result<_, _>>()?;
    let wish = wish.map(Wish::try_from).transpose()?;
    Ok(Again { not_before, hops, unlisted, changes, waiting, wish })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

fn service(text: &str) -> Result<ServiceId, Malformed> {
    ServiceId::from_path(text).ok_or_else(|| Malformed::at("", "services as cluster/name"))
}

fn services(texts: &BTreeSet<String>) -> Result<BTreeSet<ServiceId>, Malformed> {
    texts.iter().map(|text| service(text)).collect()
}

fn names(ids: &BTreeSet<ServiceId>) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

impl From<&Again> for Message {
    fn from(again: &Again) -> Self {
        let Again { not_before, hops, unlisted, changes, waiting, wish } = again;
        let mut groups: Vec<(&Whom, Vec<Told>)> = Vec::new();
        for change in changes {
            match groups.iter_mut().find(|(whom, _)| **whom == change.whom) {
                Some((_, told)) => told.push(Told::from(change)),
                None => groups.push((&change.whom, vec![Told::from(change)])),
            }
        }
        let work = groups.into_iter().map(|(whom, changes)| {
            let (only, but) = match whom {
                Whom::Everyone => (None, None),
                Whom::Only(these) => (Some(names(these)), None),
                Whom::EveryoneBut(others) => (None, Some(names(others))),
            };
            Work { changes, only, but }
        });
        Self {
            version: VERSION,
            not_before: *not_before,
            hops: *hops,
            unlisted: *unlisted,
            work: work.collect(),
            waiting: waiting.iter().map(|(id, waiting)| (id.to_string(), Wait::from(*waiting))).collect(),
            wish: wish.as_ref().map(Asked::from),
        }
    }
}

impl From<&Change> for Told {
    fn from(change: &Change) -> Self {
        let Change { key, at, kind, version, previous, etag, by, ignored, learnt, note, event, source, whom: _ } = change.clone();
        let Place { partition, account, region } = key.place().clone();
        Self {
            kind: key.kind().word().to_owned(),
            path: key.path().to_owned(),
            partition,
            account,
            region,
            stage: key.stage().map(str::to_owned),
            suffix: key.suffix().map(str::to_owned),
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
        }
    }
}

impl Told {
    fn into_change(self, whom: Whom) -> Option<Change> {
        let Self {
            kind,
            path,
            partition,
            account,
            region,
            stage,
            suffix,
            at,
            what,
            version,
            previous,
            etag,
            by,
            event,
            source,
            ignored,
            learnt,
        } = self;
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
        let key = Key::of_kind(kind, Place { partition, account, region }, &path);
        let key = stage.iter().fold(key, |key, stage| key.at_stage(stage)).with_suffix(suffix.as_deref());
        let kind = match what {
            What::Labelled => ChangeKind::Labelled,
            What::Deleted => ChangeKind::Deleted,
            What::Written => ChangeKind::Written,
        };
        Some(Change { version, previous, etag, by, ignored, learnt, whom, ..Change::new(key, at, kind, &event).from_source(&source) })
    }
}

impl From<Waiting> for Wait {
    fn from(Waiting { told, waited, looks }: Waiting) -> Self {
        Self { told: told.map(|reason| reason.code().to_owned()), waited_seconds: waited.as_secs(), looks }
    }
}

impl From<Wait> for Waiting {
    fn from(Wait { told, waited_seconds, looks }: Wait) -> Self {
        let told = told.and_then(|code| Reason::ALL.iter().find(|reason| reason.code() == code).copied());
        Self { told, waited: SignedDuration::from_secs(waited_seconds), looks }
    }
}

impl From<&Wish> for Asked {
    fn from(wish: &Wish) -> Self {
        let Wish { services, asked_at, dry_run: _, max_services, reason, sender } = wish;
        let place = |place: &Place| (place.partition.clone(), place.account.clone(), place.region.clone());
        let services = services.iter().map(|(id, home)| (id.to_string(), home.as_ref().map(place))).collect();
        Self { services, at: *asked_at, max_services: *max_services, reason: reason.clone(), sender: sender.clone() }
    }
}

impl TryFrom<Asked> for Wish {
    type Error = Malformed;

    fn try_from(Asked { services, at, max_services, reason, sender }: Asked) -> Result<Self, Malformed> {
        let place = |(partition, account, region)| Place { partition, account, region };
        let services = services.into_iter().map(|(id, home)| Ok((service(&id)?, home.map(place)))).collect::<Result<_, Malformed>>()?;
        let (reason, sender) = (reason.as_deref().map(bounded), sender.as_deref().map(bounded));
        // What only tells is not sent on.
        Ok(Self { services, asked_at: at, dry_run: false, max_services, reason, sender })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::arn::Place;

    fn id(number: usize) -> ServiceId {
        ServiceId { cluster: "production".to_owned(), name: format!("{number:0>200}") }
    }

    fn sent(again: &Again) -> Vec<Again> {
        let bodies = encode(again);
        assert!(bodies.iter().all(|body| body.len() <= LONGEST), "{:?}", bodies.iter().map(String::len).collect::<Vec<_>>());
        let message = |body: &String| serde_json::from_str::<serde_json::Value>(body).unwrap()["again"].to_string();
        bodies.iter().map(|body| decode(&RawValue::from_string(message(body)).unwrap()).unwrap()).collect()
    }

    fn again(whom: Whom, services: usize) -> Again {
        let at = "2026-01-31T10:00:00Z".parse().unwrap();
        let key = Key::parameter(Place::of_region("123456789012", "eu-west-1"), "/app/x");
        let changes = vec![Change { whom, ..Change::new(key, at, ChangeKind::Written, "e") }];
        let waiting = (0..services).map(|number| (id(number), Waiting { looks: 3, ..Waiting::default() })).collect();
        let services = (0..services).map(|number| (id(number), None)).collect();
        let wish = Some(Wish { services, asked_at: at, dry_run: false, max_services: None, reason: None, sender: None });
        Again { not_before: at, hops: 1, unlisted: 0, changes, waiting, wish }
    }

    #[test]
    fn what_is_too_long_for_one_message_names_each_service_once() {
        let whole = again(Whom::Only((0..2000).map(id).collect()), 2000);

        let parts = sent(&whole);

        let wishes = || parts.iter().flat_map(|part| part.wish.iter().flat_map(|wish| wish.services.keys()));
        let waiting = || parts.iter().flat_map(|part| part.waiting.keys());
        let named = |part: &Again| if let Whom::Only(these) = &part.changes[0].whom { these.len() } else { 0 };
        assert!(parts.len() > 1);
        assert_eq!((wishes().count(), waiting().count(), parts.iter().map(named).sum()), (2000, 2000, 2000));
        assert_eq!(wishes().collect::<BTreeSet<_>>().len(), 2000);
    }

    #[test]
    fn a_list_that_is_too_long_of_those_that_need_no_second_look_is_left_out() {
        let parts = sent(&again(Whom::EveryoneBut((0..2000).map(id).collect()), 0));

        assert_eq!(parts.iter().map(|part| part.changes[0].whom.clone()).collect::<Vec<_>>(), [Whom::Everyone]);
    }
}

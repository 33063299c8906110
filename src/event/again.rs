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

/// It grows when a field goes or changes its meaning.
const VERSION: u32 = 1;

/// Bytes of a message, well below what a queue takes (256 KiB since ever).
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

/// Half of the changes each; of a single change, half of its services. A list of those that need no second look is left out in the end:
/// looking twice does no harm.
fn halves(again: &Again) -> Option<[Again; 2]> {
    let with = |changes: Vec<Change>| {
        let named = |id: &ServiceId| changes.iter().any(|change| change.whom.includes(id));
        let waiting = again.waiting.iter().filter(|(id, _)| named(id)).map(|(id, waiting)| (id.clone(), *waiting)).collect();
        Again { changes, waiting, ..again.clone() }
    };
    match again.changes.as_slice() {
        [] => None,
        [only] => {
            let these = match &only.whom {
                Whom::Only(these) | Whom::EveryoneBut(these) if these.len() > 1 => these,
                Whom::Everyone | Whom::Only(_) | Whom::EveryoneBut(_) => return None,
            };
            let middle = these.iter().nth(these.len() / 2)?;
            let (first, second) = these.iter().cloned().partition(|id| id < middle);
            match &only.whom {
                Whom::Only(_) => Some([first, second].map(|half| with(vec![Change { whom: Whom::Only(half), ..only.clone() }]))),
                Whom::Everyone | Whom::EveryoneBut(_) => None,
            }
        }
        several => {
            let (first, second) = several.split_at(several.len() / 2);
            Some([with(first.to_vec()), with(second.to_vec())])
        }
    }
}

/// Reads what [`encode`] of this version, or of one before it, wrote.
pub(super) fn decode(text: &RawValue) -> Result<Again, Malformed> {
    let Message { version, not_before, hops, work, waiting, wish } = json::read(text.get())?;
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
    Ok(Again { not_before, hops, changes, waiting, wish })
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
        let Again { not_before, hops, changes, waiting, wish } = again;
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
            work: work.collect(),
            waiting: waiting.iter().map(|(id, waiting)| (id.to_string(), Wait::from(*waiting))).collect(),
            wish: wish.as_ref().map(Asked::from),
        }
    }
}

impl From<&Change> for Told {
    fn from(change: &Change) -> Self {
        let Change { key, at, kind, version, previous, etag, by, ignored: _, note: _, event, whom: _ } = change.clone();
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
        }
    }
}

impl Told {
    /// What is told of the key's owner's wishes is learnt anew.
    fn into_change(self, whom: Whom) -> Option<Change> {
        let Self { kind, path, partition, account, region, stage, suffix, at, what, version, previous, etag, by, event } = self;
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
        let key = Key::of_kind(kind, Place { partition, account, region }, &path);
        let key = stage.iter().fold(key, |key, stage| key.at_stage(stage)).with_suffix(suffix.as_deref());
        let kind = match what {
            What::Labelled => ChangeKind::Labelled,
            What::Deleted => ChangeKind::Deleted,
            What::Written => ChangeKind::Written,
        };
        Some(Change { version, previous, etag, by, whom, ..Change::new(key, at, kind, &event) })
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
        let Wish { services, asked_at, dry_run: _, max_services } = wish;
        let place = |place: &Place| (place.partition.clone(), place.account.clone(), place.region.clone());
        let services = services.iter().map(|(id, home)| (id.to_string(), home.as_ref().map(place))).collect();
        Self { services, at: *asked_at, max_services: *max_services }
    }
}

impl TryFrom<Asked> for Wish {
    type Error = Malformed;

    fn try_from(Asked { services, at, max_services }: Asked) -> Result<Self, Malformed> {
        let place = |(partition, account, region)| Place { partition, account, region };
        let services = services.into_iter().map(|(id, home)| Ok((service(&id)?, home.map(place)))).collect::<Result<_, Malformed>>()?;
        // What only tells is not sent on.
        Ok(Self { services, asked_at: at, dry_run: false, max_services })
    }
}

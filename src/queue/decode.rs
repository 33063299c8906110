//! The body of a message becomes deferred work.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::wire::{
    Message, VERSION, WireAccountRegion, WireAttempt, WireChange, WireChangeKind, WireNotice,
    WireRequest, WireRollout, Work,
};
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::backoff::Attempt;
use crate::domain::change::{Change, ChangeKind, Scope, known_source, not_ahead_of};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::key::{Key, Kind};
use crate::domain::notice::{MOST_DETAILS, MOST_SERVICES, Notice, NoticeKind};
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::rollout::{Progress, Rollout, RolloutId};
use crate::domain::text::{bounded, is_shown};
use crate::json::{self, MOST_ENTRIES, Malformed};

/// Reads a message that [`encode`](super::encode()) of this version, or of an earlier one, wrote
/// before `clock`.
///
/// # Errors
/// The message is of a newer version, or is not what [`encode`](super::encode()) writes.
pub(crate) fn decode(text: &RawValue, clock: Timestamp) -> Result<DeferredWork, Malformed> {
    let Message {
        version,
        not_before,
        hops,
        failed_listings,
        work,
        attempts,
        request,
        notices,
    } = json::read(text.get())?;
    if version > VERSION {
        return Err(Malformed::at(
            "version",
            format!("a number up to {VERSION}: a newer version of ecs-reloader sent this"),
        ));
    }
    let attempts = attempts
        .into_iter()
        .map(|(id, attempt)| Ok((service(&id)?, Attempt::from(attempt))))
        .collect::<Result<_, _>>()?;
    Ok(DeferredWork {
        not_before,
        hops,
        failed_listings,
        changes: changes(work, clock)?,
        attempts,
        request: request.map(Request::try_from).transpose()?,
        notices: notices
            .into_iter()
            .map(Notice::try_from)
            .collect::<Result<_, _>>()?,
    })
}

fn changes(work: Vec<Work>, clock: Timestamp) -> Result<Vec<Change>, Malformed> {
    let mut changes = Vec::new();
    for (index, entry) in joined(work) {
        let scope = scope(entry.only, entry.except)?;
        for change in entry.changes {
            let change = change.into_change(scope.clone(), clock).ok_or_else(|| {
                Malformed::at(
                    format!("work[{index}].changes"),
                    "a kind: ssm, s3, secret or appconfig",
                )
            })?;
            changes.push(change);
        }
    }
    if changes.len() > MOST_ENTRIES {
        return Err(Malformed::at("work", "at most 1000 changes"));
    }
    Ok(changes)
}

/// Appends each entry without changes to the entry before it, whose list it continues. Every entry
/// that is left keeps its index in the message, for errors.
fn joined(work: Vec<Work>) -> Vec<(usize, Work)> {
    let mut joined: Vec<(usize, Work)> = Vec::new();
    for (index, entry) in work.into_iter().enumerate() {
        match joined.last_mut() {
            Some((_, before)) if entry.changes.is_empty() => {
                append(&mut before.only, entry.only);
                append(&mut before.except, entry.except);
            }
            _ => joined.push((index, entry)),
        }
    }
    joined
}

fn append(list: &mut Option<Vec<String>>, more: Option<Vec<String>>) {
    if let (Some(list), Some(more)) = (list, more) {
        list.extend(more);
    }
}

fn scope(only: Option<Vec<String>>, except: Option<Vec<String>>) -> Result<Scope, Malformed> {
    Ok(match (only, except) {
        (Some(only), _) => Scope::only(services(&only)?),
        (None, Some(except)) => Scope::all_except(services(&except)?),
        (None, None) => Scope::All,
    })
}

fn services(names: &[String]) -> Result<BTreeSet<ServiceId>, Malformed> {
    names.iter().map(|name| service(name)).collect()
}

fn service(name: &str) -> Result<ServiceId, Malformed> {
    ServiceId::from_path(name).ok_or_else(|| Malformed::at("", "services as cluster/name"))
}

impl WireChange {
    /// The change with this scope; `None` if its kind is unknown.
    fn into_change(self, scope: Scope, clock: Timestamp) -> Option<Change> {
        let at = not_ahead_of(self.at, clock);
        let change = Change::new(self.key()?, at, self.change.into(), &self.event);
        Some(Change {
            version: self.version,
            previous: self.previous,
            etag: self.etag,
            by: self.by,
            ignored: self.ignored,
            enriched: self.enriched,
            shares_second: self.shares_second,
            source: known_source(&self.source),
            scope,
            ..change
        })
    }

    fn key(&self) -> Option<Key> {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.word() == self.kind)?;
        let home = AccountRegion {
            partition: self.partition.as_str().into(),
            account: self.account.as_str().into(),
            region: self.region.as_str().into(),
        };
        let mut key = Key::of_kind(kind, home.clone(), &self.path);
        if let Some(path) = &self.alternative {
            key = key.with_alternative(&Key::of_kind(kind, home, path));
        }
        if let Some(stage) = &self.stage {
            key = key.at_stage(stage);
        }
        Some(key.with_suffix(self.suffix.as_deref()))
    }
}

impl From<WireChangeKind> for ChangeKind {
    fn from(kind: WireChangeKind) -> Self {
        match kind {
            WireChangeKind::Labelled => Self::Labelled,
            WireChangeKind::Deleted => Self::Deleted,
            WireChangeKind::Written => Self::Written,
        }
    }
}

impl From<WireAccountRegion> for AccountRegion {
    fn from(home: WireAccountRegion) -> Self {
        let WireAccountRegion {
            partition,
            account,
            region,
        } = home;
        Self {
            partition: partition.into(),
            account: account.into(),
            region: region.into(),
        }
    }
}

impl From<WireAttempt> for Attempt {
    fn from(attempt: WireAttempt) -> Self {
        let WireAttempt {
            last_reason,
            waited_seconds,
            count,
            rollouts,
            owes_restart,
        } = attempt;
        Self {
            last_reason: last_reason.and_then(|code| known_reason(&code)),
            waited: SignedDuration::from_secs(waited_seconds.into()),
            count,
            rollouts: rollouts.into_iter().map(Rollout::from).collect(),
            owes_restart,
        }
    }
}

impl From<WireRollout> for Rollout {
    fn from(rollout: WireRollout) -> Self {
        let WireRollout {
            deployment,
            started_at,
            by_others,
            running,
            stage,
            progress_at,
            complete_since,
            timed_out,
        } = rollout;
        Self {
            id: RolloutId::EcsDeployment(deployment),
            started_at,
            own: !by_others,
            progress: Progress {
                running,
                stage,
                at: progress_at.unwrap_or(started_at),
            },
            complete_since,
            timed_out,
        }
    }
}

impl TryFrom<WireRequest> for Request {
    type Error = Malformed;

    fn try_from(request: WireRequest) -> Result<Self, Malformed> {
        let WireRequest {
            services,
            requested_at,
            max_services,
            reason,
            sender,
        } = request;
        let services = services
            .into_iter()
            .map(|(id, home)| Ok((service(&id)?, home.map(AccountRegion::from))))
            .collect::<Result<_, Malformed>>()?;
        Ok(Self {
            services,
            requested_at,
            // A dry run starts nothing, so nothing of it is deferred.
            dry_run: false,
            max_services,
            reason: reason.as_deref().map(bounded),
            sender: sender.as_deref().map(bounded),
        })
    }
}

impl TryFrom<WireNotice> for Notice {
    type Error = Malformed;

    fn try_from(notice: WireNotice) -> Result<Self, Malformed> {
        let WireNotice {
            id,
            kind,
            key,
            version,
            previous_version,
            changed_at,
            changed_by,
            services,
            more_services,
            deployments,
            reason,
            details,
            until,
            restore,
            at,
        } = notice;
        let mut kinds = NoticeKind::ALL.iter();
        let kind = kinds.find(|known| known.code() == kind).copied();
        let shown = |text: Option<String>| text.as_deref().map(bounded);
        let all_shown = |texts: Vec<String>, most: usize| {
            let some = texts.iter().take(most);
            some.map(|text| bounded(text)).collect()
        };
        Ok(Self {
            id: bounded(&id),
            kind: kind.ok_or_else(|| Malformed::at("notices", "a kind of notice"))?,
            key: shown(key),
            version: shown(version),
            previous_version: shown(previous_version),
            changed_at,
            changed_by: shown(changed_by),
            services: all_shown(services, MOST_SERVICES),
            more_services,
            deployments: all_shown(deployments, MOST_SERVICES),
            reason: reason.and_then(|code| known_reason(&code)),
            details: all_shown(details, MOST_DETAILS),
            until,
            restore: restore.filter(|command| command.chars().all(is_shown)),
            at,
        })
    }
}

/// The reason that has this code. A later version may know more.
fn known_reason(code: &str) -> Option<Reason> {
    let mut reasons = Reason::ALL.iter();
    reasons.find(|reason| reason.code() == code).copied()
}

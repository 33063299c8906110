//! Deferred work becomes the bodies of messages.

use std::collections::BTreeMap;

use super::split::{LONGEST, exceeds_a_list, split};
use super::wire::{
    Envelope, Message, VERSION, WireAccountRegion, WireAttempt, WireChange, WireChangeKind,
    WireNotice, WireRequest, WireRollout, Work,
};
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::backoff::Attempt;
use crate::domain::change::{Change, ChangeKind, Scope};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::notice::Notice;
use crate::domain::reason::Reason;
use crate::domain::request::Request;
use crate::domain::rollout::{Progress, Rollout, RolloutId};
use crate::json::{self, MOST_ENTRIES};

/// Writes deferred work as the bodies of messages. Work that is too long for one message, or has
/// more entries in a list than [`decode`](super::decode()) takes, becomes several.
#[must_use]
pub fn encode(deferred: &DeferredWork) -> Vec<String> {
    let write = || {
        let message = Message::from(deferred);
        let envelope = Envelope { deferred: &message };
        serde_json::to_string(&envelope).unwrap_or_default()
    };
    if !exceeds_a_list(deferred) {
        let body = write();
        if body.len() <= LONGEST {
            return vec![body];
        }
    }
    match split(deferred) {
        Some(parts) => parts.iter().flat_map(encode).collect(),
        // It cannot be split further, and is sent as it is.
        None => vec![write()],
    }
}

impl From<&DeferredWork> for Message {
    fn from(deferred: &DeferredWork) -> Self {
        let DeferredWork {
            not_before,
            hops,
            failed_listings,
            changes,
            attempts,
            request,
            notices,
        } = deferred;
        let mut of_scope: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            let changes = of_scope.entry(change.scope.list_id()).or_default();
            changes.push(change);
        }
        let work = of_scope.into_values().flat_map(|changes| work(&changes));
        let attempt = |(id, attempt): (&ServiceId, &Attempt)| {
            (id.to_string(), WireAttempt::from(attempt.clone()))
        };
        Self {
            version: VERSION,
            not_before: *not_before,
            hops: *hops,
            failed_listings: *failed_listings,
            work: work.collect(),
            attempts: attempts.iter().map(attempt).collect(),
            request: request.as_ref().map(WireRequest::from),
            notices: notices.iter().map(WireNotice::from).collect(),
        }
    }
}

/// Writes changes that share one scope. A list with more than [`MOST_ENTRIES`] names continues in
/// further entries.
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
        Some(Scope::Only(services)) => vec![Work {
            only: Some(names(&**services)),
            ..first
        }],
        Some(Scope::AllExcept(services)) => {
            let mut services = services.iter();
            let mut next = || names(services.by_ref().take(MOST_ENTRIES));
            let first = Work {
                except: Some(next()),
                ..first
            };
            let more = std::iter::repeat_with(next).take_while(|names| !names.is_empty());
            let more = more.map(|names| Work {
                except: Some(names),
                ..Work::default()
            });
            std::iter::once(first).chain(more).collect()
        }
    }
}

fn names<'a>(ids: impl IntoIterator<Item = &'a ServiceId>) -> Vec<String> {
    ids.into_iter().map(ToString::to_string).collect()
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
            shares_second,
            note,
            event,
            source,
            scope: _,
        } = change.clone();
        let WireAccountRegion {
            partition,
            account,
            region,
        } = key.home().into();
        Self {
            kind: key.kind().word().to_owned(),
            path: key.path().to_owned(),
            partition,
            account,
            region,
            stage: key.stage().map(str::to_owned),
            suffix: key.suffix().map(str::to_owned),
            alternative: key.alternative().map(|other| other.path().to_owned()),
            at,
            change: kind.into(),
            version,
            previous,
            etag,
            by,
            event,
            source: source.to_owned(),
            ignored,
            // Notes are left out: the next invocation reads the metadata again.
            enriched: enriched && note.is_none(),
            shares_second,
        }
    }
}

impl From<ChangeKind> for WireChangeKind {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Labelled => Self::Labelled,
            ChangeKind::Deleted => Self::Deleted,
            ChangeKind::Written => Self::Written,
        }
    }
}

impl From<&AccountRegion> for WireAccountRegion {
    fn from(home: &AccountRegion) -> Self {
        let AccountRegion {
            partition,
            account,
            region,
        } = home;
        Self {
            partition: partition.to_string(),
            account: account.to_string(),
            region: region.to_string(),
        }
    }
}

impl From<Attempt> for WireAttempt {
    fn from(attempt: Attempt) -> Self {
        let Attempt {
            last_reason,
            waited,
            count,
            rollouts,
            owes_restart,
        } = attempt;
        Self {
            last_reason: last_reason.map(|reason| reason.code().to_owned()),
            waited_seconds: json::to_seconds(waited),
            count,
            rollouts: rollouts.into_iter().map(WireRollout::from).collect(),
            owes_restart,
        }
    }
}

impl From<Rollout> for WireRollout {
    fn from(rollout: Rollout) -> Self {
        let Rollout {
            id: RolloutId::EcsDeployment(deployment),
            started_at,
            own,
            progress: Progress { running, stage, at },
            complete_since,
            timed_out,
        } = rollout;
        Self {
            deployment,
            started_at,
            by_others: !own,
            running,
            stage,
            progress_at: Some(at).filter(|at| *at != started_at),
            complete_since,
            timed_out,
        }
    }
}

impl From<&Request> for WireRequest {
    fn from(request: &Request) -> Self {
        let Request {
            services,
            requested_at,
            // A dry run starts nothing, so nothing of it is deferred.
            dry_run: _,
            max_services,
            reason,
            sender,
        } = request;
        let service = |(id, home): (&ServiceId, &Option<AccountRegion>)| {
            (id.to_string(), home.as_ref().map(WireAccountRegion::from))
        };
        Self {
            services: services.iter().map(service).collect(),
            requested_at: *requested_at,
            max_services: *max_services,
            reason: reason.clone(),
            sender: sender.clone(),
        }
    }
}

impl From<&Notice> for WireNotice {
    fn from(notice: &Notice) -> Self {
        let Notice {
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
        } = notice.clone();
        Self {
            id,
            kind: kind.code().to_owned(),
            key,
            version,
            previous_version,
            changed_at,
            changed_by,
            services,
            more_services,
            deployments,
            reason: reason.map(|reason| Reason::code(reason).to_owned()),
            details,
            until,
            restore,
            at,
        }
    }
}

//! Splits deferred work that is too long for one message.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::arn::ServiceId;
use crate::domain::change::{Change, Scope, distinct};
use crate::domain::deferred_work::DeferredWork;
use crate::domain::request::Request;
use crate::json::MOST_ENTRIES;

/// The longest message that is sent, in bytes: well below the limit of a queue (256 KiB).
pub(super) const LONGEST: usize = 200_000;

/// The most names of services in one message. With more of them it would be too long, even with the
/// shortest name, `"a/b",`.
const MOST_NAMES: usize = LONGEST / 6;

/// The length of a change in bytes, roughly.
const CHANGE_BYTES: usize = 200;

/// The length of a service's name in bytes, roughly.
const SERVICE_BYTES: usize = 40;

/// True if a list has more entries than a reader accepts, or if there are so many names that the
/// message is certainly too long.
///
/// The list of a [`Scope::AllExcept`] may have any length: it continues in further entries.
pub(super) fn exceeds_a_list(deferred: &DeferredWork) -> bool {
    let DeferredWork {
        not_before: _,
        hops: _,
        failed_listings: _,
        changes,
        attempts,
        request,
        notices,
    } = deferred;
    let (mut longest_list, mut names) = (0, 0);
    for scope in distinct(changes) {
        match scope {
            Scope::All => {}
            Scope::Only(services) => {
                longest_list = longest_list.max(services.len());
                names += services.len();
            }
            Scope::AllExcept(services) => names += services.len(),
        }
    }
    let work = changes.len() + names / MOST_ENTRIES;
    let requested = request.as_ref().map_or(0, |request| request.services.len());
    let lists = [longest_list, work, attempts.len(), requested, notices.len()];
    lists.iter().any(|entries| *entries > MOST_ENTRIES) || names > MOST_NAMES
}

/// Splits deferred work in two:
///
/// * by its notices, if it has several: they need nothing of the rest;
/// * by its services, if these take more room than the changes: all changes beside half of the
///   services would otherwise be as long as before;
/// * by its changes elsewhere.
///
/// If one change is left without services to split, its list of a [`Scope::AllExcept`] is dropped:
/// planning these services once more does no harm. `None` if it cannot be split further.
pub(super) fn split(deferred: &DeferredWork) -> Option<Vec<DeferredWork>> {
    if deferred.notices.len() > 1 {
        return Some(by_notices(deferred));
    }
    let services = named_services(deferred);
    let middle = services
        .iter()
        .nth(services.len() / 2)
        .filter(|_| services.len() > 1);
    let changes_bytes = deferred.changes.len() * CHANGE_BYTES;
    let services_bytes = services.len() * SERVICE_BYTES;
    match (deferred.changes.as_slice(), middle) {
        ([] | [_], Some(middle)) => Some(by_services(deferred, middle)),
        ([_, _, ..], Some(middle)) if changes_bytes < services_bytes => {
            Some(by_services(deferred, middle))
        }
        ([_, _, ..], _) => Some(by_changes(deferred)),
        ([change], None) => without_exceptions(change).map(|change| {
            vec![DeferredWork {
                changes: vec![change],
                ..deferred.clone()
            }]
        }),
        ([], None) => None,
    }
}

/// The first half of the notices, with everything else, and the second half.
fn by_notices(deferred: &DeferredWork) -> Vec<DeferredWork> {
    let DeferredWork {
        not_before,
        hops,
        failed_listings,
        ..
    } = *deferred;
    let (first, second) = deferred.notices.split_at(deferred.notices.len() / 2);
    vec![
        DeferredWork {
            notices: first.to_vec(),
            ..deferred.clone()
        },
        DeferredWork {
            failed_listings,
            ..DeferredWork::of_notices(second.to_vec(), not_before, hops)
        },
    ]
}

/// The services that the scopes, attempts and the request name, without those of a
/// [`Scope::AllExcept`], which have no work left.
fn named_services(deferred: &DeferredWork) -> BTreeSet<&ServiceId> {
    let mut services: BTreeSet<&ServiceId> = deferred.attempts.keys().collect();
    for scope in distinct(&deferred.changes) {
        if let Scope::Only(only) = scope {
            services.extend(only.iter());
        }
    }
    if let Some(request) = &deferred.request {
        services.extend(request.services.keys());
    }
    services
}

/// The services of the request go with the first half.
fn by_changes(deferred: &DeferredWork) -> Vec<DeferredWork> {
    let (first, second) = deferred.changes.split_at(deferred.changes.len() / 2);
    let request = deferred.request.clone().map(|request| Request {
        services: BTreeMap::new(),
        ..request
    });
    vec![
        DeferredWork {
            changes: first.to_vec(),
            ..deferred.clone()
        },
        DeferredWork {
            changes: second.to_vec(),
            request,
            notices: Vec::new(),
            ..deferred.clone()
        },
    ]
}

/// The work for the services before `middle`, and for the others. A change that is not for named
/// services alone goes into the first half.
fn by_services(deferred: &DeferredWork, middle: &ServiceId) -> Vec<DeferredWork> {
    vec![
        part(deferred, |id| id < middle, true),
        part(deferred, |id| id >= middle, false),
    ]
}

fn part(
    deferred: &DeferredWork,
    is_in_part: impl Fn(&ServiceId) -> bool,
    keeps_unnamed: bool,
) -> DeferredWork {
    let DeferredWork {
        not_before,
        hops,
        failed_listings,
        changes,
        attempts,
        request,
        notices,
    } = deferred;
    let of_part = |scope: &Scope| match scope {
        Scope::Only(services) => {
            let services: BTreeSet<_> = services
                .iter()
                .filter(|id| is_in_part(id))
                .cloned()
                .collect();
            (!services.is_empty()).then(|| Scope::only(services))
        }
        Scope::All | Scope::AllExcept(_) => keeps_unnamed.then(|| scope.clone()),
    };
    // One list is shared by many changes, and is made once.
    let scopes: BTreeMap<usize, Option<Scope>> = distinct(changes)
        .map(|scope| (scope.list_id(), of_part(scope)))
        .collect();
    let changes = changes.iter().filter_map(|change| {
        Some(Change {
            scope: scopes.get(&change.scope.list_id())?.clone()?,
            ..change.clone()
        })
    });
    DeferredWork {
        not_before: *not_before,
        hops: *hops,
        failed_listings: *failed_listings,
        changes: changes.collect(),
        attempts: members_of_part(attempts, &is_in_part),
        request: request.as_ref().map(|request| Request {
            services: members_of_part(&request.services, &is_in_part),
            ..request.clone()
        }),
        notices: notices.iter().filter(|_| keeps_unnamed).cloned().collect(),
    }
}

fn members_of_part<T: Clone>(
    members: &BTreeMap<ServiceId, T>,
    is_in_part: impl Fn(&ServiceId) -> bool,
) -> BTreeMap<ServiceId, T> {
    let in_part = members.iter().filter(|(id, _)| is_in_part(id));
    in_part
        .map(|(id, member)| (id.clone(), member.clone()))
        .collect()
}

/// The change with an empty list instead of a list that is too long. An empty list still says that
/// the services were listed before.
fn without_exceptions(change: &Change) -> Option<Change> {
    match &change.scope {
        Scope::AllExcept(services) if !services.is_empty() => Some(Change {
            scope: Scope::all_except(BTreeSet::new()),
            ..change.clone()
        }),
        _ => None,
    }
}

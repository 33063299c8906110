//! The evidence that must be read of a service before its decision stands.

use super::*;
use crate::domain::history::Needed;

fn needed(changes: &BTreeMap<Key, Change>, service: &Service, now: &str) -> Option<Needed> {
    needed_under(&policy(), changes, service, now)
}

fn needed_under(
    policy: &Policy,
    changes: &BTreeMap<Key, Change>,
    service: &Service,
    now: &str,
) -> Option<Needed> {
    let services = std::slice::from_ref(service);
    let plan = plan(changes, services, policy, at(now));
    let needed = plan.evidence_needed(changes, services, policy, at(now));
    needed.into_values().next()
}

#[test]
fn the_history_of_a_stale_service_is_needed_once_the_change_is_a_minute_old() {
    let is_needed = |now| needed(&written(), &api(), now).is_some();

    assert!(!is_needed("2026-01-31T10:01:00Z"));
    assert!(is_needed("2026-01-31T10:01:01Z"));
}

#[test]
fn a_failed_deployment_that_is_shown_needs_its_history() {
    let mut service = api();
    service.deployments.push(deployment(
        "bad",
        "2026-01-31T10:00:10Z",
        RolloutState::Failed,
    ));

    let needed = needed(&written(), &service, NOW).unwrap();

    assert_eq!(needed.history_since, Some(at(CHANGED)));
}

#[test]
fn only_a_running_deployment_with_hooks_needs_its_approval() {
    let fresh = |has_lifecycle_hooks, state| Service {
        has_lifecycle_hooks,
        ..redeployed("2026-01-31T10:00:10Z", state)
    };
    let needed = |service: Service| needed(&written(), &service, NOW);

    let history = Needed {
        history_since: Some(at(CHANGED)),
        restart_budget: policy().restarts_per_hour,
        has_hooks: true,
        oldest_task: false,
    };
    assert_eq!(needed(fresh(true, RolloutState::InProgress)), Some(history));
    assert_eq!(needed(fresh(true, RolloutState::Completed)), None);
    assert_eq!(needed(fresh(false, RolloutState::InProgress)), None);
}

#[test]
fn the_oldest_task_is_needed_for_changes_older_than_ten_minutes_alone_and_for_no_request() {
    let named = Policy {
        named: BTreeSet::from([api().id]),
        ..policy()
    };
    let younger = Change {
        at: at("2026-01-31T10:05:00Z"),
        ..change("/app/y", ChangeKind::Written)
    };
    let both = coalesce([change("/app/x", ChangeKind::Written), younger]);
    let is_needed = |policy: &Policy, changes: &BTreeMap<Key, Change>, now| {
        let needed = needed_under(policy, changes, &api(), now);
        needed.is_some_and(|needed| needed.oldest_task)
    };

    assert!(!is_needed(&policy(), &written(), "2026-01-31T10:10:00Z"));
    assert!(is_needed(&policy(), &written(), "2026-01-31T10:10:01Z"));
    assert!(
        !is_needed(&policy(), &both, "2026-01-31T10:10:01Z"),
        "the younger change asks for a restart"
    );
    assert!(!is_needed(&named, &written(), "2026-01-31T10:10:01Z"));
}

#[test]
fn the_history_that_may_free_a_service_reaches_as_far_back_as_its_restart_needs() {
    let running = Service {
        has_lifecycle_hooks: true,
        ..redeployed("2026-01-31T09:50:00Z", RolloutState::InProgress)
    };

    let needed = needed(&written(), &running, NOW).unwrap();

    let two_hours_ago = at(NOW) - jiff::SignedDuration::from_hours(2);
    assert_eq!(needed.history_since, Some(two_hours_ago));
}

#[test]
fn the_history_of_a_blue_green_service_reaches_back_to_the_deployment_that_is_shown() {
    let created_at = "2026-01-30T10:00:00Z";
    let blue_green = Service {
        deployment_strategy: DeploymentStrategy::Shifting,
        ..redeployed(created_at, RolloutState::Unknown)
    };

    let needed = needed(&written(), &blue_green, "2026-01-31T10:01:01Z").unwrap();

    let before = at(created_at) - jiff::SignedDuration::from_secs(1);
    assert_eq!(needed.history_since, Some(before));
}

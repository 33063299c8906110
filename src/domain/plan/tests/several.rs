//! Several changes of one service, and limits over several services.

use super::*;
use crate::domain::change::Scope;

fn at_instant(name: &str, instant: &str) -> Change {
    Change {
        at: at(instant),
        ..change(name, ChangeKind::Written)
    }
}

fn planned_for<const N: usize>(changes: [Change; N], service: Service, policy: &Policy) -> Planned {
    let id = service.id.clone();
    let mut plan = plan(&coalesce(changes), &[service], policy, at(NOW));
    plan.services.remove(&id).unwrap()
}

fn reasons(plan: &Plan) -> Vec<(&str, Reason)> {
    let planned = plan.services.iter();
    planned
        .map(|(id, planned)| (id.name.as_str(), planned.reason))
        .collect()
}

#[test]
fn the_change_that_got_furthest_decides_and_each_keeps_its_reason() {
    let changes = [
        change("/app/gone", ChangeKind::Deleted),
        change("/app/x", ChangeKind::Written),
        change("/app/y", ChangeKind::Labelled),
    ];

    let planned = planned_for(changes, api(), &policy());

    assert_eq!(planned.reason, Reason::Stale);
    assert_eq!(
        planned.asked_by.values().copied().collect::<Vec<_>>(),
        [Reason::Deleted, Reason::Stale, Reason::LabelOnly]
    );
}

#[test]
fn a_newer_change_of_another_key_frees_what_ended_and_the_line_says_so() {
    let mut given = Given::default();
    given.end_newer_deployment(EndedBy::Decision);
    let changes = [
        change("/app/x", ChangeKind::Written),
        at_instant("/app/y", "2026-01-31T10:00:20Z"),
    ];

    let planned = planned_for(changes, given.service, &policy());

    let freed = "it is restarted for a newer change, in spite of: ssm:/app/x (rejected)";
    assert_eq!(
        (planned.reason, planned.detail.as_deref()),
        (Reason::Stale, Some(freed))
    );
}

/// A minute is the time to settle, and the invocation itself waits five seconds at most.
fn slow_store() -> Policy {
    Policy {
        settle: SignedDuration::from_mins(1),
        max_settle_wait: SignedDuration::from_secs(5),
        ..policy()
    }
}

#[test]
fn a_change_that_settles_holds_the_others_since_a_restart_reads_every_key() {
    let changes = [
        at_instant("/app/old", "2026-01-31T09:59:00Z"),
        at_instant("/app/x", "2026-01-31T10:00:10Z"),
        at_instant("/app/y", "2026-01-31T10:00:20Z"),
    ];

    let planned = planned_for(changes, api(), &slow_store());

    assert_eq!(
        (planned.reason, planned.until),
        (Reason::Settling, Some(at("2026-01-31T10:01:20Z"))),
        "until the newest has settled"
    );
    assert_eq!(planned.asked_by.values().max(), Some(&Reason::Stale));
}

#[test]
fn a_service_that_was_held_for_settling_is_waited_for_and_no_other() {
    let held = Service {
        has_waited_to_settle: true,
        ..service("held", &[])
    };
    let changes = coalesce([at_instant("/app/x", "2026-01-31T10:00:20Z")]);

    let plan = plan(&changes, &[api(), held], &slow_store(), at(NOW));

    assert_eq!(
        reasons(&plan),
        [("api", Reason::Settling), ("held", Reason::Stale)]
    );
    let (_, held) = plan.restarts().next().unwrap();
    assert_eq!(held.not_before, at("2026-01-31T10:01:20Z"));
}

#[test]
fn a_deployment_in_progress_is_planned_again_when_its_oldest_change_may_supersede_it() {
    let mut service = api();
    service.deployments[0].state = RolloutState::InProgress;
    let changes = [
        at_instant("/app/x", "2026-01-31T09:55:00Z"),
        at_instant("/app/y", "2026-01-31T10:00:20Z"),
    ];

    let planned = planned_for(changes, service, &policy());

    assert_eq!(
        (planned.reason, planned.until),
        (
            Reason::DeploymentInProgress,
            Some(at("2026-01-31T10:05:00Z"))
        )
    );
}

#[test]
fn a_request_and_a_change_have_one_decision() {
    let named = Policy {
        named: BTreeSet::from([api().id]),
        ..policy()
    };
    let fresh = redeployed("2026-01-31T10:00:10Z", RolloutState::Completed);
    let labelled = [change("/app/x", ChangeKind::Labelled)];

    let planned = [
        planned_for(labelled.clone(), api(), &named),
        planned_for(labelled, fresh, &named),
    ];

    assert!(planned.iter().all(|planned| planned.requested));
    assert_eq!(
        planned.map(|planned| planned.reason),
        [Reason::Stale, Reason::Fresh]
    );
}

#[test]
fn a_change_that_reaches_too_far_restarts_no_service_and_another_still_does() {
    let changes = coalesce([
        change("/app/x", ChangeKind::Written),
        change("/web/y", ChangeKind::Written),
    ]);
    let both = service("both", &[("reloader:watch/2", "ssm:/web/")]);
    let policy = Policy {
        max_services: 2,
        ..policy()
    };

    let plan = plan(
        &changes,
        &[api(), service("worker", &[]), both],
        &policy,
        at(NOW),
    );

    assert_eq!(
        reasons(&plan),
        [
            ("api", Reason::BlastRadius),
            ("both", Reason::Stale),
            ("worker", Reason::BlastRadius)
        ]
    );
    let detail = plan.services[&api().id].detail.as_deref();
    assert_eq!(
        detail,
        Some("ssm:/app/x would restart 3 services; at most 2 may be")
    );
}

#[test]
fn services_that_are_off_do_not_widen_the_reach() {
    let off = |name| service(name, &[("reloader:mode", "off")]);
    let policy = Policy {
        max_services: 1,
        ..policy()
    };

    let plan = plan(
        &written(),
        &[api(), off("one"), off("two")],
        &policy,
        at(NOW),
    );

    assert_eq!(
        reasons(&plan),
        [
            ("api", Reason::Stale),
            ("one", Reason::Off),
            ("two", Reason::Off)
        ]
    );
}

#[test]
fn services_out_of_scope_count_for_the_reach_and_have_no_decision() {
    let alone = Change {
        scope: Scope::only(BTreeSet::from([api().id])),
        ..change("/app/x", ChangeKind::Written)
    };
    let policy = Policy {
        max_services: 1,
        ..policy()
    };

    let plan = plan(
        &coalesce([alone]),
        &[api(), service("worker", &[])],
        &policy,
        at(NOW),
    );

    assert_eq!(reasons(&plan), [("api", Reason::BlastRadius)]);
}

#[test]
fn restarts_beyond_the_limit_in_flight_are_held_for_this_change_alone() {
    let changes = coalesce([
        change("/app/x", ChangeKind::Written),
        change("/web/y", ChangeKind::Written),
    ]);
    let services = [
        service("a", &[]),
        service("b", &[]),
        Service {
            tags: Tags::parse("reloader", [("reloader:watch", "ssm:/web/")]),
            ..service("c", &[])
        },
    ];
    let policy = Policy {
        max_in_flight: 1,
        ..policy()
    };

    let plan = plan(&changes, &services, &policy, at(NOW));

    assert_eq!(
        reasons(&plan),
        [
            ("a", Reason::Stale),
            ("b", Reason::InFlightLimit),
            ("c", Reason::Stale)
        ]
    );
}

#[test]
fn a_change_that_reaches_too_far_frees_nothing_when_one_service_is_planned_again() {
    let changes = coalesce([
        change("/app/x", ChangeKind::Written),
        at_instant("/web/y", "2026-01-31T10:00:20Z"),
    ]);
    let web = |name| service(name, &[("reloader:watch", "ssm:/web/")]);
    let both = service("both", &[("reloader:watch/2", "ssm:/web/")]);
    let mut given = Given {
        service: both.clone(),
        ..Given::default()
    };
    given.end_newer_deployment(EndedBy::FailureDetection);
    let policy = Policy {
        max_services: 2,
        ..policy()
    };
    let services = [web("one"), web("two"), both];
    let plan = plan(&changes, &services, &policy, at(NOW));

    let again = plan.replan(&changes, &given.service, &policy, at(NOW));

    assert_eq!(again.unwrap().reason, Reason::BlastRadius);
}

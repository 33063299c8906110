//! The waits for the services that go before.

use super::*;
use crate::domain::change::Scope;
use crate::domain::history::Approval;
use crate::domain::tags::Pause;
use crate::domain::window::Window;

#[test]
fn a_completed_rollout_must_stay_well_for_the_quiet_time() {
    let now = "2026-01-31T10:05:59Z";

    let mut plan = plan_at(now, [well(), next()], &policy());
    let waiting = plan.services.remove(&next().id).unwrap();

    assert_eq!(
        (waiting.reason, waiting.until, waiting.ages),
        (
            Reason::WaitingForOrder,
            Some(at("2026-01-31T10:06:00Z")),
            false
        )
    );
    let plan = plan_at("2026-01-31T10:06:00Z", [well(), next()], &policy());
    assert_eq!(plan.services[&next().id].reason, Reason::Stale);
}

#[test]
fn a_service_that_lost_a_task_since_is_not_well() {
    let mut lost = well();
    lost.deployments[0].is_whole = false;

    assert_eq!(reason_after(lost), Reason::WaitingForOrder);
}

#[test]
fn a_hold_before_it_is_its_own_until_the_known_end_and_without_age() {
    let monday = tagged(first(), |tags| {
        tags.window = Window::parse("Mon 02:00-04:00 UTC").map(Box::new);
    });
    let paused = tagged(first(), |tags| tags.pause = Some(Pause::UntilRemoved));
    let busy = {
        let mut busy = first();
        busy.deployments[0].state = RolloutState::InProgress;
        busy.deployments[0].created_at = at("2026-01-31T09:50:00Z");
        busy
    };
    let wait = |service| {
        let mut plan = plan_at(NOW, [service, next()], &policy());
        let waiting = plan.services.remove(&next().id).unwrap();
        (waiting.reason, waiting.until, waiting.ages)
    };
    let waits = |until: Option<&str>, ages| (Reason::WaitingForOrder, until.map(at), ages);

    assert_eq!(wait(monday), waits(Some("2026-02-02T02:00:00Z"), false));
    assert_eq!(wait(paused), waits(None, false));
    assert_eq!(wait(busy), waits(None, true));
}

#[test]
fn a_hold_for_several_ends_with_the_last_and_ages_with_none_that_does_not() {
    let until = |name: &str, end: &str| {
        tagged(service(name, &[]), |tags| {
            tags.pause = Some(Pause::Until(at(end)));
        })
    };
    let services = [
        until("a", "2026-01-31T12:00:00Z"),
        until("b", "2026-01-31T11:00:00Z"),
        rolling(),
        next(),
    ];

    let mut plan = plan_at(LATER, services, &policy());
    let waiting = plan.services.remove(&next().id).unwrap();

    assert_eq!(
        (waiting.until, waiting.ages),
        (Some(at("2026-01-31T12:00:00Z")), false)
    );
    let detail = waiting.detail.unwrap();
    assert!(
        detail.contains("web/a goes before it") && detail.contains("and 2 more"),
        "{detail}"
    );
}

#[test]
fn one_at_a_hook_does_not_let_those_after_it_age_unless_the_hook_has_no_end() {
    let at_hook = |expires_at: Option<&str>| {
        let standing = PastDeployment {
            id: Some("second".to_owned()),
            approval: Some(Approval {
                hook: "ecs-pause-1".to_owned(),
                deployment: "arn".to_owned(),
                expires_at: expires_at.map(at),
            }),
            ..past(ServiceDeploymentStatus::Running, Some("app:1"))
        };
        Service {
            has_lifecycle_hooks: true,
            ..with_history(rolling(), [standing])
        }
    };

    let waiting = after(at_hook(Some("2026-02-01T10:00:00Z")));
    assert_eq!(
        (waiting.reason, waiting.until, waiting.ages),
        (Reason::WaitingForOrder, None, false)
    );
    assert!(after(at_hook(None)).ages);
}

#[test]
fn services_out_of_scope_are_waited_for_as_well() {
    let alone = Change {
        scope: Scope::only(BTreeSet::from([next().id])),
        ..change("/app/x", ChangeKind::Written)
    };

    let plan = plan(
        &coalesce([alone]),
        &[rolling(), next()],
        &policy(),
        at(LATER),
    );

    let decided: Vec<_> = plan.services.values().map(|one| one.reason).collect();
    assert_eq!(decided, [Reason::WaitingForOrder]);
}

#[test]
fn services_that_could_not_be_read_block_those_after_them_alone() {
    let key = Key::parameter(home(), "/app/x");
    let unread = |lowest| Policy {
        unread: BTreeMap::from([(key.clone(), lowest)]),
        ..policy()
    };
    let reason = |policy: &Policy| {
        let plan = plan_at(LATER, [next()], policy);
        plan.services[&next().id].reason
    };

    assert_eq!(reason(&unread(0)), Reason::WaitingForOrder);
    assert_eq!(reason(&unread(1)), Reason::Stale);
    let canary = Policy {
        canary: true,
        ..unread(1)
    };
    assert_eq!(reason(&canary), Reason::WaitingForOrder, "or the canary");
}

#[test]
fn a_service_waits_for_all_lower_orders_and_for_none_of_its_own() {
    let of_order = |name: &str, order| tagged(service(name, &[]), |tags| tags.order = order);
    let services = [of_order("c", 2), of_order("b", 1), of_order("a", 1)];

    let plan = plan_at(NOW, services, &policy());

    let decided: Vec<_> = plan.services.values().map(|one| one.reason).collect();
    assert_eq!(
        decided,
        [Reason::Stale, Reason::Stale, Reason::WaitingForOrder]
    );
}

#[test]
fn tasks_that_are_all_newer_than_the_change_are_well_after_the_quiet_time() {
    let renewed = |oldest: &str| Service {
        oldest_task: OldestTask::CreatedAt(Some(at(oldest))),
        deployments: {
            let mut deployments = first().deployments;
            deployments[0].is_whole = true;
            deployments
        },
        ..with_history(first(), [])
    };

    assert_eq!(reason_after(renewed("2026-01-31T10:19:00Z")), Reason::Stale);
    assert_eq!(
        reason_after(renewed("2026-01-31T10:19:01Z")),
        Reason::WaitingForOrder
    );
}

//! Every reason, one row each: the sentence, the situation, and the reason. Then every pair of
//! rows: if both apply, the one that stands first in the table of reasons decides.

use super::*;
use crate::domain::history::Approval;
use crate::domain::tags::{Mistake, Mode, Pause, Strategy};
use crate::domain::watch::Watch;
use crate::domain::window::Window;

/// One row.
struct Situation {
    given: &'static str,
    set: fn(&mut Given),
    then: Reason,
}

const fn row(given: &'static str, set: fn(&mut Given), then: Reason) -> Situation {
    Situation { given, set, then }
}

/// In the order of the table of reasons.
const SITUATIONS: [Situation; 31] = [
    row("an exclusion names the key", exclude, Reason::Excluded),
    row("it refers to one version by its id", pin, Reason::Pinned),
    row("the key is to be ignored", ignore, Reason::IgnoredKey),
    row(
        "a label moved",
        |given| given.change.kind = ChangeKind::Labelled,
        Reason::LabelOnly,
    ),
    row(
        "the key was deleted",
        |given| given.change.kind = ChangeKind::Deleted,
        Reason::Deleted,
    ),
    row(
        "it is being deleted",
        |given| given.service.status = ServiceStatus::Draining,
        Reason::Inactive,
    ),
    row(
        "its mode is off",
        |given| given.service.tags.mode = Mode::Off,
        Reason::Off,
    ),
    row(
        "the function's mode is notify",
        |given| given.policy.notify_only = true,
        Reason::Notify,
    ),
    row(
        "only the decisions are asked for",
        |given| given.policy.dry_run = true,
        Reason::DryRun,
    ),
    row(
        "a request names a service that does not exist",
        |given| {
            request(given);
            given.service.status = ServiceStatus::Missing;
        },
        Reason::NoSuchService,
    ),
    row(
        "a request names a service without a watch tag",
        |given| {
            request(given);
            given.service.tags.watch = None;
        },
        Reason::NotOptedIn,
    ),
    row("a guard does not parse", misspell, Reason::InvalidTag),
    row(
        "its deployments are made by a third party",
        |given| given.service.controller = Controller::External,
        Reason::UnsupportedController,
    ),
    row(
        "it asks for a reload in place",
        |given| given.service.tags.strategy = Some(Strategy::HotReload),
        Reason::NotSupportedYet,
    ),
    row(
        "its desired count is 0",
        |given| given.service.desired = 0,
        Reason::NoTasks,
    ),
    row(
        "a newer deployment stands at a hook",
        stand_at_a_hook,
        Reason::AwaitingApproval,
    ),
    row("a newer deployment is good", deploy_after, Reason::Fresh),
    row(
        "a newer deployment failed",
        |given| given.end_newer_deployment(EndedBy::FailureDetection),
        Reason::FailedAlready,
    ),
    row(
        "a person ended a newer deployment",
        |given| given.end_newer_deployment(EndedBy::Decision),
        Reason::Rejected,
    ),
    row(
        "a service of a lower order failed",
        fail_before,
        Reason::OrderHalted,
    ),
    row(
        "no service may be restarted",
        |given| given.policy.max_services = 0,
        Reason::BlastRadius,
    ),
    row(
        "it is paused",
        |given| given.service.tags.pause = Some(Pause::UntilRemoved),
        Reason::Paused,
    ),
    row(
        "its window is closed",
        |given| given.service.tags.window = Window::parse("Mon 02:00-04:00 UTC").map(Box::new),
        Reason::OutsideWindow,
    ),
    row(
        "it was deployed the day before, and its interval is two days",
        |given| given.policy.min_interval = SignedDuration::from_hours(48),
        Reason::MinInterval,
    ),
    row(
        "it was restarted within the hour, and once is the most",
        spend_the_budget,
        Reason::RestartBudget,
    ),
    row("the change settles in an hour", unsettle, Reason::Settling),
    row(
        "an older deployment runs",
        |given| given.service.deployments[0].state = RolloutState::InProgress,
        Reason::DeploymentInProgress,
    ),
    row(
        "five deployments are active",
        fill_deployments,
        Reason::TooManyDeployments,
    ),
    row(
        "a service of a lower order rolls",
        roll_before,
        Reason::WaitingForOrder,
    ),
    row(
        "another service rolls for the change, and one is the most",
        roll_another,
        Reason::InFlightLimit,
    ),
    row("nothing else", |_| (), Reason::Stale),
];

/// Pairs of rows that cannot both apply.
fn exclude_each_other(one: Reason, other: Reason) -> bool {
    use Reason::{
        Deleted, FailedAlready, Inactive, LabelOnly, NoSuchService, NotOptedIn, Pinned, Rejected,
    };
    let is_about_a_key = one <= Deleted;
    match (one, other) {
        // A request has no key.
        (_, NoSuchService | NotOptedIn) if is_about_a_key => true,
        // A version that is gone is not pinned, and a change has one kind.
        (Pinned | LabelOnly, Deleted)
        // The newest deployment that ended has one end, and a service one status.
        | (FailedAlready, Rejected)
        | (Inactive, NoSuchService) => true,
        _ => false,
    }
}

fn exclude(given: &mut Given) {
    let watch = given.service.tags.watch.as_mut().unwrap();
    watch.exclusions.push(Term::parse("ssm:/app/x").unwrap());
}

fn pin(given: &mut Given) {
    let exclusions = given.service.tags.watch.take().unwrap().exclusions;
    given.service.tags.watch = Some(Watch {
        auto: true,
        terms: Vec::new(),
        exclusions,
    });
    given.service.references = Some(Arc::new(References {
        pinned: vec![Term::parse("ssm:/app/x").unwrap()],
        ..References::default()
    }));
}

fn ignore(given: &mut Given) {
    given.change.ignored = true;
}

fn request(given: &mut Given) {
    given.is_request = true;
}

fn misspell(given: &mut Given) {
    given.service.tags.invalid.push(Mistake {
        tag: "reloader:mode".to_owned(),
        term: None,
        expected: "auto, notify or off",
    });
}

fn stand_at_a_hook(given: &mut Given) {
    given.add_past(PastDeployment {
        approval: Some(Approval {
            hook: "ecs-pause-1".to_owned(),
            deployment: "arn".to_owned(),
            expires_at: None,
        }),
        ..past(ServiceDeploymentStatus::Running, Some("app:1"))
    });
}

fn deploy_after(given: &mut Given) {
    given.service = Service {
        deployments: redeployed("2026-01-31T10:00:10Z", RolloutState::Completed).deployments,
        ..given.service.clone()
    };
}

fn spend_the_budget(given: &mut Given) {
    given.policy.restarts_per_hour = 1;
    given.add_past(PastDeployment {
        created_at: at("2026-01-31T09:30:00Z"),
        ..past(ServiceDeploymentStatus::Succeeded, Some("app:1"))
    });
}

fn unsettle(given: &mut Given) {
    given.policy.settle = SignedDuration::from_hours(1);
    given.policy.max_settle_wait = SignedDuration::from_secs(5);
}

fn fill_deployments(given: &mut Given) {
    let older = (2..=5).map(|hour| {
        let created_at = format!("2026-01-30T0{hour}:00:00Z");
        deployment("older", &created_at, RolloutState::InProgress)
    });
    given.service.deployments.extend(older);
}

fn roll_another(given: &mut Given) {
    given.policy.max_in_flight = 1;
    given.others.push(rolling("other"));
}

fn rolling(name: &str) -> Service {
    Service {
        id: service(name, &[]).id,
        ..redeployed("2026-01-31T10:00:10Z", RolloutState::InProgress)
    }
}

fn roll_before(given: &mut Given) {
    given.service.tags.order = 1;
    given.others.push(rolling("before"));
}

fn fail_before(given: &mut Given) {
    let rolled_back = PastDeployment {
        ended_by: EndedBy::FailureDetection,
        ..past(ServiceDeploymentStatus::RolledBack, Some("app:1"))
    };
    given.service.tags.order = 1;
    given.others.push(Service {
        history: History::Read(vec![rolled_back]),
        ..service("failed", &[])
    });
}

#[test]
fn every_reason_has_its_row_in_the_order_of_the_table() {
    let rows: Vec<_> = SITUATIONS.iter().map(|row| row.then).collect();

    assert_eq!(rows, Reason::ALL);
}

#[test]
fn each_reason_decides_where_nothing_else_applies() {
    for Situation { given, set, then } in SITUATIONS {
        let mut situation = Given::default();
        set(&mut situation);

        assert_eq!(situation.planned().reason, then, "{given}");
    }
}

#[test]
fn of_two_reasons_that_apply_the_first_of_the_table_decides() {
    for (place, one) in SITUATIONS.iter().enumerate() {
        for other in SITUATIONS.iter().skip(place + 1) {
            if exclude_each_other(one.then, other.then) {
                continue;
            }
            let mut situation = Given::default();
            (other.set)(&mut situation);
            (one.set)(&mut situation);

            let reason = situation.planned().reason;

            let and = format!("{} and {}", one.given, other.given);
            assert_eq!(reason, one.then, "{and}, which alone is {}", other.then);
        }
    }
}

#[test]
fn a_mode_reports_the_reason_that_would_have_decided() {
    let modes = [Reason::Off, Reason::Notify, Reason::DryRun];
    for mode in SITUATIONS.iter().filter(|row| modes.contains(&row.then)) {
        for other in SITUATIONS.iter().filter(|row| row.then > Reason::DryRun) {
            let mut situation = Given::default();
            (other.set)(&mut situation);
            (mode.set)(&mut situation);

            let planned = situation.planned();

            // A service whose mode forbids a restart takes no place in flight, and a service that
            // is off does not count for the blast radius.
            let is_not_counted = other.then == Reason::InFlightLimit
                || (mode.then == Reason::Off && other.then == Reason::BlastRadius);
            let then = if is_not_counted {
                Reason::Stale
            } else {
                other.then
            };
            assert_eq!(planned.would_be, Some(then), "{}", other.given);
            assert_eq!(planned.action, None, "{}", other.given);
        }
    }
}

#[test]
fn only_a_restart_has_an_action() {
    for Situation { given, set, then } in SITUATIONS {
        let mut situation = Given::default();
        set(&mut situation);

        let action = (then == Reason::Stale).then_some(Action::Deploy);
        assert_eq!(situation.planned().action, action, "{given}");
    }
}

/// Rules that are about changes alone.
#[test]
fn a_request_passes_what_only_holds_or_refuses_changes() {
    let about_changes = [
        Reason::FailedAlready,
        Reason::Rejected,
        Reason::OrderHalted,
        Reason::BlastRadius,
        Reason::MinInterval,
        Reason::RestartBudget,
        Reason::Settling,
        Reason::DeploymentInProgress,
        Reason::WaitingForOrder,
    ];
    for row in SITUATIONS {
        let mut situation = Given::default();
        (row.set)(&mut situation);
        request(&mut situation);

        let reason = situation.planned().reason;

        let is_passed = about_changes.contains(&row.then)
            || row.then <= Reason::Deleted
            // The rollout of another service is for the change.
            || row.then == Reason::InFlightLimit;
        let then = if is_passed { Reason::Stale } else { row.then };
        assert_eq!(reason, then, "{}", row.given);
    }
}

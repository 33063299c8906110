//! Rollouts that Amazon ECS completed while older tasks run, and what is read for an end.

use super::*;

/// The outcome at this time of a rollout that Amazon ECS completed at once.
fn judged_at(time: &str, seen: &Service) -> Option<Outcome> {
    let complete = rollout().observed(seen, at(STARTED));
    let observed = complete.observed(seen, at(time));
    judge(&observed, seen, &LIMITS, at(time))
}

const MINUTES: &str = "2026-01-31T10:29:59Z";
const HALF_AN_HOUR: &str = "2026-01-31T10:30:00Z";
const A_DAY: &str = "2026-02-01T10:00:00Z";

#[test]
fn a_rollout_that_amazon_ecs_completed_is_completed_when_no_older_task_is_left() {
    use Outcome::{Completed, TimedOut};
    let shown = service(vec![shown("ecs-svc/2", true, RolloutState::Completed)]);
    let past = with_history(past(ServiceDeploymentStatus::Succeeded, EndedBy::NotAsked));

    for seen in [shown, past] {
        let table = [
            ("none", Some(0), MINUTES, Some(Completed)),
            ("one", Some(1), MINUTES, None),
            ("one, beyond the deadline", Some(1), HALF_AN_HOUR, None),
            ("one, for a day", Some(1), A_DAY, Some(TimedOut)),
            ("not counted yet", None, A_DAY, None),
        ];
        for (older, tasks, time, outcome) in table {
            let seen = match tasks {
                Some(tasks) => with_tasks(seen.clone(), tasks),
                None => seen.clone(),
            };
            assert_eq!(judged_at(time, &seen), outcome, "older tasks: {older}");
        }
    }
}

#[test]
fn a_rollout_that_amazon_ecs_completed_is_unknown_if_its_tasks_cannot_be_read() {
    let whole = service(vec![shown("ecs-svc/2", true, RolloutState::Completed)]);
    let unread = with_read(whole, RolloutTasks::Unreadable("no answer".to_owned()));

    assert_eq!(judged_at(MINUTES, &unread), None);
    assert_eq!(judged_at(HALF_AN_HOUR, &unread), Some(Outcome::Unknown));
}

#[test]
fn a_rollout_that_timed_out_because_of_older_tasks_is_completed_once_they_are_gone() {
    let whole = service(vec![shown("ecs-svc/2", true, RolloutState::Completed)]);
    let reported = Rollout {
        timed_out: true,
        complete_since: Some(at(STARTED)),
        ..rollout()
    };
    let judged = |older| {
        let seen = with_tasks(whole.clone(), older);
        judge(&reported, &seen, &LIMITS, at("2026-02-02T10:00:00Z"))
    };

    assert_eq!((judged(1), judged(0)), (None, Some(Outcome::Completed)));
}

#[test]
fn tasks_that_crash_and_are_replaced_for_ever_are_no_progress() {
    let runs = |running| {
        service(vec![Deployment {
            is_whole: false,
            running,
            ..shown("ecs-svc/2", true, RolloutState::InProgress)
        }])
    };
    let mut crashing = rollout();
    for minute in 1..30 {
        let time = at(STARTED) + SignedDuration::from_mins(minute);
        crashing = crashing.observed(&runs(i32::from(minute % 2 == 0)), time);
    }

    let late = at("2026-01-31T10:32:00Z");
    let observed = crashing.observed(&runs(1), late);

    assert_eq!(observed.progress.running, 1);
    assert_eq!(observed.progress.at, at("2026-01-31T10:02:00Z"));
    assert_eq!(
        judge(&observed, &runs(1), &LIMITS, late),
        Some(Outcome::TimedOut)
    );
}

#[test]
fn the_older_tasks_are_counted_and_before_that_those_of_other_deployments() {
    let old = Deployment {
        running: 3,
        ..shown("ecs-svc/1", false, RolloutState::Completed)
    };
    let rolls = service(vec![
        shown("ecs-svc/2", true, RolloutState::InProgress),
        old,
    ]);

    assert_eq!(rollout().tasks_left(&rolls), Some(3));
    assert_eq!(rollout().tasks_left(&with_tasks(rolls.clone(), 1)), Some(1));
    assert_eq!(rollout().tasks_left(&with_tasks(rolls, 0)), None);
}

#[test]
fn the_tasks_are_read_only_when_a_rollout_may_have_ended() {
    let runs = service(vec![shown("ecs-svc/2", true, RolloutState::InProgress)]);
    let ended = |state| service(vec![shown("ecs-svc/2", true, state)]);
    let person = with_history(past(ServiceDeploymentStatus::Stopped, EndedBy::Decision));
    let (soon, late) = (at("2026-01-31T10:10:00Z"), at("2026-01-31T10:30:00Z"));
    let table = [
        ("it runs", runs.clone(), soon, false),
        ("it runs for too long", runs, late, true),
        ("it is complete", ended(RolloutState::Completed), soon, true),
        ("it failed", ended(RolloutState::Failed), soon, true),
        ("a person ended it", person, soon, false),
        (
            "they were read",
            with_tasks(ended(RolloutState::Completed), 1),
            soon,
            false,
        ),
    ];

    for (situation, seen, now, is_needed) in table {
        let needed = needs_tasks(&rollout(), &seen, &LIMITS, now);
        assert_eq!(needed, is_needed, "{situation}");
    }
}

#[test]
fn the_history_is_read_of_a_rollout_that_is_gone_and_of_one_that_may_stand_at_a_hook() {
    let ours = |state| service(vec![shown("ecs-svc/2", true, state)]);
    let gone = service(vec![shown("ecs-svc/1", true, RolloutState::Completed)]);
    let hooked = Service {
        has_lifecycle_hooks: true,
        ..ours(RolloutState::InProgress)
    };
    let unreadable = Service {
        history: History::Unreadable("no answer".to_owned()),
        ..gone.clone()
    };
    let since = Some(at("2026-01-31T09:59:59Z"));
    let read = with_history(past(ServiceDeploymentStatus::RolledBack, EndedBy::Decision));
    let table = [
        ("it runs", ours(RolloutState::InProgress), None),
        ("it is complete", ours(RolloutState::Completed), None),
        ("it failed", ours(RolloutState::Failed), since),
        ("it is gone", gone, since),
        ("it is gone, and the history has it", read, None),
        (
            "it is gone, and the history cannot be read",
            unreadable,
            None,
        ),
        ("it runs, and its service has hooks", hooked, since),
    ];

    for (situation, seen, expected) in table {
        assert_eq!(history_needed(&[rollout()], &seen), expected, "{situation}");
    }
}

#[test]
fn one_whose_service_cannot_be_read_is_unknown_at_the_deadline_and_once() {
    let (before, late) = ("2026-01-31T10:29:59Z", "2026-01-31T10:30:00Z");
    let judged = |rollout: &Rollout, time| judge_unread(rollout, &LIMITS, at(time));
    let reported = rollout().after(Some(Outcome::Unknown)).unwrap();

    assert_eq!(judged(&rollout(), before), None);
    assert_eq!(judged(&rollout(), late), Some(Outcome::Unknown));
    assert_eq!(judged(&reported, late), None);
}

//! Tasks that are newer than the change.

use super::*;

#[test]
fn a_service_of_which_every_task_is_newer_than_the_change_is_fresh() {
    let with = |oldest: OldestTask| {
        planned(Service {
            oldest_task: oldest,
            ..api()
        })
    };
    let created = |time| OldestTask::CreatedAt(Some(at(time)));

    assert_eq!(
        with(created("2026-01-31T10:00:00.001Z")).reason,
        Reason::Fresh
    );
    assert_eq!(with(created(CHANGED)).reason, Reason::Stale);
    assert_eq!(with(OldestTask::CreatedAt(None)).reason, Reason::Fresh);
    let unread = with(OldestTask::Unreadable("no answer".to_owned()));
    assert_eq!(
        unread.reason,
        Reason::Stale,
        "a failed read loses no change"
    );
    assert!(
        unread
            .detail
            .unwrap()
            .contains("could not be read: no answer")
    );
}

//! The evidence that is read of services that go before others.

use super::*;
use crate::domain::change::Scope;

/// The evidence that is needed of the service before `web/next`.
fn needed_of(before: Service, others: impl IntoIterator<Item = Service>) -> Option<(bool, bool)> {
    // The change is planned for the last one alone.
    let alone = Change {
        scope: Scope::only(BTreeSet::from([next().id])),
        ..change("/app/x", ChangeKind::Written)
    };
    let id = before.id.clone();
    let services: Vec<_> = others.into_iter().chain([before, next()]).collect();
    let changes = coalesce([alone]);
    let plan = plan(&changes, &services, &policy(), at(LATER));
    let needed = plan.evidence_needed(&changes, &services, &policy(), at(LATER));
    let needed = needed.get(&id)?;
    Some((
        needed.history_since == Some(at(CHANGED)),
        needed.oldest_task,
    ))
}

#[test]
fn evidence_of_one_before_is_read_when_nothing_else_is_in_the_way() {
    let running = || Service {
        id: service("running", &[]).id,
        ..rolling()
    };

    assert_eq!(needed_of(deployed(), []), Some((true, false)));
    assert_eq!(needed_of(deployed(), [running()]), None);
    assert_eq!(needed_of(well(), []), None, "it was read");
    assert_eq!(needed_of(rolling(), []), None, "it runs");
    assert_eq!(needed_of(first(), []), Some((true, false)));
    let history_read = with_history(first(), []);
    assert_eq!(needed_of(history_read, []), Some((false, true)));
}

#[test]
fn evidence_of_one_that_failed_or_may_stand_at_a_hook_is_read_at_once() {
    let running = || Service {
        id: service("running", &[]).id,
        ..rolling()
    };
    let failed = Service {
        deployments: [
            first().deployments,
            vec![deployment("bad", DEPLOYED, RolloutState::Failed)],
        ]
        .concat(),
        ..first()
    };
    let hooked = Service {
        has_lifecycle_hooks: true,
        ..rolling()
    };

    assert_eq!(needed_of(failed, [running()]), Some((true, false)));
    assert_eq!(needed_of(hooked, [running()]), Some((true, false)));
}

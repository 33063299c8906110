//! Canaries, and requests that pass the order.

use super::*;

fn with_canary() -> Policy {
    Policy {
        canary: true,
        ..policy()
    }
}

fn decided(plan: &Plan) -> Vec<(&str, Reason)> {
    let planned = plan.services.iter();
    planned
        .map(|(id, planned)| (id.name.as_str(), planned.reason))
        .collect()
}

#[test]
fn within_an_order_the_first_service_that_takes_part_goes_alone() {
    let off = tagged(service("a", &[]), |tags| tags.mode = Mode::Off);
    let services = || {
        let [b, c] = ["b", "c"].map(|name| service(name, &[]));
        [off.clone(), b, c, next()]
    };

    let plan = plan_at(NOW, services(), &with_canary());

    assert_eq!(
        decided(&plan),
        [
            ("a", Reason::Off),
            ("b", Reason::Stale),
            ("c", Reason::WaitingForOrder),
            ("next", Reason::WaitingForOrder)
        ]
    );
}

#[test]
fn a_canary_that_is_well_frees_its_order_and_one_that_failed_halts_it() {
    let after = |canary| {
        let read = |name: &str| Service {
            history: History::Read(Vec::new()),
            oldest_task: next().oldest_task,
            ..service(name, &[])
        };
        let services = [canary, read("second"), read("third")];
        let plan = plan_at(LATER, services, &with_canary());
        [
            &plan.services[&read("second").id],
            &plan.services[&read("third").id],
        ]
        .map(|planned| planned.reason)
    };

    assert_eq!(after(well()), [Reason::Stale; 2]);
    assert_eq!(
        after(rolled_back(EndedBy::FailureDetection)),
        [Reason::OrderHalted; 2]
    );
    assert_eq!(after(rolling()), [Reason::WaitingForOrder; 2]);
}

#[test]
fn a_request_passes_the_order_for_the_services_that_it_names_alone() {
    let named = Policy {
        named: BTreeSet::from([next().id]),
        ..policy()
    };
    let beside = tagged(service("other", &[]), |tags| tags.order = 1);

    let failed = rolled_back(EndedBy::FailureDetection);
    let plan = plan_at(LATER, [failed, next(), beside], &named);

    assert_eq!(
        decided(&plan),
        [
            ("first", Reason::FailedAlready),
            ("next", Reason::Stale),
            ("other", Reason::OrderHalted)
        ]
    );
}

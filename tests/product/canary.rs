//! Canaries: within one order the first service goes alone.

use std::time::Duration;

use sim::{Service, service};

use crate::support::{AN_HOUR, Scenario, completed_at, good_from_version, starts_of, text};

const NAMES: [&str; 4] = ["web/a", "web/b", "web/c", "web/d"];

fn fleet() -> [Service; 4] {
    NAMES.map(|name| {
        service(name)
            .watching("ssm:/app/")
            .reading(["ssm:/app/db"])
            .task_seconds(10.0, 10.0, 10.0)
    })
}

async fn with_canary(services: impl IntoIterator<Item = Service>) -> Scenario {
    Scenario::set_to([("RELOADER_CANARY", "true")], services)
        .await
        .with_queue()
}

#[tokio::test(start_paused = true)]
async fn the_first_service_goes_alone_and_then_the_others_together() {
    let scenario = with_canary(fleet()).await;

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), NAMES);
    let end = completed_at(&scenario, "web/a");
    for name in &NAMES[1..] {
        let starts = starts_of(&scenario, name);
        assert!(
            starts[0] >= end + Duration::from_mins(1) && starts[0] <= end + Duration::from_secs(90),
            "{name}: {end} {starts:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_fails_spares_the_others_until_a_good_value() {
    let [a, others @ ..] = fleet();
    let canary = good_from_version(3, a);
    let scenario = with_canary([canary].into_iter().chain(others)).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    let bad = scenario.restarted();
    let halted = scenario.service_lines("reason", "order-halted");
    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    assert_eq!(bad, ["web/a"]);
    assert_eq!(halted.len(), 3);
    assert!(
        halted
            .iter()
            .all(|line| text(&line["detail"]).starts_with("web/a, of order 0, goes before it")),
        "{halted:#?}"
    );
    let mut all = NAMES.to_vec();
    all.insert(0, "web/a");
    assert_eq!(scenario.restarted(), all, "the canary twice");
}

#[tokio::test(start_paused = true)]
async fn each_order_has_a_canary_of_its_own() {
    let fleet = fleet().into_iter().enumerate().map(|(place, service)| {
        let order = if place < 2 { "0" } else { "1" };
        service.tag("reloader:order", order)
    });
    let scenario = with_canary(fleet).await;

    scenario.account.put_parameter("/app/db");

    assert!(scenario.is_all_fresh().await);
    for pair in NAMES.windows(2) {
        let end = completed_at(&scenario, pair[0]);
        let starts = starts_of(&scenario, pair[1]);
        assert!(starts[0] >= end + Duration::from_mins(1), "{pair:?}");
    }
}

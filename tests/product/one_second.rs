//! Writes and deployments within one second, whose order the times of events alone do not show.

use std::time::Duration;

use ecs_reloader::report::Level;
use sim::{AccountConfig, EventSourceMapping, Fault, service};

use crate::support::{AN_HOUR, QUEUE, Scenario, reason, watching_each_kind};

/// A parameter that was written ten minutes ago, with a queue or without.
async fn written_long_ago(queued: bool) -> Scenario {
    let scenario = watching_each_kind().await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(10)).await;
    if queued {
        scenario.with_queue()
    } else {
        scenario
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_written_and_deployed_within_one_second_is_not_deployed_again() {
    for queued in [true, false] {
        let scenario = written_long_ago(queued).await;

        scenario.until_a_second_begins().await;
        let event = scenario.write("ssm:/app/db");
        scenario.account.run_for(Duration::from_millis(400)).await;
        scenario.account.force("web/api");
        if queued {
            scenario.account.settle().await;
        } else {
            assert_eq!(reason(&scenario.invoke(&event).await.unwrap()), "fresh");
        }

        assert_eq!(scenario.restarted().len(), 1, "queued: {queued}");
        assert!(scenario.is_all_fresh().await, "queued: {queued}");
        // The queue gathers for five seconds, so the first lookup is late enough.
        assert_eq!(
            scenario.number_of("ssm:DescribeParameters"),
            if queued { 1 } else { 2 }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_written_after_a_deployment_of_the_same_second_is_deployed() {
    for queued in [true, false] {
        let scenario = written_long_ago(queued).await;
        let scenario = scenario.setting("RELOADER_MIN_INTERVAL", "0s");

        scenario.until_a_second_begins().await;
        scenario.account.force("web/api");
        scenario.account.run_for(Duration::from_millis(400)).await;
        let event = scenario.write("ssm:/app/db");
        if queued {
            scenario.account.settle().await;
        } else {
            // For a change older than ten minutes the tasks would be read, and they are newer here.
            scenario.account.run_for(Duration::from_mins(9)).await;
            scenario.invoke(&event).await.unwrap();
        }

        assert_eq!(scenario.restarted().len(), 2, "queued: {queued}");
        assert!(scenario.is_all_fresh().await, "queued: {queued}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_the_same_second_counts_too_when_its_service_is_described_later() {
    let scenario = watching_each_kind().await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(10)).await;
    let scenario = scenario.with_mapping(EventSourceMapping {
        window: Duration::ZERO,
        ..EventSourceMapping::new(QUEUE)
    });
    scenario.account.inject(
        Fault::server_error("ecs:DescribeServices", 500)
            .until(scenario.account.now() + Duration::from_secs(20)),
    );

    scenario.until_a_second_begins().await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_millis(400)).await;
    scenario.account.force("web/api");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted().len(), 1);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_within_the_second_of_its_parameters_write_is_fresh_for_the_sweep() {
    let config = AccountConfig {
        scheduler_delay: Duration::ZERO,
        ..AccountConfig::default()
    };
    let scenario = Scenario::build(
        config,
        [],
        Level::Info,
        [service("web/api").watching("ssm:/app/db")],
    )
    .await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    scenario.until_a_second_begins().await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_millis(400)).await;
    scenario.account.force("web/api");
    scenario.account.run_for(AN_HOUR).await;

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], scenario.restarted().len()),
        (&0.into(), 1),
        "{answer:#}"
    );
}

//! Services that say `auto`: the reads of their task definitions, and the errors of these reads.

use std::time::Duration;

use ecs_reloader::report::Level;
use sim::{Controller, Fault, service, task_definition};

use crate::support::{
    DESCRIBE_TASK_DEFINITION, QUEUE, Scenario, UPDATE, auto, documented_rates, line, reason, text,
    worker,
};

#[tokio::test(start_paused = true)]
async fn a_task_definition_is_read_once_in_the_life_of_the_process() {
    let scenario =
        Scenario::with([auto("web/api", task_definition().secret("DB", "/app/db"))]).await;

    let first = scenario.changed("ssm:/app/db").await;
    let second = scenario.changed("ssm:/other").await;

    assert_eq!(
        (&first["task_definitions"], &second["task_definitions"]),
        (&1.into(), &0.into())
    );
    assert_eq!(scenario.number_of(DESCRIBE_TASK_DEFINITION), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_that_cannot_be_read_is_reported_and_stops_nobody() {
    let scenario = Scenario::with([
        auto("web/api", task_definition().secret("DB", "/app/db")),
        worker(),
    ])
    .await;
    scenario
        .account
        .inject(Fault::denied(DESCRIBE_TASK_DEFINITION));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (
            line(&answer, "web/api")["result"].as_str(),
            scenario.restarted()
        ),
        (Some("denied"), vec!["web/worker".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn the_primary_task_set_of_a_blue_green_service_decides() {
    let definition = task_definition().secret("DB", "/app/db");
    let scenario =
        Scenario::with([auto("web/blue", definition).controller(Controller::CodeDeploy)]).await;

    let affected = scenario.changed("ssm:/app/db").await;
    let other = scenario.changed("ssm:/other").await;

    assert_eq!(
        (reason(&affected).as_str(), &other["affected"]),
        ("not-supported-yet", &0.into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_a_cold_start_stay_inside_the_buckets_and_all_are_decided_about() {
    let config = documented_rates();
    let many = (0..1000).map(|place| {
        auto(
            &format!("web/s{place:03}"),
            task_definition().secret("DB", &format!("/app/s{place}")),
        )
    });
    let alone = [
        ("RELOADER_MAX_SERVICES", "10000"),
        ("RELOADER_CONCURRENCY", "1"),
    ];
    let scenario = Scenario::build(config, alone, Level::Info, many).await;

    let answer = scenario.changed("ssm:/app/s500").await;

    assert_eq!(
        (scenario.restarted(), &answer["task_definitions"]),
        (vec!["web/s500".to_owned()], &1000.into())
    );
    assert_eq!(
        (
            &answer["failed"],
            scenario.number_of(DESCRIBE_TASK_DEFINITION)
        ),
        (&0.into(), 1000),
        "each was read once: none was throttled"
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_term_names_the_key_is_restarted_although_its_task_definition_cannot_be_read()
 {
    let both = service("web/api")
        .watching("auto ssm:/app/db")
        .referring(task_definition().secret("X", "/x"));
    let scenario = Scenario::with([both]).await.with_queue();
    scenario
        .account
        .inject(Fault::denied(DESCRIBE_TASK_DEFINITION));

    scenario.account.put_parameter("/app/db");
    scenario.account.put_parameter("/x");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(text(&scenario.lines("mistake")[0]["mistake"]).contains("DescribeTaskDefinition"));
}

#[tokio::test(start_paused = true)]
async fn only_the_changes_of_a_deferred_service_return() {
    let scenario = Scenario::with([auto("web/api", task_definition().secret("DB", "/app/db"))])
        .await
        .with_queue();
    scenario
        .account
        .inject(Fault::throttled(UPDATE).until(scenario.account.now() + Duration::from_mins(3)));

    for name in ["/app/db", "/one", "/two", "/three"] {
        scenario.account.put_parameter(name);
    }
    scenario
        .account
        .run_for(Duration::from_mins(2) + Duration::from_secs(10))
        .await;

    let left = scenario.account.messages(QUEUE);
    let deferred: Vec<_> = left
        .iter()
        .filter(|body| !body.contains("except"))
        .collect();
    assert!(
        deferred.len() == 1 && deferred[0].contains("app/db") && !deferred[0].contains("two"),
        "{deferred:#?}"
    );
    scenario.account.settle().await;
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn task_definitions_that_are_not_known_yet_do_not_narrow_the_reach() {
    let many = (0..12).map(|place| {
        auto(
            &format!("web/s{place:02}"),
            task_definition().secret("DB", "/app/db"),
        )
    });
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "10")], many).await;
    scenario
        .account
        .inject(Fault::denied(DESCRIBE_TASK_DEFINITION).times(5));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (scenario.restarted(), &answer["refused"]),
        (Vec::new(), &7.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_refused_for_an_unread_task_definition_is_decided_again() {
    let watching = |name| service(name).watching("ssm:/app/db");
    let other = auto("web/other", task_definition().secret("DB", "/other/db"));
    let services = [watching("web/one"), watching("web/two"), other];
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], services)
        .await
        .with_queue();
    let healed_at = scenario.account.now() + Duration::from_mins(1);
    let failing = Fault::server_error(DESCRIBE_TASK_DEFINITION, 500).until(healed_at);
    scenario.account.inject(failing);

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    let refused = scenario.first_line("reason", "blast-radius");
    assert_eq!(refused["will_retry"], true, "{refused:#}");
    assert!(
        text(&refused["detail"]).contains("task definition"),
        "{refused:#}"
    );
    assert_eq!(scenario.restarted(), ["web/one", "web/two"]);
}

#[tokio::test(start_paused = true)]
async fn a_third_partys_service_without_a_task_set_is_not_affected() {
    let scenario = Scenario::with([service("web/foreign")
        .watching("auto")
        .controller(Controller::External)])
    .await;

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (&answer["affected"], &answer["failed"]),
        (&0.into(), &0.into()),
        "{answer:#}"
    );
}

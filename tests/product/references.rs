//! References of services that say `auto`: every field of a task definition that can hold one.

use std::time::Duration;

use sim::{TaskDefinition, service, task_definition};

use crate::support::{BUCKET, DESCRIBE_TASK_DEFINITION, Scenario, auto, reason, text, with_secret};

fn parameter(name: &str) -> String {
    format!("arn:aws:ssm:eu-west-1:123456789012:parameter{name}")
}

/// The name of a service, and its task definition.
type Named = (&'static str, TaskDefinition);

/// Each way to refer to the parameter `/app/db`.
fn of_parameter() -> Vec<Named> {
    let whole = parameter("/app/db");
    vec![
        ("web/name", task_definition().secret("DB", "/app/db")),
        ("web/arn", task_definition().secret("DB", &whole)),
        (
            "web/log",
            task_definition()
                .container("log")
                .log_secret("token", &whole),
        ),
        (
            "web/spec",
            task_definition().credential_spec(&format!("credentialspecdomainless:{whole}")),
        ),
        (
            "web/option",
            task_definition().docker_security_option(&format!("credentialspec:{whole}")),
        ),
        ("web/share", task_definition().volume_credentials(&whole)),
    ]
}

/// Each way to refer to the secret with this ARN.
fn of_secret(secret: &str) -> Vec<Named> {
    vec![
        ("web/secret", task_definition().secret("DB", secret)),
        (
            "web/json-key",
            task_definition().secret("DB", &format!("{secret}:password::")),
        ),
        (
            "web/stage",
            task_definition().secret("DB", &format!("{secret}::AWSCURRENT:")),
        ),
        (
            "web/registry",
            task_definition().repository_credentials(secret),
        ),
        (
            "web/by-parameter",
            task_definition().secret("DB", "/aws/reference/secretsmanager/prod/db"),
        ),
        (
            "web/by-parameter-arn",
            task_definition().secret("DB", &parameter("/aws/reference/secretsmanager/prod/db")),
        ),
    ]
}

/// Each way to refer to an object.
fn of_object() -> Vec<Named> {
    let object = format!("arn:aws:s3:::{BUCKET}/app/prod.env");
    vec![
        ("web/file", task_definition().environment_file(&object)),
        (
            "web/firelens",
            task_definition()
                .container("router")
                .log_router_file(&object),
        ),
        (
            "web/spec-file",
            task_definition().credential_spec(&format!("credentialspec:{object}")),
        ),
        (
            "web/option-file",
            task_definition().docker_security_option(&format!("credentialspecdomainless:{object}")),
        ),
        (
            "web/init",
            task_definition()
                .environment("MODE", "x")
                .environment("aws_fluent_bit_init_s3_1", &object),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_field_that_refers_to_something_is_followed() {
    let (scenario, secret) = with_secret().await;
    let groups = [
        ("ssm:/app/db", of_parameter()),
        ("secret:prod/db", of_secret(&secret)),
        ("s3:config/app/prod.env", of_object()),
    ];
    for (name, definition) in groups.iter().flat_map(|(_, group)| group.clone()) {
        scenario.account.add(auto(name, definition));
    }
    scenario.account.run_for(Duration::from_mins(1)).await;

    let mut done = 0;
    for (key, group) in groups {
        scenario.change(key);
        assert!(scenario.is_all_fresh().await);
        let mut restarted = scenario.account.restarted().split_off(done);
        restarted.sort();
        let mut expected: Vec<_> = group.into_iter().map(|(name, _)| name).collect();
        expected.sort_unstable();
        assert_eq!(restarted, expected);
        done += restarted.len();
    }
}

/// The answer of `DescribeServices` has it anyway.
#[tokio::test(start_paused = true)]
async fn references_of_service_connects_log_driver_are_followed_without_a_task_definition() {
    let (scenario, secret) = with_secret().await;
    scenario
        .account
        .add(auto("web/by-name", task_definition()).service_connect_log_secret("token", "/app/db"));
    scenario
        .account
        .add(auto("web/secret", task_definition()).service_connect_log_secret("token", &secret));
    scenario.account.add(
        service("web/term")
            .watching("ssm:/other")
            .service_connect_log_secret("token", "/app/db"),
    );
    scenario.account.add(
        service("web/excluded")
            .watching("auto -ssm:/app/")
            .service_connect_log_secret("token", "/app/db"),
    );
    scenario.account.run_for(Duration::from_mins(1)).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/by-name"]);
    let read: Vec<_> = scenario
        .account
        .calls()
        .into_iter()
        .filter(|call| call.action() == DESCRIBE_TASK_DEFINITION)
        .map(|call| call.target)
        .collect();
    assert!(read.iter().all(|arn| !arn.contains("by-name")), "{read:?}");

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    assert_eq!(scenario.restarted(), ["web/by-name", "web/secret"]);
}

#[tokio::test(start_paused = true)]
async fn other_entries_of_the_environment_and_the_security_options_are_neither_read_nor_reported() {
    let object = format!("arn:aws:s3:::{BUCKET}/app/prod.env");
    let definition = task_definition()
        .environment("DEFAULTS", &object)
        .environment("PASSWORD", "arn:aws:hunter2")
        .environment("aws_fluent_bit_init_file_1", &object)
        .environment("aws_fluent_bit_init_s3_1", "hunter3")
        .docker_security_option("label:hunter4")
        .docker_security_option("credentialspec:file://hunter5.json");
    let scenario = Scenario::with([
        auto("web/api", definition).service_connect_log_secret("token", "arn:aws:sns:hunter6")
    ])
    .await;

    let answer = scenario.changed("s3:config/app/prod.env").await;

    assert_eq!(
        (scenario.restarted().len(), &answer["mistakes"]),
        (0, &2.into()),
        "{answer:#}"
    );
    let mistakes = scenario.lines("mistake");
    let mistakes: Vec<_> = mistakes.iter().map(|line| text(&line["mistake"])).collect();
    assert!(
        mistakes[0].starts_with(
            "containerDefinitions[app].environment[aws_fluent_bit_init_s3_1] of the task \
             definition"
        ),
        "{mistakes:?}"
    );
    assert!(
        mistakes[1].starts_with(
            "serviceConnectConfiguration.logConfiguration.secretOptions[token] of the service"
        ),
        "{mistakes:?}"
    );
    assert!(!scenario.log_text().contains("hunter"));
}

#[tokio::test(start_paused = true)]
async fn an_exclusion_beside_auto_wins() {
    let watching = service("web/api").watching("auto -ssm:/app/flags/");
    let scenario = Scenario::with([watching.referring(
        task_definition()
            .secret("A", "/app/db")
            .secret("B", "/app/flags/a"),
    )])
    .await;

    let excluded = scenario.changed("ssm:/app/flags/a").await;
    scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (reason(&excluded).as_str(), scenario.restarted()),
        ("excluded", vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn the_references_of_the_next_tasks_decide() {
    let scenario =
        Scenario::with([auto("web/api", task_definition().secret("DB", "/app/old"))]).await;
    scenario.account.put_parameter("/app/new");
    scenario
        .account
        .deploy("web/api", task_definition().secret("DB", "/app/new"));
    scenario.account.settle().await;

    scenario.account.run_for(Duration::from_mins(5)).await;

    scenario.changed("ssm:/app/old").await;
    let before = scenario.restarted().len();
    scenario.changed("ssm:/app/new").await;

    assert_eq!(
        (before, scenario.restarted()),
        (0, vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_does_not_parse_is_reported_once_and_the_others_work() {
    let scenario = Scenario::with([auto(
        "web/api",
        task_definition()
            .secret("BAD", "arn:aws:sns:hunter2")
            .secret("DB", "/app/db"),
    )])
    .await;

    scenario.changed("ssm:/other").await;
    let answer = scenario.changed("ssm:/app/db").await;

    let mistakes = scenario.lines("mistake");
    assert_eq!(mistakes.len(), 1);
    assert!(text(&mistakes[0]["mistake"]).starts_with(
        "containerDefinitions[app].secrets[BAD] of the task definition does not parse"
    ));
    assert_eq!(
        (scenario.restarted(), &answer["mistakes"]),
        (vec!["web/api".to_owned()], &1.into())
    );
    assert!(!scenario.log_text().contains("hunter2"));
}

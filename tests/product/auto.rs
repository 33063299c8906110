//! Services that say `auto`: what their task definitions refer to.

use std::time::Duration;

use ecs_reloader::report::Level;
use sim::{
    AccountConfig, Controller, Fault, RateLimits, Service, TaskDefinition, service, task_definition,
};

use crate::support::{BUCKET, Scenario, line, reason};

const DESCRIBE: &str = "ecs:DescribeTaskDefinition";

fn auto(name: &str, definition: TaskDefinition) -> Service {
    service(name).watching("auto").referring(definition)
}

/// A queue, and a secret `prod/db` that was there before, whose ARN is returned.
async fn with_secret() -> (Scenario, String) {
    let scenario = Scenario::with([]).await.with_queue();
    scenario.account.put_secret("prod/db");
    scenario.account.put_parameter("/app/db");
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.settle().await;
    let arn = scenario.account.secret_arn("prod/db").unwrap();
    (scenario, arn)
}

fn parameter(name: &str) -> String {
    format!("arn:aws:ssm:eu-west-1:123456789012:parameter{name}")
}

#[tokio::test(start_paused = true)]
async fn every_field_that_refers_to_something_is_followed() {
    let (scenario, secret) = with_secret().await;
    let object = format!("arn:aws:s3:::{BUCKET}/app/prod.env");
    let whole = parameter("/app/db");
    let of_parameter = [
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
    ];
    let of_secret = [
        ("web/secret", task_definition().secret("DB", &secret)),
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
            task_definition().repository_credentials(&secret),
        ),
        (
            "web/by-parameter",
            task_definition().secret("DB", "/aws/reference/secretsmanager/prod/db"),
        ),
        (
            "web/by-parameter-arn",
            task_definition().secret("DB", &parameter("/aws/reference/secretsmanager/prod/db")),
        ),
    ];
    let of_object = [
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
    ];
    let names = |group: &[(&str, TaskDefinition)]| {
        let mut names: Vec<_> = group.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        names
    };
    let expected = [names(&of_parameter), names(&of_secret), names(&of_object)];
    for (name, definition) in of_parameter.into_iter().chain(of_secret).chain(of_object) {
        scenario.account.add(auto(name, definition));
    }
    scenario.account.run_for(Duration::from_mins(1)).await;

    let mut done = 0;
    for (expected, change) in
        expected
            .into_iter()
            .zip(["ssm:/app/db", "secret:prod/db", "s3:config/app/prod.env"])
    {
        scenario.change(change);
        assert!(scenario.is_all_fresh().await);
        let mut restarted = scenario.account.restarted().split_off(done);
        restarted.sort();
        assert_eq!(restarted, expected);
        done += restarted.len();
    }
}

/// It stands in what `DescribeServices` answers anyway.
#[tokio::test(start_paused = true)]
async fn what_service_connects_log_driver_refers_to_is_followed_without_a_task_definition() {
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
        .filter(|call| call.action() == DESCRIBE)
        .map(|call| call.target)
        .collect();
    assert!(read.iter().all(|arn| !arn.contains("by-name")), "{read:?}");

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    assert_eq!(scenario.restarted(), ["web/by-name", "web/secret"]);
}

#[tokio::test(start_paused = true)]
async fn of_the_environment_and_the_security_options_nothing_else_is_looked_at_or_told() {
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
    let told = scenario.lines("mistake");
    let told: Vec<_> = told
        .iter()
        .map(|line| line["mistake"].as_str().unwrap())
        .collect();
    assert!(
        told[0].starts_with(
            "containerDefinitions[app].environment[aws_fluent_bit_init_s3_1] of the task \
             definition"
        ),
        "{told:?}"
    );
    assert!(
        told[1].starts_with(
            "serviceConnectConfiguration.logConfiguration.secretOptions[token] of the service"
        ),
        "{told:?}"
    );
    assert!(!scenario.log_text().contains("hunter"));
}

/// Secrets Manager sends no event when it moves AWSPREVIOUS, which it does whenever AWSCURRENT
/// moves.
#[tokio::test(start_paused = true)]
async fn who_reads_the_previous_version_is_restarted_when_the_current_one_changes() {
    let (scenario, secret) = with_secret().await;
    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let of_parameter = "/aws/reference/secretsmanager/prod/db:AWSPREVIOUS";
    scenario.account.add(auto(
        "web/previous",
        task_definition().secret("OLD", &format!("{secret}::AWSPREVIOUS:")),
    ));
    scenario.account.add(auto(
        "web/by-parameter",
        task_definition().secret("OLD", of_parameter),
    ));
    scenario.account.run_for(Duration::from_mins(1)).await;
    let read = scenario.service("web/previous").tasks[0].read.clone();
    assert!(
        read.contains_key("secret:prod/db::AWSPREVIOUS:"),
        "{read:?}"
    );

    scenario.account.put_secret("prod/db");

    assert!(!scenario.account.stale_tasks().is_empty());
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/by-parameter", "web/previous"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_parameters_name_hands_out_is_followed_excluded_and_pinned_as_that_secret()
{
    let (scenario, _) = with_secret().await;
    let version = scenario.account.put_secret("prod/db");
    scenario.account.move_stage("prod/db", "CANARY", &version);
    scenario.account.settle().await;
    let by_name = |end: &str| {
        task_definition().secret("DB", &format!("/aws/reference/secretsmanager/prod/db{end}"))
    };
    scenario.account.add(auto("web/canary", by_name(":CANARY")));
    scenario
        .account
        .add(auto("web/pinned", by_name(&format!(":{version}"))));
    scenario.account.add(
        service("web/excluded")
            .watching("auto -ssm:/aws/reference/secretsmanager/prod/")
            .referring(by_name("")),
    );
    scenario
        .account
        .add(service("web/term").watching("ssm:/aws/reference/secretsmanager/prod/db"));
    scenario
        .account
        .add(service("web/prefix").watching("ssm:/aws/reference/secretsmanager/prod/"));
    scenario.account.run_for(Duration::from_mins(1)).await;

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/prefix", "web/term"]);
    let lines = scenario.lines("service");
    let reason_of = |name: &str| {
        lines
            .iter()
            .find(|line| line["service"] == name)
            .map(|line| line["reason"].clone())
    };
    assert_eq!(
        (reason_of("web/pinned"), reason_of("web/excluded")),
        (Some("pinned".into()), Some("excluded".into()))
    );
    assert_eq!(reason_of("web/canary"), None);
    let stale: Vec<_> = scenario
        .account
        .stale_tasks()
        .into_iter()
        .map(|task| task.service)
        .collect();
    assert!(
        stale.iter().all(|service| service == "web/excluded") && !stale.is_empty(),
        "{stale:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_pinned_by_its_id_never_changes() {
    let (scenario, secret) = with_secret().await;
    let version = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    scenario.account.add(auto(
        "web/pinned",
        task_definition().secret("DB", &format!("{secret}:::{version}")),
    ));
    scenario.account.run_for(Duration::from_mins(1)).await;

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    assert!(scenario.restarted().is_empty());
    assert_eq!(scenario.lines("service")[0]["reason"], "pinned");
}

#[tokio::test(start_paused = true)]
async fn a_label_of_the_owners_own_restarts_only_those_that_refer_to_it() {
    let (scenario, secret) = with_secret().await;
    let version = scenario.account.put_secret("prod/db");
    scenario.account.move_stage("prod/db", "CANARY", &version);
    scenario.account.settle().await;
    scenario.account.add(auto(
        "web/canary",
        task_definition().secret("DB", &format!("{secret}::CANARY:")),
    ));
    scenario
        .account
        .add(auto("web/current", task_definition().secret("DB", &secret)));
    scenario
        .account
        .add(service("web/named").watching("secret:prod/db"));
    scenario.account.run_for(Duration::from_mins(1)).await;

    let newest = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let by_current = scenario.restarted();
    scenario.account.move_stage("prod/db", "CANARY", &newest);
    scenario.account.settle().await;

    assert_eq!(by_current, ["web/current", "web/named"]);
    assert_eq!(scenario.account.restarted()[2..], ["web/canary"]);
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
async fn a_task_definition_is_read_once_in_the_life_of_the_process() {
    let scenario =
        Scenario::with([auto("web/api", task_definition().secret("DB", "/app/db"))]).await;

    let first = scenario.changed("ssm:/app/db").await;
    let second = scenario.changed("ssm:/other").await;

    assert_eq!(
        (&first["task_definitions"], &second["task_definitions"]),
        (&1.into(), &0.into())
    );
    assert_eq!(scenario.number_of(DESCRIBE), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_new_tasks_will_refer_to_decides() {
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
async fn a_reference_that_does_not_parse_is_told_once_and_the_others_work() {
    let scenario = Scenario::with([auto(
        "web/api",
        task_definition()
            .secret("BAD", "arn:aws:sns:hunter2")
            .secret("DB", "/app/db"),
    )])
    .await;

    scenario.changed("ssm:/other").await;
    let answer = scenario.changed("ssm:/app/db").await;

    let told = scenario.lines("mistake");
    assert_eq!(told.len(), 1);
    assert!(told[0]["mistake"].as_str().unwrap().starts_with(
        "containerDefinitions[app].secrets[BAD] of the task definition does not parse"
    ));
    assert_eq!(
        (scenario.restarted(), &answer["mistakes"]),
        (vec!["web/api".to_owned()], &1.into())
    );
    assert!(!scenario.log_text().contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_that_cannot_be_read_is_told_and_stops_nobody() {
    let scenario = Scenario::with([
        auto("web/api", task_definition().secret("DB", "/app/db")),
        service("web/worker").watching("ssm:/app/"),
    ])
    .await;
    scenario.account.inject(Fault::denied(DESCRIBE));

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

    let concerned = scenario.changed("ssm:/app/db").await;
    let other = scenario.changed("ssm:/other").await;

    assert_eq!(
        (reason(&concerned).as_str(), &other["affected"]),
        ("not-supported-yet", &0.into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_at_a_cold_start_stay_inside_the_buckets_and_all_are_decided_about() {
    let config = AccountConfig {
        rate_limits: RateLimits::Documented,
        ..AccountConfig::default()
    };
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
        (&answer["failed"], scenario.number_of(DESCRIBE)),
        (&0.into(), 1000),
        "each was read once: none was throttled"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_term_names_is_restarted_although_the_task_definition_cannot_be_read() {
    let both = service("web/api")
        .watching("auto ssm:/app/db")
        .referring(task_definition().secret("X", "/x"));
    let scenario = Scenario::with([both]).await.with_queue();
    scenario.account.inject(Fault::denied(DESCRIBE));

    scenario.account.put_parameter("/app/db");
    scenario.account.put_parameter("/x");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(
        scenario.lines("mistake")[0]["mistake"]
            .as_str()
            .unwrap()
            .contains("DescribeTaskDefinition")
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_changes_of_a_postponed_service_come_back() {
    let scenario = Scenario::with([auto("web/api", task_definition().secret("DB", "/app/db"))])
        .await
        .with_queue();
    scenario.account.inject(
        Fault::throttled("ecs:UpdateService")
            .until(scenario.account.now() + Duration::from_mins(3)),
    );

    for name in ["/app/db", "/one", "/two", "/three"] {
        scenario.account.put_parameter(name);
    }
    scenario
        .account
        .run_for(Duration::from_mins(2) + Duration::from_secs(10))
        .await;

    let left = scenario.account.messages(crate::support::QUEUE);
    let goes_on: Vec<_> = left
        .iter()
        .filter(|body| !body.contains("except"))
        .collect();
    assert!(
        goes_on.len() == 1 && goes_on[0].contains("app/db") && !goes_on[0].contains("two"),
        "{goes_on:#?}"
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
    scenario.account.inject(Fault::denied(DESCRIBE).times(5));

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        (scenario.restarted(), &answer["refused"]),
        (Vec::new(), &7.into()),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_exclusion_and_a_deletion_concern_every_stage_of_a_secret() {
    let (scenario, secret) = with_secret().await;
    let version = scenario.account.put_secret("prod/db");
    scenario.account.move_stage("prod/db", "CANARY", &version);
    scenario.account.settle().await;
    let canary = || task_definition().secret("DB", &format!("{secret}::CANARY:"));
    scenario.account.add(
        service("web/excluded")
            .watching("auto -secret:prod/db")
            .referring(canary()),
    );
    scenario.account.add(auto("web/canary", canary()));
    scenario.account.add(auto(
        "web/pinned",
        task_definition().secret("DB", &format!("{secret}:::{version}")),
    ));
    scenario.account.run_for(Duration::from_mins(1)).await;

    let newest = scenario.account.put_secret("prod/db");
    scenario.account.move_stage("prod/db", "CANARY", &newest);
    scenario.account.settle().await;
    let restarted = scenario.restarted();
    scenario.account.delete_secret("prod/db");
    scenario.account.settle().await;

    assert_eq!(restarted, ["web/canary"]);
    let lines = scenario.lines("service");
    let mut warned: Vec<_> = lines
        .iter()
        .filter(|line| line["reason"] == "deleted")
        .map(|line| line["service"].as_str().unwrap())
        .collect();
    warned.sort_unstable();
    assert_eq!(warned, ["web/canary", "web/pinned"]);
}

#[tokio::test(start_paused = true)]
async fn a_third_partys_service_without_a_task_set_concerns_nobody() {
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

//! The things that tasks read because their task definition refers to them.

use aws_sdk_ecs::types::{LogConfiguration, LogDriver, ServiceConnectConfiguration};
use serde_json::{Value, json};
use sim::{Account, Service, TaskDefinition, service, task_definition};

use crate::{account, ecs, restart};

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-a1b2c3";

fn api(definition: impl Into<TaskDefinition>) -> Service {
    service("web/api")
        .desired(1)
        .watching("auto")
        .referring(definition)
}

/// The things that the first task of `web/api` holds.
fn held(account: &Account) -> Vec<String> {
    account.service("web/api").unwrap().tasks[0]
        .read
        .keys()
        .cloned()
        .collect()
}

fn stale(account: &Account) -> Vec<String> {
    account
        .stale_tasks()
        .into_iter()
        .map(|task| task.thing)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_task_holds_what_every_field_of_every_container_refers_to() {
    let account = account();
    let secret =
        |name: &str| format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-a1b2c3");
    let definition = task_definition()
        .secret("A", "/app/by-name")
        .secret(
            "B",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/app/by-arn",
        )
        .secret("C", &format!("{}:password::", secret("app/json")))
        .environment_file("arn:aws:s3:::settings/app/prod.env")
        .container("proxy")
        .log_secret("token", &secret("app/log"))
        .repository_credentials(&secret("app/registry"))
        .log_router_file("arn:aws:s3:::settings/fluent.conf")
        .credential_spec("credentialspec:arn:aws:ssm:eu-west-1:123456789012:parameter/app/spec")
        .docker_security_option("credentialspecdomainless:arn:aws:s3:::settings/spec.json")
        .docker_security_option("credentialspec:file://spec.json")
        .docker_security_option("no-new-privileges")
        .environment(
            "aws_fluent_bit_init_s3_1",
            "arn:aws:s3:::settings/init.conf",
        )
        .environment("DEFAULTS", "arn:aws:s3:::settings/defaults")
        .volume_credentials(&secret("app/volume"));

    account.add(api(definition).service_connect_log_secret("token", &secret("app/proxy")));

    let expected = [
        "s3:settings/app/prod.env",
        "s3:settings/fluent.conf",
        "s3:settings/init.conf",
        "s3:settings/spec.json",
        "secret:app/json",
        "secret:app/log",
        "secret:app/proxy",
        "secret:app/registry",
        "secret:app/volume",
        "ssm:/app/by-arn",
        "ssm:/app/by-name",
        "ssm:/app/spec",
    ];
    assert_eq!(held(&account), expected);
    restart(&account, "web/api").await;
    account.settle().await;
    assert_eq!(held(&account), expected, "a new task reads the same");
}

#[tokio::test(start_paused = true)]
async fn tasks_are_stale_until_new_ones_have_read_the_new_version() {
    let account = account();
    account.add(api(task_definition()
        .secret("DB", SECRET)
        .secret("URL", "/app/url")));
    assert_eq!(
        account.secret_arn("prod/db").as_deref(),
        Some(SECRET),
        "the secret has the ARN that is referred to"
    );

    account.put_secret("prod/db");
    account.put_parameter("/app/url");
    assert_eq!(stale(&account), ["secret:prod/db", "ssm:/app/url"]);

    restart(&account, "web/api").await;
    account.settle().await;
    assert!(stale(&account).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pinned_version_is_never_stale_and_a_pinned_stage_only_when_its_label_moves() {
    let account = account();
    let version = "a1b2c3d4-5678-90ab-cdef-000000000001";
    account.add(api(task_definition()
        .secret("PINNED", &format!("{SECRET}:::{version}"))
        .secret("BLUE", &format!("{SECRET}::blue:"))));
    assert_eq!(
        held(&account),
        [
            format!("secret:prod/db:::{version}"),
            "secret:prod/db::blue:".to_owned()
        ]
    );

    let next = account.put_secret("prod/db");
    assert!(stale(&account).is_empty());

    account.move_stage("prod/db", "blue", &next);
    assert_eq!(stale(&account), ["secret:prod/db::blue:"]);
    account.move_stage("prod/db", "blue", version);
    assert_eq!(
        account.stale_tasks()[0].current,
        3,
        "a label that came back has moved twice"
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_secret_was_deleted_does_not_start() {
    let account = account();
    account.add(api(task_definition().secret("DB", SECRET)).circuit_breaker(true));

    account.delete_secret("prod/db");
    restart(&account, "web/api").await;
    account.settle().await;

    let view = account.service("web/api").unwrap();
    assert_eq!(
        view.history[0].status, "ROLLBACK_SUCCESSFUL",
        "the task of the deployment before still runs"
    );
    assert!(view.kept_its_floor());
}

#[tokio::test(start_paused = true)]
async fn what_another_account_or_region_has_is_taken_to_be_there() {
    let account = account();
    let foreign = "arn:aws:secretsmanager:eu-west-1:210987654321:secret:shared-a1b2c3";
    account.add(api(task_definition()
        .secret("A", foreign)
        .secret("B", "arn:aws:ssm:us-east-1:123456789012:parameter/app/x")));

    restart(&account, "web/api").await;
    account.settle().await;

    assert!(account.service("web/api").unwrap().is_steady());
    assert!(held(&account).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_reads_what_it_refers_to_and_nothing_else() {
    let account = account();
    account.add(api(task_definition().secret("OLD", "/app/old")));
    account.put_parameter("/app/new");

    account.deploy("web/api", task_definition().secret("NEW", "/app/new"));
    account.settle().await;

    assert_eq!(held(&account), ["ssm:/app/new"]);
    let described = ecs(&account)
        .describe_services()
        .cluster("web")
        .services("api")
        .send()
        .await
        .unwrap();
    assert!(
        described.services()[0]
            .task_definition()
            .unwrap()
            .ends_with("task-definition/api:2")
    );
    assert!(account.restarted().is_empty(), "nothing was forced");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_reads_what_the_earlier_revision_refers_to() {
    let account = account();
    account.add(
        api(task_definition().secret("OLD", "/app/old"))
            .desired(2)
            .percent(50, 100)
            .circuit_breaker(true),
    );

    account.deploy("web/api", task_definition().secret("GONE", "/app/gone"));
    account.settle().await;

    let view = account.service("web/api").unwrap();
    assert_eq!(view.history[0].status, "ROLLBACK_SUCCESSFUL");
    assert!(
        view.tasks
            .iter()
            .all(|task| task.read.keys().eq(["ssm:/app/old"]))
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_is_described_as_it_was_registered() {
    let account = account();
    let containers: Value = json!([{
        "name": "app", "image": "app:1", "essential": true,
        "secrets": [{ "name": "DB", "valueFrom": SECRET }],
        "environmentFiles": [{ "value": "arn:aws:s3:::settings/prod.env", "type": "s3" }],
        "logConfiguration": { "logDriver": "splunk", "options": { "splunk-url": "https://example.com" },
            "secretOptions": [{ "name": "splunk-token", "valueFrom": "/app/token" }] },
        "repositoryCredentials": { "credentialsParameter": SECRET },
        "firelensConfiguration": { "type": "fluentbit",
            "options": {
                "config-file-type": "s3",
                "config-file-value": "arn:aws:s3:::settings/fluent.conf",
            } },
        "credentialSpecs": ["credentialspecdomainless:arn:aws:s3:::settings/spec.json"],
    }]);
    let volumes = json!([{ "name": "share", "fsxWindowsFileServerVolumeConfiguration": {
        "fileSystemId": "fs-1", "rootDirectory": "share",
        "authorizationConfig": { "credentialsParameter": SECRET, "domain": "example.com" },
    } }]);
    account.add(api(
        json!({ "containerDefinitions": containers, "volumes": volumes, "cpu": "256" }),
    ));

    let (_, described) = crate::call(
        &account,
        "AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition",
        json!({ "taskDefinition": "api:1" }),
    )
    .await;

    let definition = &described["taskDefinition"];
    assert_eq!(
        (&definition["containerDefinitions"], &definition["volumes"]),
        (&containers, &volumes)
    );
    assert_eq!(
        (&definition["cpu"], &definition["family"]),
        (&json!("256"), &json!("api"))
    );
    let typed = ecs(&account)
        .describe_task_definition()
        .task_definition("api")
        .send()
        .await
        .unwrap()
        .task_definition
        .unwrap();
    assert_eq!(
        typed.container_definitions()[0].secrets()[0].value_from(),
        SECRET
    );
    assert_eq!(held(&account).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_configuration_of_appconfig_is_read_before_and_after_its_deployment() {
    let account = account();
    account.add(
        service("web/api")
            .desired(1)
            .watching("appconfig:shop/prod/flags"),
    );

    account.complete_appconfig_deployment("shop", "prod", "flags");
    account.complete_appconfig_deployment("shop", "prod", "prices");

    assert_eq!(stale(&account), ["appconfig:shop/prod/flags"]);
}

#[tokio::test(start_paused = true)]
async fn a_parameters_name_hands_out_the_current_a_labelled_or_a_pinned_version_of_a_secret() {
    let account = account();
    let version = "a1b2c3d4-5678-90ab-cdef-000000000001";
    let by_name = |end: &str| format!("/aws/reference/secretsmanager/prod/db{end}");
    let definition = task_definition()
        .secret("A", &by_name(""))
        .secret("B", &by_name(":AWSPREVIOUS"))
        .secret("C", &by_name(&format!(":{version}")))
        .secret(
            "D",
            &format!(
                "arn:aws:ssm:eu-west-1:123456789012:parameter{}",
                by_name(":blue")
            ),
        )
        .secret("E", "/aws/reference/secretsmanager//prod/slash");
    account.add(api(definition));
    let pinned = format!("secret:prod/db:::{version}");
    assert_eq!(
        held(&account),
        [
            "secret:/prod/slash",
            "secret:prod/db",
            &pinned,
            "secret:prod/db::AWSPREVIOUS:",
            "secret:prod/db::blue:"
        ]
    );

    account.put_secret("prod/db");

    assert_eq!(
        stale(&account),
        ["secret:prod/db", "secret:prod/db::AWSPREVIOUS:"],
        "the label that the current version leaves moves as well"
    );
}

#[tokio::test(start_paused = true)]
async fn another_service_connect_configuration_is_a_deployment_that_reads_its_secrets() {
    let account = account();
    account.add(api(task_definition()).service_connect_log_secret("token", "/proxy/old"));
    account.put_parameter("/proxy/new");
    let log_secret = aws_sdk_ecs::types::Secret::builder()
        .name("token")
        .value_from("/proxy/new")
        .build()
        .unwrap();
    let logs = LogConfiguration::builder()
        .log_driver(LogDriver::Splunk)
        .secret_options(log_secret)
        .build()
        .unwrap();
    let configuration = |enabled| {
        ServiceConnectConfiguration::builder()
            .enabled(enabled)
            .log_configuration(logs.clone())
            .build()
    };
    let update = |enabled| {
        ecs(&account)
            .update_service()
            .cluster("web")
            .service("api")
            .service_connect_configuration(configuration(enabled))
    };

    let updated = update(true).send().await.unwrap().service.unwrap();
    assert_eq!(
        updated.deployments()[0].service_connect_configuration(),
        Some(&configuration(true))
    );
    account.settle().await;
    assert_eq!(held(&account), ["ssm:/proxy/new"]);
    restart(&account, "web/api").await;
    account.settle().await;
    assert_eq!(
        held(&account),
        ["ssm:/proxy/new"],
        "a forced deployment keeps it"
    );

    update(false).send().await.unwrap();
    account.settle().await;
    assert!(
        held(&account).is_empty(),
        "without the proxy nothing is read for it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_appconfig_that_is_rolled_back_leaves_behind_what_started_in_its_middle() {
    let account = account();
    account.add(
        service("web/old")
            .desired(1)
            .watching("appconfig:shop/prod/flags"),
    );
    account.start_appconfig_deployment("shop", "prod", "flags");
    account.add(
        service("web/new")
            .desired(1)
            .watching("appconfig:shop/prod/flags"),
    );
    account.roll_back_appconfig_deployment("shop", "prod", "flags", "On Deployment Rolled Back");

    let stale: Vec<_> = account
        .stale_tasks()
        .into_iter()
        .map(|stale| stale.service)
        .collect();
    assert_eq!(stale, ["web/new"]);
}

//! The ECS API: its limits, its pages, its errors.

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{KeyValuePair, ServiceField, Tag};
use serde_json::json;
use sim::{Account, AccountConfig, CallResult, Controller, RateLimits, service};

use crate::{account, call, ecs, restart, tagging};

async fn refusal(account: &Account, name: &str) -> (String, String) {
    let call = ecs(account)
        .update_service()
        .cluster("web")
        .service(name)
        .force_new_deployment(true);
    let error = call.send().await.unwrap_err().into_service_error();
    (
        error.code().unwrap().to_owned(),
        error.message().unwrap_or_default().to_owned(),
    )
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_forced_is_refused_in_the_words_of_ecs() {
    let account = account();
    account.add(service("web/blue").controller(Controller::CodeDeploy));
    account.add(service("web/third").controller(Controller::External));
    account.add(service("web/going").draining());
    account.add(service("web/gone").inactive());

    let force = |name: &str| {
        format!("Cannot force a new deployment on services with a {name} deployment controller.")
    };
    let blue = format!(
        "{} Use AWS CodeDeploy to trigger a new deployment.",
        force("CODE_DEPLOY")
    );
    let not_active = (
        "ServiceNotActiveException",
        "Service was not ACTIVE.".to_owned(),
    );
    let not_found = ("ServiceNotFoundException", "Service not found.".to_owned());
    for (name, (code, message)) in [
        ("blue", ("InvalidParameterException", blue)),
        ("third", ("InvalidParameterException", force("EXTERNAL"))),
        ("going", not_active.clone()),
        ("gone", not_active),
        ("never", not_found),
    ] {
        let expected = (code.to_owned(), message);
        assert_eq!(refusal(&account, name).await, expected, "{name}");
    }
    let nowhere = ecs(&account)
        .update_service()
        .cluster("nowhere")
        .service("api")
        .force_new_deployment(true)
        .send()
        .await;
    assert_eq!(
        nowhere.unwrap_err().into_service_error().message(),
        Some("Cluster not found.")
    );
    assert!(account.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sixth_deployment_is_refused() {
    let account = account();
    account.add(service("web/api").desired(2).task_seconds(1.0, 1.0, 600.0));
    for _ in 0..4 {
        restart(&account, "web/api").await;
        account.run_for(std::time::Duration::from_secs(5)).await;
    }

    let (code, message) = refusal(&account, "api").await;

    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "InvalidParameterException",
            "5 active deployments exist, unable to create new deployment."
        )
    );
    assert_eq!(account.restarted(), ["web/api"; 4]);
}

#[tokio::test(start_paused = true)]
async fn services_are_described_ten_at_a_time_with_tags_only_on_request() {
    let account = account();
    account.add(service("web/api").watching("ssm:/app/"));
    let client = ecs(&account);

    let eleven = client
        .describe_services()
        .cluster("web")
        .set_services(Some(vec!["api".to_owned(); 11]));
    assert_eq!(
        eleven.send().await.unwrap_err().into_service_error().code(),
        Some("InvalidParameterException")
    );

    let plain = client
        .describe_services()
        .cluster("web")
        .services("api")
        .services("ghost")
        .send()
        .await
        .unwrap();
    assert!(plain.services()[0].tags().is_empty());
    assert_eq!(plain.failures()[0].reason(), Some("MISSING"));
    assert_eq!(
        plain.failures()[0].arn(),
        Some("arn:aws:ecs:eu-west-1:123456789012:service/web/ghost")
    );

    let tagged = client
        .describe_services()
        .cluster("web")
        .services("api")
        .include(ServiceField::Tags)
        .send()
        .await
        .unwrap();
    let expected = Tag::builder()
        .key("reloader:watch")
        .value("ssm:/app/")
        .build();
    assert_eq!(tagged.services()[0].tags(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn services_deployed_by_others_have_task_sets() {
    let account = account();
    account.add(service("web/blue").controller(Controller::CodeDeploy));

    let seen = ecs(&account)
        .describe_services()
        .cluster("web")
        .services("blue")
        .send()
        .await
        .unwrap();

    let service = &seen.services()[0];
    assert!(service.deployments().is_empty());
    assert_eq!(service.task_sets()[0].started_by(), Some("CODE_DEPLOY"));
    assert_eq!(
        service.deployment_controller().unwrap().r#type().as_str(),
        "CODE_DEPLOY"
    );
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages() {
    let account = account();
    for number in 0..23 {
        account.add(service(&format!("web/api-{number:02}")).desired(1));
    }

    let pages = ecs(&account)
        .list_services()
        .cluster("web")
        .into_paginator()
        .send();
    let sizes: Vec<_> = pages
        .try_collect()
        .await
        .unwrap()
        .iter()
        .map(|page| page.service_arns().len())
        .collect();

    assert_eq!(sizes, [10, 10, 3]);
}

#[tokio::test(start_paused = true)]
async fn tasks_show_their_starter_and_their_times() {
    let account = account();
    account.add(service("web/api").desired(1));
    let client = ecs(&account);
    let started = restart(&account, "web/api").await;
    account.settle().await;

    let listed = client
        .list_tasks()
        .cluster("web")
        .service_name("api")
        .send()
        .await
        .unwrap();
    let described = client
        .describe_tasks()
        .cluster("web")
        .set_tasks(listed.task_arns)
        .send()
        .await
        .unwrap();

    let task = &described.tasks()[0];
    assert_eq!(task.started_by(), started.deployments()[0].id());
    assert_eq!(task.group(), Some("service:api"));
    assert!(task.created_at().unwrap() < task.started_at().unwrap());
    assert_eq!(task.last_status(), Some("RUNNING"));
}

/// Creates the service `web/api` with a task definition and a tag, and waits until it runs.
async fn create_over_the_wire(account: &Account) {
    let client = ecs(account);
    let create = client.create_cluster().cluster_name("web");
    create.send().await.unwrap();
    let container = aws_sdk_ecs::types::ContainerDefinition::builder()
        .name("app")
        .image("app:1")
        .environment(KeyValuePair::builder().name("A").value("B").build())
        .build();
    let register = client.register_task_definition().family("api");
    register
        .container_definitions(container)
        .send()
        .await
        .unwrap();
    let tag = Tag::builder().key("reloader:watch").value("ssm:/app/");
    let create = client
        .create_service()
        .cluster("web")
        .service_name("api")
        .task_definition("api")
        .desired_count(2)
        .tags(tag.build());
    create.send().await.unwrap();
    account.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_can_be_made_over_the_wire() {
    let account = account();

    create_over_the_wire(&account).await;

    assert!(account.service("web/api").unwrap().is_steady());
    let call = ecs(&account)
        .describe_task_definition()
        .task_definition("api:1");
    let definition = call.send().await.unwrap().task_definition.unwrap();
    assert_eq!(definition.container_definitions()[0].image(), Some("app:1"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_deleted_over_the_wire_stays_in_the_tag_index() {
    let account = account();
    create_over_the_wire(&account).await;

    let call = ecs(&account).delete_service().cluster("web").service("api");
    call.force(true).send().await.unwrap();
    account.settle().await;

    assert_eq!(account.service("web/api").unwrap().status, "INACTIVE");
    let index = tagging(&account).get_resources().send().await.unwrap();
    assert_eq!(index.resource_tag_mapping_list().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_bucket_for_updates_holds_fifty_and_refills_five_a_second() {
    let account = Account::new(AccountConfig {
        rate_limits: RateLimits::Documented,
        latency: std::time::Duration::ZERO,
        ..AccountConfig::default()
    });
    account.add(service("web/api").desired(0));
    let force = || {
        call(
            &account,
            "AmazonEC2ContainerServiceV20141113.UpdateService",
            json!({ "cluster": "web", "service": "api", "desiredCount": 0 }),
        )
    };

    for _ in 0..50 {
        assert_eq!(force().await.0, 200);
    }
    let (status, body) = force().await;
    assert_eq!(
        (status, &body["__type"], &body["message"]),
        (400, &json!("ThrottlingException"), &json!("Rate exceeded"))
    );

    account.run_for(std::time::Duration::from_secs(1)).await;
    let admitted = futures_util::future::join_all((0..10).map(|_| force())).await;
    assert_eq!(
        admitted.iter().filter(|(status, _)| *status == 200).count(),
        5
    );
}

#[tokio::test(start_paused = true)]
async fn every_call_is_recorded_with_its_target_and_its_result() {
    let account = account();
    account.add(service("web/api"));

    restart(&account, "web/api").await;
    refusal(&account, "ghost").await;

    let calls = account.calls();
    assert_eq!(calls[0].action(), "ecs:UpdateService");
    assert_eq!(
        calls[0].input,
        json!({ "cluster": "web", "service": "api", "forceNewDeployment": true })
    );
    assert_eq!(
        (calls[0].target.as_str(), &calls[0].result),
        ("web/api", &CallResult::Ok)
    );
    assert_eq!(
        (calls[1].target.as_str(), &calls[1].result),
        (
            "web/ghost",
            &CallResult::Error("ServiceNotFoundException".to_owned())
        )
    );
    assert_eq!(calls[0].principal, "AKIASIMULATED");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_aws_does_not_have_is_unknown() {
    let (status, body) = call(
        &account(),
        "AmazonEC2ContainerServiceV20141113.RestartService",
        json!({}),
    )
    .await;

    assert_eq!(
        (status, &body["__type"]),
        (404, &json!("UnknownOperationException"))
    );
}

#[tokio::test(start_paused = true)]
async fn other_callers_take_their_part_of_the_buckets() {
    let account = Account::new(AccountConfig {
        rate_limits: RateLimits::Documented,
        ..AccountConfig::default()
    });
    account.add(service("web/api").desired(0));
    account.share_rate_limits(0.5);
    let mut throttled = 0;

    for _ in 0..40 {
        let (status, _) = call(
            &account,
            "AmazonEC2ContainerServiceV20141113.UpdateService",
            json!({ "cluster": "web", "service": "api" }),
        )
        .await;
        throttled += usize::from(status != 200);
    }

    // 25 at once, and one more: it takes 0.4 seconds to come, and 40 calls take less than 0.8.
    assert_eq!(throttled, 40 - 25 - 1);
}

//! Faults: the errors of the SDK, and the effects of the calls.

use std::time::Duration;

use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::update_service::UpdateServiceError;
use sim::{Account, CallResult, Fault, service};

use crate::{account, ecs};

/// One attempt, three seconds at most.
async fn force_once(account: &Account, name: &str) -> Result<(), SdkError<UpdateServiceError>> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(3))
        .build();
    let config = aws_sdk_ecs::config::Builder::from(&account.sdk_config())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let call = aws_sdk_ecs::Client::from_conf(config.build())
        .update_service()
        .cluster("web")
        .service(name)
        .force_new_deployment(true);
    call.send().await.map(|_| ())
}

fn two_services() -> Account {
    let account = account();
    account.add(service("web/api"));
    account.add(service("web/worker"));
    account
}

#[tokio::test(start_paused = true)]
async fn a_denial_names_who_what_and_on_what() {
    let account = two_services();
    account.inject(Fault::denied("ecs:UpdateService").target("web/api"));

    let error = force_once(&account, "api")
        .await
        .unwrap_err()
        .into_service_error();
    force_once(&account, "worker").await.unwrap();

    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert_eq!(
        error.message().unwrap(),
        "User: arn:aws:iam::123456789012:user/AKIASIMULATED is not authorized to perform: \
         ecs:UpdateService on resource: arn:aws:ecs:eu-west-1:123456789012:service/web/api \
         because no identity-based policy allows the ecs:UpdateService action"
    );
    assert_eq!(account.restarted(), ["web/worker"]);
}

#[tokio::test(start_paused = true)]
async fn throttles_and_server_errors_are_retried_by_the_sdk_in_simulated_time() {
    let account = two_services();
    account.inject(Fault::throttled("ecs:DescribeServices").times(1));
    account.inject(Fault::server_error("ecs:DescribeServices", 503).times(1));

    let found = ecs(&account)
        .describe_services()
        .cluster("web")
        .services("api")
        .send()
        .await
        .unwrap();

    assert_eq!(found.services().len(), 1);
    assert_eq!(account.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_reset_before_the_effect_is_a_dispatch_failure_and_nothing_happened() {
    let account = two_services();
    account.inject(Fault::reset("ecs:UpdateService").times(1));

    let error = force_once(&account, "api").await.unwrap_err();

    assert!(
        matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()),
        "{error:?}"
    );
    assert!(account.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_took_effect() {
    let account = two_services();
    account.inject(Fault::reset_after_effect("ecs:UpdateService").target("web/api"));
    account.inject(Fault::silent_after_effect("ecs:UpdateService").target("web/worker"));

    let reset = force_once(&account, "api").await.unwrap_err();
    let silent = force_once(&account, "worker").await.unwrap_err();

    assert!(matches!(reset, SdkError::DispatchFailure(_)));
    assert!(matches!(silent, SdkError::TimeoutError(_)));
    assert_eq!(account.restarted(), ["web/api", "web/worker"]);
    assert!(
        account
            .calls()
            .iter()
            .all(|call| call.result == CallResult::AnswerLost && call.took_effect())
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_error_may_hide_an_effect() {
    let account = two_services();
    account.inject(Fault::server_error_after_effect("ecs:UpdateService").times(1));

    let error = force_once(&account, "api").await.unwrap_err();

    assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    assert_eq!(account.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_comes_too_late_for_an_effect_in_time() {
    let account = two_services();
    account.inject(Fault::slow("ecs:*", Duration::from_secs(10)).times(1));

    let error = force_once(&account, "api").await.unwrap_err();

    assert!(matches!(error, SdkError::TimeoutError(_)));
    assert_eq!(account.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_does_nothing_and_ends_only_by_the_clients_time_out() {
    let account = two_services();
    account.inject(Fault::hang("*").times(1));
    let before = account.now();

    let error = force_once(&account, "api").await.unwrap_err();

    assert!(matches!(error, SdkError::TimeoutError(_)));
    assert_eq!(account.now().duration_since(before).as_secs(), 3);
    assert!(account.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_at_its_time() {
    let account = two_services();
    account.inject(
        Fault::error("ecs:UpdateService", "ClientException", "Not now.", 400)
            .until(account.now() + Duration::from_mins(1)),
    );

    let early = force_once(&account, "api")
        .await
        .unwrap_err()
        .into_service_error();
    account.run_for(Duration::from_mins(1)).await;
    force_once(&account, "api").await.unwrap();

    assert_eq!(
        (early.code(), early.message()),
        (Some("ClientException"), Some("Not now."))
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_in_a_circle_return_the_same_page_again_and_again() {
    let account = two_services();
    account.inject(Fault::tokens_in_a_circle("ecs:ListTasks"));
    account.settle().await;
    let (mut token, mut pages) = (None, Vec::new());

    for _ in 0..6 {
        let answer = ecs(&account)
            .list_tasks()
            .cluster("web")
            .service_name("api")
            .set_next_token(token)
            .send()
            .await
            .unwrap();
        token = answer.next_token.clone();
        pages.push((answer.task_arns().len(), token.clone().unwrap()));
    }

    let tasks = pages[1].0;
    assert!(tasks > 0, "{pages:?}");
    let numbers: Vec<_> = pages.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, tasks, 0, tasks, 0, tasks]);
    assert_eq!(
        (&pages[1].1, &pages[2].1),
        (&pages[3].1, &pages[4].1),
        "the fourth token was handed out before"
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_without_end_are_new_each_time() {
    let account = account();
    account.add_bucket("config");
    account.put_object("config", "a");
    account.inject(Fault::tokens_without_end("s3:ListObjectsV2"));
    let s3 = aws_sdk_s3::Client::new(&account.sdk_config());
    let (mut token, mut keys, mut tokens) = (None, 0, std::collections::BTreeSet::new());

    for _ in 0..6 {
        let answer = s3
            .list_objects_v2()
            .bucket("config")
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.is_truncated(), Some(true));
        keys += answer.contents().len();
        token = answer.next_continuation_token;
        tokens.extend(token.clone());
    }

    assert_eq!((keys, tokens.len()), (3, 6));
}

#[tokio::test(start_paused = true)]
async fn update_service_may_find_more_deployments_than_describe_services_shows() {
    let account = account();
    account.add(service("web/api"));
    account.inject(Fault::too_many_deployments().target("web/api").times(1));

    let call = ecs(&account)
        .update_service()
        .cluster("web")
        .service("api")
        .force_new_deployment(true);
    let refused = call.send().await.unwrap_err().into_service_error();

    assert!(refused.is_invalid_parameter_exception());
    assert_eq!(
        refused.meta().message(),
        Some("5 active deployments exist, unable to create new deployment.")
    );
    assert_eq!(account.service("web/api").unwrap().deployments.len(), 1);
}

//! Messages that request more than they may, and answers that cannot be read.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, service};

use crate::support::{
    BUCKET, DEAD_LETTERS, QUEUE, Scenario, TIMEOUT, api, line, many, names_of_many, text,
};

/// Long enough for held work to return, and for a redelivered message to become a dead letter.
const A_WHILE: Duration = Duration::from_hours(2);

/// Deferred work for `web/api`, as the function sends it.
fn deferred() -> Value {
    let change = json!({
        "kind": "ssm", "path": "app/db", "partition": "aws", "account": "123456789012",
        "region": "eu-west-1",
        "at": "2026-01-31T10:01:00Z", "change": "written", "event": "e",
    });
    let work = json!([{ "changes": [change], "only": ["web/api"] }]);
    json!({ "deferred": { "version": 1, "not_before": "2026-01-31T10:01:00Z", "work": work } })
}

#[tokio::test(start_paused = true)]
async fn deferred_work_is_read_from_the_functions_own_queue_and_from_nowhere_else() {
    let own = Scenario::with([api()]).await.with_queue();
    own.account.send(QUEUE, &deferred().to_string());
    own.account.run_for(A_WHILE).await;

    let direct = Scenario::with([api()]).await.with_queue();
    let refused = direct.invoke(&deferred()).await.unwrap_err().to_string();
    let record = |arn: &str, body: String| {
        json!({ "Records": [{
            "messageId": "m", "body": body, "eventSource": "aws:sqs", "eventSourceARN": arn,
        }] })
    };
    let of_another = direct
        .invoke(&record(
            "arn:aws:sqs:eu-west-1:123456789012:another",
            deferred().to_string(),
        ))
        .await
        .unwrap();
    let notification =
        json!({ "Type": "Notification", "Message": deferred().to_string() }).to_string();
    let through_sns = direct
        .invoke(&record(
            "arn:aws:sqs:eu-west-1:123456789012:changes",
            notification,
        ))
        .await
        .unwrap();

    assert_eq!(own.restarted(), ["web/api"]);
    let expected = "malformed event at deferred: expected deferred work in a message of the \
                    function's own queue alone, RELOADER_QUEUE_URL";
    assert_eq!(
        (refused.as_str(), direct.restarted()),
        (expected, Vec::new())
    );
    for answer in [of_another, through_sns] {
        assert_eq!(
            answer["batchItemFailures"],
            json!([{ "itemIdentifier": "m" }])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_queued_request_does_not_raise_the_limit_and_its_line_says_so() {
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], many(3, "ssm:/app/"))
        .await
        .with_queue();

    scenario.account.send(
        QUEUE,
        &json!({ "reload": { "changed": ["ssm:/app/db"], "max_services": 500 } }).to_string(),
    );
    scenario.account.run_for(A_WHILE).await;

    let refused = &scenario.lines("service")[0];
    let detail = "ssm:/app/db would restart 3 services; at most 2 may be; max_services=500 \
                  applies to a direct invocation, not to a message";
    assert_eq!(
        (&refused["reason"], &refused["detail"]),
        (&"blast-radius".into(), &detail.into())
    );
    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_queued_request_may_lower_the_limit() {
    let scenario = Scenario::with(many(3, "ssm:/app/")).await.with_queue();

    scenario.account.send(
        QUEUE,
        &json!({ "reload": { "changed": ["ssm:/app/db"], "max_services": 2 } }).to_string(),
    );
    scenario.account.run_for(A_WHILE).await;

    assert!(scenario.restarted().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_a_direct_request_raised_holds_for_what_it_starts_and_not_for_what_returns() {
    let variables = [
        ("RELOADER_MAX_SERVICES", "2"),
        ("RELOADER_MAX_IN_FLIGHT", "4"),
    ];
    let scenario = Scenario::set_to(variables, many(9, "ssm:/app/"))
        .await
        .with_queue();

    let answer = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "max_services": 500 }))
        .await;
    scenario.account.run_for(A_WHILE).await;

    let held = text(&line(&answer, "web/s004")["detail"]);
    assert_eq!(
        held,
        "4 rollouts of this change run at once; its retry keeps to RELOADER_MAX_SERVICES=2"
    );
    assert_eq!(scenario.restarted(), &names_of_many(9)[..4]);
    let last = scenario
        .lines("service")
        .into_iter()
        .rfind(|line| line["service"] == "web/s004")
        .unwrap();
    assert_eq!(last["reason"], "blast-radius");
}

#[tokio::test(start_paused = true)]
async fn lists_that_are_too_long_become_dead_letters_and_the_real_event_beside_them_is_done() {
    let scenario = Scenario::with([api()]).await.with_queue();
    let listed = |of: &dyn Fn(usize) -> Value| (0..1001).map(of).collect::<Value>();
    let keys =
        json!({ "reload": { "changed": listed(&|number| format!("ssm:/app/{number}").into()) } });
    let services =
        json!({ "reload": { "services": listed(&|number| format!("web/s{number}").into()) } });
    let records = json!({ "Records": listed(&|_| json!({ "eventSource": "aws:s3" })) });
    let mut resources = scenario.parameter_event("Update", "/app/x");
    resources["resources"] =
        listed(&|_| "arn:aws:ssm:eu-west-1:123456789012:parameter/app/x".into());
    let hostile = [keys, services, records, resources].map(|message| message.to_string());

    for message in &hostile {
        scenario.account.send(QUEUE, message);
    }
    scenario.change("ssm:/app/db");
    scenario.account.run_for(A_WHILE).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert_eq!(scenario.account.messages(DEAD_LETTERS), hostile);
    let errors: Vec<_> = scenario
        .lines("malformed")
        .iter()
        .take(4)
        .map(|line| text(&line["error"]).to_owned())
        .collect();
    for (error, expected) in errors.iter().zip([
        "reload.changed: expected at most 1000 entries",
        "reload.services: expected at most 1000 entries",
        "Records: expected at most 1000 records",
        "resources: expected at most 1000 entries",
    ]) {
        assert!(error.ends_with(expected), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_reported_as_such_and_not_repeated() {
    let scenario = Scenario::with([
        service("web/api").watching(&format!("s3:{BUCKET}/app/ ssm:/app/db secret:db"))
    ])
    .await;
    scenario.account.put_object(BUCKET, "app/x");
    for call in [
        "s3:ListObjectsV2",
        "ssm:DescribeParameters",
        "secretsmanager:ListSecrets",
    ] {
        scenario.account.inject(Fault::garbled(call));
    }

    let answer = scenario
        .invoke_within(TIMEOUT, &json!({ "sweep": {} }))
        .await
        .unwrap();
    let listing = Scenario::with([api()]).await;
    listing.account.inject(Fault::garbled("tag:GetResources"));
    let failed_listings = listing
        .invoke(&json!({ "reload": { "changed": ["ssm:/app/db"] } }))
        .await
        .unwrap_err();

    let named = answer["sweep_errors"].to_string();
    assert_eq!(
        named.matches("the answer could not be read").count(),
        3,
        "{answer:#}"
    );
    assert!(
        failed_listings
            .to_string()
            .ends_with("GetResources: the answer could not be read"),
        "{failed_listings}"
    );
    for log in [scenario.log_text(), listing.log_text()] {
        assert!(
            !log.contains("hunter2") && !log.contains("HTTP status 200"),
            "{log}"
        );
    }
}

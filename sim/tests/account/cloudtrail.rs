//! The events of CloudTrail from Secrets Manager, minutes later.

use std::time::Duration;

use serde_json::{Value, json};
use sim::events::ArnSpelling;
use sim::{Account, EventRule, Trail};

use crate::{account, call, events_after, secrets_manager};

fn listening() -> Account {
    let account = account();
    account.add_queue("changes", Duration::from_mins(1), 3);
    account.add_rule(EventRule::cloudtrail_secrets("changes"));
    account
}

fn names(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["detail"]["eventName"].as_str().unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_has_an_event_minutes_later_with_the_time_of_the_call() {
    let account = listening();
    let version = account.put_secret("prod/db");

    account.run_for(Duration::from_mins(2)).await;
    assert!(account.messages("changes").is_empty());

    let events = events_after(&account, Duration::from_mins(10)).await;
    let event = &events[0];
    assert_eq!(
        (&event["detail-type"], &event["source"]),
        (
            &json!("AWS API Call via CloudTrail"),
            &json!("aws.secretsmanager")
        )
    );
    assert_eq!(
        (&event["time"], &event["resources"]),
        (&json!("2026-01-31T10:00:00Z"), &json!([]))
    );
    let detail = &event["detail"];
    assert_eq!(detail["eventSource"], "secretsmanager.amazonaws.com");
    assert_eq!(detail["eventName"], "CreateSecret");
    assert_eq!(
        detail["requestParameters"],
        json!({ "name": "prod/db", "clientRequestToken": version }),
        "no value"
    );
    assert_eq!(
        detail["responseElements"],
        json!({ "arn": account.secret_arn("prod/db") })
    );
    assert_eq!(
        detail["userIdentity"]["arn"],
        "arn:aws:iam::123456789012:user/owner"
    );
}

#[tokio::test(start_paused = true)]
async fn the_arn_is_spelt_as_the_trail_spells_it() {
    let account = listening();
    for (spelling, member) in [
        (ArnSpelling::Lower, "arn"),
        (ArnSpelling::Camel, "aRN"),
        (ArnSpelling::Upper, "ARN"),
    ] {
        account.set_trail(Trail {
            arn_spelling: spelling,
            delay: Duration::ZERO,
        });

        account.put_secret("prod/db");

        let events = events_after(&account, Duration::from_mins(10)).await;
        let elements = events.last().unwrap()["detail"]["responseElements"]
            .as_object()
            .unwrap();
        assert_eq!(elements.keys().collect::<Vec<_>>(), [member]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_a_call_two_service_events_and_what_the_rotation_function_calls() {
    let account = listening();
    account.put_secret("prod/db");

    account.rotate_secret("prod/db");

    let events = events_after(&account, Duration::from_mins(10)).await;
    let expected = [
        "CreateSecret",
        "RotateSecret",
        "RotationStarted",
        "PutSecretValue",
        "UpdateSecretVersionStage",
        "RotationSucceeded",
    ];
    assert_eq!(names(&events), expected);
    let arn = account.secret_arn("prod/db").unwrap();
    assert_eq!(
        events[3]["detail"]["requestParameters"]["versionStages"],
        json!(["AWSPENDING"])
    );
    assert_eq!(
        events[3]["detail"]["requestParameters"]["secretId"],
        json!(arn)
    );
    let (kind, succeeded) = (&events[5]["detail-type"], &events[5]["detail"]);
    assert_eq!(kind, "AWS Service Event via CloudTrail");
    assert_eq!(
        (
            &succeeded["requestParameters"],
            &succeeded["additionalEventData"]
        ),
        (&Value::Null, &json!({ "SecretId": arn }))
    );
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_have_events_and_calls_that_read_have_none() {
    let account = listening();
    account.put_secret("prod/db");

    let absent = json!({ "SecretId": "prod/none", "SecretString": "x" });
    call(&account, "secretsmanager.PutSecretValue", absent).await;
    secrets_manager(&account)
        .get_secret_value()
        .secret_id("prod/db")
        .send()
        .await
        .unwrap();
    account.delete_secret("prod/db");

    let events = events_after(&account, Duration::from_mins(10)).await;
    assert_eq!(
        names(&events),
        ["CreateSecret", "PutSecretValue", "DeleteSecret"]
    );
    assert_eq!(
        events[1]["detail"]["errorCode"],
        "ResourceNotFoundException"
    );
    assert_eq!(events[1]["detail"]["responseElements"], Value::Null);
}

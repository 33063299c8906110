//! Parameters and objects, and their events.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Account, EventDelivery, EventRule, service};

use crate::{account, call, events_after, s3};

const SSM: &str = "AmazonSSM";

fn listening(buckets: &[&str]) -> Account {
    let account = account();
    account.add_queue("changes", Duration::from_mins(1), 3);
    account.add_rule(EventRule::parameters("changes"));
    account.add_rule(EventRule::objects("changes", buckets.iter().copied()));
    account
}

#[tokio::test(start_paused = true)]
async fn a_parameter_change_has_an_event_of_the_shape_of_aws() {
    let account = listening(&[]);
    let put = json!({
        "Name": "/app/db",
        "Value": "v",
        "Type": "SecureString",
        "Description": "the database",
    });

    let (_, output) = call(&account, &format!("{SSM}.PutParameter"), put).await;

    assert_eq!(output, json!({ "Version": 1, "Tier": "Standard" }));
    let mut events = events_after(&account, Duration::from_secs(10)).await;
    let id = events[0]["id"].take();
    assert_eq!(id.as_str().map(str::len), Some(36));
    assert_eq!(
        events,
        [json!({
            "version": "0",
            "id": null,
            "detail-type": "Parameter Store Change",
            "source": "aws.ssm",
            "account": "123456789012",
            "time": "2026-01-31T10:00:00Z",
            "region": "eu-west-1",
            "resources": ["arn:aws:ssm:eu-west-1:123456789012:parameter/app/db"],
            "detail": {
                "operation": "Create",
                "name": "/app/db",
                "type": "SecureString",
                "description": "the database",
            },
        })]
    );
}

#[tokio::test(start_paused = true)]
async fn each_operation_on_a_parameter_has_its_own_name() {
    let account = listening(&[]);

    account.put_parameter("/app/db");
    account.put_parameter("/app/db");
    account.label_parameter("/app/db", "live");
    account.delete_parameter("/app/db");
    account.delete_parameter("/app/db");

    let operations: Vec<_> = events_after(&account, Duration::from_secs(10))
        .await
        .iter()
        .map(|event| event["detail"]["operation"].clone())
        .collect();
    assert_eq!(
        operations,
        ["Create", "Update", "LabelParameterVersion", "Delete"]
    );
}

#[tokio::test(start_paused = true)]
async fn parameters_are_described_with_version_time_and_who_changed_them() {
    let account = account();
    for name in ["/app/a", "/app/b", "/other"] {
        account.put_parameter(name);
    }
    let overwrite = json!({ "Name": "/app/b", "Value": "w", "Overwrite": true });
    call(&account, &format!("{SSM}.PutParameter"), overwrite).await;
    let filter = json!([{ "Key": "Name", "Option": "BeginsWith", "Values": ["/app/"] }]);

    let describe = json!({ "ParameterFilters": filter, "MaxResults": 1 });
    let (_, first) = call(
        &account,
        &format!("{SSM}.DescribeParameters"),
        describe.clone(),
    )
    .await;
    let mut next = describe;
    next["NextToken"] = first["NextToken"].clone();
    let (_, last) = call(&account, &format!("{SSM}.DescribeParameters"), next).await;

    assert_eq!(
        (
            &first["Parameters"][0]["Name"],
            &first["Parameters"][0]["Version"]
        ),
        (&json!("/app/a"), &json!(1))
    );
    assert_eq!(
        (
            &last["Parameters"][0]["Name"],
            &last["Parameters"][0]["Version"]
        ),
        (&json!("/app/b"), &json!(2))
    );
    assert_eq!(
        last["Parameters"][0]["LastModifiedUser"],
        json!("arn:aws:iam::123456789012:user/anonymous")
    );
    assert_eq!(last["NextToken"], Value::Null);
    assert!(!last.to_string().contains("Value"));
}

#[tokio::test(start_paused = true)]
async fn a_read_of_a_value_works_and_is_on_record() {
    let account = account();
    account.put_parameter("/app/db");

    let (status, _) = call(
        &account,
        &format!("{SSM}.GetParameter"),
        json!({ "Name": "/app/db" }),
    )
    .await;
    let (_, absent) = call(
        &account,
        &format!("{SSM}.GetParameter"),
        json!({ "Name": "/app/none" }),
    )
    .await;

    assert_eq!(
        (status, &absent["__type"]),
        (200, &json!("ParameterNotFound"))
    );
    assert_eq!(account.calls()[0].action(), "ssm:GetParameter");
}

#[tokio::test(start_paused = true)]
async fn a_new_parameter_of_an_old_name_begins_at_version_one_and_is_still_another() {
    let account = account();
    account.add(service("web/api").desired(1).reading(["ssm:/app/db"]));

    account.delete_parameter("/app/db");
    let version = account.put_parameter("/app/db");

    assert_eq!(version, 1);
    assert_eq!(account.stale_tasks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_event_of_an_upload_has_the_raw_key() {
    let account = listening(&["settings"]);
    account.add_bucket("settings");
    account.add_bucket("elsewhere");

    let (status, _) = s3(
        &account,
        "PUT",
        "https://settings.s3.eu-west-1.amazonaws.com/app/a%20b%2Bc.yaml",
        "hello",
    )
    .await;
    s3(
        &account,
        "PUT",
        "https://elsewhere.s3.eu-west-1.amazonaws.com/app/x",
        "hello",
    )
    .await;

    assert_eq!(status, 200);
    let events = events_after(&account, Duration::from_secs(10)).await;
    assert_eq!(events.len(), 1);
    let detail = &events[0]["detail"];
    assert_eq!(events[0]["detail-type"], "Object Created");
    assert_eq!(events[0]["resources"], json!(["arn:aws:s3:::settings"]));
    assert_eq!(detail["object"]["key"], "app/a b+c.yaml");
    assert_eq!(detail["object"]["size"], 5);
    assert_eq!(detail["object"]["etag"], "5d41402abc4b2a76b9719d911017c592");
    assert!(detail["object"]["version-id"].is_string());
    assert_eq!(
        (&detail["reason"], &detail["bucket"]["name"]),
        (&json!("PutObject"), &json!("settings"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_made_over_the_wire_sends_events_only_when_configured() {
    let account = listening(&["settings"]);
    let bucket = "http://127.0.0.1:4566/settings";

    s3(&account, "PUT", bucket, "").await;
    s3(&account, "PUT", &format!("{bucket}/app/x"), "1").await;
    let configuration = "<NotificationConfiguration><EventBridgeConfiguration></\
                         EventBridgeConfiguration></NotificationConfiguration>";
    s3(
        &account,
        "PUT",
        &format!("{bucket}?notification"),
        configuration,
    )
    .await;
    s3(&account, "PUT", &format!("{bucket}/app/y"), "2").await;

    let events = events_after(&account, Duration::from_secs(10)).await;
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0]["detail"]["object"].get("version-id"),
        None,
        "not versioned"
    );
    let (_, document) = s3(&account, "GET", &format!("{bucket}?notification"), "").await;
    assert!(document.contains("<EventBridgeConfiguration/>"));
}

#[tokio::test(start_paused = true)]
async fn a_notification_goes_to_its_queue_with_an_encoded_key_after_a_test_event() {
    let account = account();
    account.add_queue("changes", Duration::from_mins(1), 3);
    account.add_bucket("settings");
    let configuration = "<NotificationConfiguration><QueueConfiguration><Id>mine</Id><Queue>arn:\
                         aws:sqs:eu-west-1:123456789012:changes</Queue><Event>s3:ObjectCreated:*</\
                         Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>app/</Value></\
                         FilterRule></S3Key></Filter></QueueConfiguration></\
                         NotificationConfiguration>";
    s3(
        &account,
        "PUT",
        "http://127.0.0.1/settings?notification",
        configuration,
    )
    .await;

    account.put_object("settings", "app/red flower+é.jpg");
    account.put_object("settings", "other/x");
    account.delete_object("settings", "app/red flower+é.jpg");

    let events = events_after(&account, Duration::from_secs(10)).await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        (&events[0]["Event"], &events[0]["Bucket"]),
        (&json!("s3:TestEvent"), &json!("settings"))
    );
    let record = &events[1]["Records"][0];
    assert_eq!(
        (&record["eventName"], &record["eventSource"]),
        (&json!("ObjectCreated:Put"), &json!("aws:s3"))
    );
    assert_eq!(record["s3"]["object"]["key"], "app/red+flower%2B%C3%A9.jpg");
    assert_eq!(record["s3"]["configurationId"], "mine");
}

#[tokio::test(start_paused = true)]
async fn buckets_are_found_by_host_also_with_dots_and_never_in_another_region() {
    let account = account();
    account.add_bucket("my.settings");

    for host in [
        "my.settings.s3.eu-west-1.amazonaws.com",
        "my.settings.s3.amazonaws.com",
        "s3.eu-west-1.amazonaws.com/my.settings",
    ] {
        assert_eq!(
            s3(&account, "PUT", &format!("https://{host}/app/x"), "1")
                .await
                .0,
            200,
            "{host}"
        );
    }
    let elsewhere = http::Request::put("https://my.settings.s3.us-east-1.amazonaws.com/app/x")
        .body(bytes::Bytes::new());
    assert!(matches!(
        account.answer(elsewhere.unwrap()).await,
        sim::Answer::Reset
    ));
    assert_eq!(account.put_object("my.settings", "app/x"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_chunked_upload_is_put_together() {
    let account = account();
    account.add_bucket("settings");
    let body =
        "3;chunk-signature=00\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    let request = http::Request::put("http://127.0.0.1/settings/app/x")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");

    let sim::Answer::Response(stored) = account
        .answer(request.body(bytes::Bytes::from(body)).unwrap())
        .await
    else {
        panic!("reset")
    };

    assert_eq!(
        stored.headers()["etag"],
        "\"5d41402abc4b2a76b9719d911017c592\"",
        "the digest of hello"
    );
}

#[tokio::test(start_paused = true)]
async fn objects_are_listed_in_pages() {
    let account = account();
    for key in ["app/a", "app/b", "other"] {
        account.put_object("settings", key);
    }

    let (_, first) = s3(
        &account,
        "GET",
        "http://127.0.0.1/settings?list-type=2&prefix=app%2F&max-keys=1",
        "",
    )
    .await;
    let (_, last) = s3(
        &account,
        "GET",
        "http://127.0.0.1/settings?list-type=2&prefix=app/&max-keys=1&continuation-token=app%2Fa",
        "",
    )
    .await;

    assert!(
        first.contains("<Key>app/a</Key>") && first.contains("<IsTruncated>true</IsTruncated>"),
        "{first}"
    );
    assert!(
        last.contains("<Key>app/b</Key>") && last.contains("<IsTruncated>false</IsTruncated>"),
        "{last}"
    );
    assert!(
        first.contains("<LastModified>2026-01-31T10:00:00.000Z</LastModified>"),
        "{first}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_found() {
    let account = account();
    account.add_bucket("settings");

    let (status, body) = s3(&account, "HEAD", "http://127.0.0.1/settings/none", "").await;
    assert_eq!((status, body.as_str()), (404, ""));
    let (status, body) = s3(&account, "PUT", "http://127.0.0.1/nowhere/x", "1").await;
    assert_eq!(status, 404);
    assert!(body.contains("<Code>NoSuchBucket</Code>"));
}

#[tokio::test(start_paused = true)]
async fn events_can_be_lost_and_doubled() {
    let account = listening(&[]);
    account.set_event_delivery(EventDelivery {
        loss: 1.0,
        ..EventDelivery::default()
    });
    account.put_parameter("/app/lost");
    account.set_event_delivery(EventDelivery {
        duplication: 1.0,
        jitter: Duration::from_secs(5),
        ..EventDelivery::default()
    });
    account.put_parameter("/app/twice");

    let names: Vec<_> = events_after(&account, Duration::from_secs(10))
        .await
        .iter()
        .map(|event| event["detail"]["name"].clone())
        .collect();

    assert_eq!(names, ["/app/twice", "/app/twice"]);
}

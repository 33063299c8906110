//! Keys that the sweep cannot compare: it names them, and compares the others.

use std::time::Duration;

use sim::{Fault, service, task_definition};

use crate::support::{
    BUCKET, DESCRIBE_TASK_DEFINITION, Scenario, change_all, long_deployed, text, texts,
};

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_compared_are_named_and_the_rest_is_swept() {
    let elsewhere = "arn:aws:ssm:us-east-1:123456789012:parameter/x";
    let services = [
        service("web/api").watching(&format!(
            "ssm:/app/db {elsewhere} appconfig:shop/production/flags"
        )),
        service("web/files").watching("s3:config/app/prod.env"),
    ];
    let scenario = Scenario::with(services).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.run_for(Duration::from_mins(5)).await;
    scenario.account.inject(Fault::denied("s3:ListObjectsV2"));

    let answer = scenario.sweep().await;

    let named = answer["sweep_errors"].to_string();
    for part in [
        elsewhere,
        "appconfig:shop/production/flags",
        "s3:config/app/prod.env",
        "AccessDenied",
    ] {
        assert!(named.contains(part), "{part}: {named}");
    }
    assert_eq!(
        (&answer["not_compared"], scenario.restarted()),
        (&3.into(), vec!["web/api".to_owned()])
    );
    assert_eq!(scenario.lines("not swept").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_task_definition_cannot_be_read_is_named_and_the_rest_is_swept() {
    let scenario = long_deployed().await;
    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    scenario
        .account
        .inject(Fault::denied(DESCRIBE_TASK_DEFINITION));

    let answer = scenario.sweep().await;

    let named = texts(&answer["sweep_errors"]);
    assert!(
        named.len() == 1 && named[0].starts_with("the references of web/auto: "),
        "{named:#?}"
    );
    assert_eq!(
        (&answer["not_compared"], scenario.restarted()),
        (
            &1.into(),
            vec![
                "web/api".to_owned(),
                "web/files".to_owned(),
                "web/shop".to_owned()
            ]
        ),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_holds_too_much_is_named() {
    let scenario = Scenario::with([service("web/files").watching("s3:config/")]).await;
    for place in 0..10_001 {
        scenario.account.put_object(BUCKET, &format!("o{place:05}"));
    }

    let answer = scenario.sweep().await;

    assert!(
        text(&answer["sweep_errors"][0]).contains("more than 10000 objects"),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_ignored_keys_cannot_be_listed_parameters_and_secrets_are_only_reported() {
    let scenario = long_deployed().await;
    change_all(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    scenario
        .account
        .inject(Fault::denied("tag:GetResources").target("ssm:parameter"));

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], scenario.restarted()),
        (&4.into(), vec!["web/files".to_owned()]),
        "{answer:#}"
    );
    assert!(
        text(&answer["sweep_errors"][0]).contains("the list of ignored keys"),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_or_an_object_that_is_not_there_is_named_once() {
    let scenario = long_deployed().await;
    let arn = scenario.account.secret_arn("prod/db").unwrap();
    scenario.account.add(
        service("web/whole").watching(&format!("{arn} secret:prod/db s3:config/app/prod.env")),
    );
    let gone = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/gone-AbCdEf";
    scenario
        .account
        .add(service("web/gone").watching(&format!("{gone} s3:config/gone secret:prod/other")));

    let answer = scenario.sweep().await;

    let named = texts(&answer["sweep_errors"]);
    let begin: Vec<_> = named
        .iter()
        .map(|what| what.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        begin,
        ["secret:prod/gone", "secret:prod/other", "s3:config/gone"],
        "{named:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_without_metadata_is_named() {
    let public = "/aws/service/ami-amazon-linux-latest/x";
    let services = [
        service("web/api").watching("ssm:/app/db ssm:/app/misspelt"),
        service("web/auto")
            .watching("auto")
            .referring(task_definition().secret("AMI", public)),
    ];
    let scenario = Scenario::with(services).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.delete_parameter(public);
    scenario.account.run_for(Duration::from_mins(5)).await;

    let answer = scenario.sweep().await;

    let named = texts(&answer["sweep_errors"]);
    assert!(
        named.len() == 2
            && named[0].starts_with("ssm:/app/misspelt: DescribeParameters does not know it"),
        "{named:#?}"
    );
    assert!(
        named[1].contains(public) && named[1].contains("public parameters"),
        "{named:#?}"
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

/// AWS refuses a filter's value of more than 1,024 characters, and with it the whole call.
#[tokio::test(start_paused = true)]
async fn a_name_that_aws_refuses_takes_no_other_along() {
    let too_long = format!("/p/{}", "x".repeat(1024));
    let mut services: Vec<_> = (0..49)
        .map(|n| service(&format!("web/s{n:02}")).watching(&format!("ssm:/p/{n}")))
        .collect();
    services.push(
        service("web/long")
            .watching("auto")
            .referring(task_definition().secret("DB", &too_long)),
    );
    let scenario = Scenario::with(services).await;
    (0..49).for_each(|n| _ = scenario.account.put_parameter(&format!("/p/{n}")));
    scenario.account.run_for(Duration::from_mins(5)).await;

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["started"]),
        (&49.into(), &49.into()),
        "{}",
        answer["sweep_errors"]
    );
    let named = answer["sweep_errors"].as_array().unwrap();
    assert!(
        named.len() == 1 && text(&named[0]).contains("ValidationException"),
        "{named:#?}"
    );
    assert!(
        (11..=13).contains(&scenario.number_of("ssm:DescribeParameters")),
        "{}",
        scenario.number_of("ssm:DescribeParameters")
    );
}

#[tokio::test(start_paused = true)]
async fn a_path_that_aws_refuses_takes_no_other_along() {
    let services =
        (0..40).map(|n| service(&format!("web/s{n:02}")).watching(&format!("ssm:/p{n}/")));
    let scenario = Scenario::with(services).await;
    (0..40).for_each(|n| _ = scenario.account.put_parameter(&format!("/p{n}/x")));
    scenario.account.run_for(Duration::from_mins(5)).await;
    scenario.account.inject(
        Fault::error(
            "ssm:DescribeParameters",
            "ValidationException",
            "Invalid filter.",
            400,
        )
        .target("/p7/"),
    );

    let answer = scenario.sweep().await;

    assert_eq!(
        (&answer["stale"], &answer["not_compared"]),
        (&39.into(), &1.into()),
        "{}",
        answer["sweep_errors"]
    );
    assert!(
        text(&answer["sweep_errors"][0]).starts_with("ssm:/p7/: DescribeParameters"),
        "{}",
        answer["sweep_errors"]
    );
}

/// Calls that are always refused must not be repeated until the account's bucket is empty.
#[tokio::test(start_paused = true)]
async fn calls_that_are_all_refused_have_an_end() {
    let services =
        (0..200).map(|n| service(&format!("web/s{n:03}")).watching(&format!("ssm:/p/{n}")));
    let scenario = Scenario::with(services).await;
    scenario.account.inject(Fault::error(
        "ssm:DescribeParameters",
        "ValidationException",
        "No.",
        400,
    ));

    let answer = scenario.sweep().await;

    assert_eq!(
        (
            &answer["not_compared"],
            scenario.number_of("ssm:DescribeParameters")
        ),
        (&200.into(), 4 + 2 * 24)
    );
}

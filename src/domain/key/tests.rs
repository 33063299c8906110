use super::*;

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

#[test]
fn a_leading_slash_makes_no_other_parameter() {
    assert_eq!(
        Key::parameter(home(), "/app/db"),
        Key::parameter(home(), "app/db")
    );
}

#[test]
fn another_account_or_region_makes_another_parameter() {
    let here = Key::parameter(home(), "/app/db");

    assert_ne!(
        here,
        Key::parameter(
            AccountRegion::of_region("210987654321", "eu-west-1"),
            "/app/db"
        )
    );
    assert_ne!(
        here,
        Key::parameter(
            AccountRegion::of_region("123456789012", "eu-west-2"),
            "/app/db"
        )
    );
}

#[test]
fn the_end_of_an_arn_makes_no_other_secret_and_a_label_does() {
    let secret = Key::secret(home(), "prod/db");

    assert_eq!(secret, secret.clone().with_suffix(Some("AbCdEf")));
    assert_eq!(secret, secret.clone().at_stage("AWSCURRENT"));
    assert_eq!(
        secret,
        secret.clone().at_stage("AWSPREVIOUS"),
        "it moves with the current version"
    );
    assert_ne!(secret, secret.clone().at_stage("CANARY"));
    assert_eq!(secret.clone().with_suffix(Some("-AbCdEf")).suffix(), None);
}

#[test]
fn a_key_is_shown_as_the_term_that_watches_it() {
    assert_eq!(
        Key::parameter(home(), "MyParameter").to_string(),
        "ssm:/MyParameter"
    );
    assert_eq!(
        Key::object("aws", "bucket", "app/prod.yaml").to_string(),
        "s3:bucket/app/prod.yaml"
    );
    assert_eq!(
        Key::secret(home(), "prod/db")
            .at_stage("CANARY")
            .to_string(),
        "secret:prod/db at stage CANARY"
    );
}

#[test]
fn from_another_region_a_key_is_shown_as_its_arn() {
    let elsewhere = AccountRegion::of_region("123456789012", "us-east-1");

    assert_eq!(
        Key::parameter(home(), "/app/db").seen_from(&elsewhere),
        "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db"
    );
    assert_eq!(
        Key::object("aws", "bucket", "key").seen_from(&elsewhere),
        "s3:bucket/key"
    );
}

#[test]
fn a_thing_is_the_same_at_all_its_stages_and_comes_before_them() {
    let current = Key::secret(home(), "prod/db");
    let canary = current.clone().at_stage("CANARY");

    assert_eq!(
        [current.thing(), canary.thing()],
        [current.clone(), current.clone()]
    );
    assert!(current < canary);
}

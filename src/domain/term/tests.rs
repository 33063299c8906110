use super::*;

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

fn matches(term: &str, key: &Key) -> bool {
    Term::parse(term).unwrap().matches(key, &home())
}

fn parameter(name: &str) -> Key {
    Key::parameter(home(), name)
}

#[test]
fn a_term_names_one_parameter_in_every_spelling() {
    for term in [
        "ssm:/app/db",
        "ssm:app/db",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db",
    ] {
        assert!(matches(term, &parameter("/app/db")), "{term}");
        assert!(!matches(term, &parameter("/app/db-url")), "{term}");
        assert!(!matches(term, &parameter("/app/db/url")), "{term}");
    }
}

#[test]
fn a_prefix_names_whole_segments_only() {
    assert!(matches("ssm:/app/", &parameter("/app/x")));
    assert!(matches("ssm:/app/", &parameter("/app/x/y")));
    assert!(!matches("ssm:/app/", &parameter("/app2/x")));
    assert!(!matches("ssm:/app/", &parameter("/app")));
    assert!(matches("ssm:/", &parameter("anything")));
}

#[test]
fn a_bare_term_means_the_services_own_account_and_region() {
    let elsewhere = Key::parameter(
        AccountRegion::of_region("123456789012", "us-east-1"),
        "/app/db",
    );

    assert!(!matches("ssm:/app/db", &elsewhere));
    assert!(matches(
        "arn:aws:ssm:us-east-1:123456789012:parameter/app/db",
        &elsewhere
    ));
}

#[test]
fn an_object_lives_in_its_partition_alone() {
    let object = Key::object("aws", "bucket", "app/prod.yaml");

    for term in [
        "s3:bucket/app/prod.yaml",
        "s3:bucket/app/",
        "s3:bucket/",
        "arn:aws:s3:::bucket/app/",
    ] {
        assert!(matches(term, &object), "{term}");
    }
    assert!(!matches("s3:bucket2/", &object));
    assert!(!matches("arn:aws-cn:s3:::bucket/", &object));
}

#[test]
fn text_that_is_no_term_says_what_was_expected() {
    for (text, expected) in [
        ("app/db", "auto, ssm:"),
        ("smm:/app", "auto, ssm:"),
        ("ssm:", "a parameter's name after ssm:"),
        ("ssm://app", "one leading slash"),
        ("ssm:/app//db", "one slash between its segments"),
        ("ssm:/app//", "one slash between its segments"),
        (
            "arn:aws:ssm:eu-west-1:123456789012:parameter//app/db",
            "one leading slash",
        ),
        (
            "arn:aws:ssm:eu-west-1:123456789012:parameter/app//db",
            "one slash between its segments",
        ),
        ("ssm:/app/db:3", "a version or label cannot be watched"),
        ("s3:bucket", "for the whole bucket"),
        ("s3:/key", "s3:bucket/key"),
        ("secret:", "a secret's name"),
        ("secret:prod/db:CANARY", "no colon"),
        ("ssm:/aws/", "a parameter of your own"),
        ("ssm:/aws/reference/secretsmanager/", "a secret's name"),
        ("ssm:/aws/reference/secretsmanager/db:", "a staging label"),
        (
            "ssm:/aws/reference/secretsmanager/db:a:b",
            "a staging label",
        ),
        (
            "ssm:/aws/reference/secretsmanager/db:a1b2c3d4-5678-90ab-cdef-000000000001",
            "without a version-id",
        ),
        ("appconfig:a/b", "application/environment/profile"),
        (
            "arn:aws:sns:eu-west-1:123456789012:topic",
            "the ARN of a parameter",
        ),
        ("arn:aws:ssm:::parameter/app", "account and Region"),
        ("arn:aws", "a complete ARN"),
    ] {
        let mistake = Term::parse(text).unwrap_err();
        assert!(mistake.contains(expected), "{text}: {mistake}");
    }
}

/// A secret's name may begin with a slash: then two slashes before it are correct.
#[test]
fn a_parameter_that_hands_out_a_secret_is_that_secret() {
    let secret = |name: &str| Key::secret(home(), name);
    let arn = |name: &str| {
        format!("arn:aws:ssm:eu-west-1:123456789012:parameter/aws/reference/secretsmanager/{name}")
    };
    for (name, expected) in [
        ("prod/db", secret("prod/db")),
        ("/prod/db", secret("/prod/db")),
        ("prod/db-backup", secret("prod/db-backup")),
        ("prod/db:CANARY", secret("prod/db").at_stage("CANARY")),
        ("prod/db:AWSCURRENT", secret("prod/db")),
        ("prod/db:AWSPREVIOUS", secret("prod/db")),
    ] {
        for term in [
            format!("ssm:/aws/reference/secretsmanager/{name}"),
            format!("ssm:aws/reference/secretsmanager/{name}"),
            arn(name),
        ] {
            let keys: Vec<_> = Term::parse(&term).unwrap().keys(&home()).collect();
            assert_eq!(keys, std::slice::from_ref(&expected), "{term}");
            assert!(matches(&term, &expected), "{term}");
        }
    }
    assert!(matches(
        "ssm:/aws/reference/secretsmanager/prod/",
        &secret("prod/db")
    ));
    assert!(!matches(
        "ssm:/aws/reference/secretsmanager/prod/",
        &secret("production")
    ));
    assert!(!matches(
        "ssm:/aws/reference/secretsmanager/prod/db",
        &secret("prod/db").at_stage("CANARY")
    ));
}

#[test]
fn only_a_term_without_trailing_slash_names_one_key() {
    assert_eq!(
        Term::parse("ssm:/app/db").unwrap().key(&home()),
        Some(parameter("app/db"))
    );
    assert_eq!(Term::parse("ssm:/app/").unwrap().key(&home()), None);
}

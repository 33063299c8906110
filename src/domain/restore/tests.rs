//! The command for each kind of key, and the keys that get none.

use super::*;
use crate::domain::key::Key;

fn home() -> AccountRegion {
    AccountRegion::of_region("123456789012", "eu-west-1")
}

fn change(key: Key, version: Option<&str>, previous: Option<&str>) -> Change {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let at = "2026-01-31T10:00:00Z".parse().unwrap();
    Change {
        version: text(version),
        previous: text(previous),
        ..Change::new(key, at, ChangeKind::Written, "event")
    }
}

fn parameter(name: &str) -> Key {
    Key::parameter(home(), name)
}

fn object(key: &str) -> Key {
    Key::object("aws", "bucket", key)
}

fn command_of(key: Key, version: &str, previous: &str) -> String {
    Restore::of(&change(key, Some(version), Some(previous)))
        .command
        .unwrap()
}

#[test]
fn each_kind_of_key_has_its_command() {
    let table = [
        (
            command_of(parameter("/app/db"), "3", "2"),
            "aws ssm put-parameter --region eu-west-1 --overwrite --cli-input-json \"$(aws ssm \
             get-parameter-history --region eu-west-1 --name /app/db --with-decryption --query \
             'Parameters[?Version==`2`]|[0].merge({Name:Name,Value:Value,Type:Type,Tier:Tier},\
             KeyId&&{KeyId:KeyId}||`{}`)' --output json)\"",
        ),
        (
            command_of(Key::secret(home(), "prod/db"), "new-id", "old-id"),
            "aws secretsmanager update-secret-version-stage --region eu-west-1 --secret-id \
             prod/db --version-stage AWSCURRENT --move-to-version-id old-id \
             --remove-from-version-id new-id",
        ),
        (
            command_of(object("app/prod.yaml"), "v2", "v1"),
            "aws s3api copy-object --bucket bucket --key app/prod.yaml --copy-source \
             'bucket/app/prod.yaml?versionId=v1'",
        ),
    ];

    for (printed, expected) in table {
        assert_eq!(printed, expected);
    }
}

#[test]
fn a_parameter_without_a_path_has_no_slash_before_its_name() {
    assert!(command_of(parameter("db"), "3", "2").contains(" --name db "));
}

#[test]
fn the_version_before_a_parameters_is_one_less_if_nobody_named_it() {
    let second = Restore::of(&change(parameter("/app/db"), Some("2"), None));
    let first = Restore::of(&change(parameter("/app/db"), Some("1"), None));

    assert_eq!(second.previous.as_deref(), Some("1"));
    assert!(second.command.is_ok());
    assert_eq!(first.previous, None);
    assert_eq!(first.command, Err(NoCommand::FirstVersion));
}

#[test]
fn every_word_is_quoted_for_the_shell() {
    let table = [
        ("plain/key-1.env", "plain/key-1.env"),
        ("two words", "'two words'"),
        ("$(reboot)", "'$(reboot)'"),
        ("`reboot`; reboot", "'`reboot`; reboot'"),
        ("it's", r"'it'\''s'"),
        ("a=b", "'a=b'"),
        ("~root", "'~root'"),
        ("", "''"),
        ("Größe", "'Größe'"),
    ];

    for (text, quoted) in table {
        assert_eq!(word(text), quoted);
    }
    let key = "it's $(reboot)";
    let printed = command_of(object(key), "v2", "v1");
    let expected = "aws s3api copy-object --bucket bucket --key 'it'\\''s $(reboot)' \
                    --copy-source 'bucket/it%27s%20%24%28reboot%29?versionId=v1'";
    assert_eq!(printed, expected);
}

#[test]
fn a_key_that_begins_with_a_hyphen_is_no_option() {
    let printed = command_of(object("--recursive"), "v2", "v1");

    assert!(printed.contains(" --key=--recursive "), "{printed}");
}

#[test]
fn a_key_that_cannot_be_pasted_has_no_command() {
    let both = object("a+b").with_alternative(&object("a b"));
    let table = [
        ("a line feed", object("a\nreboot"), "old"),
        ("an escape", object("a\u{1b}[2Jb"), "old"),
        ("a bidi override", object("a\u{202e}b"), "old"),
        ("a file", object("file:///etc/passwd"), "old"),
        ("two keys may be meant", both, "old"),
        ("a version with a line feed", object("a"), "old\nreboot"),
    ];

    for (situation, key, previous) in table {
        let restore = Restore::of(&change(key, Some("new"), Some(previous)));
        assert_eq!(restore.command, Err(NoCommand::UnsafeKey), "{situation}");
    }
}

#[test]
fn a_change_whose_version_before_is_not_known_has_no_command() {
    use NoCommand::{NeedsDeployment, OwnStage, UnknownCurrent, UnknownVersion};
    let secret = || Key::secret(home(), "prod/db");
    let profile = Key::profile(home(), "a", "e", "p");
    let number = (Some("3"), Some("2`) | reboot"));
    let ids = (Some("new"), Some("old"));
    let table = [
        (object("a"), (None, None), UnknownVersion),
        (parameter("/app/db"), (None, None), UnknownVersion),
        (parameter("/app/db"), number, UnknownVersion),
        (secret(), (None, Some("old")), UnknownCurrent),
        (secret().at_stage("BLUE"), ids, OwnStage),
        (profile, ids, NeedsDeployment),
    ];

    for (key, (version, previous), reason) in table {
        let situation = format!("{key}: {previous:?}");
        let restore = Restore::of(&change(key, version, previous));
        assert_eq!(restore.command, Err(reason), "{situation}");
    }
}

#[test]
fn a_key_of_another_region_is_restored_there() {
    let elsewhere = AccountRegion::of_region("123456789012", "us-east-1");

    let printed = command_of(Key::secret(elsewhere, "prod/db"), "new", "old");

    assert!(printed.contains(" --region us-east-1 "), "{printed}");
}

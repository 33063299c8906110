//! References to secrets: by stage, by version, and by the name of a parameter.

use std::time::Duration;

use sim::{service, task_definition};

use crate::support::{Scenario, auto, text, with_secret};

/// A secret with a label of the owner's own.
struct Canary {
    scenario: Scenario,
    /// Its ARN.
    secret: String,
    /// The version that has the label `CANARY`.
    version: String,
}

async fn with_canary() -> Canary {
    let (scenario, secret) = with_secret().await;
    let version = scenario.account.put_secret("prod/db");
    scenario.account.move_stage("prod/db", "CANARY", &version);
    scenario.account.settle().await;
    Canary {
        scenario,
        secret,
        version,
    }
}

/// Secrets Manager sends no event when it moves AWSPREVIOUS, which it does whenever AWSCURRENT
/// moves.
#[tokio::test(start_paused = true)]
async fn a_reader_of_the_previous_version_is_restarted_when_the_current_one_changes() {
    let (scenario, secret) = with_secret().await;
    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let of_parameter = "/aws/reference/secretsmanager/prod/db:AWSPREVIOUS";
    scenario.account.add(auto(
        "web/previous",
        task_definition().secret("OLD", &format!("{secret}::AWSPREVIOUS:")),
    ));
    scenario.account.add(auto(
        "web/by-parameter",
        task_definition().secret("OLD", of_parameter),
    ));
    scenario.account.run_for(Duration::from_mins(1)).await;
    let read = scenario.service("web/previous").tasks[0].read.clone();
    assert!(
        read.contains_key("secret:prod/db::AWSPREVIOUS:"),
        "{read:?}"
    );

    scenario.account.put_secret("prod/db");

    assert!(!scenario.account.stale_tasks().is_empty());
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/by-parameter", "web/previous"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_a_parameters_name_hands_out_is_followed_excluded_and_pinned_as_that_secret()
{
    let Canary {
        scenario, version, ..
    } = with_canary().await;
    let by_name = |end: &str| {
        task_definition().secret("DB", &format!("/aws/reference/secretsmanager/prod/db{end}"))
    };
    scenario.account.add(auto("web/canary", by_name(":CANARY")));
    scenario
        .account
        .add(auto("web/pinned", by_name(&format!(":{version}"))));
    scenario.account.add(
        service("web/excluded")
            .watching("auto -ssm:/aws/reference/secretsmanager/prod/")
            .referring(by_name("")),
    );
    scenario
        .account
        .add(service("web/term").watching("ssm:/aws/reference/secretsmanager/prod/db"));
    scenario
        .account
        .add(service("web/prefix").watching("ssm:/aws/reference/secretsmanager/prod/"));
    scenario.account.run_for(Duration::from_mins(1)).await;

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    assert_eq!(scenario.restarted(), ["web/prefix", "web/term"]);
    let lines = scenario.lines("service");
    let reason_of = |name: &str| {
        lines
            .iter()
            .find(|line| line["service"] == name)
            .map(|line| line["reason"].clone())
    };
    assert_eq!(
        (reason_of("web/pinned"), reason_of("web/excluded")),
        (Some("pinned".into()), Some("excluded".into()))
    );
    assert_eq!(reason_of("web/canary"), None);
    let stale: Vec<_> = scenario
        .account
        .stale_tasks()
        .into_iter()
        .map(|task| task.service)
        .collect();
    assert!(
        stale.iter().all(|service| service == "web/excluded") && !stale.is_empty(),
        "{stale:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_pinned_by_its_id_never_changes() {
    let (scenario, secret) = with_secret().await;
    let version = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    scenario.account.add(auto(
        "web/pinned",
        task_definition().secret("DB", &format!("{secret}:::{version}")),
    ));
    scenario.account.run_for(Duration::from_mins(1)).await;

    scenario.account.put_secret("prod/db");
    scenario.account.settle().await;

    assert!(scenario.restarted().is_empty());
    assert_eq!(scenario.lines("service")[0]["reason"], "pinned");
}

#[tokio::test(start_paused = true)]
async fn a_label_of_the_owners_own_restarts_only_those_that_refer_to_it() {
    let Canary {
        scenario, secret, ..
    } = with_canary().await;
    scenario.account.add(auto(
        "web/canary",
        task_definition().secret("DB", &format!("{secret}::CANARY:")),
    ));
    scenario
        .account
        .add(auto("web/current", task_definition().secret("DB", &secret)));
    scenario
        .account
        .add(service("web/named").watching("secret:prod/db"));
    scenario.account.run_for(Duration::from_mins(1)).await;

    let newest = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let by_current = scenario.restarted();
    scenario.account.move_stage("prod/db", "CANARY", &newest);
    scenario.account.settle().await;

    assert_eq!(by_current, ["web/current", "web/named"]);
    assert_eq!(scenario.account.restarted()[2..], ["web/canary"]);
}

#[tokio::test(start_paused = true)]
async fn an_exclusion_and_a_deletion_hold_for_every_stage_of_a_secret() {
    let Canary {
        scenario,
        secret,
        version,
    } = with_canary().await;
    let canary = || task_definition().secret("DB", &format!("{secret}::CANARY:"));
    scenario.account.add(
        service("web/excluded")
            .watching("auto -secret:prod/db")
            .referring(canary()),
    );
    scenario.account.add(auto("web/canary", canary()));
    scenario.account.add(auto(
        "web/pinned",
        task_definition().secret("DB", &format!("{secret}:::{version}")),
    ));
    scenario.account.run_for(Duration::from_mins(1)).await;

    let newest = scenario.account.put_secret("prod/db");
    scenario.account.move_stage("prod/db", "CANARY", &newest);
    scenario.account.settle().await;
    let restarted = scenario.restarted();
    scenario.account.delete_secret("prod/db");
    scenario.account.settle().await;

    assert_eq!(restarted, ["web/canary"]);
    let lines = scenario.lines("service");
    let mut warned: Vec<_> = lines
        .iter()
        .filter(|line| line["reason"] == "deleted")
        .map(|line| text(&line["service"]))
        .collect();
    warned.sort_unstable();
    assert_eq!(warned, ["web/canary", "web/pinned"]);
}

//! Listings that never end: page tokens in a circle, as `GetResources` has handed them out, and
//! tokens that are new for ever.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Service, service, task_definition};

use crate::support::{BUCKET, Scenario, TIMEOUT, line, reason};

const SERVICES: &str = "ecs:service";
const IGNORED: &str = "ssm:parameter";

/// An empty page, the page, an empty page, and the same page with a token that was handed out
/// before.
const CALLS: usize = 4;

fn api() -> Service {
    service("web/api").watching("ssm:/app/")
}

fn in_a_circle(scenario: &Scenario, action: &str, target: &str) {
    scenario
        .account
        .inject(Fault::tokens_in_a_circle(action).target(target));
}

/// How often the function made this call about this.
fn number_about(scenario: &Scenario, action: &str, target: &str) -> usize {
    let is_it = |call: &sim::Call| {
        call.action() == action && call.target.split(',').any(|one| one == target)
    };
    scenario
        .account
        .calls()
        .iter()
        .filter(|call| is_it(call))
        .count()
}

fn is_said(text: &Value) -> bool {
    text.to_string().contains("page token for the second time")
}

#[tokio::test(start_paused = true)]
async fn services_listed_in_a_circle_are_restarted_and_count_once() {
    let two = [api(), service("web/worker").watching("ssm:/app/")];
    let scenario = Scenario::set_to([("RELOADER_MAX_SERVICES", "2")], two).await;
    in_a_circle(&scenario, "tag:GetResources", SERVICES);

    let answer = scenario.changed("ssm:/app/db").await;

    assert_eq!(
        scenario.restarted(),
        ["web/api", "web/worker"],
        "{answer:#}"
    );
    assert_eq!(
        (
            &answer["watching"],
            number_about(&scenario, "tag:GetResources", SERVICES)
        ),
        (&2.into(), CALLS)
    );
    assert!(is_said(&answer["incomplete"]), "{answer:#}");
    let (summary, told) = (
        &scenario.lines("summary")[0],
        &scenario.lines("incomplete")[0],
    );
    assert_eq!(
        (
            &summary["level"],
            &summary["incomplete_listings"],
            &told["level"]
        ),
        (&"WARN".into(), &1.into(), &"WARN".into())
    );
    assert!(is_said(&told["what"]), "{told:#}");
    assert_eq!(scenario.metric("ListingsIncomplete"), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_circle_that_lasts_keeps_nobody_waiting_behind_a_queue() {
    let scenario = Scenario::with([api()]).await.with_queue();
    in_a_circle(&scenario, "tag:GetResources", SERVICES);

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_mins(1)).await;

    assert_eq!(scenario.restarted(), ["web/api"]);
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn services_listed_without_end_are_an_error_at_half_the_time_and_go_on_later() {
    let scenario = Scenario::with([api()]).await.with_queue();
    let lasts = Duration::from_mins(5);
    scenario.account.inject(
        Fault::tokens_without_end("tag:GetResources").until(scenario.account.now() + lasts),
    );

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(70)).await;

    // The pace of one of two processes: six at once, then six a second.
    let calls = number_about(&scenario, "tag:GetResources", SERVICES);
    assert!(calls <= 6 + 6 * 58, "{calls}");
    let summary = &scenario.lines("summary")[0];
    assert!(
        summary["error"]
            .as_str()
            .unwrap()
            .starts_with("cannot list the services that watch"),
        "{summary:#}"
    );
    let took = Duration::from_millis(summary["elapsed_ms"].as_u64().unwrap());
    assert!(
        (Duration::from_secs(50)..TIMEOUT / 2).contains(&took),
        "{took:?}"
    );
    assert_eq!(
        summary["deferred_sent"], 1,
        "there was time to send on what was told"
    );
    assert!(scenario.is_all_fresh().await);
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn ignored_keys_listed_in_a_circle_are_ignored() {
    let scenario = Scenario::with([
        service("web/api").watching("ssm:/app/db"),
        service("web/worker").watching("ssm:/app/url"),
    ])
    .await;
    scenario.account.put_parameter("/app/db");
    scenario
        .account
        .tag_parameter("/app/db", "reloader:ignore", "true");
    scenario.account.run_for(Duration::from_mins(1)).await;
    in_a_circle(&scenario, "tag:GetResources", IGNORED);

    let ignored = scenario.changed("ssm:/app/db").await;
    let other = scenario.changed("ssm:/app/url").await;

    assert_eq!(
        (reason(&ignored), scenario.restarted()),
        ("ignored-key".to_owned(), vec!["web/worker".to_owned()]),
        "{ignored:#}"
    );
    assert_eq!(ignored["lookups_failed"], 0);
    assert!(
        is_said(&line(&other, "web/worker")["changes"][0]["note"]),
        "{other:#}"
    );
    assert_eq!(
        number_about(&scenario, "tag:GetResources", IGNORED),
        CALLS,
        "the list is kept for a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn parameters_described_in_a_circle_are_described() {
    let scenario = Scenario::with([api()]).await;
    scenario
        .account
        .inject(Fault::tokens_in_a_circle("ssm:DescribeParameters"));

    let answer = scenario.changed("ssm:/app/db").await;

    let change = &line(&answer, "web/api")["changes"][0];
    assert_eq!(
        (
            &change["version"],
            &change["note"],
            scenario.number_of("ssm:DescribeParameters")
        ),
        (&"1".into(), &Value::Null, CALLS)
    );
    assert_eq!(scenario.restarted(), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_before_listed_in_a_circle_is_found() {
    let scenario = Scenario::with([service("web/shop").watching("secret:prod/db")]).await;
    let before = scenario.account.put_secret("prod/db");
    scenario.account.settle().await;
    let scenario = scenario.with_queue();
    scenario.account.inject(Fault::tokens_in_a_circle(
        "secretsmanager:ListSecretVersionIds",
    ));

    scenario.account.put_secret("prod/db");
    scenario.account.run_for(Duration::from_secs(30)).await;

    let change = &scenario.lines("service")[0]["changes"][0];
    assert_eq!(
        (&change["previous"], &change["note"]),
        (&json!(before), &Value::Null),
        "{change:#}"
    );
    assert_eq!(
        scenario.number_of("secretsmanager:ListSecretVersionIds"),
        CALLS
    );
    assert!(scenario.is_all_fresh().await);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_ends_in_a_circle_blocks_no_restart() {
    let scenario = Scenario::with([api()]).await;
    scenario
        .account
        .inject(Fault::tokens_in_a_circle("ecs:ListServiceDeployments"));

    let answer = scenario.changed_a_while_ago("ssm:/app/db").await;

    assert_eq!(scenario.restarted(), ["web/api"], "{answer:#}");
    assert!(is_said(&line(&answer, "web/api")["detail"]), "{answer:#}");
    assert_eq!(scenario.number_of("ecs:ListServiceDeployments"), CALLS);
}

#[tokio::test(start_paused = true)]
async fn what_a_history_that_ends_in_a_circle_told_holds() {
    let bad = api()
        .circuit_breaker(true)
        .failing_when_reading("ssm:/app/db", 1);
    let scenario = Scenario::with([bad]).await;
    let written = scenario.account.now();
    scenario.changed("ssm:/app/db").await;
    scenario.account.run_for(Duration::from_hours(1)).await;
    scenario
        .account
        .inject(Fault::tokens_in_a_circle("ecs:ListServiceDeployments"));

    let answer = scenario
        .reload(json!({ "changed": ["ssm:/app/db"], "at": written }))
        .await;

    assert_eq!(
        (reason(&answer), scenario.restarted()),
        ("failed-already".to_owned(), vec!["web/api".to_owned()]),
        "{answer:#}"
    );
}

/// A service for each kind of listing that the sweep makes, all of them stale.
async fn stale() -> Scenario {
    let scenario = Scenario::with([]).await;
    let write = |account: &sim::Account| {
        account.put_parameter("/app/db");
        account.put_parameter("/own/url");
        account.put_object(BUCKET, "app/prod.env");
        account.put_object(BUCKET, "one.env");
        account.put_secret("prod/db");
    };
    write(&scenario.account);
    scenario.account.run_for(Duration::from_hours(2)).await;
    let below = [
        api(),
        service("web/files").watching("s3:config/app/"),
        service("web/shop").watching("secret:prod/"),
    ];
    let named = [
        service("web/auto")
            .watching("auto")
            .referring(task_definition().secret("DB", "/own/url")),
        service("web/file").watching("s3:config/one.env"),
    ];
    below
        .into_iter()
        .chain(named)
        .for_each(|service| scenario.account.add(service));
    scenario.account.run_for(Duration::from_hours(1)).await;
    write(&scenario.account);
    scenario.account.run_for(Duration::from_mins(30)).await;
    scenario
}

const ALL: [&str; 5] = ["web/api", "web/auto", "web/file", "web/files", "web/shop"];

#[tokio::test(start_paused = true)]
async fn a_sweep_works_with_what_it_read_of_a_listing_in_a_circle_and_says_so() {
    // How many listings of a kind a sweep makes, and what a circle adds to it.
    for (action, target, calls, said) in [
        (
            "tag:GetResources",
            Some(SERVICES),
            CALLS,
            Some("the services that watch"),
        ),
        (
            "tag:GetResources",
            Some(IGNORED),
            CALLS,
            Some("which keys are ignored"),
        ),
        ("ssm:DescribeParameters", None, 2 * CALLS, Some("ssm:/app/")),
        (
            "secretsmanager:ListSecrets",
            None,
            CALLS,
            Some("all secrets"),
        ),
        ("secretsmanager:ListSecretVersionIds", None, CALLS, None),
        // The object that is named is on the second page.
        ("s3:ListObjectsV2", None, CALLS + 2, Some("s3:config/app/")),
        (
            "ecs:ListTasks",
            Some("web/api"),
            CALLS,
            Some("the tasks of web/api"),
        ),
        ("ecs:ListServiceDeployments", None, 5 * CALLS, None),
    ] {
        let scenario = stale().await;
        let fault = Fault::tokens_in_a_circle(action);
        scenario
            .account
            .inject(target.into_iter().fold(fault, Fault::target));

        let answer = scenario.invoke(&json!({ "sweep": {} })).await.unwrap();

        assert_eq!(
            (scenario.restarted(), &answer["stale"]),
            (ALL.map(str::to_owned).to_vec(), &5.into()),
            "{action}: {answer:#}"
        );
        let made = target.map_or_else(
            || scenario.number_of(action),
            |target| number_about(&scenario, action, target),
        );
        assert_eq!(made, calls, "{action}");
        let not_swept: Vec<_> = answer["sweep_errors"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(
            not_swept.len(),
            usize::from(said.is_some()),
            "{action}: {not_swept:#?}"
        );
        if let Some(said) = said {
            assert!(
                is_said(not_swept[0]) && not_swept[0].as_str().unwrap().starts_with(said),
                "{action}: {not_swept:#?}"
            );
        }
        assert_eq!(
            answer["keys_swept"], 5,
            "{action}: what is listed twice counts once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_end_leaves_a_sweep_the_time_to_restart_the_others() {
    for (action, target, missed) in [
        (
            "tag:GetResources",
            Some(IGNORED),
            vec!["web/api", "web/auto", "web/shop"],
        ),
        // What was read before the time was over is worked with.
        ("ssm:DescribeParameters", None, vec![]),
        ("secretsmanager:ListSecrets", None, vec!["web/shop"]),
        (
            "secretsmanager:ListSecretVersionIds",
            None,
            vec!["web/shop"],
        ),
        ("s3:ListObjectsV2", None, vec![]),
        ("ecs:ListTasks", Some("web/api"), vec!["web/api"]),
        ("ecs:ListServiceDeployments", None, vec![]),
    ] {
        let scenario = stale().await;
        let fault = Fault::tokens_without_end(action);
        scenario
            .account
            .inject(target.into_iter().fold(fault, Fault::target));

        let answer = scenario.invoke(&json!({ "sweep": {} })).await.unwrap();

        let others: Vec<_> = ALL
            .into_iter()
            .filter(|name| !missed.contains(name))
            .collect();
        assert_eq!(scenario.restarted(), others, "{action}: {answer:#}");
        assert!(
            Duration::from_millis(answer["elapsed_ms"].as_u64().unwrap()) < TIMEOUT,
            "{action}"
        );
        let said = answer["sweep_errors"].as_array().map_or(0, Vec::len);
        assert!(missed.is_empty() || said > 0, "{action}: {answer:#}");
    }
}

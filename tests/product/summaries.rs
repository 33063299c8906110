//! The deployment event summary: one for each rollout, when it ends.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Service, service};

use crate::support::{A_MINUTE, AN_HOUR, BUCKET, QUEUE, Scenario, api, text};

/// The summaries of ended rollouts, oldest first.
fn summaries(scenario: &Scenario) -> Vec<Value> {
    let lines = scenario.lines("service").into_iter();
    lines
        .map(|mut line| line["rollout"].take())
        .filter(|rollout| !rollout.is_null())
        .collect()
}

fn only_summary(scenario: &Scenario) -> Value {
    let mut summaries = summaries(scenario);
    assert_eq!(summaries.len(), 1, "{summaries:#?}");
    summaries.remove(0)
}

/// The first version of everything is an hour old; then this service is added, which does not start
/// with the second version of `thing`.
async fn scenario_of(thing: &str, bad: Service) -> Scenario {
    let scenario = Scenario::with([]).await.with_queue();
    scenario.change(thing);
    scenario.account.run_for(AN_HOUR).await;
    let bad = bad.failing_while_reading(thing, 2..3).circuit_breaker(true);
    scenario.account.add(bad);
    scenario.account.run_for(AN_HOUR).await;
    scenario
}

#[tokio::test(start_paused = true)]
async fn a_completed_rollout_is_summed_up_in_one_line() {
    let scenario = Scenario::with([api().desired(3)]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let rollout = only_summary(&scenario);
    let view = scenario.service("web/api");
    assert_eq!(rollout["deployment"], view.deployments[0].id);
    assert_eq!(
        ["outcome", "strategy", "trigger"].map(|field| text(&rollout[field])),
        ["completed", "deploy", "event"]
    );
    assert_eq!(
        (&rollout["tasks_replaced"], &rollout["failed_tasks"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(rollout["rolled_back"], false);
    let change = &rollout["changes"][0];
    assert_eq!(
        ["key", "version", "previous"].map(|field| text(&change[field])),
        ["ssm:/app/db", "2", "1"]
    );
    assert!(
        text(&change["changed_by"]).starts_with("arn:aws:"),
        "{change:#}"
    );
    for absent in ["restore", "stopped_tasks", "old_tasks", "superseded_by"] {
        assert!(rollout.get(absent).is_none(), "{absent}: {rollout:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_events_since_the_start_are_in_the_order_of_time() {
    let slow = api().desired(8).percent(100, 125);
    let scenario = Scenario::with([slow]).await.with_queue();
    // Events from before the rollout.
    scenario.owner.scales("web/api", 9).await;
    scenario.account.run_for(AN_HOUR).await;
    scenario.owner.scales("web/api", 8).await;
    scenario.account.run_for(AN_HOUR).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let rollout = only_summary(&scenario);
    let events = rollout["ecs_events"].as_array().unwrap();
    let times: Vec<_> = events.iter().map(|event| text(&event["at"])).collect();
    assert!(
        times.len() > 5,
        "more than a description is kept with: {events:#?}"
    );
    assert!(times.is_sorted() && *times[0] >= *text(&rollout["deployed_at"]));
    let first = text(&events[0]["message"]);
    let last = text(&events[events.len() - 1]["message"]);
    assert!(first.contains("has started"), "{first}");
    assert!(last.contains("has reached a steady state"), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollout_names_its_failed_tasks_and_the_command_that_brings_the_value_back() {
    let bad = api().reading(["ssm:/app/db"]);
    let scenario = scenario_of("ssm:/app/db", bad).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let line = scenario.first_line("outcome", "rolled-back");
    let rollout = &line["rollout"];
    let words = scenario.service("web/api").history[0].status_reason.clone();
    assert_eq!(
        (&line["level"], text(&rollout["status_reason"])),
        (&json!("ERROR"), words.as_str())
    );
    assert_eq!(rollout["rolled_back"], true);
    let stopped = rollout["stopped_tasks"].as_array().unwrap();
    assert_eq!(rollout["failed_tasks"], 3, "{stopped:#?}");
    for task in &stopped[..3] {
        assert_eq!(task["stop_code"], "EssentialContainerExited");
        assert_eq!(
            task["stopped_reason"],
            "Essential container in task exited (app: exit code 1)"
        );
    }
    assert_eq!(rollout["restore"][0]["previous"], "1");
    let command = text(&rollout["restore"][0]["command"]);
    assert!(
        command.starts_with("aws ssm put-parameter --region eu-west-1 --overwrite ")
            && command.contains(" --name /app/db --with-decryption ")
            && command.contains("Version==`1`"),
        "{command}"
    );
    assert!(
        text(&line["detail"]).contains("does not bring the old value back"),
        "{line:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_restored_by_its_label_and_an_object_by_its_version() {
    let secret = service("web/secret")
        .watching("secret:prod/db")
        .reading(["secret:prod/db"]);
    let object = service("web/object")
        .watching("s3:config/app/prod.env")
        .reading(["s3:config/app/prod.env"]);
    for (thing, bad, begins) in [
        (
            "secret:prod/db",
            secret,
            "aws secretsmanager update-secret-version-stage --region eu-west-1 --secret-id prod/db \
             --version-stage AWSCURRENT --move-to-version-id ",
        ),
        (
            "s3:config/app/prod.env",
            object,
            "aws s3api copy-object --bucket config --key app/prod.env --copy-source \
             'config/app/prod.env?versionId=",
        ),
    ] {
        let scenario = scenario_of(thing, bad).await;

        scenario.change(thing);
        scenario.account.run_for(AN_HOUR).await;

        let restore = only_summary(&scenario)["restore"][0].take();
        let command = text(&restore["command"]);
        assert!(command.starts_with(begins), "{command}");
        let previous = text(&restore["previous"]);
        assert!(
            !previous.is_empty() && command.contains(previous),
            "{command}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_before_that_could_not_be_read_in_time_is_read_when_the_rollout_has_failed() {
    let bad = service("web/secret")
        .watching("secret:prod/db")
        .reading(["secret:prod/db"]);
    let scenario = scenario_of("secret:prod/db", bad).await;
    let for_a_minute = Fault::throttled("secretsmanager:ListSecretVersionIds")
        .until(scenario.account.now() + A_MINUTE);
    scenario.account.inject(for_a_minute);

    scenario.account.put_secret("prod/db");
    scenario.account.run_for(AN_HOUR).await;

    let restore = only_summary(&scenario)["restore"][0].take();
    assert!(
        text(&restore["command"]).contains("--move-to-version-id"),
        "{restore:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_before_that_is_not_known_is_said_to_be_unknown() {
    let bad = service("web/secret")
        .watching("secret:prod/db")
        .reading(["secret:prod/db"]);
    let scenario = scenario_of("secret:prod/db", bad).await;
    let denied = Fault::denied("secretsmanager:ListSecretVersionIds");
    scenario.account.inject(denied);

    scenario.account.put_secret("prod/db");
    scenario.account.run_for(AN_HOUR).await;

    let restore = only_summary(&scenario)["restore"][0].take();
    assert!(restore.get("command").is_none(), "{restore:#}");
    assert_eq!(restore["no_command"], "the version before is not known");
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_control_character_gets_no_command_and_quotes_are_quoted() {
    for (key, expected) in [
        ("app/a\u{1b}[2Jb", None),
        ("app/it's $(reboot)", Some(r"--key 'app/it'\''s $(reboot)'")),
    ] {
        let thing = format!("s3:{BUCKET}/{key}");
        let bad = service("web/object")
            .watching("s3:config/app/")
            .reading([thing.as_str()]);
        let scenario = scenario_of(&thing, bad).await;

        scenario.account.put_object(BUCKET, key);
        scenario.account.run_for(AN_HOUR).await;

        let restore = only_summary(&scenario)["restore"][0].take();
        match expected {
            None => assert!(restore.get("command").is_none(), "{restore:#}"),
            Some(part) => assert!(text(&restore["command"]).contains(part), "{restore:#}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_rollout_names_the_version_that_it_read_although_a_newer_one_came_meanwhile() {
    let bad = api()
        .reading(["ssm:/app/db"])
        .task_seconds(60.0, 10.0, 10.0);
    let scenario = scenario_of("ssm:/app/db", bad).await;

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(70)).await;
    // The event of the good value and the message that follows the rollout come together.
    scenario.account.enable_mapping(QUEUE, false);
    scenario.account.run_for(A_MINUTE * 3).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(A_MINUTE).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(AN_HOUR).await;

    let rollouts = summaries(&scenario);
    let ends: Vec<_> = rollouts
        .iter()
        .map(|rollout| {
            let change = &rollout["changes"][0];
            [&rollout["outcome"], &change["version"], &change["previous"]].map(text)
        })
        .collect();
    assert_eq!(ends[0], ["rolled-back", "2", "1"], "{rollouts:#?}");
    assert_eq!(
        ends[ends.len() - 1],
        ["completed", "3", "2"],
        "{rollouts:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_summary_says_who_asked_for_the_rollout() {
    let scenario = Scenario::with([api()]).await.with_queue();

    let request = json!({ "reload": { "services": ["web/api"], "reason": "TICKET-7" } });
    scenario.account.send(QUEUE, &request.to_string());
    scenario.account.run_for(AN_HOUR).await;

    let rollout = only_summary(&scenario);
    assert_eq!(
        ["trigger", "request_reason", "outcome"].map(|field| text(&rollout[field])),
        ["request", "TICKET-7", "completed"]
    );
    assert_eq!(rollout["changes"], json!([]));
    assert!(!text(&rollout["sender_id"]).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_a_sweep_started_is_followed_to_its_end() {
    // No event reaches the function.
    let scenario = Scenario::with([api()]).await.with_rules([]);
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    scenario.account.send(QUEUE, r#"{"sweep": {}}"#);
    scenario.account.run_for(AN_HOUR).await;

    let rollout = only_summary(&scenario);
    assert_eq!(
        ["trigger", "outcome"].map(|field| text(&rollout[field])),
        ["sweep", "completed"]
    );
    assert_eq!(rollout["changes"][0]["version"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_superseded_rollout_says_by_which_one_and_if_that_covers_the_change() {
    let scenario = Scenario::with([api()]).await.with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(Duration::from_secs(20)).await;
    scenario.owner.deploys("web/api").await;
    let newer = scenario.service("web/api").deployments[0].id.clone();
    scenario.account.run_for(AN_HOUR).await;

    let rollouts = summaries(&scenario);
    assert_eq!(
        (&rollouts[0]["outcome"], &rollouts[0]["superseded_by"]),
        (&json!("superseded"), &json!(newer))
    );
    assert_eq!(rollouts[0]["covered"], true);
    assert_eq!(
        ["deployment", "trigger", "outcome"].map(|field| text(&rollouts[1][field])),
        [newer.as_str(), "others", "completed"]
    );
}

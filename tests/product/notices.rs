//! Notices: what people are notified of, once, and what they are not bothered with.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sim::{Fault, Hook, Service, Stage};

use crate::support::{
    A_MINUTE, AN_HOUR, DEAD_LETTERS, QUEUE, Scenario, UPDATE, api, auto, many, names_of_many, text,
    texts, worker,
};

fn quick(service: Service) -> Service {
    service.task_seconds(10.0, 10.0, 10.0)
}

/// Its new tasks fail, and its circuit breaker rolls it back.
fn bad() -> Service {
    quick(api())
        .reading(["ssm:/app/db"])
        .circuit_breaker(true)
        .failing_next(30)
}

async fn change(scenario: &Scenario, then: Duration) {
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(then).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_is_started_and_completed_with_the_facts_of_its_change() {
    let scenario = Scenario::with_bus([quick(api())]).await;

    change(&scenario, AN_HOUR).await;
    change(&scenario, AN_HOUR).await;

    let expected = ["started", "completed", "started", "completed"];
    let expected = expected.map(|kind| format!("{kind} ssm:/app/db web/api"));
    assert_eq!(scenario.news(), expected);
    let completed = &scenario.notices()[3];
    let deployment = scenario.service("web/api").deployments[0].id.clone();
    assert_eq!(
        (&completed["version"], &completed["previous_version"]),
        (&json!("2"), &json!("1"))
    );
    assert_eq!(completed["deployments"], json!([deployment]));
    assert_eq!(
        completed["title"],
        "`web/api`: restart completed (`ssm:/app/db`)"
    );
    assert!(text(&completed["description"]).contains("from version `1` to version `2`"));
    let ids: BTreeSet<_> = scenario.notice_ids().into_iter().collect();
    assert_eq!(ids.len(), 4, "each of them is another");
}

#[tokio::test(start_paused = true)]
async fn services_that_start_together_share_one_notice_and_so_do_those_that_end_together() {
    let services = many(120, "ssm:/app/").into_iter().map(quick);
    let limits = [
        ("RELOADER_MAX_SERVICES", "1000"),
        ("RELOADER_MAX_IN_FLIGHT", "1000"),
    ];
    let scenario = Scenario::set_to_with_bus(limits, services).await;

    change(&scenario, AN_HOUR).await;

    let all: BTreeSet<_> = names_of_many(120).into_iter().collect();
    for kind in ["started", "completed"] {
        let notices = scenario.notices_of(kind);
        let named: usize = notices
            .iter()
            .map(|notice| {
                let more = notice["more_services"].as_u64().unwrap();
                texts(&notice["services"]).len() + usize::try_from(more).unwrap()
            })
            .sum();
        let known = notices.iter().flat_map(|notice| texts(&notice["services"]));
        assert!(known.clone().all(|name| all.contains(name)));
        assert_eq!(named, 120, "{kind}");
        assert!(notices.len() < 10, "{kind}: {}", notices.len());
    }
}

#[tokio::test(start_paused = true)]
async fn each_failure_is_another_notice() {
    let scenario = Scenario::with_bus([bad()]).await;

    change(&scenario, AN_HOUR).await;
    change(&scenario, AN_HOUR).await;

    let failed = scenario.notices_of("rolled-back");
    let kinds = scenario.news();
    assert_eq!(failed.len(), 2, "{kinds:?}");
    assert_eq!(
        kinds.len(),
        4,
        "a rollback is no refusal beside it: {kinds:?}"
    );
    assert_ne!(failed[0]["id"], failed[1]["id"]);
    let deployment = |notice: &Value| notice["deployments"][0].clone();
    assert_ne!(deployment(&failed[0]), deployment(&failed[1]));
    let command = text(&failed[1]["restore"]);
    assert!(command.starts_with("aws ssm put-parameter"), "{command}");
    assert!(text(&failed[1]["next_steps"][1]).contains(command));
    assert!(text(&failed[0]["next_steps"][0]).contains("Bring the old value back"));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_ends_in_another_way_has_its_own_kind_and_one_that_is_replaced_has_none() {
    let never_healthy = || quick(api()).failing_next(400);
    let deadline = [("RELOADER_OUTCOME_DEADLINE", "10m")];

    let late = Scenario::set_to_with_bus(deadline, [never_healthy()]).await;
    change(&late, AN_HOUR).await;
    assert_eq!(late.notices_of("timed-out").len(), 1);

    let stopped = Scenario::with_bus([quick(api())]).await;
    change(&stopped, Duration::from_secs(20)).await;
    stopped.account.stop_deployment("web/api");
    stopped.account.run_for(AN_HOUR).await;
    assert_eq!(stopped.news()[1..], ["rejected ssm:/app/db web/api"]);

    let unreadable = Scenario::set_to_with_bus(deadline, [quick(api())]).await;
    change(&unreadable, Duration::from_secs(20)).await;
    unreadable.account.stop_deployment("web/api");
    let history = Fault::denied("ecs:ListServiceDeployments");
    unreadable.account.inject(history);
    unreadable.account.run_for(AN_HOUR).await;
    assert_eq!(unreadable.notices_of("unknown").len(), 1);

    let replaced = Scenario::with_bus([quick(api())]).await;
    change(&replaced, Duration::from_secs(20)).await;
    replaced.owner.deploys("web/api").await;
    replaced.account.run_for(AN_HOUR).await;
    assert_eq!(replaced.news(), ["started ssm:/app/db web/api"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_notified_of_how_the_rollouts_of_others_end() {
    let scenario = Scenario::with_bus([bad()]).await;

    scenario.account.enable_mapping(QUEUE, false);
    change(&scenario, Duration::from_secs(2)).await;
    scenario.owner.forces("web/api").await;
    scenario.account.run_for(Duration::from_secs(2)).await;
    scenario.account.enable_mapping(QUEUE, true);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(
        scenario.news(),
        ["refused ssm:/app/db web/api"],
        "the change did not arrive: a person decides"
    );
    assert_eq!(scenario.notices()[0]["reason"], "failed-already");
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_notified_when_it_begins_and_not_each_time_it_is_planned_again() {
    let paused = api().tag("reloader:pause", "2026-01-31T15:00:00Z");
    let scenario = Scenario::with_bus([paused, worker().tag("reloader:pause", "true")]).await;

    change(&scenario, AN_HOUR).await;
    let first = scenario.news();
    scenario.account.put_parameter("/app/other");
    scenario.account.run_for(AN_HOUR).await;

    assert!(scenario.levels_of("paused").len() > 15);
    assert_eq!(first, ["held ssm:/app/db web/api web/worker"]);
    let second = "held ssm:/app/other web/api web/worker";
    assert_eq!(
        scenario.news()[1..],
        [second],
        "another change is another notice"
    );
    let held = &scenario.notices()[0];
    assert_eq!(
        (&held["reason"], text(&held["until"])),
        (&json!("paused"), "2026-01-31T15:00:00Z")
    );
}

#[tokio::test(start_paused = true)]
async fn a_hold_for_another_reason_is_another_notice_and_a_short_one_is_none() {
    let until_three = api().tag("reloader:pause", "2026-01-31T15:00:00Z");
    let waits = until_three.tag("reloader:window", "Sat 16:00-17:00 UTC");
    let variables = [("RELOADER_SETTLE", "30s")];
    let scenario = Scenario::set_to_with_bus(variables, [waits, worker()]).await;

    change(&scenario, AN_HOUR * 8).await;

    let held = scenario.notices_of("held");
    let reasons: Vec<_> = held.iter().map(|notice| text(&notice["reason"])).collect();
    assert_eq!(reasons, ["paused", "outside-window"]);
    assert_ne!(held[0]["id"], held[1]["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_notified_once_with_the_steps_of_its_reason() {
    let variables = [("RELOADER_MAX_SERVICES", "1")];
    let scenario = Scenario::set_to_with_bus(variables, [api(), worker()]).await;

    change(&scenario, AN_HOUR).await;

    assert_eq!(scenario.news(), ["refused ssm:/app/db web/api web/worker"]);
    let refused = &scenario.notices()[0];
    assert_eq!(refused["reason"], "blast-radius");
    assert!(text(&refused["next_steps"][0]).contains("`max_services`"));
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_given_up_is_notified() {
    let stuck = api().task_seconds(20.0, 10.0, 50_000.0);
    let variables = [
        ("RELOADER_HOLD_LIMIT", "2h"),
        ("RELOADER_MIN_INTERVAL", "0s"),
    ];
    let scenario = Scenario::set_to_with_bus(variables, [stuck]).await;
    scenario.fill_deployments().await;

    change(&scenario, AN_HOUR * 3).await;

    assert_eq!(scenario.notices_of("abandoned").len(), 1);
    let held = scenario.notices_of("held");
    let reasons: BTreeSet<_> = held.iter().map(|one| text(&one["reason"])).collect();
    assert_eq!(reasons.len(), held.len(), "each reason once: {reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_asked_for_once_with_its_end() {
    let guarded = api().hook(Hook::pause(Stage::PreScaleUp));
    let scenario = Scenario::with_bus([guarded]).await;

    change(&scenario, AN_HOUR * 5).await;
    let hook = scenario.service("web/api").history[0].hooks[0].clone();
    scenario.account.approve("web/api");
    scenario.account.run_for(AN_HOUR).await;

    let asked = scenario.notices_of("awaiting-approval");
    assert_eq!(asked.len(), 1, "{:?}", scenario.news());
    assert_eq!(text(&asked[0]["until"]), hook.expires_at.to_string());
    assert!(text(&asked[0]["details"][0]).contains(&hook.id));
    assert_eq!(scenario.notices_of("completed").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_cannot_be_started_has_failed_in_the_words_of_aws() {
    let scenario = Scenario::with_bus([api(), worker()]).await;
    scenario
        .account
        .inject(Fault::denied(UPDATE).target("web/api"));

    change(&scenario, AN_HOUR).await;

    let failed = scenario.notices_of("failed");
    assert_eq!(failed.len(), 1, "{:?}", scenario.news());
    assert_eq!(
        (texts(&failed[0]["services"]), &failed[0]["deployments"]),
        (vec!["web/api"], &json!([]))
    );
    assert!(text(&failed[0]["details"][0]).contains("AccessDeniedException"));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_gone_is_notified_for_the_services_that_refer_to_it() {
    let definition = sim::task_definition().secret("DB", "/app/db");
    let scenario = Scenario::with_bus([auto("web/api", definition), worker()]).await;
    change(&scenario, AN_HOUR).await;

    scenario.account.delete_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;

    let gone = scenario.notices_of("missing-key");
    assert_eq!(gone.len(), 1, "{:?}", scenario.news());
    assert_eq!(texts(&gone[0]["services"]), ["web/api"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_only_notifies_is_stale_and_one_that_is_off_is_not_mentioned() {
    let notify = api().tag("reloader:mode", "notify");
    let off = worker().tag("reloader:mode", "off");
    let scenario = Scenario::with_bus([notify, off]).await;

    change(&scenario, AN_HOUR).await;

    assert_eq!(scenario.news(), ["stale ssm:/app/db web/api"]);
    assert_eq!(scenario.notices()[0]["reason"], "notify");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_notifies_of_what_it_restarts_and_of_what_stays_stale_by_the_same_id() {
    let paused = worker().tag("reloader:pause", "true");
    let scenario = Scenario::with_bus([quick(api()), paused]).await;
    scenario.account.enable_mapping(QUEUE, false);
    change(&scenario, A_MINUTE * 20).await;

    scenario.sweep().await;
    scenario.sweep().await;

    let news = scenario.news();
    assert_eq!(
        news,
        [
            "stale ssm:/app/db web/worker",
            "started ssm:/app/db web/api",
            "stale ssm:/app/db web/worker"
        ]
    );
    let ids = scenario.notice_ids();
    assert_eq!(ids[0], ids[2], "a receiver drops the second");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_names_a_service_is_notified_without_a_key() {
    let scenario = Scenario::with_bus([quick(api())]).await;

    scenario
        .account
        .send(QUEUE, r#"{"reload": {"services": ["web/api"]}}"#);
    scenario.account.run_for(AN_HOUR).await;

    assert_eq!(
        scenario.news(),
        ["started - web/api", "completed - web/api"]
    );
    assert_eq!(scenario.notices()[0]["title"], "`web/api`: restart started");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_makes_the_same_notice() {
    let variables = [("RELOADER_MAX_SERVICES", "1")];
    let scenario = Scenario::set_to_with_bus(variables, [api(), worker()]).await;
    let event = scenario.write("ssm:/app/db").to_string();
    scenario.account.run_for(A_MINUTE).await;

    scenario.account.send(QUEUE, &event);
    scenario.account.run_for(A_MINUTE).await;

    let ids = scenario.notice_ids();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(
        (ids.len(), different.len()),
        (2, 1),
        "{:?}",
        scenario.news()
    );
}

#[tokio::test(start_paused = true)]
async fn text_of_others_names_nobody_in_a_chat_and_ends_no_code() {
    let scenario = Scenario::with_bus([auto_on_bucket()]).await;

    scenario.change("s3:config/app/`<!channel>`\"\n.env");
    scenario.account.run_for(AN_HOUR).await;

    let started = &scenario.notices_of("started")[0];
    let title = text(&started["title"]);
    assert_eq!(
        title,
        "`web/api`: restart started (`s3:config/app/'‹!channel›''\u{fffd}.env`)"
    );
    assert!(
        text(&started["key"]).contains("`<!channel>`"),
        "the field is as it is"
    );
}

fn auto_on_bucket() -> Service {
    sim::service("web/api").watching("s3:config/app/")
}

#[tokio::test(start_paused = true)]
async fn without_a_bus_nothing_is_sent_and_without_news_no_call_is_made() {
    let without = Scenario::with([quick(api())]).await.with_queue();
    change(&without, AN_HOUR).await;
    assert_eq!(without.number_of("events:PutEvents"), 0);

    let no_watcher = Scenario::with_bus([api()]).await;
    no_watcher.account.put_parameter("/other/key");
    no_watcher.account.run_for(AN_HOUR).await;
    assert_eq!(no_watcher.number_of("events:PutEvents"), 0);
    assert_eq!(no_watcher.account.messages(DEAD_LETTERS), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn services_after_one_that_failed_are_halted_once() {
    let after = worker().tag("reloader:order", "1");
    let scenario = Scenario::with_bus([bad(), after]).await;

    change(&scenario, AN_HOUR).await;

    let halted = scenario.notices_of("halted");
    assert_eq!(halted.len(), 1, "{:?}", scenario.news());
    assert_eq!(texts(&halted[0]["services"]), ["web/worker"]);
    assert!(text(&halted[0]["details"][0]).contains("web/api"));
    assert!(scenario.metric("ServicesHalted").contains(&json!(1)));
}

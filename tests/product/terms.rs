//! What can never match is told, with what its owner can do.

use sim::{Service, service, task_definition};

use crate::support::{Scenario, line, reason};

const SHORT: &str = "arn:aws:ecs:eu-west-1:123456789012:service/api";

fn auto(name: &str, value_from: &str) -> Service {
    service(name)
        .watching("auto")
        .referring(task_definition().secret("DB", value_from))
}

#[tokio::test(start_paused = true)]
async fn a_name_with_an_empty_segment_is_a_mistake_wherever_it_stands() {
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter//app/db";
    for term in ["ssm:/app//db", "ssm:/app//", "ssm://app/db", arn] {
        let scenario =
            Scenario::with([service("web/api").watching(&format!("{term} ssm:/app/db"))]).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(
            (&answer["mistakes"], scenario.restarted()),
            (&1.into(), vec!["web/api".to_owned()]),
            "{term}"
        );
        assert!(
            scenario.lines("mistake")[0]["mistake"]
                .as_str()
                .unwrap()
                .contains("one slash between its segments"),
            "{term}"
        );
    }
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/ -ssm:/app//db")]).await;
    assert_eq!(
        reason(&scenario.changed("ssm:/app/db").await),
        "invalid-tag"
    );
    for value_from in ["/app//db", arn] {
        let scenario = Scenario::with([auto("web/api", value_from)]).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(answer["mistakes"], 1, "{value_from}");
        let told = scenario.lines("mistake");
        assert!(
            told[0]["mistake"]
                .as_str()
                .unwrap()
                .starts_with("containerDefinitions[app].secrets[DB]"),
            "{told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_in_the_short_arn_format_is_told_once_and_the_others_work() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/db")]).await;
    scenario
        .account
        .index(SHORT, &[("reloader:watch", "ssm:/app/db")]);

    let first = scenario.changed("ssm:/app/db").await;
    scenario.changed("ssm:/app/other").await;

    let told = scenario.lines("mistake");
    assert_eq!(
        (told.len(), &told[0]["resource"], &first["mistakes"]),
        (1, &SHORT.into(), &1.into())
    );
    let mistake = told[0]["mistake"].as_str().unwrap();
    assert!(
        mistake.contains("names no cluster") && mistake.contains("aws ecs put-account-setting"),
        "{mistake}"
    );
    assert_eq!(
        (
            line(&first, "web/api")["result"].as_str(),
            scenario.restarted().len()
        ),
        (Some("started"), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_else_the_tag_index_lists_and_cannot_be_used_is_told() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/db")]).await;
    let (odd, parameter) = (
        "arn:aws:ecs:eu-west-1:123456789012:service/web/api/2",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/app//x",
    );
    scenario
        .account
        .index(odd, &[("reloader:watch", "ssm:/app/db")]);
    scenario
        .account
        .index(parameter, &[("reloader:ignore", "true")]);

    let answer = scenario.changed("ssm:/app/db").await;

    let told = scenario.lines("mistake");
    let told: Vec<_> = told
        .iter()
        .map(|line| {
            (
                line["resource"].as_str().unwrap(),
                line["mistake"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        (told[0].0, told[1].0, &answer["mistakes"]),
        (odd, parameter, &2.into())
    );
    assert!(told[1].1.contains("restarts as before"), "{told:?}");
}

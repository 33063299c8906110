//! Terms that can never match are reported, with advice for their owner.

use sim::{service, task_definition};

use crate::support::{Scenario, auto, line, reason, text};

const SHORT: &str = "arn:aws:ecs:eu-west-1:123456789012:service/api";

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
            text(&scenario.lines("mistake")[0]["mistake"])
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
        let scenario =
            Scenario::with([auto("web/api", task_definition().secret("DB", value_from))]).await;

        let answer = scenario.changed("ssm:/app/db").await;

        assert_eq!(answer["mistakes"], 1, "{value_from}");
        let mistakes = scenario.lines("mistake");
        assert!(
            text(&mistakes[0]["mistake"]).starts_with("containerDefinitions[app].secrets[DB]"),
            "{mistakes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_in_the_short_arn_format_is_reported_once_and_the_others_work() {
    let scenario = Scenario::with([service("web/api").watching("ssm:/app/db")]).await;
    scenario
        .account
        .index(SHORT, &[("reloader:watch", "ssm:/app/db")]);

    let first = scenario.changed("ssm:/app/db").await;
    scenario.changed("ssm:/app/other").await;

    let mistakes = scenario.lines("mistake");
    assert_eq!(
        (mistakes.len(), &mistakes[0]["resource"], &first["mistakes"]),
        (1, &SHORT.into(), &1.into())
    );
    let mistake = text(&mistakes[0]["mistake"]);
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
async fn every_other_unusable_resource_of_the_tag_index_is_reported() {
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

    let mistakes = scenario.lines("mistake");
    let mistakes: Vec<_> = mistakes
        .iter()
        .map(|line| (text(&line["resource"]), text(&line["mistake"])))
        .collect();
    assert_eq!(
        (mistakes[0].0, mistakes[1].0, &answer["mistakes"]),
        (odd, parameter, &2.into())
    );
    assert!(mistakes[1].1.contains("restarts as before"), "{mistakes:?}");
}

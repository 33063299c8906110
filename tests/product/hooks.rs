//! Rollouts that stand at a hook or bake: waited for as long as Amazon ECS waits.

use sim::{Hook, Stage};

use crate::support::{A_MINUTE, AN_HOUR, Scenario, api, text};

#[tokio::test(start_paused = true)]
async fn an_approval_is_waited_for_as_long_as_amazon_ecs_waits() {
    let guarded = api().hook(Hook::pause(Stage::PreScaleUp));
    let scenario = Scenario::set_to([("RELOADER_HOLD_LIMIT", "1h")], [guarded])
        .await
        .with_queue();

    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR * 5).await;
    let hook = scenario.service("web/api").history[0].hooks[0].clone();
    let waiting = scenario.first_line("reason", "awaiting-approval");
    scenario.account.approve("web/api");

    assert!(scenario.is_all_fresh().await);
    let detail = text(&waiting["detail"]);
    assert!(
        detail.contains(&hook.id) && detail.contains(&hook.expires_at.to_string()),
        "{detail}"
    );
    let levels = scenario.levels_of("awaiting-approval");
    assert!(
        levels[0] == "WARN" && levels[1..].iter().all(|level| level == "INFO"),
        "{levels:?}"
    );
    let abandoned = scenario
        .lines("service")
        .into_iter()
        .any(|line| line["result"] == "abandoned");
    assert_eq!(
        (abandoned, scenario.restarted()),
        (false, vec!["web/api".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_at_a_hook_and_one_that_bakes_are_not_superseded() {
    let lambda = Hook::lambda(Stage::PostScaleUp, AN_HOUR, true);
    let guarded = [
        (
            "pause",
            api().hook(
                Hook::pause(Stage::PostScaleUp)
                    .expiring_after(AN_HOUR)
                    .continuing(),
            ),
        ),
        ("lambda", api().hook(lambda)),
        ("bake", api().alarm("web-5xx", AN_HOUR)),
    ];
    for (name, service) in guarded {
        let scenario = Scenario::set_to([("RELOADER_MIN_INTERVAL", "0s")], [service])
            .await
            .with_queue();

        scenario.owner.deploys("web/api").await;
        scenario.account.run_for(A_MINUTE * 5).await;
        scenario.account.put_parameter("/app/db");
        scenario.account.run_for(A_MINUTE * 45).await;
        let meanwhile = scenario.restarted();

        assert!(scenario.is_all_fresh().await, "{name}");
        assert_eq!(
            (meanwhile.len(), scenario.restarted().len()),
            (0, 1),
            "{name}"
        );
        let deployments = scenario.statuses();
        assert_eq!(
            deployments, ["SUCCESSFUL"; 3],
            "{name}: nothing was superseded"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_stood_at_a_hook_before_its_first_task_covers_what_changed_meanwhile() {
    let scenario = Scenario::with([api().hook(Hook::pause(Stage::PreScaleUp))])
        .await
        .with_queue();

    scenario.owner.deploys("web/api").await;
    scenario.account.run_for(A_MINUTE * 5).await;
    scenario.account.put_parameter("/app/db");
    scenario.account.run_for(AN_HOUR).await;
    scenario.account.approve("web/api");

    assert!(
        scenario.is_all_fresh().await && scenario.restarted().is_empty(),
        "all its tasks are newer than the change"
    );
}

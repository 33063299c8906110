//! Listings without an end, in a sweep.

use std::time::Duration;

use sim::{Fault, service, task_definition};

use crate::support::{
    BUCKET, CALLS, IGNORED, SERVICES, Scenario, TIMEOUT, api, number_about, repeats_a_token, text,
};

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

/// One kind of listing of the sweep, with repeated tokens.
struct Circle {
    action: &'static str,
    /// The resource type or service whose listing it is, if not all.
    target: Option<&'static str>,
    /// The calls that the sweep makes.
    calls: usize,
    /// The beginning of the sweep's error.
    error: Option<&'static str>,
}

const fn circle(action: &'static str, calls: usize) -> Circle {
    Circle {
        action,
        target: None,
        calls,
        error: None,
    }
}

impl Circle {
    const fn of(mut self, target: &'static str) -> Self {
        self.target = Some(target);
        self
    }

    const fn named(mut self, error: &'static str) -> Self {
        self.error = Some(error);
        self
    }
}

const CIRCLES: [Circle; 8] = [
    circle("tag:GetResources", CALLS)
        .of(SERVICES)
        .named("the services that watch"),
    circle("tag:GetResources", CALLS)
        .of(IGNORED)
        .named("the list of ignored keys"),
    circle("ssm:DescribeParameters", 2 * CALLS).named("ssm:/app/"),
    circle("secretsmanager:ListSecrets", CALLS).named("all secrets"),
    circle("secretsmanager:ListSecretVersionIds", CALLS),
    // The object that is named is on the second page.
    circle("s3:ListObjectsV2", CALLS + 2).named("s3:config/app/"),
    circle("ecs:ListTasks", CALLS)
        .of("web/api")
        .named("the tasks of web/api"),
    circle("ecs:ListServiceDeployments", 5 * CALLS),
];

#[tokio::test(start_paused = true)]
async fn a_sweep_uses_what_it_read_of_a_listing_in_a_circle_and_reports_it() {
    for Circle {
        action,
        target,
        calls,
        error,
    } in CIRCLES
    {
        let scenario = stale().await;
        let fault = Fault::tokens_in_a_circle(action);
        scenario
            .account
            .inject(target.into_iter().fold(fault, Fault::target));

        let answer = scenario.sweep().await;

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
        let errors = answer["sweep_errors"].as_array().into_iter().flatten();
        let errors: Vec<_> = errors.collect();
        assert_eq!(
            errors.len(),
            usize::from(error.is_some()),
            "{action}: {errors:#?}"
        );
        if let Some(error) = error {
            assert!(
                repeats_a_token(errors[0]) && text(errors[0]).starts_with(error),
                "{action}: {errors:#?}"
            );
        }
        assert_eq!(
            answer["keys_swept"], 5,
            "{action}: a key that is listed twice counts once"
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
        // Everything that was read in time is used.
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

        let answer = scenario.sweep().await;

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

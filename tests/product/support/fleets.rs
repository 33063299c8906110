//! Fleets that several files start from.

use ecs_reloader::report::Level;
use serde_json::Value;
use sim::{Account, Fault, Service, service, task_definition};

use super::{AN_HOUR, BUCKET, Scenario, api, auto};

/// One service that watches keys of each kind.
pub(crate) async fn watching_each_kind() -> Scenario {
    Scenario::with([service("web/api").watching("ssm:/app/ secret:prod/ s3:config/")]).await
}

/// A queue and one key of each kind, written before any service; the ARN of the secret is
/// returned.
pub(crate) async fn with_secret() -> (Scenario, String) {
    let scenario = Scenario::with([]).await.with_queue();
    scenario.account.put_secret("prod/db");
    scenario.account.put_parameter("/app/db");
    scenario.account.put_object(BUCKET, "app/prod.env");
    scenario.account.settle().await;
    let arn = scenario.account.secret_arn("prod/db").unwrap();
    (scenario, arn)
}

/// Writes every key of [`long_deployed`].
pub(crate) fn change_all(account: &Account) {
    account.put_parameter("/app/db");
    account.put_parameter("/app/url");
    account.put_object(BUCKET, "app/prod.env");
    account.put_secret("prod/db");
}

/// Four services that read one key of each kind, deployed an hour ago, when the keys were two hours
/// old.
pub(crate) async fn long_deployed() -> Scenario {
    let scenario = Scenario::with([]).await;
    change_all(&scenario.account);
    scenario.account.run_for(AN_HOUR * 2).await;
    let fleet = [
        service("web/api").watching("ssm:/app/db"),
        service("web/files").watching("s3:config/app/"),
        service("web/shop").watching("secret:prod/db"),
        auto("web/auto", task_definition().secret("DB", "/app/url")),
    ];
    for service in fleet {
        scenario.account.add(service);
    }
    scenario.account.run_for(AN_HOUR).await;
    scenario
}

/// One change that affects four services: one is restarted, one must not be, one is switched off,
/// and one has tags that do not parse.
pub(crate) async fn one_change(level: Level) -> (Scenario, Value) {
    let watching = |name: &str, terms: &str| -> Service { service(name).watching(terms) };
    let services = [
        api(),
        watching("web/denied", "ssm:/app/"),
        watching("web/off", "ssm:/app/").tag("reloader:mode", "off"),
        watching("web/wrong", "ssm:/app/ hunter2").tag("reloader:pause", "swordfish"),
    ];
    let scenario = Scenario::at_level(level, services).await;
    scenario
        .account
        .inject(Fault::denied(super::UPDATE).target("web/denied"));
    let answer = scenario.changed("ssm:/app/db").await;
    (scenario, answer)
}

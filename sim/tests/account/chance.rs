//! Many random rollouts: ECS keeps to the deployment configuration in every combination.

use std::time::Duration;

use serde_json::json;
use sim::{Account, AccountConfig, service};

use crate::call;

const SEEDS: u64 = 300;

async fn update(account: &Account, change: serde_json::Value) {
    let mut input = json!({ "cluster": "web", "service": "api" });
    input
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    let (status, answer) = call(
        account,
        "AmazonEC2ContainerServiceV20141113.UpdateService",
        input,
    )
    .await;
    assert!(
        status == 200
            || answer["message"] == "5 active deployments exist, unable to create new deployment.",
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_mixture_of_restarts_writes_and_failures_breaks_floor_or_ceiling() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let account = Account::new(AccountConfig {
            seed,
            ..AccountConfig::default()
        });
        let desired = random.usize(1..7);
        let minimum = random.usize(0..5) * 25;
        let maximum = 100 + random.usize(0..5) * 25;
        let (floor, ceiling) = ((desired * minimum).div_ceil(100), desired * maximum / 100);
        let described = service("web/api")
            .desired(desired)
            .percent(minimum, maximum)
            .reading(["ssm:/app/db"]);
        account.add(described.failing_next(random.usize(0..3)).task_seconds(
            20.0,
            10.0,
            random.f64() * 60.0,
        ));

        for _ in 0..random.usize(1..6) {
            match random.u8(0..3) {
                0 => drop(account.put_parameter("/app/db")),
                _ => update(&account, json!({ "forceNewDeployment": true })).await,
            }
            for _ in 0..random.u64(0..90) {
                account.run_for(Duration::from_secs(1)).await;
                let seen = account.service("web/api").unwrap();
                assert!(
                    seen.running + seen.pending <= ceiling.max(desired),
                    "seed {seed}: {seen:#?}"
                );
            }
        }
        account.put_parameter("/app/db");
        update(&account, json!({ "forceNewDeployment": true })).await;
        account.settle().await;

        let seen = account.service("web/api").unwrap();
        assert!(seen.kept_its_floor(), "seed {seed}: {seen:#?}");
        let stuck = floor >= desired && ceiling <= desired;
        assert_eq!(seen.is_steady(), !stuck, "seed {seed}: {seen:#?}");
        assert_eq!(
            account.stale_tasks().is_empty(),
            !stuck,
            "seed {seed}: {:?}",
            account.stale_tasks()
        );
    }
}

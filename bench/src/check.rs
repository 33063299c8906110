//! What a contestant did, as the account recorded it: the right services have new tasks, which hold
//! the newest versions, and no other service was touched.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::{Account, ServiceView};

use crate::contestant::Way;
use crate::failure::Failure;

/// The time in which all services must be steady: their tasks take a tenth of a second.
const STEADY_WITHIN: Duration = Duration::from_mins(5);

/// The services before an event.
pub(crate) struct Before {
    services: BTreeMap<String, Seen>,
    restarts: usize,
}

/// What shows that a service was restarted.
#[derive(PartialEq, Eq)]
struct Seen {
    deployment: String,
    tasks: Vec<String>,
}

impl Seen {
    fn of(service: &ServiceView) -> Self {
        let deployment = service.deployments.first();
        Self {
            deployment: deployment
                .map(|primary| primary.id.clone())
                .unwrap_or_default(),
            tasks: service.tasks.iter().map(|task| task.id.clone()).collect(),
        }
    }
}

fn seen(account: &Account) -> BTreeMap<String, Seen> {
    let services = account.services();
    services
        .iter()
        .map(|service| (service.name.clone(), Seen::of(service)))
        .collect()
}

/// Returns whether no task of the service is being replaced.
fn is_steady(service: &ServiceView) -> bool {
    service.is_steady() && !service.tasks.iter().any(|task| task.stopping)
}

/// Waits until no deployment runs.
async fn steady(account: &Account) -> Result<(), Failure> {
    let steady = async {
        while !account.services().iter().all(is_steady) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(STEADY_WITHIN, steady).await;
    waited.map_err(|_| "the services do not become steady".into())
}

impl Before {
    /// Looks at the services when all of them are steady.
    pub(crate) async fn of(account: &Account) -> Result<Self, Failure> {
        steady(account).await?;
        Ok(Self {
            services: seen(account),
            restarts: account.restarted().len(),
        })
    }

    /// Fails unless exactly the services that `matching` accepts were restarted, once each, and all
    /// their tasks hold the newest versions.
    pub(crate) async fn compare(
        self,
        account: &Account,
        way: Way,
        matching: impl Fn(&str) -> bool,
    ) -> Result<usize, Failure> {
        steady(account).await?;
        let mut restarted = 0;
        for (name, after) in seen(account) {
            let Some(before) = self.services.get(&name) else {
                return Err(format!("{name} is new").into());
            };
            let replaced = !after.tasks.iter().any(|task| before.tasks.contains(task));
            let deployed = after.deployment != before.deployment;
            let (new_tasks, deploys) = (matching(&name), matching(&name) && way == Way::Deploys);
            let untouched = !new_tasks && after == *before;
            if !(untouched || new_tasks && replaced && deployed == deploys) {
                return Err(format!("{name}: restarted {replaced}, deployed {deployed}").into());
            }
            restarted += usize::from(new_tasks);
        }
        let forced = account.restarted().len() - self.restarts;
        let expected = match way {
            Way::Deploys => restarted,
            Way::StopsTasks => 0,
        };
        if forced != expected {
            return Err(format!("{forced} deployments instead of {expected}").into());
        }
        match account.stale_tasks().first() {
            Some(task) => Err(format!("a task is stale: {task:?}").into()),
            None => Ok(restarted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sim::{AccountConfig, service};

    use super::*;

    fn account() -> Account {
        let account = Account::new(AccountConfig::default());
        account.add(service("a/matching").watching("ssm:/app/db"));
        account.add(service("a/other").watching("ssm:/other"));
        account
    }

    async fn compared(forced: &[&str]) -> Result<usize, String> {
        let account = account();
        let before = Before::of(&account)
            .await
            .map_err(|error| error.to_string())?;
        account.put_parameter("/app/db");
        for service in forced {
            account.force(service);
        }
        account.run_for(Duration::from_mins(10)).await;
        let compared = before.compare(&account, Way::Deploys, |name| name == "a/matching");
        compared.await.map_err(|error| error.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn one_restart_of_the_matching_service_is_what_is_wanted() {
        assert_eq!(compared(&["a/matching"]).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_too_few_or_of_another_service_or_twice_is_found() {
        for forced in [
            [].as_slice(),
            &["a/other"],
            &["a/matching", "a/other"],
            &["a/matching", "a/matching"],
        ] {
            assert!(compared(forced).await.is_err(), "{forced:?}");
        }
    }
}

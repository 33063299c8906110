//! Steps that bring an account into a certain state.

use std::time::Duration;

use sim::{EventDelivery, Fault};

use super::{Scenario, UPDATE};

impl Scenario {
    /// Restarts of this service are throttled for five minutes.
    pub(crate) fn throttle_restarts_of(&self, service: &str) {
        let end = self.account.now() + Duration::from_mins(5);
        let throttled = Fault::throttled(UPDATE).target(service);
        self.account.inject(throttled.until(end));
    }

    /// Events come twice, late, and in disorder.
    pub(crate) fn disorder_events(&self, jitter: Duration) {
        self.account.set_event_delivery(EventDelivery {
            delay: Duration::from_millis(200),
            jitter,
            loss: 0.0,
            duplication: 1.0,
        });
    }

    /// Lets time pass until the newest deployment of `web/api` is being rolled back.
    pub(crate) async fn until_rolling_back(&self) {
        while self.service("web/api").history[0].status != "ROLLBACK_IN_PROGRESS" {
            self.account.run_for(Duration::from_secs(1)).await;
        }
    }

    /// Lets time pass until a second has just begun.
    pub(crate) async fn until_a_second_begins(&self) {
        let begun = u64::try_from(self.account.now().subsec_millisecond()).unwrap();
        let rest = Duration::from_millis(1100 - begun);
        self.account.run_for(rest).await;
    }

    /// Deploys `web/api` four times: with the first one, it has as many deployments as ECS allows.
    pub(crate) async fn fill_deployments(&self) {
        for _ in 0..4 {
            self.owner.deploys("web/api").await;
            self.account.run_for(Duration::from_secs(3)).await;
        }
    }

    /// The statuses of the deployments of `web/api`, newest first.
    pub(crate) fn statuses(&self) -> Vec<&'static str> {
        let history = self.service("web/api").history;
        history.iter().map(|past| past.status).collect()
    }
}

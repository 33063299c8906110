//! Makes the account's time pass: carries out the jobs that are due, and polls the function's
//! invocations beside them.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::account::Account;
use crate::event_source_mapping::Batch;
use crate::lambda::{Invocation, InvocationResult};

/// The longest run of [`Account::settle`]: a service whose tasks never start is never settled.
const SETTLE_LIMIT: Duration = Duration::from_hours(24);

impl Account {
    /// Lets this much time pass.
    pub async fn run_for(&self, length: Duration) {
        self.run_until(self.now() + length).await;
    }

    /// Lets time pass until this instant.
    pub async fn run_until(&self, end: Timestamp) {
        self.drive(end, false).await;
    }

    /// Lets time pass until no job is left: rollouts have ended, queues are empty, no invocation
    /// runs. Gives up after 24 hours of the account's time.
    pub async fn settle(&self) {
        self.drive(self.now() + SETTLE_LIMIT, true).await;
    }

    async fn drive(&self, end: Timestamp, stop_when_idle: bool) {
        let mut in_flight = self.in_flight().lock().await;
        loop {
            let (next_due, batches) = self
                .with_world(|world| (world.shared.clock.next_due(), world.mappings.take_batches()));
            in_flight.extend(batches.into_iter().map(invoke));

            let idle = stop_when_idle && next_due.is_none() && in_flight.is_empty();
            if idle || self.now() >= end {
                return;
            }
            let wake = self.instant(next_due.map_or(end, |due| due.min(end)));
            tokio::select! {
                biased;
                Some((batch, result)) = in_flight.next(), if !in_flight.is_empty() => {
                    self.finish(&batch, &result);
                }
                () = tokio::time::sleep_until(wake) => {}
                () = self.changed() => {}
            }
        }
    }

    fn finish(&self, batch: &Batch, result: &InvocationResult) {
        self.with_world(|world| {
            let (queues, shared) = (&mut world.queues, &mut world.shared);
            world.mappings.finish(queues, shared, batch, result);
        });
    }
}

/// Starts an invocation. A function that runs longer than its deadline is dropped.
fn invoke(batch: Batch) -> BoxFuture<'static, (Batch, InvocationResult)> {
    let deadline = Instant::now() + batch.timeout;
    let invocation = Invocation {
        request_id: batch.request_id.clone(),
        payload: batch.payload.clone(),
        deadline,
        function_arn: batch.function_arn.clone(),
    };
    Box::pin(async move {
        let function = batch.function.clone();
        let result = tokio::time::timeout_at(deadline, function.invoke(invocation))
            .await
            .unwrap_or(InvocationResult::TimedOut);
        (batch, result)
    })
}

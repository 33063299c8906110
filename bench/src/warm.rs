//! An event after the first one, in the same process.

use std::path::Path;
use std::time::Duration;

use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::stage::{Setting, Stage};

/// The cost of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Warm {
    /// CPU time.
    pub(crate) cpu: Duration,
    /// API calls.
    pub(crate) calls: usize,
    /// Connections that were opened for it.
    pub(crate) connections: usize,
}

/// The mean of so many events after the first one.
pub(crate) async fn measure(
    contestant: &Contestant,
    setting: &Setting,
    folder: &Path,
    events: u32,
) -> Result<Warm, Failure> {
    let number = usize::try_from(events)?;
    let setting = setting.for_events(1 + number);
    let mut stage = Stage::set(contestant, &setting, folder, false).await?;
    let first = stage.event().await?.cpu;
    let (calls, connections) = (stage.account.calls().len(), stage.connections());
    let mut last = first;
    for _ in 0..events {
        last = stage.event().await?.cpu;
    }
    let (calls, connections) = (
        stage.account.calls().len() - calls,
        stage.connections() - connections,
    );
    stage.end().await?;
    Ok(Warm {
        cpu: last.saturating_sub(first) / events,
        calls: calls / number,
        connections: connections / number,
    })
}

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
}

/// The mean of so many events after the first one.
pub(crate) async fn measure(
    contestant: &Contestant,
    setting: &Setting,
    folder: &Path,
    events: u32,
) -> Result<Warm, Failure> {
    let mut stage = Stage::set(contestant, setting, folder, false).await?;
    let first = stage.event().await?.cpu;
    let calls = stage.account.calls().len();
    let mut last = first;
    for _ in 0..events {
        last = stage.event().await?.cpu;
    }
    let calls = stage.account.calls().len() - calls;
    stage.end().await?;
    Ok(Warm {
        cpu: last.saturating_sub(first) / events,
        calls: calls / usize::try_from(events)?,
    })
}

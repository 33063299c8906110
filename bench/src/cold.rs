//! `bench cold`: from the start of the process to its first answer.

use std::path::Path;

use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::process::Usage;
use crate::stage::{Setting, Stage};

/// A cold start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cold {
    /// What the process used: nothing that compares with others if callgrind counted.
    pub(crate) usage: Usage,
    /// The instructions, if callgrind counted.
    pub(crate) instructions: Option<u64>,
    /// The connections that it opened to AWS.
    pub(crate) connections: usize,
    /// Its API calls.
    pub(crate) calls: usize,
}

/// Starts the contestant with its first event.
pub(crate) async fn measure(
    contestant: &Contestant,
    setting: &Setting,
    folder: &Path,
    callgrind: bool,
) -> Result<Cold, Failure> {
    let mut stage = Stage::set(contestant, setting, folder, callgrind).await?;
    let usage = stage.event().await?;
    let (connections, calls) = (stage.connections(), stage.account.calls().len());
    let instructions = stage.end().await?;
    Ok(Cold {
        usage,
        instructions,
        connections,
        calls,
    })
}

//! Many restarts against the token buckets that AWS documents.

use std::path::Path;
use std::time::Duration;

use sim::{CallResult, RateLimits};

use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::stage::{Setting, Stage};

/// Calls at once, and calls a second after that, of the bucket of `UpdateService`: "Request
/// throttling for the Amazon ECS API".
const BURST: f64 = 50.0;
const RATE: f64 = 5.0;

/// Who else calls the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nobody.
    Nobody,
    /// Another caller, who takes half of every bucket.
    Half,
    /// Three processes of the same function, each with a quarter of the services.
    Three,
}

impl Others {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Nobody, Self::Half, Self::Three];

    /// The words of the table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nobody => "alone",
            Self::Half => "beside one that takes half",
            Self::Three => "four at once",
        }
    }

    fn processes(self) -> usize {
        match self {
            Self::Nobody | Self::Half => 1,
            Self::Three => 4,
        }
    }

    /// The part of the buckets that is left.
    fn left(self) -> f64 {
        match self {
            Self::Nobody | Self::Three => 1.0,
            Self::Half => 0.5,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Race {
    /// Services that should have been restarted.
    pub(crate) asked: usize,
    /// Services that were, without another event.
    pub(crate) restarted: usize,
    /// Calls of any kind that were throttled.
    pub(crate) throttled: usize,
    /// The time from the first call to the last restart, by the least time that the bucket allows;
    /// nothing if not all services were restarted, or if the bucket allows all of them at once.
    pub(crate) ratio: Option<f64>,
}

/// Lets a contestant restart so many services.
pub(crate) async fn run(
    contestant: &Contestant,
    services: u32,
    others: Others,
    folder: &Path,
) -> Result<Race, Failure> {
    let concurrency = if others == Others::Three { "4" } else { "1" };
    let mut setting = Setting {
        matching: usize::try_from(services)?,
        groups: others.processes(),
        rate_limits: RateLimits::Documented,
        ..Setting::default()
    };
    setting.variables.extend([
        ("RELOADER_CONCURRENCY", concurrency),
        ("RELOADER_RESTART_BURST", "50"),
        ("RELOADER_RESTART_RATE", "5"),
    ]);
    let stage = Stage::set(contestant, &setting, folder, false).await?;
    stage.account.share_rate_limits(1.0 - others.left());
    stage.race().await;

    let calls = stage.account.calls();
    let started = calls
        .iter()
        .filter(|call| call.deployment.is_some() && call.took_effect());
    let (first, last) = (calls.first(), started.max_by_key(|call| call.time));
    let (first, last) = first.zip(last).ok_or("nothing was restarted")?;
    let time = Duration::try_from(last.time.duration_since(first.time))?;
    let is_throttled = |result: &CallResult| matches!(result, CallResult::Error(code) if code.starts_with("Throttl"));
    let restarted = stage.account.restarted().len();
    let bound = bound(services, others);
    let is_comparable = restarted == setting.matching && bound > 0.0;
    let race = Race {
        asked: setting.matching,
        restarted,
        throttled: calls
            .iter()
            .filter(|call| is_throttled(&call.result))
            .count(),
        ratio: is_comparable.then(|| time.as_secs_f64() / bound),
    };
    stage.end_all().await;
    Ok(race)
}

/// The least seconds that so many restarts take.
fn bound(restarted: u32, others: Others) -> f64 {
    let left = others.left();
    (f64::from(restarted) - BURST * left).max(0.0) / (RATE * left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_what_the_bucket_gives() {
        for (others, seconds) in [
            (Others::Nobody, 30.0),
            (Others::Half, 70.0),
            (Others::Three, 30.0),
        ] {
            assert!((bound(200, others) - seconds).abs() < 1e-9, "{others:?}");
        }
    }
}

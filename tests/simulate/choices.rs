//! The setting of one history: the function's settings, its queue, and the delivery of events.

use std::collections::BTreeMap;
use std::time::Duration;

use ecs_reloader::pace::Limit;
use fastrand::Rng;
use jiff::SignedDuration;
use sim::{EventDelivery, RateLimits};

use crate::history::{QUEUE_URL, pick, seconds};

/// The choices before a history begins.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    /// The function's environment.
    pub(crate) variables: BTreeMap<&'static str, &'static str>,
    pub(crate) delivery: EventDelivery,
    /// The function's time-out.
    pub(crate) timeout: Duration,
    pub(crate) pollers: usize,
    pub(crate) rate_limits: RateLimits,
    pub(crate) latency_jitter: Duration,
    pub(crate) tag_index_lag: Duration,
    /// `DescribeParameters` may describe the version before.
    pub(crate) metadata_lag: Duration,
    /// The time for which a task may read the version of a parameter before the newest. It is never
    /// longer than `RELOADER_SETTLE`.
    pub(crate) replica_lag: Duration,
    pub(crate) services: usize,
}

/// The `other` value once in so many `times`, otherwise the usual one.
fn seldom<T: Copy>(rng: &mut Rng, times: usize, usual: T, other: T) -> T {
    if rng.usize(..times) == 0 {
        other
    } else {
        usual
    }
}

/// The settings of the function.
fn variables(
    rng: &mut Rng,
    settle: &'static str,
    burst: &'static str,
    rate: &'static str,
) -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("RELOADER_MODE", seldom(rng, 25, "enforce", "notify")),
        ("RELOADER_MAX_SERVICES", seldom(rng, 12, "100", "2")),
        ("RELOADER_MIN_INTERVAL", pick(rng, &["0s", "1m", "5m"])),
        ("RELOADER_MAX_RESTARTS_PER_HOUR", pick(rng, &["2", "6"])),
        ("RELOADER_MAX_IN_FLIGHT", pick(rng, &["1", "2", "50"])),
        ("RELOADER_RESTART_BURST", burst),
        ("RELOADER_RESTART_RATE", rate),
        ("RELOADER_CONCURRENCY", pick(rng, &["2", "3"])),
        ("RELOADER_SETTLE", settle),
        ("RELOADER_HOLD_LIMIT", pick(rng, &["15m", "24h", "24h"])),
        ("RELOADER_QUEUE_URL", QUEUE_URL),
        ("RELOADER_SWEEP_SINCE", seldom(rng, 12, "720h", "10m")),
    ])
}

impl Choices {
    pub(crate) fn any(rng: &mut Rng) -> Self {
        let settle = pick(rng, &["0s", "2s", "20s"]);
        let (burst, rate) = pick(
            rng,
            &[
                ("2", "1"),
                ("4", "2"),
                ("40", "4"),
                ("40", "4"),
                ("2", "0.1"),
            ],
        );
        let longest = parsed(settle);
        let replica_lag = pick(rng, &[Duration::ZERO, Duration::ZERO, longest]);
        let is_large = rng.u8(..40) == 0;
        // At the slowest pace the next turn must come before the deadline.
        let timeout = if rate == "0.1" {
            120
        } else {
            pick(rng, &[6, 20, 120])
        };
        let variables = variables(rng, settle, burst, rate);
        Self {
            variables,
            delivery: EventDelivery {
                delay: Duration::from_millis(500),
                jitter: seconds(rng, 0, 40),
                loss: pick(rng, &[0.0, 0.0, 0.2]),
                duplication: pick(rng, &[0.0, 0.3]),
            },
            timeout: Duration::from_secs(timeout),
            pollers: rng.usize(1..4),
            rate_limits: pick(rng, &[RateLimits::Documented, RateLimits::Unlimited]),
            latency_jitter: Duration::from_millis(pick(rng, &[0, 30, 500])),
            tag_index_lag: seconds(rng, 0, 60),
            metadata_lag: Duration::from_millis(pick(rng, &[0, 0, 3000])),
            replica_lag,
            services: if is_large {
                rng.usize(10..=30)
            } else {
                rng.usize(1..6)
            },
        }
    }

    fn setting(&self, name: &str) -> &'static str {
        self.variables.get(name).copied().unwrap_or_default()
    }

    fn number(&self, name: &str) -> usize {
        self.setting(name).parse().unwrap()
    }

    fn time(&self, name: &str) -> SignedDuration {
        self.setting(name).parse().unwrap()
    }

    /// True if every event arrives in the end.
    pub(crate) fn lossless(&self) -> bool {
        self.delivery.loss == 0.0
    }

    /// True if the function restarts services; false if it only decides.
    pub(crate) fn enforces(&self) -> bool {
        self.setting("RELOADER_MODE") == "enforce"
    }

    pub(crate) fn max_services(&self) -> usize {
        self.number("RELOADER_MAX_SERVICES")
    }

    pub(crate) fn restarts_per_hour(&self) -> usize {
        self.number("RELOADER_MAX_RESTARTS_PER_HOUR")
    }

    pub(crate) fn max_in_flight(&self) -> usize {
        self.number("RELOADER_MAX_IN_FLIGHT")
    }

    /// The number of invocations that the queue starts at once. A direct one comes on top.
    pub(crate) fn concurrency(&self) -> u32 {
        self.setting("RELOADER_CONCURRENCY").parse().unwrap()
    }

    pub(crate) fn min_interval(&self) -> SignedDuration {
        self.time("RELOADER_MIN_INTERVAL")
    }

    /// The least time between a change and a restart.
    pub(crate) fn settle(&self) -> SignedDuration {
        self.time("RELOADER_SETTLE")
    }

    pub(crate) fn hold_limit(&self) -> SignedDuration {
        self.time("RELOADER_HOLD_LIMIT")
    }

    pub(crate) fn sweep_since(&self) -> SignedDuration {
        self.time("RELOADER_SWEEP_SINCE")
    }

    /// The share of each process in the pace of restarts.
    pub(crate) fn part(&self) -> Limit {
        let burst: u32 = self.setting("RELOADER_RESTART_BURST").parse().unwrap();
        let rate: f64 = self.setting("RELOADER_RESTART_RATE").parse().unwrap();
        Limit {
            burst: (burst / self.concurrency()).max(1),
            rate: rate / f64::from(self.concurrency()),
        }
    }

    /// The time until so many restarts had their turns, one after another.
    pub(crate) fn turns(&self, restarts: usize) -> SignedDuration {
        let restarts = f64::from(u32::try_from(restarts).unwrap_or(u32::MAX));
        SignedDuration::from_secs_f64(restarts / self.part().rate)
    }

    pub(crate) fn slowest_event(&self) -> SignedDuration {
        SignedDuration::try_from(self.delivery.delay + self.delivery.jitter).unwrap()
    }
}

fn parsed(text: &str) -> Duration {
    let duration: SignedDuration = text.parse().unwrap();
    Duration::try_from(duration).unwrap()
}

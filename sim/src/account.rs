//! The account as its users see it: a clock, an endpoint, an SDK configuration.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::AccountConfig;
use crate::event_source_mapping::Batch;
use crate::lambda::InvocationResult;
use crate::wire::{self, Reply};
use crate::world::World;

/// A simulated AWS account with one Region. Clones share the account.
#[derive(Clone)]
pub struct Account {
    inner: Arc<Inner>,
}

struct Inner {
    zero: Instant,
    epoch: Timestamp,
    latency: Duration,
    latency_jitter: Duration,
    world: Mutex<World>,
    changed: Notify,
    called: Notify,
    in_flight: tokio::sync::Mutex<InFlight>,
}

/// Running invocations, each with its batch of messages. They make progress only while the account
/// is driven.
pub(crate) type InFlight = FuturesUnordered<BoxFuture<'static, (Batch, InvocationResult)>>;

/// The answer on the connection.
#[derive(Debug)]
pub enum Answer {
    /// An HTTP response.
    Response(http::Response<Bytes>),
    /// The connection is broken off.
    Reset,
}

impl Account {
    /// Opens an account whose time starts now, at the configured epoch. Must be called inside a
    /// tokio runtime.
    #[must_use]
    pub fn new(config: AccountConfig) -> Self {
        let AccountConfig {
            epoch,
            latency,
            latency_jitter,
            ..
        } = config;
        let inner = Inner {
            zero: Instant::now(),
            epoch,
            latency,
            latency_jitter,
            world: Mutex::new(World::new(config)),
            changed: Notify::new(),
            called: Notify::new(),
            in_flight: tokio::sync::Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The account's time: its epoch plus the time that tokio's clock, paused or real, has measured
    /// since.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.epoch + self.inner.zero.elapsed()
    }

    /// The instant on tokio's clock at which the account's time is `time`; an earlier time than the
    /// epoch is the epoch.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        let since = Duration::try_from(time.duration_since(self.inner.epoch)).unwrap_or_default();
        self.inner.zero + since
    }

    fn jitter(&self) -> Duration {
        let most = u64::try_from(self.inner.latency_jitter.as_millis()).unwrap_or(u64::MAX);
        let chance =
            |world: &mut World| Duration::from_millis(world.shared.clock.random.u64(..=most));
        if most == 0 {
            Duration::ZERO
        } else {
            self.change(chance)
        }
    }

    /// Answers one HTTP request to any of the account's APIs. The effect happens halfway through
    /// the round trip; a call that hangs never resolves.
    ///
    /// Requests are recognized by host if it is one of AWS's, else by `x-amz-target` and, for S3,
    /// by path.
    pub async fn answer(&self, request: http::Request<Bytes>) -> Answer {
        let half = (self.inner.latency + self.jitter()) / 2;
        pause(half).await;
        let reply = self.change(|world| wire::handle(world, &request));
        self.inner.called.notify_waiters();
        match reply {
            Reply::Answer { response, delay } => {
                pause(half + delay).await;
                Answer::Response(response)
            }
            Reply::Reset => Answer::Reset,
            Reply::Silence => std::future::pending().await,
        }
    }

    /// Waits until this many more calls have taken effect. The caller of the last one has no answer
    /// yet.
    pub async fn until_called(&self, times: usize) {
        let end = self.read(|world| world.calls.len()) + times;
        loop {
            let called = self.inner.called.notified();
            if self.read(|world| world.calls.len()) >= end {
                return;
            }
            called.await;
        }
    }

    /// Reads the world as it is at this instant.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&World) -> R) -> R {
        self.with_world(|world| read(world))
    }

    /// Changes the world as it is at this instant, and wakes the driver: something may be due
    /// earlier now.
    pub(crate) fn change<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let result = self.with_world(act);
        self.inner.changed.notify_one();
        result
    }

    /// The driver's own access: it need not be woken.
    pub(crate) fn with_world<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let now = self.now();
        let mut world = self
            .inner
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        world.advance(now);
        act(&mut world)
    }

    pub(crate) async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    pub(crate) fn in_flight(&self) -> &tokio::sync::Mutex<InFlight> {
        &self.inner.in_flight
    }
}

async fn pause(length: Duration) {
    if !length.is_zero() {
        tokio::time::sleep(length).await;
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

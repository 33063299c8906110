//! A random history: services, settings, and what happens to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use sim::{Account, AccountConfig, EventDelivery, EventRule, EventSourceMapping, Fault, RateLimits, Service, service, task_definition};

use crate::function::Function;

pub(crate) const QUEUE: &str = "changes";
const BUCKET: &str = "config";
const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";

/// Things that change.
const THINGS: [&str; 6] = ["ssm:/app/a", "ssm:/app/b", "ssm:/app2/a", "secret:prod/s", "s3:config/app/x", "s3:config/other"];

/// Terms that watch them. The prefix of one parameter's name is that of another one's.
const TERMS: [&str; 7] = ["ssm:/app/", "ssm:/app/a", "ssm:/app/b", "secret:prod/s", "s3:config/app/", "ssm:/app2/a", "auto"];

const ACTIONS: [&str; 7] = [
    "tag:GetResources",
    "ecs:DescribeServices",
    "ecs:UpdateService",
    "ecs:ListServiceDeployments",
    "sqs:SendMessage",
    "ssm:DescribeParameters",
    "*",
];

/// A service of a history, and what is to be expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) terms: Vec<&'static str>,
    pub(crate) mode: Option<&'static str>,
    pub(crate) min_interval: SignedDuration,
    /// A value of which version on makes its tasks fail.
    pub(crate) fails: bool,
    pub(crate) deploys: usize,
}

impl Subject {
    pub(crate) fn watches(&self, thing: &str) -> bool {
        self.terms.iter().any(|term| match *term {
            "auto" => thing == "ssm:/app/b",
            prefix if prefix.ends_with('/') => thing.starts_with(prefix),
            exact => exact == thing,
        })
    }
}

/// All that happened.
pub(crate) struct History {
    pub(crate) account: Account,
    pub(crate) function: Function,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) writes: Vec<(Timestamp, &'static str)>,
    pub(crate) restarts_per_hour: usize,
    /// What the function had told of services when everything was delivered, before the last sweeps.
    pub(crate) told_by_then: Vec<serde_json::Value>,
    /// What was done, in words.
    pub(crate) done: Vec<(Timestamp, String)>,
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

fn seconds(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from * 1000..=to * 1000))
}

impl History {
    pub(crate) async fn run(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        fastrand::seed(seed);
        let mut history = Self::begin(rng, seed).await;
        for _ in 0..rng.usize(4..16) {
            let pause = if rng.bool() { seconds(rng, 0, 20) } else { seconds(rng, 20, 600) };
            history.account.run_for(pause).await;
            history.happen(rng).await;
        }
        history.end().await;
        history
    }

    async fn begin(rng: &mut Rng, seed: u64) -> Self {
        let rate_limits = if rng.bool() { RateLimits::Documented } else { RateLimits::Unlimited };
        let config = AccountConfig { seed, tag_index_lag: seconds(rng, 0, 60), rate_limits, ..AccountConfig::default() };
        let account = Account::new(config);
        account.add_bucket(BUCKET);
        for thing in THINGS {
            write(&account, thing);
        }
        account.run_for(Duration::from_hours(3)).await;

        let interval = pick(rng, &["0s", "1m", "5m"]);
        let per_hour = pick(rng, &["2", "6"]);
        let variables = BTreeMap::from([
            ("RELOADER_MIN_INTERVAL", interval),
            ("RELOADER_MAX_RESTARTS_PER_HOUR", per_hour),
            ("RELOADER_MAX_IN_FLIGHT", pick(rng, &["1", "2", "50"])),
            ("RELOADER_SETTLE", pick(rng, &["0s", "2s", "20s"])),
            ("RELOADER_QUEUE_URL", QUEUE_URL),
        ]);
        let default: SignedDuration = interval.parse().unwrap();
        let mut subjects = Vec::new();
        for number in 0..rng.usize(1..6) {
            let (subject, service) = subject(rng, number, default);
            account.add(service);
            subjects.push(subject);
        }
        let function = Function::start(&account, &variables);
        account.add_queue(QUEUE, Duration::from_mins(13), 5);
        let delivery = EventDelivery {
            delay: Duration::from_millis(500),
            jitter: seconds(rng, 0, 40),
            loss: [0.0, 0.0, 0.2][rng.usize(..3)],
            duplication: [0.0, 0.3][rng.usize(..2)],
        };
        account.set_event_delivery(delivery);
        for rule in [EventRule::parameters(QUEUE), EventRule::secrets(QUEUE), EventRule::objects(QUEUE, [BUCKET])] {
            account.add_rule(rule);
        }
        let mapping = EventSourceMapping { pollers: rng.usize(1..4), ..EventSourceMapping::new(QUEUE) };
        let invoked = function.clone();
        account.connect(
            mapping,
            Arc::new(move |invocation| {
                let function = invoked.clone();
                async move { function.invoke(invocation).await }
            }),
        );
        let done = vec![(account.now(), format!("{variables:?} {delivery:?}"))];
        Self {
            account,
            function,
            subjects,
            writes: Vec::new(),
            restarts_per_hour: per_hour.parse().unwrap(),
            told_by_then: Vec::new(),
            done,
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.done.push((self.account.now(), what.into()));
    }

    fn write(&mut self, thing: &'static str) {
        write(&self.account, thing);
        self.writes.push((self.account.now(), thing));
        self.note(format!("write {thing}"));
    }

    async fn happen(&mut self, rng: &mut Rng) {
        match rng.usize(..12) {
            0..=3 => self.write(pick(rng, &THINGS)),
            4 => {
                for _ in 0..rng.usize(2..8) {
                    self.write(pick(rng, &THINGS));
                    self.account.run_for(seconds(rng, 0, 2)).await;
                }
            }
            5 => {
                let place = rng.usize(..self.subjects.len());
                self.subjects[place].deploys += 1;
                let name = self.subjects[place].name.clone();
                self.account.deploy(&name, task_definition().secret("B", "/app/b"));
                self.note(format!("a pipeline deploys {name}"));
            }
            6 | 7 => {
                let life = Duration::from_millis(rng.u64(0..3000));
                self.function.crash_after(life);
                self.note(format!("the next invocation is lost after {life:?}"));
            }
            8..=10 => {
                let action = pick(rng, &ACTIONS);
                let fault = match rng.usize(..8) {
                    0 => Fault::throttled(action),
                    1 => Fault::server_error(action, 500),
                    2 => Fault::reset(action),
                    3 => Fault::server_error_after_effect(action),
                    4 => Fault::reset_after_effect(action),
                    5 => Fault::silent_after_effect(action),
                    6 => Fault::hang(action),
                    _ => Fault::slow(action, seconds(rng, 0, 9)),
                };
                let fault = if rng.bool() { fault.times(rng.u32(1..5)) } else { fault.until(self.account.now() + seconds(rng, 1, 200)) };
                self.note(format!("{fault:?}"));
                self.account.inject(fault);
            }
            _ => self.sweep().await,
        }
    }

    async fn sweep(&mut self) {
        self.note("a sweep");
        let function = self.function.clone();
        let left = Duration::from_mins(2);
        let swept = async move { function.direct(r#"{"sweep": {}}"#, left).await };
        futures_util::future::join(swept, self.account.run_for(left)).await;
    }

    /// Faults are healed, everything is delivered, and what is left to do is done; then the sweep finds what was lost.
    async fn end(&mut self) {
        self.account.heal();
        self.account.set_event_delivery(EventDelivery::default());
        self.note("all is healed");
        self.account.settle().await;
        self.told_by_then = self.function.lines("service");
        for _ in 0..3 {
            self.sweep().await;
            self.account.settle().await;
            self.account.run_for(Duration::from_mins(65)).await;
        }
        self.account.settle().await;
        self.note("the end");
    }
}

fn write(account: &Account, thing: &str) {
    match thing.split_once(':').unwrap() {
        ("ssm", name) => _ = account.put_parameter(name),
        ("secret", name) => _ = account.put_secret(name),
        (_, path) => {
            let (bucket, key) = path.split_once('/').unwrap();
            account.put_object(bucket, key);
        }
    }
}

fn subject(rng: &mut Rng, number: usize, default: SignedDuration) -> (Subject, Service) {
    let name = format!("web/s{number}");
    let mut terms = vec![pick_static(rng)];
    for _ in 0..rng.usize(..2) {
        terms.push(pick_static(rng));
    }
    terms.sort_unstable();
    terms.dedup();
    let desired = rng.usize(1..4);
    let mut made = service(&name).watching(&terms.join(" ")).desired(desired).deployed_ago(Duration::from_hours(2));
    if terms.contains(&"auto") {
        made = made.referring(task_definition().secret("B", "/app/b"));
    }
    made = made.task_seconds(rng.f64() * 30.0, rng.f64() * 10.0, rng.f64() * 20.0);
    if desired > 1 && rng.bool() {
        made = made.percent(50, 100);
    }
    let fails = rng.usize(..6) == 0;
    if fails || rng.bool() {
        made = made.circuit_breaker(true);
    }
    if fails {
        made = made.failing_when_reading("ssm:/app/a", 3);
    }
    let wish = match rng.usize(..10) {
        0 => Some("notify"),
        1 => Some("off"),
        _ => None,
    };
    made = wish.into_iter().fold(made, |made, wish| made.tag("reloader:mode", wish));
    match rng.usize(..8) {
        0 => made = made.tag("reloader:pause", "2026-01-31T13:40:00Z"),
        1 => made = made.tag("reloader:window", "Mon-Sun 15:00-18:30 Europe/Berlin"),
        _ => {}
    }
    let own = [None, None, Some("90s"), Some("10m")][rng.usize(..4)];
    made = own.into_iter().fold(made, |made, own| made.tag("reloader:min-interval", own));
    let min_interval = own.map_or(default, |own| own.parse().unwrap());
    (Subject { name, terms, mode: wish, min_interval, fails, deploys: 0 }, made)
}

fn pick_static(rng: &mut Rng) -> &'static str {
    TERMS[rng.usize(..TERMS.len())]
}

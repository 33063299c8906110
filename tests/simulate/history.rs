//! A random history: services, settings, and what happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ecs_reloader::pace::Limit;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use sim::{
    Account, AccountConfig, EventDelivery, EventRule, EventSourceMapping, Fault, InvocationResult,
    RateLimits, StaleTask,
};

use crate::function::{Function, Life};
use crate::persons::Ending;
use crate::subject::{OWN, Subject};

pub(crate) const QUEUE: &str = "changes";
const BUCKET: &str = "config";
const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";

/// Things that change.
pub(crate) const THINGS: [&str; 9] = [
    "ssm:/app/a",
    "ssm:/app/b",
    "ssm:/app2/a",
    SECRET,
    "s3:config/app/x",
    "s3:config/other",
    IGNORED,
    "s3:config/app/x+y",
    ENCODED,
];

/// An object whose key may be taken for a form-URL-encoded one, and what that would be decoded:
/// nobody ever writes that.
pub(crate) const ENCODED: &str = "s3:config/a%2Bb";
pub(crate) const DECODED: &str = "s3:config/a+b";

/// Its owner wants nobody to be restarted for it.
pub(crate) const IGNORED: &str = "ssm:/app/ignored";

/// How long a rotation takes until the label moves.
const ROTATION: Duration = Duration::from_secs(6);
pub(crate) const SECRET: &str = "secret:prod/s";

/// What goes wrong. What was never sent or never read is forgotten most easily, so it goes wrong
/// most often.
const ACTIONS: [&str; 19] = [
    "tag:GetResources",
    "ecs:DescribeServices",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:UpdateService",
    "ecs:UpdateService",
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:DescribeServiceDeployments",
    "sqs:SendMessage",
    "sqs:SendMessage",
    "ssm:DescribeParameters",
    "secretsmanager:ListSecretVersionIds",
    "s3:ListObjectVersions",
    "s3:ListObjectsV2",
    "secretsmanager:ListSecrets",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "*",
];

/// Listings whose page tokens may go wrong.
const LISTINGS: [&str; 7] = [
    "tag:GetResources",
    "ecs:ListServiceDeployments",
    "ecs:ListTasks",
    "ssm:DescribeParameters",
    "secretsmanager:ListSecrets",
    "secretsmanager:ListSecretVersionIds",
    "s3:ListObjectsV2",
];

/// No history calls that often while it settles: something has gone wild.
const A_STORM: usize = 20_000;

/// All that happened.
pub(crate) struct History {
    pub(crate) account: Account,
    pub(crate) function: Arc<Function>,
    pub(crate) subjects: Vec<Subject>,
    /// What was written, and when: each may ask for a restart.
    pub(crate) writes: Vec<(Timestamp, &'static str)>,
    /// When a version of the secret was made the current one that was not new.
    pub(crate) moved: Option<Timestamp>,
    /// `DescribeParameters` may tell of the version before.
    pub(crate) metadata_lags: bool,
    /// What persons said was written, and when: that may ask for a restart, too.
    pub(crate) said: Vec<(Timestamp, &'static str)>,
    /// What was deleted, and when.
    pub(crate) deletions: Vec<(Timestamp, &'static str)>,
    /// What was gone for a while: tasks that need it did not start.
    pub(crate) deleted: BTreeSet<&'static str>,
    /// When a person asked for a service to be restarted.
    pub(crate) wishes: Vec<(Timestamp, String)>,
    pub(crate) restarts_per_hour: usize,
    /// How long after a change a restart may start.
    pub(crate) settle: Duration,
    /// The pace of restarts of the whole function.
    pub(crate) pace: Limit,
    /// How many invocations the queue starts at once; one that nobody's queue starts comes on top.
    pub(crate) concurrency: u32,
    /// Every event arrives, some day.
    pub(crate) lossless: bool,
    /// What the function had told of services when everything was delivered, before the last
    /// sweeps.
    pub(crate) told_by_then: Vec<serde_json::Value>,
    /// When that was.
    pub(crate) delivered_at: Timestamp,
    /// What was stale at that time.
    pub(crate) stale_by_then: Vec<StaleTask>,
    /// It did not settle.
    pub(crate) stormy: bool,
    /// What was done, in words.
    pub(crate) done: Vec<(Timestamp, String)>,
    /// The versions of the secret, oldest first.
    secrets: Vec<String>,
}

pub(crate) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

pub(crate) fn seconds(rng: &mut Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(rng.u64(from * 1000..=to * 1000))
}

impl History {
    /// When tasks wrote a thing, which only the account knows.
    pub(crate) fn own_writes(&self, thing: &str) -> Vec<Timestamp> {
        let name = thing
            .split_once(':')
            .filter(|_| thing == OWN)
            .map(|(_, name)| name);
        name.map(|name| self.account.parameter_writes(name))
            .unwrap_or_default()
    }

    pub(crate) async fn run(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        fastrand::seed(seed ^ 0x5eed);
        let mut history = Self::begin(rng, seed).await;
        for _ in 0..rng.usize(4..16) {
            let pause = if rng.bool() {
                seconds(rng, 0, 20)
            } else {
                seconds(rng, 20, 600)
            };
            history.account.run_for(pause).await;
            history.happen(rng).await;
        }
        history.end().await;
        history
    }

    async fn begin(rng: &mut Rng, seed: u64) -> Self {
        let rate_limits = pick(rng, &[RateLimits::Documented, RateLimits::Unlimited]);
        let latency_jitter = Duration::from_millis(pick(rng, &[0, 30, 500]));
        let parameter_metadata_lag = Duration::from_millis(pick(rng, &[0, 0, 3000]));
        let config = AccountConfig {
            seed: seed ^ 0xacc,
            tag_index_lag: seconds(rng, 0, 60),
            parameter_metadata_lag,
            latency_jitter,
            rotation: ROTATION,
            rate_limits,
            ..AccountConfig::default()
        };
        let account = Account::new(config);
        account.add_bucket(BUCKET);
        let secrets = THINGS
            .into_iter()
            .filter_map(|thing| write(&account, thing))
            .collect();
        account.tag_parameter(
            IGNORED.split_once(':').unwrap().1,
            "reloader:ignore",
            "true",
        );
        account.run_for(Duration::from_hours(3)).await;

        let interval = pick(rng, &["0s", "1m", "5m"]);
        let per_hour = pick(rng, &["2", "6"]);
        let settle = pick(rng, &["0s", "2s", "20s"]);
        let (burst, rate) = pick(rng, &[("2", "1"), ("4", "2"), ("40", "4")]);
        let concurrency = pick(rng, &["2", "3"]);
        let variables = BTreeMap::from([
            ("RELOADER_MIN_INTERVAL", interval),
            ("RELOADER_MAX_RESTARTS_PER_HOUR", per_hour),
            ("RELOADER_MAX_IN_FLIGHT", pick(rng, &["1", "2", "50"])),
            ("RELOADER_RESTART_BURST", burst),
            ("RELOADER_RESTART_RATE", rate),
            ("RELOADER_CONCURRENCY", concurrency),
            ("RELOADER_SETTLE", settle),
            ("RELOADER_HOLD_LIMIT", pick(rng, &["15m", "24h", "24h"])),
            ("RELOADER_QUEUE_URL", QUEUE_URL),
            ("RELOADER_SWEEP_SINCE", "720h"),
        ]);
        let mut subjects = Vec::new();
        for number in 0..rng.usize(1..6) {
            let (subject, service) = Subject::any(rng, number, interval.parse().unwrap());
            account.add(service);
            subjects.push(subject);
        }
        let function = Arc::new(Function::new(&account, &variables));
        account.add_queue(QUEUE, Duration::from_mins(13), 5);
        let delivery = EventDelivery {
            delay: Duration::from_millis(500),
            jitter: seconds(rng, 0, 40),
            loss: pick(rng, &[0.0, 0.0, 0.2]),
            duplication: pick(rng, &[0.0, 0.3]),
        };
        account.set_event_delivery(delivery);
        let rules = [
            EventRule::parameters(QUEUE),
            EventRule::secrets(QUEUE),
            EventRule::cloudtrail_secrets(QUEUE),
        ];
        let on_bucket = [
            EventRule::objects(QUEUE, [BUCKET]),
            EventRule::objects_deleted(QUEUE, [BUCKET]),
        ];
        rules
            .into_iter()
            .chain(on_bucket)
            .for_each(|rule| account.add_rule(rule));
        let timeout = pick(
            rng,
            &[
                Duration::from_secs(6),
                Duration::from_secs(20),
                Duration::from_mins(2),
            ],
        );
        let maximum_concurrency = concurrency.parse().unwrap();
        let mapping = EventSourceMapping {
            pollers: rng.usize(1..4),
            timeout,
            maximum_concurrency,
            ..EventSourceMapping::new(QUEUE)
        };
        // The account must not keep itself alive: many histories follow one another.
        let invoked = Arc::downgrade(&function);
        account.connect(
            mapping,
            Arc::new(move |invocation| {
                let function = invoked.upgrade();
                async move {
                    match function {
                        Some(function) => function.invoke(invocation).await,
                        None => InvocationResult::Crashed,
                    }
                }
            }),
        );
        let done = vec![(
            account.now(),
            format!("{variables:?} {delivery:?}, time-out {timeout:?}, {rate_limits:?}"),
        )];
        Self {
            account,
            function,
            subjects,
            writes: Vec::new(),
            moved: None,
            metadata_lags: !parameter_metadata_lag.is_zero(),
            said: Vec::new(),
            deletions: Vec::new(),
            deleted: BTreeSet::new(),
            wishes: Vec::new(),
            restarts_per_hour: per_hour.parse().unwrap(),
            settle: Duration::try_from(settle.parse::<SignedDuration>().unwrap()).unwrap(),
            pace: Limit {
                burst: burst.parse().unwrap(),
                rate: rate.parse().unwrap(),
            },
            concurrency: concurrency.parse().unwrap(),
            lossless: delivery.loss == 0.0,
            told_by_then: Vec::new(),
            stale_by_then: Vec::new(),
            delivered_at: Timestamp::MAX,
            stormy: false,
            done,
            secrets,
        }
    }

    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.done.push((self.account.now(), what.into()));
    }

    async fn happen(&mut self, rng: &mut Rng) {
        match rng.usize(..33) {
            0..=5 => self.write(pick(rng, &THINGS)),
            6 => {
                for _ in 0..rng.usize(2..8) {
                    self.write(pick(rng, &THINGS));
                    self.account.run_for(seconds(rng, 0, 2)).await;
                }
            }
            7..=9 => self.lose_an_invocation(rng),
            10..=14 => self.go_wrong(rng),
            15 => self.sweep().await,
            16 => self.deploy(rng).await,
            17 => self.delete(pick(rng, &THINGS[..6])),
            18 => self.touch_secret(rng),
            19 => self.compete(rng),
            20..=21 => self.scale(rng),
            22..=23 => self.ask(rng).await,
            24 => self.stop_for_a_while(rng).await,
            25 => self.write_and_deploy(rng).await,
            26..=28 => self.tag(rng),
            29..=30 => self.end_a_rollout(rng, Ending::Stop).await,
            _ => self.end_a_rollout(rng, Ending::Alarm).await,
        }
    }

    pub(crate) fn write(&mut self, thing: &'static str) {
        self.secrets.extend(write(&self.account, thing));
        self.writes.push((self.account.now(), thing));
        self.note(format!("write {thing}"));
    }

    fn delete(&mut self, thing: &'static str) {
        match thing.split_once(':').unwrap() {
            ("ssm", name) => self.account.delete_parameter(name),
            ("secret", name) => self.account.delete_secret(name),
            (_, path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.delete_object(bucket, key);
            }
        }
        self.deleted.insert(thing);
        self.deletions.push((self.account.now(), thing));
        self.note(format!("delete {thing}"));
    }

    /// What moves labels: only one that moves `AWSCURRENT` changes what tasks read.
    fn touch_secret(&mut self, rng: &mut Rng) {
        let name = SECRET.split_once(':').unwrap().1;
        let any = self.secrets[rng.usize(..self.secrets.len())].clone();
        match rng.usize(..4) {
            0 => self.account.label_parameter("/app/a", "green"),
            1 => self.account.move_stage(name, "green", &any),
            2 => {
                self.account.rotate_secret(name);
                self.writes.push((self.account.now() + ROTATION, SECRET));
            }
            _ => {
                self.account.move_stage(name, "AWSCURRENT", &any);
                self.moved = Some(self.account.now());
                self.writes.push((self.account.now(), SECRET));
            }
        }
        self.note("labels move, or a secret rotates");
    }

    fn lose_an_invocation(&mut self, rng: &mut Rng) {
        let life = match rng.usize(..4) {
            0 => Life::For(Duration::from_millis(rng.u64(0..3000))),
            1 => Life::For(seconds(rng, 3, 110)),
            // Not answered yet, or answered and little more.
            _ => {
                let operation = pick(
                    rng,
                    &[
                        "UpdateService",
                        "UpdateService",
                        "SendMessage",
                        "SendMessage",
                        "DescribeServices",
                        "ListTasks",
                    ],
                );
                Life::Until(
                    operation,
                    rng.usize(1..4),
                    pick(rng, &[Duration::ZERO, Duration::from_millis(40)]),
                )
            }
        };
        self.note(format!("the next invocation lives {life:?}"));
        self.function.lose_after(life);
    }

    fn go_wrong(&mut self, rng: &mut Rng) {
        let action = pick(rng, &ACTIONS);
        let fault = match rng.usize(..10) {
            0 => Fault::throttled(action),
            1 => Fault::server_error(action, 500),
            2 => Fault::reset(action),
            3 => Fault::server_error_after_effect(action),
            4 => Fault::reset_after_effect(action),
            5 => Fault::silent_after_effect(action),
            6 => Fault::hang(action),
            7 => Fault::tokens_in_a_circle(pick(rng, &LISTINGS)),
            8 => Fault::tokens_without_end(pick(rng, &LISTINGS)),
            _ => Fault::slow(action, seconds(rng, 0, 9)),
        };
        let one = rng.usize(..self.subjects.len());
        let fault = if action == "ecs:UpdateService" && rng.bool() {
            fault.target(&self.subjects[one].name)
        } else {
            fault
        };
        let fault = if rng.bool() {
            fault.times(rng.u32(1..8))
        } else {
            fault.until(self.account.now() + seconds(rng, 1, 300))
        };
        self.note(format!("{fault:?}"));
        self.account.inject(fault);
    }

    pub(crate) async fn invoke(&self, payload: String) {
        let function = self.function.clone();
        let left = Duration::from_mins(2);
        let answered = async move { function.direct(&payload, left).await };
        futures_util::future::join(answered, self.account.run_for(left)).await;
    }

    async fn sweep(&mut self) {
        self.note("a sweep");
        self.invoke(r#"{"sweep": {}}"#.to_owned()).await;
    }

    /// Until the queue is empty: what a window lets through a little of each day takes days.
    async fn settle(&mut self) {
        let settled = async {
            for _ in 0..10 {
                self.account.settle().await;
                if self.account.messages(QUEUE).is_empty() {
                    break;
                }
            }
        };
        tokio::select! {
            biased;
            () = settled => {}
            () = self.account.until_called(A_STORM) => self.stormy = true,
        }
    }

    /// Whether the last that was told of a service is that it is held.
    fn holds(&self) -> bool {
        let told: BTreeMap<_, _> = self
            .function
            .lines("service")
            .into_iter()
            .map(|line| (line["service"].to_string(), line))
            .collect();
        told.values().any(|line| line["decision"] == "hold")
    }

    /// Faults are healed, everything is delivered, and what is left to do is done; then the sweep
    /// finds what was lost.
    async fn end(&mut self) {
        self.account.heal();
        self.function.heal();
        self.account.share_rate_limits(0.0);
        self.account.set_event_delivery(EventDelivery::default());
        for subject in &mut self.subjects {
            if !subject.pauses.is_empty() {
                subject.pauses.push((self.account.now(), false));
                self.account
                    .tag_service(&subject.name, "reloader:pause", None);
            }
            if subject.late {
                subject.widened_at = self.account.now();
                self.account.tag_service(
                    &subject.name,
                    "reloader:watch",
                    Some(&subject.watch_tag()),
                );
            }
        }
        self.note("all is healed");
        self.settle().await;
        self.told_by_then = self.function.lines("service");
        self.stale_by_then = self.account.stale_tasks();
        self.delivered_at = self.account.now();
        for thing in self.deleted.clone() {
            self.write(thing);
        }
        self.settle().await;
        for sweeps in 1.. {
            self.sweep().await;
            self.settle().await;
            self.account.run_for(Duration::from_mins(65)).await;
            // The sweep sends no holds: the next one takes them up. A window opens once a day.
            if self.stormy || (sweeps >= 2 && (sweeps == 30 || !self.holds())) {
                break;
            }
        }
        self.settle().await;
        self.note("the end");
    }
}

/// Writes a thing; answers the version of a secret.
fn write(account: &Account, thing: &str) -> Option<String> {
    match thing.split_once(':').unwrap() {
        ("ssm", name) => _ = account.put_parameter(name),
        ("secret", name) => return Some(account.put_secret(name)),
        (_, path) => {
            let (bucket, key) = path.split_once('/').unwrap();
            account.put_object(bucket, key);
        }
    }
    None
}

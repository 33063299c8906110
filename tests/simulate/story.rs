//! One history from a seed: its beginning, its happenings, and its end.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use sim::{Account, AccountConfig, EventDelivery, EventRule, EventSourceMapping, InvocationResult};

use crate::bystanders;
use crate::choices::Choices;
use crate::configuration::write;
use crate::function::Function;
use crate::happening::Happening;
use crate::history::{History, IGNORED, Ignoring, QUEUE, ROTATION, THINGS, pick, seconds};
use crate::persons::Ending;
use crate::subject::Subject;

const BUCKET: &str = "config";

/// A window opens once a day. The histories begin in January and end before the clocks change in
/// Europe.
const DAYS: usize = 40;

/// The most calls while a history settles. More of them mean an endless loop.
const A_STORM: usize = 20_000;

/// The sweep runs a little less often than each hour.
const BETWEEN_SWEEPS: Duration = Duration::from_mins(65);

impl History {
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
            let happening = Happening::any(rng);
            *history.happened.entry(happening).or_default() += 1;
            history.happen(happening, rng).await;
        }
        history.end().await;
        history
    }

    async fn begin(rng: &mut Rng, seed: u64) -> Self {
        let choices = Choices::any(rng);
        let (account, secrets) = open(&choices, seed).await;
        let subjects = (0..choices.services)
            .map(|number| {
                let (subject, service) = Subject::any(rng, number, &choices, &account, &secrets[0]);
                account.add(service);
                subject
            })
            .collect();
        bystanders::add(rng, &account);
        let function = Arc::new(Function::new(&account, &choices.variables));
        connect(&account, &choices, &function);
        let began_at = account.now();
        let ignored = Ignoring {
            thing: IGNORED,
            from: Timestamp::UNIX_EPOCH,
            until: None,
        };
        Self {
            done: vec![(began_at, format!("{choices:?}"))],
            account,
            aside: Rng::with_seed(seed ^ 0xa51de),
            function,
            choices,
            subjects,
            began_at,
            writes: Vec::new(),
            moved: None,
            claims: Vec::new(),
            dry_runs: Vec::new(),
            deletions: Vec::new(),
            deleted: BTreeSet::new(),
            ignored: vec![ignored],
            malformed: Vec::new(),
            requests: Vec::new(),
            troubles: Vec::new(),
            lines_by_then: Vec::new(),
            stale_by_then: Vec::new(),
            delivered_at: Timestamp::MAX,
            last_sweep_at: Timestamp::MAX,
            left: Vec::new(),
            stormy: false,
            happened: BTreeMap::new(),
            secrets,
            record: OnceCell::new(),
        }
    }

    async fn happen(&mut self, happening: Happening, rng: &mut Rng) {
        match happening {
            Happening::Write => self.write(pick(rng, &THINGS)),
            Happening::Burst => {
                for _ in 0..rng.usize(2..8) {
                    self.write(pick(rng, &THINGS));
                    self.account.run_for(seconds(rng, 0, 2)).await;
                }
            }
            Happening::LostInvocation => self.lose_an_invocation(rng),
            Happening::Fault => self.go_wrong(rng),
            Happening::Combination => self.combine(rng).await,
            Happening::Sweep => self.sweep().await,
            Happening::Deploy => self.deploy(rng).await,
            Happening::Delete => self.delete(pick(rng, &THINGS[..6])),
            Happening::TouchSecret => self.touch_secret(rng),
            Happening::Compete => self.compete(rng),
            Happening::Scale => self.scale(rng),
            Happening::Ask => self.ask(rng).await,
            Happening::AskInVain => self.ask_in_vain(rng).await,
            Happening::Stop => self.stop_for_a_while(rng).await,
            Happening::WriteAndDeploy => self.write_and_deploy(rng).await,
            Happening::Tag => self.tag(rng),
            Happening::Ignore => self.ignore(rng),
            Happening::StopRollout => self.end_a_rollout(rng, Ending::Stop).await,
            Happening::Alarm => self.end_a_rollout(rng, Ending::Alarm).await,
            Happening::Malformed => self.send_malformed(rng),
            Happening::Foreign => self.send_foreign(rng),
        }
    }

    pub(crate) async fn invoke(&self, payload: String) {
        let function = self.function.clone();
        let left = Duration::from_mins(2);
        let answered = async move { function.direct(&payload, left).await };
        futures_util::future::join(answered, self.account.run_for(left)).await;
    }

    async fn sweep(&mut self) {
        self.note("a sweep");
        self.last_sweep_at = self.account.now();
        self.invoke(r#"{"sweep": {}}"#.to_owned()).await;
    }

    /// Lets time pass until the queue is empty. Work that waits for a window may take days.
    async fn settle(&mut self) {
        for _ in 0..DAYS {
            tokio::select! {
                biased;
                () = self.account.settle() => {}
                () = self.account.until_called(A_STORM) => self.stormy = true,
            }
            if self.stormy || self.account.messages(QUEUE).is_empty() {
                break;
            }
        }
    }

    /// True if the last line about a service says that it is held, or that the time was up.
    fn holds(&self) -> bool {
        let last: BTreeMap<_, _> = self
            .function
            .lines("service")
            .into_iter()
            .map(|line| (line["service"].to_string(), line))
            .collect();
        let waits = |line: &serde_json::Value| {
            line["decision"] == "hold" || line["result"] == "out-of-time"
        };
        last.values().any(waits)
    }

    /// Ends all faults, delivers all events, and waits until all work is done; then the sweep finds
    /// the changes whose events were lost.
    async fn end(&mut self) {
        self.heal();
        self.note("all is healed");
        self.settle().await;
        self.left = self.account.messages(QUEUE);
        self.lines_by_then = self.function.lines("service");
        self.stale_by_then = self.account.stale_tasks();
        self.delivered_at = self.account.now();
        for thing in std::mem::take(&mut self.deleted) {
            self.write(thing);
        }
        self.settle().await;
        for sweeps in 1.. {
            self.sweep().await;
            self.settle().await;
            self.account.run_for(BETWEEN_SWEEPS).await;
            // The next sweep decides again about everything that no window holds.
            if self.stormy || (sweeps >= 2 && (sweeps == 30 || !self.holds())) {
                break;
            }
        }
        self.settle().await;
        self.note("the end");
    }

    fn heal(&mut self) {
        self.account.heal();
        self.function.heal();
        self.account.share_rate_limits(0.0);
        self.account.set_event_delivery(EventDelivery::default());
        let now = self.account.now();
        for subject in &mut self.subjects {
            if !subject.tagged_pauses.is_empty() {
                subject.tagged_pauses.push((now, false));
                self.account
                    .tag_service(&subject.name, "reloader:pause", None);
            }
            if subject.late {
                subject.widened_at = now;
                self.account.tag_service(
                    &subject.name,
                    "reloader:watch",
                    Some(&subject.watch_tag()),
                );
            }
        }
        self.stop_ignoring();
    }
}

/// Writes everything long before the history. Returns the versions of the secret.
async fn open(choices: &Choices, seed: u64) -> (Account, Vec<String>) {
    let account = Account::new(AccountConfig {
        seed: seed ^ 0xacc,
        tag_index_lag: choices.tag_index_lag,
        parameter_metadata_lag: choices.metadata_lag,
        parameter_replica_lag: choices.replica_lag,
        latency_jitter: choices.latency_jitter,
        rotation: ROTATION,
        rate_limits: choices.rate_limits,
        ..AccountConfig::default()
    });
    account.add_bucket(BUCKET);
    let secrets = THINGS
        .into_iter()
        .filter_map(|thing| write(&account, thing))
        .collect();
    let (_, ignored) = IGNORED.split_once(':').unwrap();
    account.tag_parameter(ignored, "reloader:ignore", "true");
    account.run_for(Duration::from_hours(3)).await;
    (account, secrets)
}

/// Connects the account's events to the function, through its queue.
fn connect(account: &Account, choices: &Choices, function: &Arc<Function>) {
    account.add_queue(QUEUE, Duration::from_mins(13), 5);
    account.set_event_delivery(choices.delivery);
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
    let mapping = EventSourceMapping {
        pollers: choices.pollers,
        timeout: choices.timeout,
        maximum_concurrency: choices.concurrency() as usize,
        ..EventSourceMapping::new(QUEUE)
    };
    // A weak reference: the account would keep itself alive, and many histories follow one another.
    let invoked = Arc::downgrade(function);
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
}

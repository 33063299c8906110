//! The most memory of the real binary, and the length of its log, in the largest invocations: those
//! of real accounts, and the worst ones that hostile messages cause. The binary is a process of its
//! own, so that the memory of the simulated account does not count.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot continue fails"
)]
#![expect(
    clippy::print_stdout,
    reason = "the numbers are worth knowing: --nocapture"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sim::events::{Envelope, Parameter, parameter_store_change};
use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi};
use sim::server::Server;
use sim::{Account, AccountConfig, Function as _, Invocation, InvocationResult, Service, service};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

#[path = "support/hostile.rs"]
mod hostile;

use hostile::{batch_without_end, hostile_batches};

const QUEUE_ARN: &str = "arn:aws:sqs:eu-west-1:123456789012:changes";
const MIB: usize = 1024 * 1024;

/// The services that the real event in the middle of a hostile batch restarts: few enough to start
/// without waiting for one another.
const REAL: usize = 20;

/// The memory of the program's own pages in the release. In a debug build they take more, which
/// proves nothing.
const PROGRAM: usize = 12 * MIB;

/// An account, and the binary.
struct Stage {
    account: Account,
    function: RuntimeApi,
    lines: UnboundedReceiver<LogLine>,
    _server: Server,
}

/// The memory, log and time of an invocation.
#[derive(Debug)]
struct Taken {
    result: InvocationResult,
    /// The peak of the memory since the process started, in bytes.
    memory: usize,
    /// The length of the log, in bytes.
    log: usize,
    /// The summary line.
    summary: Value,
    time: Duration,
}

impl Stage {
    async fn set(services: Vec<Service>, variables: &[(&str, &str)]) -> Self {
        let account = Account::new(AccountConfig {
            epoch: now(),
            latency: Duration::ZERO,
            ..AccountConfig::default()
        });
        for service in services {
            account.add(service.deployed_ago(Duration::from_hours(48)));
        }
        account.add_queue("changes", Duration::from_mins(13), 5);
        let server = Server::start(account.clone(), 0).await.unwrap();
        let endpoint_url = server.endpoint_url();
        let queue_url = format!("{endpoint_url}/123456789012/changes");
        let variables = variables.iter().copied().chain([
            ("RELOADER_QUEUE_URL", queue_url.as_str()),
            ("RELOADER_CONCURRENCY", "1"),
        ]);
        let configuration = FunctionConfiguration {
            binary: binary(),
            arguments: Vec::new(),
            function_name: "ecs-reloader".to_owned(),
            memory_size: 256,
            region: "eu-west-1".to_owned(),
            endpoint_url,
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>(),
        };
        let (sender, lines) = unbounded_channel();
        let function = RuntimeApi::start(configuration, sender).await.unwrap();
        Self {
            account,
            function,
            lines,
            _server: server,
        }
    }

    /// An event of the queue.
    fn payload(&self, bodies: &[String]) -> String {
        let sent = (self.account.now().as_millisecond() - 1000).to_string();
        let records = bodies.iter().enumerate().map(|(place, body)| {
            json!({
                "messageId": format!("message-{place}"),
                "body": body,
                "eventSource": "aws:sqs",
                "eventSourceARN": QUEUE_ARN,
                "attributes": { "SentTimestamp": sent, "SenderId": "AIDAEXAMPLE" },
            })
        });
        json!({ "Records": records.collect::<Vec<_>>() }).to_string()
    }

    async fn invoke(&mut self, bodies: &[String], within: Duration) -> Taken {
        let payload = self.payload(bodies);
        let begun = Instant::now();
        let invocation = Invocation {
            request_id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".to_owned(),
            payload: payload.into(),
            deadline: begun + within,
            function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:ecs-reloader".to_owned(),
        };
        let result = tokio::select! {
            result = self.function.invoke(invocation) => result,
            () = pass_time(&self.account) => unreachable!(),
        };
        let time = begun.elapsed();
        assert!(
            !matches!(
                result,
                InvocationResult::TimedOut | InvocationResult::Crashed
            ),
            "{result:?} after {time:?}"
        );
        let memory = memory(self.function.processes()[0]);
        let mut taken = Taken {
            result,
            memory,
            log: 0,
            summary: Value::Null,
            time,
        };
        while !taken.summary.is_object() || !self.lines.is_empty() {
            let line = tokio::time::timeout(Duration::from_secs(5), self.lines.recv())
                .await
                .unwrap()
                .unwrap();
            taken.log += line.text.len() + 1;
            let line: Value = serde_json::from_str(&line.text).unwrap_or_default();
            if line["message"] == "summary" {
                taken.summary = line;
            }
        }
        taken
    }

    fn restarted(&self) -> Vec<String> {
        self.account.restarted()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process on the other side reads the real clock"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A binary other than the one of the tests can be measured too.
fn binary() -> std::path::PathBuf {
    std::env::var_os("MEASURED_BINARY").map_or_else(
        || Path::new(env!("CARGO_BIN_EXE_ecs-reloader-lambda")).to_path_buf(),
        Into::into,
    )
}

async fn pass_time(account: &Account) {
    loop {
        account.run_for(Duration::from_hours(1)).await;
    }
}

/// The most memory that a process had so far, its program's pages as in the release.
/// "`proc_pid_status(5)`", Linux manual pages.
fn memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let kib = |name: &str| -> usize {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    (kib("VmHWM:") - kib("RssFile:")) * 1024 + PROGRAM
}

fn services(number: usize) -> Vec<Service> {
    (0..number)
        .map(|place| service(&format!("production/service-{place:04}")).watching("ssm:/app/"))
        .collect()
}

fn event(account: &Account, name: &str) -> String {
    let envelope = Envelope {
        id: "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        account: "123456789012",
        time: account.now(),
        region: "eu-west-1",
    };
    parameter_store_change(
        &envelope,
        "Update",
        &Parameter {
            name,
            kind: "String",
            description: None,
        },
    )
    .to_string()
}

/// Events of so many parameters below `/app/`.
fn events(stage: &Stage, number: usize) -> Vec<String> {
    let write = |place: usize| {
        let name = format!("/app/parameter-{place:04}");
        stage.account.put_parameter(&name);
        event(&stage.account, &name)
    };
    (0..number).map(write).collect()
}

#[tokio::test]
async fn a_hundred_parameters_of_three_thousand_services_take_48_mib_and_a_megabyte_of_log() {
    let mut stage = Stage::set(services(3000), &[]).await;
    let events = events(&stage, 100);

    let taken = stage.invoke(&events, Duration::from_mins(2)).await;

    println!(
        "100 x 3000: {} MiB, {} bytes of log, {:?}",
        taken.memory / MIB,
        taken.log,
        taken.time
    );
    assert!(matches!(taken.result, InvocationResult::Ok(_)));
    assert_eq!(
        (&taken.summary["refused"], &taken.summary["changes"]),
        (&3000.into(), &100.into()),
        "{taken:?}"
    );
    assert!(
        taken.memory <= 48 * MIB && taken.log <= 1_000_000,
        "{taken:?}"
    );
}

#[tokio::test]
async fn a_thousand_parameters_of_a_thousand_services_take_64_mib_the_second_pass_included() {
    let mut stage = Stage::set(services(1000), &[("RELOADER_MAX_SERVICES", "1000")]).await;
    let events = events(&stage, 1000);

    let taken = stage.invoke(&events, Duration::from_mins(2)).await;
    let left = stage.account.messages("changes");
    let again = stage.invoke(&left, Duration::from_mins(2)).await;

    println!(
        "1000 x 1000: {} MiB, then {} MiB, {} bytes of log, {:?}",
        taken.memory / MIB,
        again.memory / MIB,
        taken.log,
        taken.time
    );
    assert_eq!(
        (&taken.summary["started"], &taken.summary["held"]),
        (&50.into(), &950.into()),
        "{:?}",
        taken.summary
    );
    assert!(
        again.memory <= 64 * MIB && taken.log <= 1_000_000,
        "{taken:?}"
    );
}

#[tokio::test]
async fn ten_thousand_services_of_which_the_event_reaches_one_take_24_mib() {
    let watching = |place: usize| {
        let name = format!("production/service-{place:05}");
        service(&name).watching(&format!("ssm:/app/service-{place:05}/"))
    };
    for (number, most) in [(1, 18), (10_000, 24)] {
        let mut stage = Stage::set((0..number).map(watching).collect(), &[]).await;
        let name = "/app/service-00000/db";
        stage.account.put_parameter(name);
        let events = [event(&stage.account, name)];

        let taken = stage.invoke(&events, Duration::from_mins(2)).await;

        println!(
            "1 of {number}: {} KiB, {} bytes of log, {:?}",
            taken.memory / 1024,
            taken.log,
            taken.time
        );
        assert_eq!(
            (&taken.summary["started"], &taken.summary["watching"]),
            (&1.into(), &number.into()),
            "{taken:?}"
        );
        assert!(taken.memory <= most * MIB, "{taken:?}");
    }
}

#[tokio::test]
async fn a_thousand_restarts_that_wait_for_their_turns_take_28_mib() {
    let limits = [
        ("RELOADER_MAX_SERVICES", "1000"),
        ("RELOADER_MAX_IN_FLIGHT", "1000"),
    ];
    let mut stage = Stage::set(services(1000), &limits).await;
    let events = events(&stage, 1);

    let taken = stage.invoke(&events, Duration::from_secs(20)).await;

    println!(
        "1000 restarts: {} KiB, {} bytes of log, {:?}",
        taken.memory / 1024,
        taken.log,
        taken.time
    );
    let started = taken.summary["started"].as_u64().unwrap();
    assert!((50..1000).contains(&started), "{taken:?}");
    assert!(taken.memory <= 28 * MIB, "{taken:?}");
}

async fn is_endured(what: &str, mut bodies: Vec<String>, within: Duration) {
    let mut stage = Stage::set(services(REAL), &[("RELOADER_MIN_INTERVAL", "0s")]).await;
    let name = "/app/real";
    stage.account.put_parameter(name);
    let real = bodies.len() / 2;
    bodies.insert(real, event(&stage.account, name));

    let taken = stage.invoke(&bodies, within).await;

    println!(
        "{what}: {} messages, {} MiB, {} bytes of log, {:?}",
        bodies.len(),
        taken.memory / MIB,
        taken.log,
        taken.time
    );
    let InvocationResult::Ok(answer) = &taken.result else {
        unreachable!("{what}: {taken:?}")
    };
    let answer: Value = serde_json::from_slice(answer).unwrap();
    let real = json!({ "itemIdentifier": format!("message-{real}") });
    assert!(
        !answer["batchItemFailures"]
            .as_array()
            .unwrap()
            .contains(&real),
        "{what}"
    );
    assert_eq!(stage.restarted().len(), REAL, "{what}: {:?}", taken.summary);
    assert!(
        taken.memory < 128 * MIB && taken.log <= 1_100_000,
        "{what}: {taken:?}"
    );
}

#[tokio::test]
async fn a_batch_that_takes_all_the_time_ends_in_time_and_the_real_event_in_it_is_done() {
    // A tenth of it is kept for the end: the binary is slow, and the machine perhaps busy.
    is_endured(
        "requests without end",
        batch_without_end(),
        Duration::from_secs(40),
    )
    .await;
}

#[tokio::test]
async fn the_worst_batches_take_128_mib_end_in_time_and_the_real_event_among_them_is_done() {
    // All at once, each by a process of its own: they mostly wait.
    let batches = hostile_batches().into_iter();
    join_all(batches.map(|(what, bodies)| is_endured(what, bodies, Duration::from_mins(2)))).await;
}

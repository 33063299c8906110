//! A contestant, and the account that it works in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi};
use sim::{
    Account, AccountConfig, Function as _, Invocation, InvocationResult, RateLimits, Service,
    service,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use crate::callgrind::Callgrind;
use crate::certificates::{Authority, Chain, Roots, Tls};
use crate::check::Before;
use crate::clock;
use crate::contestant::Contestant;
use crate::event::{self, QUEUE};
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::process::{Process, Usage};

/// The parameter that changes.
const PARAMETER: &str = "/app/db";

/// The round trip of an API call. Without one, chance would decide if a second call at the same
/// time finds the connection of the first free again.
const LATENCY: Duration = Duration::from_millis(10);

/// Settings with which the function has no limit of its own: its limits protect real accounts.
const UNLIMITED: [(&str, &str); 8] = [
    ("RELOADER_SETTLE", "0s"),
    ("RELOADER_MIN_INTERVAL", "0s"),
    ("RELOADER_MAX_RESTARTS_PER_HOUR", "10000"),
    ("RELOADER_MAX_SERVICES", "10000"),
    ("RELOADER_MAX_IN_FLIGHT", "10000"),
    ("RELOADER_CONCURRENCY", "1"),
    ("RELOADER_RESTART_BURST", "1000"),
    ("RELOADER_RESTART_RATE", "1000"),
];

/// The longest invocation. Lambda allows 15 minutes; valgrind is slow.
const DEADLINE: Duration = Duration::from_mins(15);

/// What a measurement runs in.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The certificates of the account's addresses.
    pub(crate) chain: Chain,
    /// The root certificates beside the account's own.
    pub(crate) roots: Roots,
    /// One address for all AWS services.
    pub(crate) one_host: bool,
    /// Services that watch what changes.
    pub(crate) matching: usize,
    /// What they watch.
    pub(crate) term: &'static str,
    /// Services that watch something else.
    pub(crate) others: usize,
    /// The throttling of calls.
    pub(crate) rate_limits: RateLimits,
    /// Settings of the function.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            chain: Chain::Rsa,
            roots: Roots::Native,
            one_host: false,
            matching: 1,
            term: "ssm:/app/db",
            others: 2,
            rate_limits: RateLimits::Unlimited,
            variables: UNLIMITED.to_vec(),
        }
    }
}

impl Setting {
    /// The service at a place; the first ones watch the parameter.
    fn service(&self, place: usize) -> Service {
        let watch = if place < self.matching {
            self.term
        } else {
            "ssm:/other/key"
        };
        service(&format!("production/service-{place:05}"))
            .watching(watch)
            .desired(1)
            .task_seconds(0.03, 0.03, 0.03)
            .deployed_ago(Duration::from_hours(48))
    }

    /// Returns whether the service with this name watches the parameter.
    fn is_matching(&self, name: &str) -> bool {
        let place = name.rsplit('-').next().and_then(|place| place.parse().ok());
        place.is_some_and(|place: usize| place < self.matching)
    }
}

/// A contestant that waits for its first event, and the account.
pub(crate) struct Stage {
    pub(crate) account: Account,
    setting: Setting,
    contestant: Contestant,
    function: RuntimeApi,
    lines: UnboundedReceiver<LogLine>,
    callgrind: Option<Callgrind>,
    tls: Tls,
    _hosts: Hosts,
}

impl Stage {
    /// Opens the account. The contestant starts with its first event. Files go to `folder`.
    pub(crate) async fn set(
        contestant: &Contestant,
        setting: &Setting,
        folder: &Path,
        callgrind: bool,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        let account = Account::new(AccountConfig {
            epoch: clock::now(),
            latency: LATENCY,
            scheduler_delay: Duration::from_millis(30),
            rate_limits: setting.rate_limits,
            ..AccountConfig::default()
        });
        for place in 0..setting.matching + setting.others {
            account.add(setting.service(place));
        }
        account.add_queue(QUEUE, Duration::from_mins(13), 5);
        let authority = Authority::new(setting.chain)?;
        let tls = authority.tls();
        let hosts = Hosts::start(&account, &tls, setting.one_host).await?;
        let bundle = folder.join("bundle.pem");
        std::fs::write(&bundle, authority.bundle(setting.roots))?;

        let callgrind = callgrind.then(|| Callgrind::new(folder.join("callgrind.out")));
        let callgrind = callgrind.transpose()?;
        let configuration = configuration(contestant, setting, &hosts, &bundle, callgrind.as_ref());
        let (sender, lines) = unbounded_channel();
        Ok(Self {
            account,
            setting: setting.clone(),
            contestant: contestant.clone(),
            function: RuntimeApi::cold(configuration, sender),
            lines,
            callgrind,
            tls,
            _hosts: hosts,
        })
    }

    /// Changes the parameter, hands the event over, and checks what was done. Returns what the
    /// process used since it started.
    pub(crate) async fn event(&mut self) -> Result<Usage, Failure> {
        let before = Before::of(&self.account).await?;
        let changed = event::change(&self.account, PARAMETER);
        // The change is over for everyone when its second is: events tell only the second.
        clock::end_of_second(changed.at).await;
        let payload = event::payload(&self.account, &[changed]);
        self.invoke(payload).await?;
        let usage = self.usage()?;
        let (way, setting) = (self.contestant.way, &self.setting);
        let compared = before.compare(&self.account, way, |name| setting.is_matching(name));
        compared.await.map_err(|error| self.with_log(&error))?;
        Ok(usage)
    }

    /// Invokes the function and waits until it asks for the next event.
    pub(crate) async fn invoke(&mut self, payload: String) -> Result<(), Failure> {
        let invocation = Invocation {
            request_id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".to_owned(),
            payload: payload.into(),
            deadline: Instant::now() + DEADLINE,
            function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:ecs-reloader".to_owned(),
        };
        let result = self.function.invoke(invocation).await;
        let InvocationResult::Ok(_) = result else {
            return Err(self.with_log(&format!("{result:?}").into()));
        };
        self.function.until_idle().await;
        Ok(())
    }

    /// Ends the contestant; the instructions that it took, if callgrind counts them.
    pub(crate) async fn end(self) -> Result<Option<u64>, Failure> {
        let process = self.process()?;
        let Some(callgrind) = self.callgrind else {
            self.function.stop().await;
            return Ok(None);
        };
        process.end().await?;
        self.function.stop().await;
        callgrind.instructions().map(Some)
    }

    /// What the process used since it started.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        self.process()?.usage()
    }

    /// The connections to AWS so far.
    pub(crate) fn connections(&self) -> usize {
        self.tls.connections()
    }

    /// The last summary line that the function wrote.
    pub(crate) fn summary(&mut self) -> Value {
        let lines = std::iter::from_fn(|| self.lines.try_recv().ok());
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
        let is_summary = |line: &Value| line.get("message").is_some_and(|text| text == "summary");
        lines.filter(is_summary).last().unwrap_or_default()
    }

    fn process(&self) -> Result<Process, Failure> {
        let ids = self.function.processes();
        let id = ids.first().ok_or("the contestant has ended")?;
        Ok(Process::new(*id))
    }

    /// The error, and the end of what the contestant wrote.
    fn with_log(&mut self, error: &Failure) -> Failure {
        let lines: Vec<_> = std::iter::from_fn(|| self.lines.try_recv().ok()).collect();
        let last = lines.iter().skip(lines.len().saturating_sub(20));
        let last: Vec<_> = last.map(|line| line.text.as_str()).collect();
        format!("{}: {error}\n  {}", self.contestant.name, last.join("\n  ")).into()
    }
}

fn configuration(
    contestant: &Contestant,
    setting: &Setting,
    hosts: &Hosts,
    bundle: &Path,
    callgrind: Option<&Callgrind>,
) -> FunctionConfiguration {
    let Contestant {
        program, arguments, ..
    } = contestant;
    let (binary, arguments): (PathBuf, _) = match callgrind {
        Some(callgrind) => callgrind.around(program, arguments),
        None => (program.clone(), arguments.clone()),
    };
    let AccountConfig {
        account_id, region, ..
    } = AccountConfig::default();
    let endpoint_url = hosts.endpoint_url();
    let own = [
        (
            "RELOADER_QUEUE_URL".to_owned(),
            format!("{endpoint_url}/{account_id}/{QUEUE}"),
        ),
        ("SSL_CERT_FILE".to_owned(), bundle.display().to_string()),
        ("AWS_CA_BUNDLE".to_owned(), bundle.display().to_string()),
    ];
    let variables = setting.variables.iter();
    let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    FunctionConfiguration {
        binary,
        arguments,
        function_name: "ecs-reloader".to_owned(),
        memory_size: 256,
        region,
        variables: own
            .into_iter()
            .chain(hosts.variables())
            .chain(variables)
            .collect(),
        endpoint_url,
    }
}

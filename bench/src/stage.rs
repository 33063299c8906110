//! A contestant, and the account that it works in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi};
use sim::{
    Account, AccountConfig, Function as _, Invocation, InvocationResult, RateLimits, Service,
    service,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use crate::callgrind::{self, Callgrind};
use crate::certificates::{Authority, Chain, Roots, Tls};
use crate::check::Before;
use crate::clock;
use crate::contestant::Contestant;
use crate::event::{self, QUEUE};
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::process::{Process, Usage};

/// The parameter that changes, or the one of several.
fn parameter(group: usize) -> String {
    format!("/app/db-{group}")
}

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
    /// The path that they all watch; without one, each watches a parameter.
    pub(crate) path: Option<&'static str>,
    /// The number of those parameters, which the services share evenly.
    pub(crate) groups: usize,
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
            path: None,
            groups: 1,
            others: 2,
            rate_limits: RateLimits::Unlimited,
            variables: UNLIMITED.to_vec(),
        }
    }
}

impl Setting {
    /// The service at a place; the first ones watch the parameter.
    fn service(&self, place: usize) -> Service {
        let watch = match self.path {
            _ if place >= self.matching => "/other/key".to_owned(),
            Some(path) => path.to_owned(),
            None => parameter(place % self.groups),
        };
        service(&format!("production/service-{place:05}"))
            .watching(&format!("ssm:{watch}"))
            .desired(1)
            .task_seconds(0.03, 0.03, 0.03)
            .deployed_ago(Duration::from_hours(48))
    }

    /// Returns whether the service with this name watches the parameter of a group.
    fn is_matching(&self, name: &str, group: usize) -> bool {
        let place = name.rsplit('-').next().and_then(|place| place.parse().ok());
        place.is_some_and(|place: usize| place < self.matching && place % self.groups == group)
    }

    /// The same, with as many services for each of so many events.
    pub(crate) fn for_events(&self, events: usize) -> Self {
        Self {
            matching: self.matching * events,
            groups: events,
            ..self.clone()
        }
    }
}

/// A contestant that waits for its first event, and the account.
pub(crate) struct Stage {
    pub(crate) account: Account,
    setting: Setting,
    contestant: Contestant,
    /// The events so far.
    events: usize,
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
        // Another run may be under way.
        let folder = folder.join(std::process::id().to_string());
        std::fs::create_dir_all(&folder)?;
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
            events: 0,
            function: RuntimeApi::cold(configuration, sender),
            lines,
            callgrind,
            tls,
            _hosts: hosts,
        })
    }

    /// Changes the parameter of the next group, hands the event over, and checks what was done.
    /// Returns what the process used since it started. Each event has services of its own: a service
    /// that was deployed within the hour would need more calls.
    pub(crate) async fn event(&mut self) -> Result<Usage, Failure> {
        let before = Before::of(&self.account).await?;
        let changed = event::change(&self.account, &parameter(self.events));
        // The change is over for everyone when its second is: events tell only the second.
        clock::end_of_second(changed.at).await;
        let payload = event::payload(&self.account, &[changed]);
        self.invoke(payload).await?;
        let usage = self.usage()?;
        let (way, setting, group) = (self.contestant.way, &self.setting, self.events);
        self.events += 1;
        let compared = before.compare(&self.account, way, |name| setting.is_matching(name, group));
        compared.await.map_err(|error| self.with_log(&error))?;
        Ok(usage)
    }

    /// Changes every parameter and hands the events over at once, each to a process of its own. The
    /// results are in the account.
    pub(crate) async fn race(&self) {
        let changes = (0..self.setting.groups).map(|group| {
            let changed = event::change(&self.account, &parameter(group));
            (changed.at, event::payload(&self.account, &[changed]))
        });
        let changes: Vec<_> = changes.collect();
        if let Some((at, _)) = changes.last() {
            clock::end_of_second(*at).await;
        }
        join_all(changes.into_iter().map(|(_, payload)| self.call(payload))).await;
    }

    /// Invokes the function and waits until it asks for the next event.
    pub(crate) async fn invoke(&mut self, payload: String) -> Result<(), Failure> {
        let result = self.call(payload).await;
        let InvocationResult::Ok(_) = result else {
            return Err(self.with_log(&format!("{result:?}").into()));
        };
        self.function.until_idle().await;
        Ok(())
    }

    async fn call(&self, payload: String) -> InvocationResult {
        let invocation = Invocation {
            request_id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".to_owned(),
            payload: payload.into(),
            deadline: Instant::now() + DEADLINE,
            function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:ecs-reloader".to_owned(),
        };
        self.function.invoke(invocation).await
    }

    /// Ends all processes of the contestant.
    pub(crate) async fn end_all(&self) {
        self.function.stop().await;
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
    let settings = setting.variables.iter().copied();
    let of_contestant = contestant.variables.iter();
    let of_contestant = of_contestant.map(|(name, value)| (*name, value.as_str()));
    let of_tool = callgrind.map(|_| callgrind::VARIABLE);
    let variables = settings.chain(of_contestant).chain(of_tool);
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
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

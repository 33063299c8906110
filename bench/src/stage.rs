//! A contestant, and the account that it works in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi};
use sim::{
    Account, AccountConfig, Function as _, Invocation, InvocationResult, RateLimits, Service,
    service,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use crate::callgrind::Callgrind;
use crate::certificates::{Authority, Chain, Roots};
use crate::check::Before;
use crate::clock;
use crate::contestant::Contestant;
use crate::event::{self, QUEUE};
use crate::failure::Failure;
use crate::hosts::Hosts;
use crate::process::{Process, Usage};

/// The parameter that changes.
pub(crate) const PARAMETER: &str = "/app/db";

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
    /// Services that watch the parameter that changes.
    pub(crate) matching: usize,
    /// Services that watch another one.
    pub(crate) others: usize,
    /// The throttling of calls.
    pub(crate) rate_limits: RateLimits,
    /// Settings of the function, beside [`Setting::variables`].
    pub(crate) variables: BTreeMap<String, String>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            chain: Chain::Rsa,
            roots: Roots::Native,
            one_host: false,
            matching: 1,
            others: 2,
            rate_limits: RateLimits::Unlimited,
            variables: BTreeMap::new(),
        }
    }
}

impl Setting {
    /// The service at a place; the first ones watch the parameter.
    fn service(&self, place: usize) -> Service {
        let watch = if place < self.matching {
            PARAMETER
        } else {
            "/other/key"
        };
        service(&format!("production/service-{place:05}"))
            .watching(&format!("ssm:{watch}"))
            .desired(1)
            .task_seconds(0.03, 0.03, 0.03)
            .deployed_ago(Duration::from_hours(48))
    }

    /// Returns whether the service with this name watches the parameter.
    fn is_matching(&self, name: &str) -> bool {
        let place = name.rsplit('-').next().and_then(|place| place.parse().ok());
        place.is_some_and(|place: usize| place < self.matching)
    }

    /// What the function may do without a limit of its own: its limits protect real accounts.
    fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let unlimited = [
            ("RELOADER_SETTLE", "0s"),
            ("RELOADER_MIN_INTERVAL", "0s"),
            ("RELOADER_MAX_RESTARTS_PER_HOUR", "10000"),
            ("RELOADER_MAX_SERVICES", "10000"),
            ("RELOADER_MAX_IN_FLIGHT", "10000"),
            ("RELOADER_CONCURRENCY", "1"),
            ("RELOADER_RESTART_BURST", "1000"),
            ("RELOADER_RESTART_RATE", "1000"),
        ];
        let unlimited = unlimited.map(|(name, value)| (name.to_owned(), value.to_owned()));
        unlimited.into_iter().chain(self.variables.clone())
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
            latency: Duration::ZERO,
            scheduler_delay: Duration::from_millis(30),
            rate_limits: setting.rate_limits,
            ..AccountConfig::default()
        });
        for place in 0..setting.matching + setting.others {
            account.add(setting.service(place));
        }
        account.add_queue(QUEUE, Duration::from_mins(13), 5);
        let authority = Authority::new(setting.chain)?;
        let hosts = Hosts::start(&account, &authority.tls(), setting.one_host).await?;
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
        let usage = self.process()?.usage()?;
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
    FunctionConfiguration {
        binary,
        arguments,
        function_name: "ecs-reloader".to_owned(),
        memory_size: 256,
        region,
        variables: own
            .into_iter()
            .chain(hosts.variables())
            .chain(setting.variables())
            .collect(),
        endpoint_url,
    }
}

//! A simulated account with the function in it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_reloader::aws::Aws;
use ecs_reloader::lambda::{Error, Reloader};
use ecs_reloader::report::{Level, Reporter};
use ecs_reloader::settings::Settings;
use lambda_runtime::Context;
use serde_json::{Value, json};
use sim::events::{Envelope, Object, Parameter, object_created, parameter_store_change};
use sim::{
    Account, AccountConfig, EventRule, EventSourceMapping, Invocation, InvocationResult, Service,
    ServiceView,
};

use crate::owner::Owner;

/// The queue of [`Scenario::with_queue`].
pub(crate) const QUEUE: &str = "changes";
/// Its URL.
pub(crate) const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/changes";
/// Where it puts what it gave up.
pub(crate) const DEAD_LETTERS: &str = "changes-dead-letters";
/// The bucket whose uploads go to the queue.
pub(crate) const BUCKET: &str = "config";
/// The function's time-out.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(2);
/// How long the queue hides a message that it handed out.
pub(crate) const VISIBILITY: Duration = Duration::from_mins(12);
/// What [`Scenario::invoke`] says that Lambda calls the invocation.
pub(crate) const REQUEST_ID: &str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";

/// The function's access key in the account's record of calls.
const FUNCTION: &str = "AKIASIMULATED";
/// All that the function's role allows it to call.
const ALLOWED: [&str; 15] = [
    "tag:GetResources",
    "ecs:DescribeServices",
    "ecs:UpdateService",
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:DescribeTaskDefinition",
    "ssm:DescribeParameters",
    "secretsmanager:ListSecretVersionIds",
    "s3:ListObjectVersions",
    "sqs:SendMessage",
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "secretsmanager:ListSecrets",
    "s3:ListObjectsV2",
];

/// An account, and the function as one warm process.
pub(crate) struct Scenario {
    pub(crate) account: Account,
    pub(crate) owner: Owner,
    function: Function,
    processes: usize,
}

/// The function as one warm process, and what it wrote.
#[derive(Clone)]
struct Function {
    account: Account,
    reloader: Arc<Reloader>,
    variables: BTreeMap<String, String>,
    level: Level,
    log: Log,
}

/// What the function wrote to its standard output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whatever a test is about: the function calls nothing that its role does not allow.
impl Drop for Scenario {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let actions = self.actions();
            assert!(
                actions
                    .iter()
                    .all(|action| ALLOWED.contains(&action.as_str())),
                "{actions:?}"
            );
        }
    }
}

impl Function {
    fn start(
        account: &Account,
        variables: BTreeMap<String, String>,
        level: Level,
        log: Log,
    ) -> Self {
        let named = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let settings = Settings::load(&named.collect::<BTreeMap<_, _>>()).unwrap();
        let reporter = Reporter::new(Box::new(log.clone()), "ecs-reloader", level);
        let aws = Aws::new(&account.sdk_config(), settings.concurrency);
        let reloader = Arc::new(Reloader::new(aws, settings, reporter));
        Self {
            account: account.clone(),
            reloader,
            variables,
            level,
            log,
        }
    }

    async fn answer(
        &self,
        payload: &str,
        request_id: &str,
        left: Duration,
    ) -> Result<Value, Error> {
        let now = self.account.now();
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline =
            u64::try_from(now.as_millisecond()).unwrap() + u64::try_from(left.as_millis()).unwrap();
        let answer = self.reloader.handle(payload, &context, now).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }
}

impl Scenario {
    /// These services, and the function as it is set by default.
    pub(crate) async fn with(services: impl IntoIterator<Item = Service>) -> Self {
        Self::set_to([], services).await
    }

    /// The function with these variables.
    pub(crate) async fn set_to<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        services: impl IntoIterator<Item = Service>,
    ) -> Self {
        Self::build(AccountConfig::default(), variables, Level::Info, services).await
    }

    /// The function at this log level.
    pub(crate) async fn at_level(
        level: Level,
        services: impl IntoIterator<Item = Service>,
    ) -> Self {
        Self::build(AccountConfig::default(), [], level, services).await
    }

    /// All that can be chosen.
    pub(crate) async fn build<'a>(
        config: AccountConfig,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        level: Level,
        services: impl IntoIterator<Item = Service>,
    ) -> Self {
        let account = Account::new(config);
        account.add_bucket(BUCKET);
        services
            .into_iter()
            .for_each(|service| account.add(service));
        account.run_for(Duration::from_mins(1)).await;
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let function = Function::start(&account, variables, level, Log::default());
        Self {
            owner: Owner::of(&account),
            account,
            function,
            processes: 1,
        }
    }

    /// A new process of the function, for which this variable is set as well.
    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        let mut variables = self.function.variables.clone();
        variables.insert(name.to_owned(), value.to_owned());
        self.function = Function::start(
            &self.account,
            variables,
            self.function.level,
            self.function.log.clone(),
        );
        self
    }

    /// Changes of parameters, secrets, objects in [`BUCKET`] and configuration profiles reach the
    /// function through a queue.
    pub(crate) fn with_queue(self) -> Self {
        self.with_mapping(EventSourceMapping::new(QUEUE))
    }

    /// The same, and the queue feeds the function like this.
    pub(crate) fn with_mapping(self, mapping: EventSourceMapping) -> Self {
        let rules = [
            EventRule::parameters,
            EventRule::secrets,
            EventRule::cloudtrail_secrets,
            EventRule::appconfig,
        ];
        let on_bucket = [
            EventRule::objects(QUEUE, [BUCKET]),
            EventRule::objects_deleted(QUEUE, [BUCKET]),
        ];
        self.fed(
            rules.map(|rule| rule(QUEUE)).into_iter().chain(on_bucket),
            mapping,
        )
    }

    /// Only what these rules match reaches the function.
    pub(crate) fn with_rules(self, rules: impl IntoIterator<Item = EventRule>) -> Self {
        self.fed(rules, EventSourceMapping::new(QUEUE))
    }

    fn fed(self, rules: impl IntoIterator<Item = EventRule>, mapping: EventSourceMapping) -> Self {
        self.account.add_queue(QUEUE, VISIBILITY, 5);
        let scenario = self.setting("RELOADER_QUEUE_URL", QUEUE_URL);
        scenario.connected(rules, mapping)
    }

    /// The same, and several processes of the function take turns, as where Lambda runs as many at
    /// once.
    pub(crate) fn with_processes(mut self, mapping: EventSourceMapping, processes: usize) -> Self {
        self.processes = processes;
        self.with_mapping(mapping)
    }

    fn connected(
        self,
        rules: impl IntoIterator<Item = EventRule>,
        mapping: EventSourceMapping,
    ) -> Self {
        rules
            .into_iter()
            .for_each(|rule| self.account.add_rule(rule));
        let Function {
            account,
            variables,
            level,
            log,
            ..
        } = &self.function;
        let others = (1..self.processes)
            .map(|_| Function::start(account, variables.clone(), *level, log.clone()));
        let processes: Vec<_> = std::iter::once(self.function.clone())
            .chain(others)
            .collect();
        let invocations = AtomicUsize::new(0);
        let invoke = move |invocation: Invocation| {
            let function =
                processes[invocations.fetch_add(1, Ordering::Relaxed) % processes.len()].clone();
            async move {
                let payload = String::from_utf8(invocation.payload.to_vec()).unwrap();
                let left = invocation
                    .deadline
                    .duration_since(tokio::time::Instant::now());
                match function
                    .answer(&payload, &invocation.request_id, left)
                    .await
                {
                    Ok(answer) => InvocationResult::Ok(answer.to_string().into()),
                    Err(error) => InvocationResult::FunctionError(error.to_string().into()),
                }
            }
        };
        self.account.connect(mapping, Arc::new(invoke));
        self
    }

    /// Writes `ssm:/name`, `secret:name` or `s3:bucket/key`, and leaves the telling of it to the
    /// account.
    pub(crate) fn change(&self, term: &str) {
        match term.split_once(':').unwrap() {
            ("ssm", name) => {
                self.account.put_parameter(name);
            }
            ("secret", name) => {
                self.account.put_secret(name);
            }
            ("s3", path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.put_object(bucket, key);
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Writes `ssm:/name` or `s3:bucket/key` and returns the event that EventBridge would send.
    pub(crate) fn write(&self, term: &str) -> Value {
        match term.split_once(':').unwrap() {
            ("ssm", name) => {
                self.account.put_parameter(name);
                self.told("Update", name)
            }
            ("s3", path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.put_object(bucket, key);
                let object = Object {
                    bucket,
                    key,
                    size: 5,
                    etag: "e",
                    version_id: None,
                    sequencer: "61",
                    request_id: "N4N7GDK58NMKJ12R",
                };
                object_created(&self.envelope(), &object, "PutObject")
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// The event that EventBridge would send now of this operation on a parameter; nothing happens
    /// to it.
    pub(crate) fn told(&self, operation: &str, name: &str) -> Value {
        parameter_store_change(
            &self.envelope(),
            operation,
            &Parameter {
                name,
                kind: "String",
                description: None,
            },
        )
    }

    fn envelope(&self) -> Envelope<'static> {
        Envelope {
            id: "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            account: "123456789012",
            time: self.account.now(),
            region: "eu-west-1",
        }
    }

    /// Writes it, and hands the event to the function directly.
    pub(crate) async fn changed(&self, term: &str) -> Value {
        let event = self.write(term);
        self.invoke(&event).await.unwrap()
    }

    /// Writes it, and hands the event to the function two minutes later, as after a retry.
    pub(crate) async fn changed_a_while_ago(&self, term: &str) -> Value {
        let event = self.write(term);
        self.account.run_for(Duration::from_mins(2)).await;
        self.invoke(&event).await.unwrap()
    }

    /// One direct invocation.
    pub(crate) async fn invoke(&self, payload: &Value) -> Result<Value, Error> {
        self.invoke_within(TIMEOUT, payload).await
    }

    /// One direct invocation with this time left.
    pub(crate) async fn invoke_within(
        &self,
        left: Duration,
        payload: &Value,
    ) -> Result<Value, Error> {
        self.invoke_text(left, &payload.to_string()).await
    }

    /// One direct invocation with a payload that need not be JSON.
    pub(crate) async fn invoke_text(&self, left: Duration, payload: &str) -> Result<Value, Error> {
        self.function.answer(payload, REQUEST_ID, left).await
    }

    /// A manual invocation.
    pub(crate) async fn reload(&self, request: Value) -> Value {
        self.invoke(&json!({ "reload": request })).await.unwrap()
    }

    /// The function's log lines with this message, oldest first.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.log()
            .into_iter()
            .filter(|line| line["message"] == message)
            .collect()
    }

    /// The metrics lines of the function with this member, oldest first: the member's values.
    pub(crate) fn metric(&self, name: &str) -> Vec<Value> {
        self.log()
            .into_iter()
            .filter(|line| line.get("_aws").is_some())
            .filter_map(|line| line.get(name).cloned())
            .collect()
    }

    /// Everything the function wrote, oldest first.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log_text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The same as it was written.
    pub(crate) fn log_text(&self) -> String {
        String::from_utf8(self.function.log.0.lock().unwrap().clone()).unwrap()
    }

    /// The API calls that the function made so far, as IAM names them.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.account
            .calls()
            .iter()
            .filter(|call| call.principal == FUNCTION)
            .map(sim::Call::action)
            .collect()
    }

    /// How often the function made this call.
    pub(crate) fn number_of(&self, action: &str) -> usize {
        self.actions().iter().filter(|made| *made == action).count()
    }

    /// The services that were restarted, in order of their names, each as often as it happened.
    pub(crate) fn restarted(&self) -> Vec<String> {
        let mut restarted = self.account.restarted();
        restarted.sort();
        restarted
    }

    /// One look at `cluster/name`.
    pub(crate) fn service(&self, name: &str) -> ServiceView {
        self.account.service(name).unwrap()
    }

    /// Every task of every service has read the newest version of what it reads, and no service
    /// ever had too few.
    pub(crate) async fn is_all_fresh(&self) -> bool {
        self.account.settle().await;
        self.account.stale_tasks().is_empty()
            && self
                .account
                .services()
                .iter()
                .all(ServiceView::kept_its_floor)
    }
}

/// As many services as asked for in the cluster `web`, all watching `terms`.
pub(crate) fn many(number: usize, terms: &str) -> Vec<Service> {
    (0..number)
        .map(|place| sim::service(&format!("web/s{place:03}")).watching(terms))
        .collect()
}

/// The names of [`many`].
pub(crate) fn names_of_many(number: usize) -> Vec<String> {
    (0..number)
        .map(|place| format!("web/s{place:03}"))
        .collect()
}

/// What is told of one service of an answer.
pub(crate) fn line<'a>(answer: &'a Value, service: &str) -> &'a Value {
    let told = answer["services"].as_array().unwrap();
    told.iter()
        .find(|line| line["service"] == service)
        .unwrap_or_else(|| panic!("{service} in {answer:#}"))
}

/// The reason told for each service of an answer.
pub(crate) fn reasons(answer: &Value) -> BTreeMap<String, String> {
    let services = answer["services"].as_array().unwrap().iter();
    services
        .map(|line| {
            (
                line["service"].as_str().unwrap().to_owned(),
                line["reason"].as_str().unwrap_or("-").to_owned(),
            )
        })
        .collect()
}

/// The services of an answer, in order.
pub(crate) fn names_of(answer: &Value) -> Vec<String> {
    reasons(answer).into_keys().collect()
}

/// The reason told for the only service of an answer.
pub(crate) fn reason(answer: &Value) -> String {
    let reasons = reasons(answer);
    assert_eq!(reasons.len(), 1, "{answer:#}");
    reasons.into_values().next().unwrap()
}

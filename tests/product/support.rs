//! A simulated account with the function in it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ecs_reloader::aws::Aws;
use ecs_reloader::lambda::{Error, Reloader};
use ecs_reloader::report::{Level, Reporter};
use ecs_reloader::settings::Settings;
use lambda_runtime::Context;
use serde_json::Value;
use sim::events::{Envelope, Object, Parameter, object_created, parameter_store_change};
use sim::{Account, AccountConfig, Call, EventRule, EventSourceMapping, Invocation, InvocationResult, Service};

/// The queue of [`Scenario::with_queue`].
pub(crate) const QUEUE: &str = "changes";
/// Where it puts what it gave up.
pub(crate) const DEAD_LETTERS: &str = "changes-dlq";
/// The bucket whose uploads go to the queue.
pub(crate) const BUCKET: &str = "config";
/// The function's time-out.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(2);

/// An account, and the function as one warm process.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) account: Account,
    reloader: Arc<Reloader>,
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

impl Scenario {
    /// These services, and the function as it is set by default.
    pub(crate) async fn with(services: impl IntoIterator<Item = Service>) -> Self {
        Self::set_to([], Level::Info, services).await
    }

    /// The function with these variables and this log level.
    pub(crate) async fn set_to<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        level: Level,
        services: impl IntoIterator<Item = Service>,
    ) -> Self {
        let account = Account::new(AccountConfig::default());
        account.add_bucket(BUCKET);
        services.into_iter().for_each(|service| account.add(service));
        account.run_for(Duration::from_mins(1)).await;
        let settings = Settings::load(&variables.into_iter().collect::<BTreeMap<_, _>>()).unwrap();
        let log = Log::default();
        let reporter = Reporter::new(Box::new(log.clone()), "ecs-reloader", level);
        let reloader = Arc::new(Reloader::new(Aws::new(&account.sdk_config()), settings, reporter));
        Self { account, reloader, log }
    }

    /// Changes of parameters, and of objects in [`BUCKET`], reach the function through a queue.
    pub(crate) fn with_queue(self) -> Self {
        self.account.add_queue(QUEUE, TIMEOUT * 6, 5);
        self.account.add_rule(EventRule::parameters(QUEUE));
        self.account.add_rule(EventRule::objects(QUEUE, [BUCKET]));
        let function = self.clone();
        let invoke = move |invocation: Invocation| {
            let function = function.clone();
            async move {
                let payload = String::from_utf8(invocation.payload.to_vec()).unwrap();
                let left = invocation.deadline.duration_since(tokio::time::Instant::now());
                match function.answer(&payload, &invocation.request_id, left).await {
                    Ok(answer) => InvocationResult::Ok(answer.to_string().into()),
                    Err(error) => InvocationResult::FunctionError(error.to_string().into()),
                }
            }
        };
        self.account.connect(EventSourceMapping::new(QUEUE), Arc::new(invoke));
        self
    }

    /// Writes `ssm:/name` or `s3:bucket/key` and returns the event that EventBridge would send.
    pub(crate) fn write(&self, term: &str) -> Value {
        let now = self.account.now();
        let envelope = Envelope { id: "6a7e8feb-b491-4cf7-a9f1-bf3703467718", account: "123456789012", time: now, region: "eu-west-1" };
        match term.split_once(':').unwrap() {
            ("ssm", name) => {
                self.account.put_parameter(name);
                parameter_store_change(&envelope, "Update", &Parameter { name, kind: "String", description: None })
            }
            ("s3", path) => {
                let (bucket, key) = path.split_once('/').unwrap();
                self.account.put_object(bucket, key);
                let object = Object { bucket, key, size: 5, etag: "e", version_id: None, sequencer: "61", request_id: "N4N7GDK58NMKJ12R" };
                object_created(&envelope, &object, "PutObject")
            }
            other => unreachable!("{other:?}"),
        }
    }

    /// Writes it, and hands the event to the function directly.
    pub(crate) async fn changed(&self, term: &str) -> Value {
        let event = self.write(term);
        self.invoke(&event).await.unwrap()
    }

    /// One direct invocation.
    pub(crate) async fn invoke(&self, payload: &Value) -> Result<Value, Error> {
        self.answer(&payload.to_string(), "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", TIMEOUT).await
    }

    async fn answer(&self, payload: &str, request_id: &str, left: Duration) -> Result<Value, Error> {
        let now = self.account.now();
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline = u64::try_from(now.as_millisecond()).unwrap() + u64::try_from(left.as_millis()).unwrap();
        let answer = self.reloader.handle(payload, &context, now).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// The function's log lines with this message, oldest first.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// Everything the function wrote, oldest first.
    pub(crate) fn log(&self) -> Vec<Value> {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The API calls made so far, as IAM names them.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.account.calls().iter().map(Call::action).collect()
    }

    /// Every task of every service has read the newest version of what it reads, and no service ever had too few.
    pub(crate) async fn is_all_fresh(&self) -> bool {
        self.account.settle().await;
        self.account.stale_tasks().is_empty() && self.account.services().iter().all(sim::ServiceView::kept_its_floor)
    }
}

/// The reason told for each service of an answer.
pub(crate) fn reasons(answer: &Value) -> BTreeMap<String, String> {
    let services = answer["services"].as_array().unwrap().iter();
    services.map(|line| (line["service"].as_str().unwrap().to_owned(), line["reason"].as_str().unwrap_or("-").to_owned())).collect()
}

/// The reason told for the only service of an answer.
pub(crate) fn reason(answer: &Value) -> String {
    let reasons = reasons(answer);
    assert_eq!(reasons.len(), 1, "{answer:#}");
    reasons.into_values().next().unwrap()
}

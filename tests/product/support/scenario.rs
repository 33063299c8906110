//! The account and the function in it, built and connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ecs_reloader::report::Level;
use sim::{
    Account, AccountConfig, EventRule, EventSourceMapping, Invocation, InvocationResult, Service,
};

use super::function::{Function, Log};
use super::owner::Owner;
use super::{BUCKET, QUEUE, QUEUE_URL, VISIBILITY};
use crate::schema;

/// All that the function's role allows it to call.
const ALLOWED: [&str; 16] = [
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
    "events:PutEvents",
];

/// An account, and the function as one warm process.
pub(crate) struct Scenario {
    pub(crate) account: Account,
    pub(crate) owner: Owner,
    pub(super) function: Function,
    processes: usize,
}

/// At the end of each test: the function called nothing that its role does not allow, and all of its
/// notices are as their schema says.
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
            let notices = self.notices();
            if !notices.is_empty() {
                schema::assert_valid(&notices);
            }
        }
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

    /// The function and the account with all these choices.
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

    /// The same, with this mapping.
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

    /// Only events that match these rules reach the function.
    pub(crate) fn with_rules(self, rules: impl IntoIterator<Item = EventRule>) -> Self {
        self.fed(rules, EventSourceMapping::new(QUEUE))
    }

    fn fed(self, rules: impl IntoIterator<Item = EventRule>, mapping: EventSourceMapping) -> Self {
        self.account.add_queue(QUEUE, VISIBILITY, 5);
        let scenario = self.setting("RELOADER_QUEUE_URL", QUEUE_URL);
        scenario.connected(rules, mapping)
    }

    /// The same, with several processes of the function, as Lambda runs them at once.
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
}

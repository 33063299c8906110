//! The services of the demo, and the effect that the changes should have on each.

use std::time::Duration;

use sim::{Service, task_definition};

/// The Region of the demo's account, the same as in the files in `events/`.
pub(crate) const REGION: &str = "eu-west-1";
/// The demo's account, the same as in the files in `events/`.
pub(crate) const ACCOUNT_ID: &str = "123456789012";

/// The bucket with the configuration of every service.
pub(crate) const BUCKET: &str = "config-bucket";
/// `bucket/key` of the object that the user uploads.
pub(crate) const OBJECT: &str = "config-bucket/app/prod.yaml";
/// The parameter that the user changes.
pub(crate) const PARAMETER: &str = "/app/db-url";

/// The secret that the user rotates, the same as in the files in `events/`.
pub(crate) const SECRET: &str = "prod/db";

/// One service of the demo.
#[derive(Debug)]
pub(crate) struct Member {
    /// `cluster/name`.
    pub(crate) name: &'static str,
    /// Its tag `reloader:watch`.
    watch: &'static str,
    /// Its tag `reloader:mode`, if it has one.
    mode: Option<&'static str>,
    /// The keys that its tasks read when they start.
    reads: &'static [&'static str],
    /// The secrets of its task definition: the variable, and the parameter or the secret that it
    /// comes from.
    refers: &'static [(&'static str, &'static str)],
    /// Its desired count.
    tasks: usize,
    /// `minimumHealthyPercent` and `maximumPercent`.
    percent: (usize, usize),
    /// The effect that the changes should have on it.
    pub(crate) expected: Expected,
}

/// The effect that the changes should have on a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// So many restarts, even if several of its keys changed: the canary has one more.
    Restarted(usize),
    /// None, for this reason.
    Untouched(&'static str),
}

/// Four services that are restarted in different ways, and three that are not.
pub(crate) const FLEET: [Member; 7] = [
    Member {
        name: "production/web",
        watch: "s3:config-bucket/app/prod.yaml",
        mode: None,
        reads: &["s3:config-bucket/app/prod.yaml"],
        refers: &[],
        tasks: 4,
        percent: (100, 200),
        expected: Expected::Restarted(1),
    },
    Member {
        name: "production/api",
        watch: "ssm:/app/",
        mode: None,
        reads: &["ssm:/app/db-url", "ssm:/app/pool-size"],
        refers: &[],
        tasks: 3,
        percent: (100, 134),
        expected: Expected::Restarted(2),
    },
    Member {
        name: "production/worker",
        watch: "s3:config-bucket/app/ ssm:/app/db-url",
        mode: None,
        reads: &["s3:config-bucket/app/prod.yaml", "ssm:/app/db-url"],
        refers: &[],
        tasks: 2,
        percent: (50, 100),
        expected: Expected::Restarted(1),
    },
    Member {
        name: "production/orders",
        watch: "auto",
        mode: None,
        reads: &[],
        refers: &[
            ("DB_URL", "/app/db-url"),
            (
                "DB_PASSWORD",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf:password::",
            ),
        ],
        tasks: 3,
        percent: (66, 134),
        expected: Expected::Restarted(1),
    },
    Member {
        name: "production/cart",
        watch: "ssm:/app/db",
        mode: None,
        reads: &["ssm:/app/db"],
        refers: &[],
        tasks: 2,
        percent: (100, 200),
        expected: Expected::Untouched("/app/db is another parameter than /app/db-url"),
    },
    Member {
        name: "operations/metrics",
        watch: "s3:config-bucket/app/",
        mode: Some("notify"),
        reads: &["s3:config-bucket/app/prod.yaml"],
        refers: &[],
        tasks: 1,
        percent: (100, 200),
        expected: Expected::Untouched("its owner wants a report, not a restart"),
    },
    Member {
        name: "operations/billing",
        watch: "ssm:/billing/ s3:config-bucket/billing/",
        mode: None,
        reads: &["ssm:/billing/rates"],
        refers: &[],
        tasks: 2,
        percent: (100, 200),
        expected: Expected::Untouched("nothing that it reads has changed"),
    },
];

/// One line for each service: its name, how many tasks run, and its tags.
pub(crate) fn lines() -> impl Iterator<Item = String> {
    FLEET.iter().map(|member| {
        let tasks = if member.tasks == 1 {
            "1 task "
        } else {
            &format!("{} tasks", member.tasks)
        };
        format!("  {:<18}  {tasks} running  {}", member.name, member.tags())
    })
}

impl Member {
    /// The service, running since `age`, with tasks that are quick enough to watch. Those that read
    /// the `bad` version of a key fail.
    pub(crate) fn service(&self, age: Duration, bad: Option<(&str, u64)>) -> Service {
        let (minimum, maximum) = self.percent;
        let service = sim::service(self.name)
            .watching(self.watch)
            .reading(self.reads.iter().copied())
            .desired(self.tasks)
            .percent(minimum, maximum)
            .task_seconds(1.0, 0.5, 0.6)
            .circuit_breaker(true)
            .deployed_ago(age);
        let service = match bad {
            Some((key, version)) if self.reads_key(key) => {
                service.failing_while_reading(key, version..version + 1)
            }
            _ => service,
        };
        let definition = self
            .refers
            .iter()
            .fold(task_definition(), |definition, (name, from)| {
                definition.secret(name, from)
            });
        let service = service.referring(definition);
        match self.mode {
            Some(mode) => service.tag("reloader:mode", mode),
            None => service,
        }
    }

    /// The fewest tasks that may run.
    pub(crate) fn floor(&self) -> usize {
        let (minimum, _) = self.percent;
        (self.tasks * minimum).div_ceil(100)
    }

    /// True if its tasks read this key when they start.
    pub(crate) fn reads_key(&self, key: &str) -> bool {
        let mut refers = self.refers.iter();
        self.reads.contains(&key) || refers.any(|(_, from)| key_of(from) == key)
    }

    /// Its name without the cluster.
    pub(crate) fn short_name(&self) -> &'static str {
        self.name
            .split_once('/')
            .map_or(self.name, |(_, name)| name)
    }

    /// Its watch tag and its mode, as an operator would write them, and the references of its task
    /// definition.
    pub(crate) fn tags(&self) -> String {
        let mode = self
            .mode
            .map(|mode| format!(", reloader:mode = {mode}"))
            .unwrap_or_default();
        let referred = self.refers.iter().map(|(_, from)| key_of(from));
        let referred: Vec<_> = referred.map(|key| name_of(&key)).collect();
        let refers = if referred.is_empty() {
            String::new()
        } else {
            format!(" (refers to {})", referred.join(" and "))
        };
        format!("reloader:watch = {}{mode}{refers}", self.watch)
    }
}

/// The key of a reference: a parameter's name, or a secret's ARN.
fn key_of(reference: &str) -> String {
    let secret = reference
        .split_once(":secret:")
        .and_then(|(_, rest)| rest.rsplit_once('-'));
    secret.map_or_else(
        || format!("ssm:{reference}"),
        |(name, _)| format!("secret:{name}"),
    )
}

/// A key in words: a parameter's name as it is.
fn name_of(key: &str) -> String {
    key.strip_prefix("ssm:")
        .map_or_else(|| key.replacen(':', " ", 1), str::to_owned)
}

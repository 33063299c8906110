//! The services of the demo, and what should become of each.

use std::time::Duration;

use sim::Service;

/// The Region of the demo's account, the same as in the files in `events/`.
pub(crate) const REGION: &str = "eu-west-1";
/// The demo's account, the same as in the files in `events/`.
pub(crate) const ACCOUNT_ID: &str = "123456789012";

/// The bucket with the configuration of every service.
pub(super) const BUCKET: &str = "config-bucket";
/// `bucket/key` of the object that the user uploads.
pub(super) const OBJECT: &str = "config-bucket/app/prod.yaml";
/// The parameter that the user changes.
pub(super) const PARAMETER: &str = "/app/db-url";

/// One service of the demo.
#[derive(Debug)]
pub(super) struct Member {
    /// `cluster/name`.
    pub(super) name: &'static str,
    /// Its tag `reloader:watch`.
    pub(super) watch: &'static str,
    /// Its tag `reloader:mode`, where it has one.
    mode: Option<&'static str>,
    /// What its tasks read when they start.
    reads: &'static [&'static str],
    /// Its desired count.
    pub(super) tasks: usize,
    /// `minimumHealthyPercent` and `maximumPercent`.
    percent: (usize, usize),
    /// What the changes should do to it.
    pub(super) expected: Expected,
}

/// What the changes should do to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// One restart, whatever number of its keys changed.
    Restarted,
    /// Nothing, for this reason.
    Untouched(&'static str),
}

/// Three ways to roll, and three reasons to be left alone.
pub(super) const FLEET: [Member; 6] = [
    Member {
        name: "production/web",
        watch: "s3:config-bucket/app/prod.yaml",
        mode: None,
        reads: &["s3:config-bucket/app/prod.yaml"],
        tasks: 4,
        percent: (100, 200),
        expected: Expected::Restarted,
    },
    Member {
        name: "production/api",
        watch: "ssm:/app/",
        mode: None,
        reads: &["ssm:/app/db-url", "ssm:/app/pool-size"],
        tasks: 3,
        percent: (100, 134),
        expected: Expected::Restarted,
    },
    Member {
        name: "production/worker",
        watch: "s3:config-bucket/app/ ssm:/app/db-url",
        mode: None,
        reads: &["s3:config-bucket/app/prod.yaml", "ssm:/app/db-url"],
        tasks: 2,
        percent: (50, 100),
        expected: Expected::Restarted,
    },
    Member {
        name: "production/cart",
        watch: "ssm:/app/db",
        mode: None,
        reads: &["ssm:/app/db"],
        tasks: 2,
        percent: (100, 200),
        expected: Expected::Untouched("/app/db is another parameter than /app/db-url"),
    },
    Member {
        name: "operations/metrics",
        watch: "ssm:/app/",
        mode: Some("notify"),
        reads: &["ssm:/app/db-url"],
        tasks: 1,
        percent: (100, 200),
        expected: Expected::Untouched("its owner wants to be told, not restarted"),
    },
    Member {
        name: "operations/billing",
        watch: "ssm:/billing/ s3:config-bucket/billing/",
        mode: None,
        reads: &["ssm:/billing/rates"],
        tasks: 2,
        percent: (100, 200),
        expected: Expected::Untouched("nothing that it reads has changed"),
    },
];

impl Member {
    /// The service, running since `age`, with tasks that are quick enough to watch.
    pub(super) fn service(&self, age: Duration) -> Service {
        let (minimum, maximum) = self.percent;
        let service = sim::service(self.name)
            .watching(self.watch)
            .reading(self.reads.iter().copied())
            .desired(self.tasks)
            .percent(minimum, maximum)
            .task_seconds(1.0, 0.5, 0.6)
            .deployed_ago(age);
        match self.mode {
            Some(mode) => service.tag("reloader:mode", mode),
            None => service,
        }
    }

    /// Its name without the cluster.
    pub(super) fn short_name(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(_, name)| name)
    }

    /// Its watch tag and its mode, as an operator would write them.
    pub(super) fn tags(&self) -> String {
        let mode = self.mode.map(|mode| format!(", reloader:mode = {mode}")).unwrap_or_default();
        format!("reloader:watch = {}{mode}", self.watch)
    }
}

//! `demo play`: everything that its three lines promise works, until Ctrl-C.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecs::types::{DeploymentRolloutState, Service};
use aws_sdk_ssm::types::ParameterType;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::{DEMO, function};

/// Far more time than the test needs.
const LIMIT: Duration = Duration::from_secs(100);

/// A process that ends with the test, and the lines that it writes.
struct Running {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The next line that fulfils the condition.
    async fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the process ended before it wrote the line"));
            if wanted(&line) {
                return line;
            }
        }
    }
}

/// The log of one test, in a directory whose name has a space.
struct Log(PathBuf);

impl Log {
    fn new() -> Self {
        let directory = format!("demo play {}", std::process::id());
        Self(std::env::temp_dir().join(directory).join("function.log"))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

/// A line for the AWS CLI, in words.
struct CommandLine(Vec<String>);

impl CommandLine {
    fn parse(line: &str) -> Self {
        Self(line.split(' ').map(str::to_owned).collect())
    }

    /// The value of `--name`, or of the environment variable `name=`.
    fn value(&self, name: &str) -> String {
        let option = self
            .0
            .windows(2)
            .find(|pair| pair[0] == name)
            .map(|pair| &*pair[1]);
        let variable = || self.0.iter().find_map(|word| word.strip_prefix(name));
        option
            .or_else(variable)
            .unwrap_or_else(|| panic!("no {name}"))
            .to_owned()
    }

    fn credentials(&self) -> Credentials {
        let id = self.value("AWS_ACCESS_KEY_ID=");
        Credentials::new(
            id,
            self.value("AWS_SECRET_ACCESS_KEY="),
            None,
            None,
            "pasted",
        )
    }

    /// `aws ssm put-parameter`.
    async fn put_parameter(&self) {
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.value("--endpoint-url"))
            .region(Region::new(self.value("--region")))
            .credentials_provider(self.credentials());
        let call = aws_sdk_ssm::Client::from_conf(config.build())
            .put_parameter()
            .name(self.value("--name"))
            .value(self.value("--value"))
            .r#type(ParameterType::from(&*self.value("--type")))
            .overwrite(true);
        call.send().await.unwrap();
    }

    /// `aws ecs describe-services`: the deployments that ECS still rolls out, of all services.
    async fn deployments_in_progress(&self) -> usize {
        let config = aws_sdk_ecs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(self.value("--endpoint-url"))
            .region(Region::new(self.value("--region")))
            .credentials_provider(self.credentials());
        let names = self
            .0
            .iter()
            .skip_while(|word| *word != "--services")
            .skip(1);
        let names: Vec<_> = names
            .take_while(|word| !word.starts_with('-'))
            .cloned()
            .collect();
        let call = aws_sdk_ecs::Client::from_conf(config.build())
            .describe_services()
            .cluster(self.value("--cluster"))
            .set_services(Some(names));
        let services = call.send().await.unwrap().services.unwrap();
        let deployments = services.iter().flat_map(Service::deployments);
        let states = deployments.filter_map(|deployment| deployment.rollout_state());
        states
            .filter(|state| **state == DeploymentRolloutState::InProgress)
            .count()
    }
}

fn is_started(line: &str, service: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap();
    line["message"] == "service" && line["service"] == service && line["result"] == "started"
}

#[tokio::test]
async fn the_three_lines_change_a_parameter_and_show_the_restarts_until_ctrl_c() {
    let log = Log::new();
    let mut command = Command::new(DEMO);
    command
        .arg("play")
        .arg("--binary")
        .arg(function())
        .arg("--log")
        .arg(&log.0);

    let played = timeout(LIMIT, async {
        let mut play = Running::start(&mut command);
        let put = CommandLine::parse(&play.line(|line| line.contains("put-parameter")).await);
        let describe =
            CommandLine::parse(&play.line(|line| line.contains("describe-services")).await);
        let tail = play.line(|line| line.starts_with("tail ")).await;
        let mut tail = Running::start(Command::new("sh").arg("-c").arg(format!("exec {tail}")));
        assert_eq!(describe.deployments_in_progress().await, 0);

        put.put_parameter().await;
        tail.line(|line| is_started(line, "production/api")).await;

        assert_eq!(describe.deployments_in_progress().await, 3);
        play.line(|line| line.starts_with("production/api     restart   stale "))
            .await;
        let id = play.process.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .await
                .unwrap()
                .success()
        );
        play.line(|line| line == "Ended.").await;
        play.process.wait().await.unwrap()
    });

    assert_eq!(played.await.unwrap().code(), Some(0));
}

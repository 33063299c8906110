//! The certificates that the real binary trusts, over TLS to an account whose certificate ends in
//! an authority of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi};
use sim::server::Server;
use sim::tls::Tls;
use sim::{Account, AccountConfig, Function as _, Invocation, service};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

#[tokio::test]
async fn a_bundle_that_the_environment_names_is_trusted() {
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let stage = Stage::set().await;
        let bundle = stage.bundle("root.pem", &stage.root);

        stage.request_restart(&[(variable, &bundle)]).await;

        assert_eq!(stage.account.restarted(), ["web/api"], "{variable}");
    }
}

#[tokio::test]
async fn a_certificate_that_ends_in_no_known_root_is_refused() {
    let stage = Stage::set().await;

    let log = stage.request_restart(&[]).await;

    assert!(stage.account.calls().is_empty());
    assert!(log.contains("UnknownIssuer"), "{log}");
}

#[tokio::test]
async fn a_bundle_replaces_all_other_roots() {
    let stage = Stage::set().await;
    let other = Stage::set().await;
    let bundle = stage.bundle("other.pem", &other.root);

    stage.request_restart(&[("AWS_CA_BUNDLE", &bundle)]).await;

    assert!(stage.account.calls().is_empty());
}

#[tokio::test]
async fn a_bundle_without_certificates_keeps_the_function_from_starting() {
    const UNUSABLE: &str =
        "-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    let stage = Stage::set().await;
    let missing = stage.directory.join("missing.pem").display().to_string();
    for (variable, path) in [
        ("AWS_CA_BUNDLE", missing),
        (
            "AWS_CA_BUNDLE",
            stage.bundle("text.pem", "no certificate\n"),
        ),
        ("SSL_CERT_FILE", stage.bundle("unusable.pem", UNUSABLE)),
    ] {
        let (sender, lines) = unbounded_channel();

        let started = RuntimeApi::start(stage.configuration(&[(variable, &path)]), sender).await;

        assert!(started.is_err(), "{variable} {path}");
        let log = text_of(lines);
        let named = format!("{variable} is {path:?}, but no certificate could be read there");
        let named = named.replace('"', "\\\"");
        assert!(log.contains(&named), "{named}\n{log}");
    }
}

/// An account behind a certificate of an authority that nobody knows.
struct Stage {
    account: Account,
    server: Server,
    /// The certificate of the authority, in PEM.
    root: String,
    directory: PathBuf,
}

impl Stage {
    async fn set() -> Self {
        let account = Account::new(AccountConfig {
            epoch: now(),
            latency: Duration::ZERO,
            ..AccountConfig::default()
        });
        let api = service("web/api").tag("reloader:watch", "ssm:/app/db");
        account.add(api.deployed_ago(Duration::from_hours(48)));
        let tls = Tls::of_a_new_authority().unwrap();
        let root = tls.root().to_owned();
        let server = Server::start_over(account.clone(), tls).await.unwrap();
        let name = format!("certificates-{}", server.address().port());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self {
            account,
            server,
            root,
            directory,
        }
    }

    /// A new file with this text.
    fn bundle(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn configuration(&self, variables: &[(&str, &str)]) -> FunctionConfiguration {
        FunctionConfiguration {
            binary: Path::new(env!("CARGO_BIN_EXE_ecs-reloader-lambda")).to_path_buf(),
            arguments: Vec::new(),
            function_name: "ecs-reloader".to_owned(),
            memory_size: 256,
            region: "eu-west-1".to_owned(),
            endpoint_url: self.server.endpoint_url(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// Asks the function to restart the service, and returns its log.
    async fn request_restart(&self, variables: &[(&str, &str)]) -> String {
        let (sender, lines) = unbounded_channel();
        let function = RuntimeApi::start(self.configuration(variables), sender)
            .await
            .unwrap();
        let request = json!({ "reload": { "services": ["web/api"], "reason": "a test" } });
        let invocation = Invocation {
            request_id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".to_owned(),
            payload: request.to_string().into(),
            deadline: Instant::now() + Duration::from_mins(1),
            function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:ecs-reloader".to_owned(),
        };
        function.invoke(invocation).await;
        function.stop().await;
        text_of(lines)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The lines so far.
fn text_of(mut lines: UnboundedReceiver<LogLine>) -> String {
    std::iter::from_fn(|| lines.try_recv().ok())
        .map(|line| line.text + "\n")
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process on the other side reads the real clock"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

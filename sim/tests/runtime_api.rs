//! The Runtime API over real sockets, with small shell scripts as the function.

#![expect(
    clippy::unwrap_used,
    reason = "clippy spares test functions, not what they call"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use sim::runtime_api::{FunctionConfiguration, LogLine, RuntimeApi, StartError, Stream};
use sim::{Function as _, Invocation, InvocationResult};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

/// The beginning of every script: `next` sets `id` and `event`, `post PATH BODY` posts, both
/// through bash's own sockets.
const PRELUDE: &str = r#"#!/usr/bin/env bash
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:} api=/2018-06-01/runtime
next() {
    exec 3<>"/dev/tcp/$host/$port"
    printf 'GET %s/invocation/next HTTP/1.1\r\nHost: lambda\r\nConnection: close\r\n\r\n' "$api" >&3
    while IFS= read -r -u 3 line && line=${line%$'\r'} && [ -n "$line" ]; do
        name=${line%%: *} value=${line#*: }
        case ${name,,} in
            lambda-runtime-aws-request-id) id=$value ;;
            lambda-runtime-deadline-ms) deadline=$value ;;
            lambda-runtime-invoked-function-arn) arn=$value ;;
            lambda-runtime-trace-id) trace=$value ;;
        esac
    done
    event=
    IFS= read -r -d '' -u 3 event
    exec 3<&-
}
post() {
    exec 3<>"/dev/tcp/$host/$port"
    printf 'POST %s/%s HTTP/1.1\r\nHost: lambda\r\nConnection: close\r\n' "$api" "$1" >&3
    printf 'Content-Length: %d\r\n\r\n%s' "${#2}" "$2" >&3
    IFS= read -r -u 3 status
    status=${status%$'\r'}
    exec 3<&-
}
"#;

/// A function that exists as long as the test.
struct Script {
    directory: PathBuf,
}

impl Script {
    fn new(name: &str, body: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("sim-runtime-api-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let script = Self { directory };
        // Another process writes the file. A process that another test starts at that moment would
        // inherit the open file from us, and Linux does not run a file that is open for writing.
        let mut writer = Command::new("sh")
            .args(["-c", r#"cat >"$0" && chmod 755 "$0""#])
            .arg(script.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer
            .stdin
            .take()
            .unwrap()
            .write_all(format!("{PRELUDE}{body}").as_bytes())
            .unwrap();
        assert!(writer.wait().unwrap().success());
        script
    }

    fn path(&self) -> PathBuf {
        self.directory.join("bootstrap")
    }

    async fn start(&self) -> (RuntimeApi, UnboundedReceiver<LogLine>) {
        let (lines, written) = unbounded_channel();
        (
            RuntimeApi::start(configuration(&self.path()), lines)
                .await
                .unwrap(),
            written,
        )
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn configuration(binary: &Path) -> FunctionConfiguration {
    FunctionConfiguration {
        binary: binary.to_path_buf(),
        arguments: Vec::new(),
        function_name: "reloader".to_owned(),
        memory_size: 128,
        region: "eu-west-1".to_owned(),
        endpoint_url: "http://127.0.0.1:4566".to_owned(),
        variables: BTreeMap::from([("RELOADER_MODE".to_owned(), "notify".to_owned())]),
    }
}

fn invocation(id: &str, payload: &str) -> Invocation {
    Invocation {
        request_id: id.to_owned(),
        payload: Bytes::from(payload.to_owned()),
        deadline: Instant::now() + Duration::from_secs(20),
        function_arn: "arn:aws:lambda:eu-west-1:123456789012:function:reloader".to_owned(),
    }
}

fn text(result: InvocationResult) -> String {
    match result {
        InvocationResult::Ok(body) => format!("ok {}", String::from_utf8_lossy(&body)),
        InvocationResult::FunctionError(body) => {
            format!("error {}", String::from_utf8_lossy(&body))
        }
        InvocationResult::TimedOut => "timed out".to_owned(),
        InvocationResult::Crashed => "crashed".to_owned(),
    }
}

#[tokio::test]
async fn an_event_comes_back_as_the_functions_answer() {
    let echo = Script::new(
        "echo",
        r#"while next; do post "invocation/$id/response" "{\"got\":$event}"; done"#,
    );
    let (function, _lines) = echo.start().await;

    let first = function.invoke(invocation("one", r#"{"a":1}"#)).await;
    let second = function.invoke(invocation("two", "[2]")).await;

    assert_eq!(text(first), r#"ok {"got":{"a":1}}"#);
    assert_eq!(text(second), r#"ok {"got":[2]}"#);
}

#[tokio::test]
async fn an_event_carries_its_request_id_its_arn_a_trace_and_a_deadline_by_the_real_clock() {
    let script = r#"while next; do
        left=$((deadline - $(date +%s) * 1000))
        post "invocation/$id/response" "$id $arn ${trace%%=*} $left"
    done"#;
    let headers = Script::new("headers", script);
    let (function, _lines) = headers.start().await;

    let answer = text(function.invoke(invocation("8476a536", "{}")).await);

    let words: Vec<&str> = answer.split(' ').collect();
    assert_eq!(
        words[..4],
        [
            "ok",
            "8476a536",
            "arn:aws:lambda:eu-west-1:123456789012:function:reloader",
            "Root"
        ]
    );
    let left: u64 = words[4].parse().unwrap();
    assert!(
        (15_000..=21_000).contains(&left),
        "{left} ms are left of 20 s"
    );
}

#[tokio::test]
async fn the_process_has_lambdas_environment_and_nothing_of_ours() {
    let script = r#"while next; do
        lambda="$AWS_LAMBDA_FUNCTION_NAME $AWS_LAMBDA_FUNCTION_VERSION"
        lambda="$lambda $AWS_LAMBDA_FUNCTION_MEMORY_SIZE $AWS_REGION $AWS_DEFAULT_REGION"
        lambda="$lambda $AWS_ENDPOINT_URL $AWS_LAMBDA_LOG_FORMAT"
        post "invocation/$id/response" "$lambda $RELOADER_MODE ${CARGO_MANIFEST_DIR:-clean}"
    done"#;
    let environment = Script::new("environment", script);
    let (function, _lines) = environment.start().await;

    let answer = text(function.invoke(invocation("one", "{}")).await);

    assert_eq!(
        answer,
        "ok reloader $LATEST 128 eu-west-1 eu-west-1 http://127.0.0.1:4566 JSON notify clean"
    );
}

#[tokio::test]
async fn a_function_error_is_returned_and_the_process_works_on() {
    let script = r#"next; post "invocation/$id/error" '{"errorType":"settings"}'
        next; post "invocation/$id/response" '"well"'; next"#;
    let erring = Script::new("erring", script);
    let (function, _lines) = erring.start().await;

    assert_eq!(
        text(function.invoke(invocation("one", "{}")).await),
        r#"error {"errorType":"settings"}"#
    );
    assert_eq!(
        text(function.invoke(invocation("two", "{}")).await),
        r#"ok "well""#
    );
}

#[tokio::test]
async fn an_answer_to_another_invocation_is_refused() {
    let script = r#"next; post invocation/other/response '"stray"'
        post "invocation/$id/response" "$status"; next"#;
    let straying = Script::new("straying", script);
    let (function, _lines) = straying.start().await;

    assert_eq!(
        text(function.invoke(invocation("one", "{}")).await),
        "ok HTTP/1.1 400 Bad Request"
    );
}

#[tokio::test]
async fn a_process_that_misses_its_deadline_is_killed_and_the_next_invocation_starts_another() {
    let script = r#"next; [ "$event" = '"hang"' ] && exec sleep 60
        post "invocation/$id/response" "$$"; next"#;
    let hanging = Script::new("hanging", script);
    let (function, _lines) = hanging.start().await;
    let began = Instant::now();

    let late = function
        .invoke(Invocation {
            deadline: began + Duration::from_millis(300),
            ..invocation("one", r#""hang""#)
        })
        .await;
    let took = began.elapsed();
    let next = function.invoke(invocation("two", "{}")).await;

    assert_eq!(text(late), "timed out");
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert!(text(next).starts_with("ok "));
}

#[tokio::test]
async fn a_process_that_crashes_is_noticed_and_the_next_invocation_starts_another() {
    let script = r#"next; [ "$event" = '"crash"' ] && { echo dying >&2; exit 3; }
        post "invocation/$id/response" '"alive"'; next"#;
    let crashing = Script::new("crashing", script);
    let (function, mut lines) = crashing.start().await;

    assert_eq!(
        text(function.invoke(invocation("one", r#""crash""#)).await),
        "crashed"
    );
    assert_eq!(
        lines.recv().await,
        Some(LogLine {
            stream: Stream::Stderr,
            text: "dying".to_owned()
        })
    );
    assert_eq!(
        text(function.invoke(invocation("two", "{}")).await),
        r#"ok "alive""#
    );
}

#[tokio::test]
async fn invocations_that_overlap_get_processes_of_their_own() {
    let slow = Script::new(
        "slow",
        r#"while next; do sleep 0.3; post "invocation/$id/response" "$$"; done"#,
    );
    let (function, _lines) = slow.start().await;

    let (one, two) = tokio::join!(
        function.invoke(invocation("one", "{}")),
        function.invoke(invocation("two", "{}"))
    );
    let again = text(function.invoke(invocation("three", "{}")).await);

    let (one, two) = (text(one), text(two));
    assert_ne!(one, two);
    assert!([one, two].contains(&again), "an idle process is used again");
}

#[tokio::test]
async fn stopping_hands_on_every_line_that_was_written() {
    let chatty = Script::new(
        "chatty",
        r#"next; for n in 1 2 3; do echo "line $n"; done; post "invocation/$id/response" '""'; next"#,
    );
    let (function, mut lines) = chatty.start().await;

    let _ = function.invoke(invocation("one", "{}")).await;
    function.stop().await;

    let mut written = Vec::new();
    while let Ok(line) = lines.try_recv() {
        written.push(line.text);
    }
    assert_eq!(written, ["line 1", "line 2", "line 3"]);
}

#[tokio::test]
async fn dropping_the_function_ends_its_process() {
    let idle = Script::new("idle", "echo $$; next; sleep 60");
    let (function, mut lines) = idle.start().await;
    let pid = lines.recv().await.unwrap().text;

    drop(function);

    let process = PathBuf::from("/proc").join(&pid).join("exe");
    for _ in 0..100 {
        if !process.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("process {pid} still runs");
}

#[tokio::test]
async fn a_missing_binary_says_how_to_build_it() {
    let (lines, _written) = unbounded_channel();

    let error = RuntimeApi::start(configuration(Path::new("/nowhere/bootstrap")), lines)
        .await
        .unwrap_err();

    let message = "cannot start /nowhere/bootstrap: No such file or directory (os error 2); build \
                   it with `cargo build`, or name another with --binary";
    assert_eq!(error.to_string(), message);
}

#[tokio::test]
async fn a_binary_that_ends_at_once_is_not_a_function() {
    let ending = Script::new("ending", "exit 4");
    let (lines, _written) = unbounded_channel();

    let error = RuntimeApi::start(configuration(&ending.path()), lines)
        .await
        .unwrap_err();

    assert!(matches!(error, StartError::Exited { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("ended before it asked for its first event: exit status: 4"),
        "{error}"
    );
}

#[tokio::test]
async fn an_initialization_error_is_the_reason_not_to_start() {
    let script = r#"post init/error \
        '{"errorType":"settings","errorMessage":"RELOADER_MODE is wrong"}'; exit 1"#;
    let refusing = Script::new("refusing", script);
    let (lines, _written) = unbounded_channel();

    let error = RuntimeApi::start(configuration(&refusing.path()), lines)
        .await
        .unwrap_err();

    assert!(matches!(error, StartError::Init { .. }), "{error}");
    assert!(
        error.to_string().contains("RELOADER_MODE is wrong"),
        "{error}"
    );
}

#[tokio::test]
async fn a_cold_function_starts_with_its_first_event_and_is_idle_when_it_asks_for_the_next() {
    let script = r#"next; post "invocation/$id/response" "$1"; sleep 0.3; echo rest; next"#;
    let late = Script::new("late", script);
    let (lines, mut written) = unbounded_channel();
    let mut configuration = configuration(&late.path());
    configuration.arguments = vec!["argument".to_owned()];
    let function = RuntimeApi::cold(configuration, lines);
    assert!(function.processes().is_empty());

    let answer = text(function.invoke(invocation("one", "{}")).await);
    assert!(written.is_empty());
    function.until_idle().await;
    let pid = function.processes();
    function.stop().await;

    assert_eq!(answer, "ok argument");
    assert_eq!(written.recv().await.unwrap().text, "rest");
    assert_eq!(pid.len(), 1);
}

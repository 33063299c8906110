//! `demo play`: the demo's account with the function connected, for a person with the AWS CLI.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{self, Path};
use std::sync::Arc;
use std::time::Duration;

use sim::runtime_api::LogLine;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

use crate::access::Access;
use crate::clock;
use crate::fleet::{self, PARAMETER, REGION};
use crate::log::{self, Entry};
use crate::report::Report;
use crate::screen::Screen;
use crate::stage::Stage;
use crate::verdict::{Error, Verdict};
use crate::watched::Watched;

/// The time for which the queue gathers changes into one batch: short, because a person waits for
/// it.
const WINDOW: Duration = Duration::from_secs(2);
/// The services of the cluster `production` that read the parameter.
const READERS: &str = "api worker orders";

/// Serves the account until Ctrl-C. Every line that the function writes goes to the file `log`.
pub(crate) async fn run(binary: &Path, log: &Path) -> Result<Verdict, Error> {
    let log = path::absolute(log)?;
    let mut file = create(&log)?;
    let mut stage = Stage::set(binary, &[], None).await?;
    let screen = Screen::new();
    introduce(&screen, &Access::new(&stage.server, REGION), &log)?;

    let (sender, mut moments) = unbounded_channel();
    let function = Watched::new(Arc::clone(&stage.function), sender);
    stage.feed(Arc::new(function), WINDOW);
    let mut report = Report::default();
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            ended = &mut interrupted => break ended?,
            Some(line) = stage.lines.recv() => {
                writeln!(file, "{}", line.text)?;
                show(&screen, &line, &mut report)?;
            }
            Some(moment) = moments.recv() => screen.moment(moment)?,
            () = clock::pass(&stage.account) => {}
        }
    }
    stage.function.stop().await;
    while let Ok(line) = stage.lines.try_recv() {
        writeln!(file, "{}", line.text)?;
    }
    screen.line("\nEnded.")?;
    Ok(Verdict::Well)
}

/// The empty log, and the directory that it stands in.
fn create(log: &Path) -> Result<File, Error> {
    let directory = log.parent().unwrap_or(log);
    let file = std::fs::create_dir_all(directory).and_then(|()| File::create(log));
    file.map_err(|error| format!("cannot write {}: {error}", log.display()).into())
}

fn introduce(screen: &Screen, access: &Access, log: &Path) -> io::Result<()> {
    screen
        .heading("ecs-reloader: a simulated AWS account, and the real function connected to it")?;
    for line in fleet::lines() {
        screen.line(line)?;
    }
    screen.heading("Try it: paste these lines into another terminal")?;
    let lines = [
        (
            "Change a parameter that three services read:",
            put_parameter(access),
        ),
        (
            "Describe these services while they roll:",
            describe_services(access),
        ),
        (
            "Read the function's log as it is written:",
            format!("tail -n +1 -f {}", quoted(&log.display().to_string())),
        ),
    ];
    for (purpose, line) in lines {
        screen.line(format_args!("\n  {purpose}\n{line}"))?;
    }
    screen.heading("Ctrl-C ends it. Until then, this happens:")
}

fn put_parameter(access: &Access) -> String {
    access.aws(&format!(
        "ssm put-parameter --name {PARAMETER} --type String \
         --value postgres://db-2.internal/shop --overwrite"
    ))
}

fn describe_services(access: &Access) -> String {
    access.aws(&format!(
        "ecs describe-services --cluster production --services {READERS} --output table \
         --query 'services[].{{service:serviceName,desired:desiredCount,running:runningCount,\
         rollout:deployments[0].rolloutState}}'"
    ))
}

/// Shows the report of an invocation when its summary has come, and problems at once.
fn show(screen: &Screen, line: &LogLine, report: &mut Report) -> io::Result<()> {
    match log::read(line) {
        Entry::Problem(text) => screen.line(text),
        summary @ Entry::Summary(_) => {
            report.add(summary);
            screen.line(std::mem::take(report).to_string().trim_end())
        }
        entry => {
            report.add(entry);
            Ok(())
        }
    }
}

/// Resolves at Ctrl-C, and when another process asks this one to end.
async fn interrupted() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

/// A word for the shell: as it is if all its characters are harmless, otherwise in quotes.
fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_is_quoted_for_the_shell_if_it_has_to_be() {
        assert_eq!(quoted("/tmp/play.log"), "/tmp/play.log");
        assert_eq!(quoted("/tmp/it's mine"), r"'/tmp/it'\''s mine'");
    }
}

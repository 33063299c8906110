//! `demo demo`: the whole product in half a minute.
//!
//! A user rotates a secret and changes an object and a parameter; Secrets Manager, S3 and Parameter
//! Store send events to EventBridge, whose rules fill the queue; Lambda hands the queue to the real
//! binary; the services that read what changed roll, and no other does. The account itself proves
//! the result.

mod check;
mod timeline;
mod user;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sim::ServiceView;
use sim::runtime_api::LogLine;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep};

use self::check::Before;
use self::timeline::Timeline;
use self::user::User;
use crate::fleet::{self, FLEET, Member, OBJECT, PARAMETER, SECRET};
use crate::log::{self, Row};
use crate::report::Report;
use crate::screen::{Progress, Screen};
use crate::stage::Stage;
use crate::verdict::{Error, Verdict};
use crate::watched::{Moment, Watched};

/// Long enough to gather the changes of one user, short enough to wait for.
const WINDOW: Duration = Duration::from_secs(2);
/// The time between two descriptions of the services.
const POLL: Duration = Duration::from_millis(100);
/// The time without any activity after the rollouts: the function might do more than it should.
const STILL: Duration = Duration::from_secs(2);
/// The longest wait, so that the demo ends within half a minute in any case.
const LIMIT: Duration = Duration::from_secs(26);

/// Runs the demo.
///
/// `html` is the file for the timelines.
pub(crate) async fn run(binary: &Path, html: Option<&Path>) -> Result<Verdict, Error> {
    let mut stage = Stage::set(binary).await?;
    let mut screen = Screen::new();
    introduce(&screen)?;
    let before = Before::read(&stage.account);
    let (sender, mut moments) = unbounded_channel();
    stage.feed(
        Arc::new(Watched::new(Arc::clone(&stage.function), sender)),
        WINDOW,
    );

    screen.heading("A user changes the configuration")?;
    let user = User::new(stage.server.address());
    let mut timeline = Timeline::default();
    for (member, view) in views(&stage) {
        timeline.see(member, &view);
    }
    change(&user, &screen, &mut timeline).await?;

    screen.heading("The services roll")?;
    tokio::select! {
        shown = show(&stage, &mut screen, &mut moments, &mut timeline) => shown?,
        () = stage.account.run_for(LIMIT * 2) => {}
    }
    screen.finish_progress();

    stage.function.stop().await;
    screen.heading("What the function says")?;
    let rows = show_report(&mut stage.lines, &screen)?;
    if let Some(file) = html {
        std::fs::write(file, timeline.page(&rows))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    conclude(&stage, &before, &screen)
}

fn introduce(screen: &Screen) -> io::Result<()> {
    screen.heading("ecs-reloader: a simulated AWS account, and the real function beside it")?;
    for line in fleet::lines() {
        screen.line(line)?;
    }
    Ok(())
}

async fn change(user: &User, screen: &Screen, timeline: &mut Timeline) -> Result<(), Error> {
    user.rotate_secret(SECRET).await?;
    timeline.changed(&format!("secret:{SECRET}"));
    screen.moment(format_args!(
        "aws secretsmanager rotate-secret --secret-id {SECRET}"
    ))?;
    user.put_object(OBJECT, "feature_x: true\n").await?;
    timeline.changed(&format!("s3:{OBJECT}"));
    screen.moment(format_args!("aws s3 cp prod.yaml s3://{OBJECT}"))?;
    let version = user
        .put_parameter(PARAMETER, "postgres://db-2.internal/shop")
        .await?;
    timeline.changed(&format!("ssm:{PARAMETER}"));
    screen.moment(format_args!(
        "aws ssm put-parameter --name {PARAMETER} --overwrite …  (now version {version})"
    ))?;
    Ok(())
}

/// Shows the events until the function and the services have done nothing for a while, or the limit
/// is reached.
async fn show(
    stage: &Stage,
    screen: &mut Screen,
    moments: &mut UnboundedReceiver<Moment>,
    timeline: &mut Timeline,
) -> io::Result<()> {
    let end = Instant::now() + LIMIT;
    let mut invocations: usize = 0;
    let mut last_moved = None;
    while Instant::now() < end && last_moved.is_none_or(|moved: Instant| moved.elapsed() < STILL) {
        while let Ok(moment) = moments.try_recv() {
            last_moved = Some(Instant::now());
            match moment {
                Moment::Invoked(_) => {
                    timeline.invoked();
                    invocations += 1;
                }
                Moment::Ended(_) => invocations = invocations.saturating_sub(1),
            }
            screen.moment(moment)?;
        }
        if show_progress(stage, screen, timeline)? || invocations > 0 {
            last_moved = Some(Instant::now());
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Shows the progress of every service; `true` while any of them is rolling.
fn show_progress(stage: &Stage, screen: &mut Screen, timeline: &mut Timeline) -> io::Result<bool> {
    let mut rolling = false;
    for (member, view) in views(stage) {
        timeline.see(member, &view);
        let progress = progress(&view);
        rolling |= progress.rolling;
        screen.progress(&view.name, progress)?;
    }
    Ok(rolling)
}

/// The services of the demo as they are now.
fn views(stage: &Stage) -> impl Iterator<Item = (&'static Member, ServiceView)> {
    let account = &stage.account;
    FLEET
        .iter()
        .filter_map(|member| Some((member, account.service(member.name)?)))
}

fn progress(view: &ServiceView) -> Progress {
    // A service of the demo has had one deployment before the changes.
    let restarted = view.history.len() > 1;
    let newest = view
        .deployments
        .first()
        .map(|deployment| deployment.id.as_str())
        .filter(|_| restarted);
    let new = view
        .tasks
        .iter()
        .filter(|task| Some(task.deployment.as_str()) == newest && task.healthy && !task.stopping)
        .count();
    Progress {
        new,
        running: view.running,
        desired: view.desired,
        restarted,
        rolling: !view.is_steady(),
    }
}

/// Shows the decisions that the function logged, and its summaries; the decisions.
fn show_report(lines: &mut UnboundedReceiver<LogLine>, screen: &Screen) -> io::Result<Vec<Row>> {
    let mut report = Report::default();
    while let Ok(line) = lines.try_recv() {
        report.add(log::read(&line));
    }
    screen.line(report.to_string().trim_end())?;
    Ok(report.into_rows())
}

fn conclude(stage: &Stage, before: &Before, screen: &Screen) -> Result<Verdict, Error> {
    screen.heading("What the account says")?;
    let checks = check::all(&stage.account, before);
    for check in &checks {
        screen.check(check.holds, &check.text)?;
    }
    let failed = checks.iter().filter(|check| !check.holds).count();
    let seconds = screen.elapsed().as_secs();
    screen.line("")?;
    if failed == 0 {
        screen.line(format_args!(
            "Every service that reads what changed runs on it, and nothing else was touched \
             ({seconds} s)."
        ))?;
        Ok(Verdict::Well)
    } else {
        screen.line(format_args!(
            "{failed} of {} checks failed: the function did not keep its promises ({seconds} s).",
            checks.len()
        ))?;
        Ok(Verdict::Failed)
    }
}

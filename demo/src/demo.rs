//! `demo demo`: the whole product in a minute.
//!
//! A user writes a bad value: the canary fails and is rolled back, the other services are spared,
//! and a notice has the command that restores the value. The user corrects it, rotates a secret and
//! changes an object; Secrets Manager, S3 and Parameter Store send events to EventBridge, whose
//! rules fill the queue; Lambda hands the queue to the real binary; the services that read what
//! changed roll, and no other does. The account itself proves the result.

mod check;
mod notices;
mod timeline;
mod user;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sim::ServiceView;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep};

use self::check::Before;
use self::timeline::Timeline;
use self::user::User;
use crate::clock;
use crate::fleet::{self, Expected, FLEET, Member, OBJECT, PARAMETER, SECRET};
use crate::log;
use crate::report::Report;
use crate::screen::{Progress, Screen};
use crate::stage::{FUNCTION_NAME, Stage};
use crate::verdict::{Error, Verdict};
use crate::watched::{Moment, Watched};

/// Long enough to gather the changes of one user, short enough to wait for.
const WINDOW: Duration = Duration::from_secs(2);
/// The time between two descriptions of the services.
const POLL: Duration = Duration::from_millis(100);
/// Deferred work comes back after this time at most, where Amazon SQS would wait for minutes.
const LONGEST_DELAY: Duration = Duration::from_secs(1);
/// The time without any activity after the rollouts: the function might do more than it should.
const STILL: Duration = Duration::from_secs(2);
/// The longest wait of each act.
const LIMIT: Duration = Duration::from_secs(40);

/// The version of the parameter with which tasks fail.
const BAD_VERSION: u64 = 2;
/// The name of the event bus for notices.
const BUS: &str = "notices";

/// The settings of the function: minutes become seconds.
const SETTINGS: [(&str, &str); 4] = [
    ("RELOADER_CANARY", "true"),
    ("RELOADER_EVENT_BUS", BUS),
    ("RELOADER_MIN_INTERVAL", "1s"),
    ("RELOADER_QUIET", "1s"),
];

/// Runs the demo.
///
/// `html` is the file for the timelines.
pub(crate) async fn run(binary: &Path, html: Option<&Path>) -> Result<Verdict, Error> {
    let parameter = format!("ssm:{PARAMETER}");
    let stage = Stage::set(binary, &SETTINGS, Some((&parameter, BAD_VERSION))).await?;
    let screen = Screen::new();
    introduce(&screen)?;
    let before = Before::read(&stage.account);
    let (sender, moments) = unbounded_channel();
    stage.feed(
        Arc::new(Watched::new(Arc::clone(&stage.function), sender)),
        WINDOW,
    );
    stage.account.hasten(FUNCTION_NAME, LONGEST_DELAY);

    let user = User::new(stage.server.address());
    let mut demo = Demo {
        stage,
        screen,
        moments,
        timeline: Timeline::default(),
        report: Report::default(),
    };
    demo.see_all();
    demo.bad_value(&user).await?;
    let corrected_at = clock::now();
    demo.good_values(&user).await?;
    demo.screen.finish_progress();

    demo.stage.function.stop().await;
    demo.screen.heading("What the function says")?;
    demo.read_log();
    if let Some(file) = html {
        std::fs::write(file, demo.timeline.page(demo.report.rows()))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let news = std::mem::take(&mut demo.report).news();
    demo.screen.line(news.to_string().trim_end())?;
    demo.conclude(&before, corrected_at)
}

fn introduce(screen: &Screen) -> io::Result<()> {
    screen.heading("ecs-reloader: a simulated AWS account, and the real function beside it")?;
    for line in fleet::lines() {
        screen.line(line)?;
    }
    Ok(())
}

/// The account, the function and the screen.
struct Demo {
    stage: Stage,
    screen: Screen,
    moments: UnboundedReceiver<Moment>,
    timeline: Timeline,
    report: Report,
}

impl Demo {
    /// The first act: a value with which tasks do not start.
    async fn bad_value(&mut self, user: &User) -> Result<(), Error> {
        self.screen.heading("A user writes a bad value")?;
        self.put_parameter(user, "postgres://db-2.internal:1/shop")
            .await?;
        self.screen
            .heading("The canary fails, and the others are spared")?;
        self.roll(Self::was_notified).await?;
        for notice in notices::of(&self.stage.account, BUS) {
            self.screen.line(notice)?;
        }
        Ok(())
    }

    /// The second act: the value is corrected, and two other keys change.
    async fn good_values(&mut self, user: &User) -> Result<(), Error> {
        self.screen
            .heading("The user corrects it, and changes the rest of the configuration")?;
        user.rotate_secret(SECRET).await?;
        let secret = format!("secret:{SECRET}");
        self.timeline.changed(&secret);
        self.screen.moment(format_args!(
            "aws secretsmanager rotate-secret --secret-id {SECRET}"
        ))?;
        user.put_object(OBJECT, "feature_x: true\n").await?;
        self.timeline.changed(&format!("s3:{OBJECT}"));
        self.screen
            .moment(format_args!("aws s3 cp prod.yaml s3://{OBJECT}"))?;
        self.put_parameter(user, "postgres://db-2.internal/shop")
            .await?;
        self.screen.heading("The services roll")?;
        self.roll(Self::is_fresh).await
    }

    async fn put_parameter(&mut self, user: &User, value: &str) -> Result<(), Error> {
        let version = user.put_parameter(PARAMETER, value).await?;
        self.timeline.changed(&format!("ssm:{PARAMETER}"));
        self.screen.moment(format_args!(
            "aws ssm put-parameter --name {PARAMETER} --overwrite --value {value}  \
             (now version {version})"
        ))?;
        Ok(())
    }

    /// Lets the account run, and shows what happens, until the end of an act or the limit.
    async fn roll(&mut self, is_over: fn(&Self) -> bool) -> Result<(), Error> {
        let account = self.stage.account.clone();
        tokio::select! {
            shown = self.show(is_over) => shown?,
            () = account.run_for(LIMIT * 2) => {}
        }
        Ok(())
    }

    /// Shows the events until the act is over and the services have done nothing for a while.
    async fn show(&mut self, is_over: fn(&Self) -> bool) -> io::Result<()> {
        let end = Instant::now() + LIMIT;
        let mut last_moved = Instant::now();
        while Instant::now() < end && !(is_over(self) && last_moved.elapsed() >= STILL) {
            while let Ok(moment) = self.moments.try_recv() {
                if matches!(moment, Moment::Invoked(_)) {
                    self.timeline.invoked();
                }
                self.screen.moment(moment)?;
            }
            self.read_log();
            if self.show_progress()? {
                last_moved = Instant::now();
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Reads the lines that the function has written since.
    fn read_log(&mut self) {
        while let Ok(line) = self.stage.lines.try_recv() {
            self.report.add(log::read(&line));
        }
    }

    /// Shows the progress of every service; `true` while any of them is rolling.
    fn show_progress(&mut self) -> io::Result<bool> {
        let mut rolling = false;
        for (_, view) in self.see_all() {
            let progress = progress(&view);
            rolling |= progress.rolling;
            self.screen.progress(&view.name, progress)?;
        }
        Ok(rolling)
    }

    /// The services as they are now, noted for the timelines.
    fn see_all(&mut self) -> Vec<(&'static Member, ServiceView)> {
        let account = &self.stage.account;
        let views: Vec<_> = FLEET
            .iter()
            .filter_map(|member| Some((member, account.service(member.name)?)))
            .collect();
        for (member, view) in &views {
            self.timeline.see(member, view);
        }
        views
    }

    /// True once people know of the failure, and of the services that are spared.
    fn was_notified(&self) -> bool {
        let kinds: Vec<_> = notices::of(&self.stage.account, BUS)
            .map(|notice| notice.kind)
            .collect();
        ["rolled-back", "halted"]
            .iter()
            .all(|kind| kinds.iter().any(|known| known == kind))
    }

    /// True once no service that is to be restarted runs a task with an old version.
    fn is_fresh(&self) -> bool {
        let stale = self.stage.account.stale_tasks();
        let mut owed = FLEET
            .iter()
            .filter(|member| matches!(member.expected, Expected::Restarted(_)));
        owed.all(|member| stale.iter().all(|task| task.service != member.name))
    }

    fn conclude(&self, before: &Before, corrected_at: Timestamp) -> Result<Verdict, Error> {
        let screen = &self.screen;
        screen.heading("What the account says")?;
        let checks = check::all(&self.stage.account, before, corrected_at);
        for check in &checks {
            screen.check(check.holds, &check.text)?;
        }
        let failed = checks.iter().filter(|check| !check.holds).count();
        let seconds = screen.elapsed().as_secs();
        screen.line("")?;
        if failed == 0 {
            screen.line(format_args!(
                "The bad value reached the canary alone. Every service that reads what changed runs \
                 on it, and nothing else was touched ({seconds} s)."
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
        rolled_back: view
            .history
            .first()
            .is_some_and(|newest| newest.status.starts_with("ROLLBACK")),
    }
}

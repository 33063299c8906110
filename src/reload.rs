//! The job: changes in, restarts out.

mod errand;
mod learn;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::aws::{self, Aws, Listed};
use crate::clock::Clock;
use crate::domain::arn::{Place, ServiceId};
use crate::domain::key::Key;
use crate::domain::outcome::{Cause, Outcome, RestartResult};
use crate::domain::plan::{Plan, Policy, plan};
use crate::domain::reason::Reason;
use crate::domain::service::{History, Service};
use crate::domain::summary::ServiceLine;
use crate::domain::tags::Tags;
use crate::event::Inbox;
use crate::pace::Pace;
use crate::rollout::Job;
use crate::settings::Settings;

use errand::{Errand, errands, names_keys};

/// Histories read at once.
const HISTORIES_IN_FLIGHT: usize = 4;

/// What a reload works with.
#[derive(Clone, Copy, Debug)]
pub struct Reload<'a> {
    /// The account.
    pub aws: &'a Aws,
    /// What the function was set to.
    pub settings: &'a Settings,
    /// How fast restarts start.
    pub pace: &'a Pace,
    /// The time of day.
    pub clock: &'a Clock,
    /// When to stop.
    pub until: Instant,
}

/// What a reload did.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Every service that has opted in.
    pub watching: Vec<Listed>,
    /// How many keys changed.
    pub changes: usize,
    /// How many task definitions were read.
    pub task_definitions: usize,
    /// Tags of services that have opted in, and references of task definitions, that do not parse.
    pub mistakes: BTreeSet<(ServiceId, String)>,
    /// What was decided about each service that a change concerns, and what became of it.
    pub services: Vec<ServiceLine>,
    /// The places in the inbox of the messages whose restarts are not all done and may be tried again.
    pub unfinished: BTreeSet<usize>,
}

impl Reloaded {
    /// Nobody repeats a direct invocation that started something, so that what it left undone does not go on by itself.
    pub fn keep_promises(&mut self, from_queue: bool) {
        let started = self.services.iter().any(|line| line.result == Some(RestartResult::Started));
        if started && !from_queue {
            self.services.iter_mut().for_each(|line| line.again = false);
        }
    }
}

/// Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Who watches could not be read.
    #[error("cannot list the services that watch: {0}")]
    Unlisted(#[from] aws::Error),
    /// Who watches was not told in time.
    #[error("cannot list the services that watch: no answer within {}s", .0.as_secs())]
    OutOfTime(Duration),
}

/// What became of one errand.
#[derive(Debug, Default)]
struct Performed {
    lines: Vec<ServiceLine>,
    /// The keys of what goes on later.
    undone: BTreeSet<Key>,
    mistakes: BTreeSet<(ServiceId, String)>,
    task_definitions: usize,
}

impl Reload<'_> {
    /// Decodes nothing and answers nobody: takes what was told, restarts what is stale. An inbox that concerns nobody costs the listing
    /// alone; explicit terms and a change younger than a minute cost ceil(S/100) + ceil(n/10) + n calls, and what `learn` asks beside them.
    /// Services that say `auto` are looked at for every change, and their task definitions read once. An older change, and a service in which a
    /// deployment runs, cost up to two more for each restart, for the deployment history.
    ///
    /// # Errors
    /// Only where nothing was started.
    pub async fn run(&self, inbox: &Inbox) -> Result<Reloaded, Error> {
        let watching = if names_keys(inbox) { self.list().await? } else { Vec::new() };
        let mistakes = watching.iter().flat_map(|listed| listed.tags.mistakes().map(|mistake| (listed.id.clone(), mistake.to_string())));
        let mut reloaded = Reloaded { mistakes: mistakes.collect(), watching, ..Reloaded::default() };
        for mut errand in errands(inbox, &reloaded.watching) {
            let performed = Box::pin(self.perform(&mut errand, &reloaded.watching)).await;
            reloaded.unfinished.extend(errand.unfinished(&performed.lines, &performed.undone));
            let Performed { lines, undone: _, mistakes, task_definitions } = performed;
            reloaded.changes += errand.changes.len();
            reloaded.task_definitions += task_definitions;
            reloaded.mistakes.extend(mistakes);
            reloaded.services.extend(lines);
        }
        Ok(reloaded)
    }

    async fn list(&self) -> Result<Vec<Listed>, Error> {
        let listed = timeout_at(self.until, self.aws.tagging.services_watching(&self.settings.tag_prefix)).await;
        let mut listed = listed.map_err(|_| Error::OutOfTime(self.clock.elapsed()))??;
        listed.retain(|listed| self.is_in_reach(&listed.id));
        Ok(listed)
    }

    fn is_in_reach(&self, id: &ServiceId) -> bool {
        self.settings.clusters.is_empty() || self.settings.clusters.contains(&id.cluster)
    }

    async fn perform(&self, errand: &mut Errand<'_>, watching: &[Listed]) -> Performed {
        let policy = self.policy(errand);
        let concerned = watching.iter().filter(|listed| errand.concerns(listed)).map(|listed| &listed.id);
        let (ids, out_of_reach): (BTreeSet<_>, BTreeSet<_>) = concerned.chain(&policy.named).partition(|id| self.is_in_reach(id));
        let refused = |id| ServiceLine::unread(id, &failed("its cluster is not one of RELOADER_CLUSTERS"));
        let mut performed = Performed { lines: out_of_reach.into_iter().map(refused).collect(), ..Performed::default() };

        let mut services = self.look(ids, errand, watching, &mut performed).await;
        self.read_references(errand, &mut services, &mut performed).await;
        self.learn(errand, &services).await;
        let plan = self.plan(errand, &mut services, &policy).await;
        let job = Job {
            ecs: &self.aws.ecs,
            changes: &errand.changes,
            policy: &policy,
            tag_prefix: &self.settings.tag_prefix,
            pace: self.pace,
            clock: self.clock,
            until: self.until,
        };
        let mut rolled = job.roll_out(&plan, &services).await;
        let unfinished = rolled.values().filter(|rolled| rolled.outcome.as_ref().is_some_and(Outcome::is_unfinished));
        let undone = unfinished.flat_map(|rolled| &rolled.planned.asked_by).filter(|(_, reason)| **reason == Reason::Stale);
        performed.undone.extend(undone.map(|(key, _)| key.clone()));
        let seen: BTreeMap<_, _> = services.iter().map(|service| (&service.id, service)).collect();
        performed.lines.extend(plan.services.iter().map(|(id, planned)| match rolled.remove(id) {
            Some(rolled) => ServiceLine::decided(id, &rolled.planned, rolled.outcome.as_ref(), &errand.changes, Some(&rolled.seen)),
            None => ServiceLine::decided(id, planned, None, &errand.changes, seen.get(id).copied()),
        }));
        performed
    }

    /// The services as they are; one that cannot be looked at has its line at once.
    async fn look(&self, ids: BTreeSet<&ServiceId>, errand: &Errand<'_>, watching: &[Listed], performed: &mut Performed) -> Vec<Service> {
        let looks = self.aws.ecs.look_at(ids, &self.settings.tag_prefix, self.share_of_what_is_left(3)).await;
        performed.lines.extend(looks.unread.iter().map(|(id, error)| ServiceLine::unread(id, &unread(error))));
        let listed: BTreeMap<_, _> = watching.iter().map(|listed| (&listed.id, listed)).collect();
        let later = looks.unread.iter().filter(|(_, error)| error.cause.passes()).filter_map(|(id, _)| listed.get(id));
        performed.undone.extend(later.flat_map(|listed| errand.keys_of(listed)).cloned());
        let gone = looks.gone.into_iter().map(|id| match listed.get(&id) {
            Some(listed) => Service::gone(id, listed.home.clone(), listed.tags.clone()),
            None => Service::gone(id, Place::default(), Tags::default()),
        });
        let (meant, namesakes): (Vec<_>, Vec<_>) = looks.services.into_iter().chain(gone).partition(|service| errand.means(service));
        let refused = |service: &Service| ServiceLine::unread(&service.id, &failed("the ARN names another account or Region"));
        performed.lines.extend(namesakes.iter().map(refused));
        meant
    }

    fn policy(&self, errand: &Errand<'_>) -> Policy {
        let manual = errand.manual.map(|(_, manual)| manual);
        Policy {
            notify_only: self.settings.notify_only,
            dry_run: manual.is_some_and(|manual| manual.dry_run),
            max_services: manual.and_then(|manual| manual.max_services).unwrap_or(self.settings.max_services),
            settle: self.settings.settle,
            named: manual.map(|manual| manual.services.keys().cloned().collect()).unwrap_or_default(),
            asked_at: manual.map_or_else(|| self.clock.now(), |manual| manual.asked_at),
        }
    }

    /// Plans; where an old change would restart a service, reads that service's history and plans again.
    async fn plan(&self, errand: &Errand<'_>, services: &mut [Service], policy: &Policy) -> Plan {
        let first = plan(&errand.changes, services, policy, self.clock.now());
        let unsure = first.unsure(&errand.changes, services, self.clock.now());
        if unsure.is_empty() {
            return first;
        }
        let by = self.share_of_what_is_left(3);
        let read = |(id, since)| async move {
            let history = match self.aws.ecs.history(&id, since, by).await {
                Ok(past) => History::Read(past),
                Err(error) => History::Unreadable(error.to_string()),
            };
            (id, history)
        };
        let histories = stream::iter(unsure).map(read).buffered(HISTORIES_IN_FLIGHT);
        let mut histories: BTreeMap<_, _> = histories.collect().await;
        for service in services.iter_mut() {
            if let Some(history) = histories.remove(&service.id) {
                service.history = history;
            }
        }
        plan(&errand.changes, services, policy, self.clock.now())
    }

    /// By when a kind of read must have answered, so that what hangs leaves time to restart the others.
    fn share_of_what_is_left(&self, shares: u32) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / shares
    }
}

fn failed(cause: &str) -> Outcome {
    Outcome::Failed { cause: cause.to_owned(), passes: false }
}

fn unread(error: &aws::Error) -> Outcome {
    if error.cause == Cause::Denied {
        Outcome::Denied { cause: error.to_string() }
    } else {
        Outcome::Failed { cause: error.to_string(), passes: error.cause.passes() }
    }
}

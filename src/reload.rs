//! The job: changes in, restarts out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::aws::{self, Aws, Listed};
use crate::clock::Clock;
use crate::domain::arn::{Place, ServiceId};
use crate::domain::change::{Change, coalesce};
use crate::domain::key::Key;
use crate::domain::outcome::{Cause, Outcome, RestartResult};
use crate::domain::plan::{Plan, Policy, plan};
use crate::domain::service::{History, Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::tags::Tags;
use crate::domain::watch::Listening;
use crate::event::{Inbox, Manual, Told};
use crate::pace::Pace;
use crate::rollout::Job;
use crate::settings::Settings;

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

/// What is planned together, under one policy: all that events tell, or one manual invocation.
#[derive(Debug, Default)]
struct Errand<'a> {
    changes: BTreeMap<Key, Change>,
    /// The messages that told each key.
    tellers: BTreeMap<Key, BTreeSet<usize>>,
    manual: Option<(usize, &'a Manual)>,
}

impl Reload<'_> {
    /// Decodes nothing and answers nobody: takes what was told, restarts what is stale. An inbox that concerns nobody costs the listing
    /// alone; explicit terms and a change younger than a minute cost ceil(S/100) + ceil(n/10) + n calls; an older change, and a
    /// service in which a deployment runs, up to two more for each restart, for the deployment history.
    ///
    /// # Errors
    /// Only where nothing was started.
    pub async fn run(&self, inbox: &Inbox) -> Result<Reloaded, Error> {
        let watching = if names_keys(inbox) { self.list().await? } else { Vec::new() };
        let mut reloaded = Reloaded { watching, ..Reloaded::default() };
        for errand in errands(inbox, &reloaded.watching) {
            let lines = self.perform(&errand, &reloaded.watching).await;
            reloaded.changes += errand.changes.len();
            reloaded.unfinished.extend(errand.unfinished(&lines, &reloaded.watching));
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

    async fn perform(&self, errand: &Errand<'_>, watching: &[Listed]) -> Vec<ServiceLine> {
        let policy = self.policy(errand);
        let listed: BTreeMap<_, _> = watching.iter().map(|listed| (&listed.id, listed)).collect();
        let concerned = watching.iter().filter(|listed| errand.concerns(listed)).map(|listed| &listed.id);
        let (ids, out_of_reach): (BTreeSet<_>, BTreeSet<_>) = concerned.chain(&policy.named).partition(|id| self.is_in_reach(id));
        let refused = |cause: &str| Outcome::Failed { cause: cause.to_owned(), passes: false };
        let out_of_reach =
            out_of_reach.into_iter().map(|id| ServiceLine::unread(id, &refused("its cluster is not one of RELOADER_CLUSTERS")));
        let mut lines: Vec<_> = out_of_reach.collect();

        let looks = self.aws.ecs.look_at(ids, &self.settings.tag_prefix, self.a_third_of_what_is_left()).await;
        lines.extend(looks.unread.iter().map(|(id, error)| ServiceLine::unread(id, &unread(error))));
        let gone = looks.gone.into_iter().map(|id| match listed.get(&id) {
            Some(listed) => Service::gone(id, listed.home.clone(), listed.tags.clone()),
            None => Service::gone(id, Place::default(), Tags::default()),
        });
        let mut services: Vec<_> = looks.services.into_iter().chain(gone).collect();
        services.retain(|service| {
            let meant = errand.means(service);
            if !meant {
                lines.push(ServiceLine::unread(&service.id, &refused("the ARN names another account or Region")));
            }
            meant
        });

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
        let seen: BTreeMap<_, _> = services.iter().map(|service| (&service.id, service)).collect();
        lines.extend(plan.services.iter().map(|(id, planned)| match rolled.remove(id) {
            Some(rolled) => ServiceLine::decided(id, &rolled.planned, rolled.outcome.as_ref(), &errand.changes, Some(&rolled.seen)),
            None => ServiceLine::decided(id, planned, None, &errand.changes, seen.get(id).copied()),
        }));
        lines
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
        let by = self.a_third_of_what_is_left();
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
    fn a_third_of_what_is_left(&self) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / 3
    }
}

impl Errand<'_> {
    fn concerns(&self, listed: &Listed) -> bool {
        self.keys_of(listed).next().is_some()
    }

    /// Whether a service is not the local namesake of one that an ARN names elsewhere.
    fn means(&self, service: &Service) -> bool {
        let named = self.manual.and_then(|(_, manual)| manual.services.get(&service.id));
        named.and_then(Option::as_ref).is_none_or(|place| service.status == ServiceStatus::Inactive || *place == service.home)
    }

    fn keys_of<'a>(&'a self, listed: &'a Listed) -> impl Iterator<Item = &'a Key> {
        let listens = |key: &Key| listed.tags.watch.as_ref().is_some_and(|watch| watch.listens(key, &listed.home) != Listening::No);
        self.changes.keys().filter(move |key| listens(key))
    }

    /// The messages that told of what is not done.
    fn unfinished(&self, lines: &[ServiceLine], watching: &[Listed]) -> BTreeSet<usize> {
        let again: BTreeSet<_> = lines.iter().filter(|line| line.again).map(|line| line.service.as_str()).collect();
        match self.manual {
            Some((message, _)) if !again.is_empty() => BTreeSet::from([message]),
            Some(_) => BTreeSet::new(),
            None => {
                let undone = watching.iter().filter(|listed| again.contains(listed.id.to_string().as_str()));
                undone.flat_map(|listed| self.keys_of(listed)).filter_map(|key| self.tellers.get(key)).flatten().copied().collect()
            }
        }
    }
}

fn names_keys(inbox: &Inbox) -> bool {
    inbox.messages.iter().flat_map(|message| &message.told).any(|told| match told {
        Told::Changed(_) => true,
        Told::Asked(manual) => manual.names_keys(),
        Told::Ignored(_) | Told::Malformed(_) => false,
    })
}

/// All that events tell is one errand; each manual invocation is another, since it has a policy of its own. A bare key of a manual invocation
/// means the account and Region that the listed services are in.
fn errands<'a>(inbox: &'a Inbox, watching: &[Listed]) -> Vec<Errand<'a>> {
    let home = watching.first().map(|listed| listed.home.clone()).unwrap_or_default();
    let mut told = Errand::default();
    let mut changes = Vec::new();
    let mut asked = Vec::new();
    for (place, message) in inbox.messages.iter().enumerate() {
        for one in &message.told {
            match one {
                Told::Changed(change) => {
                    told.tellers.entry(change.key.clone()).or_default().insert(place);
                    changes.push(change.clone());
                }
                Told::Asked(manual) => {
                    asked.push(Errand { changes: coalesce(manual.changes(&home)), manual: Some((place, manual)), ..Errand::default() });
                }
                Told::Ignored(_) | Told::Malformed(_) => {}
            }
        }
    }
    told.changes = coalesce(changes);
    std::iter::once(told).filter(|told| !told.changes.is_empty()).chain(asked).collect()
}

fn unread(error: &aws::Error) -> Outcome {
    if error.cause == Cause::Denied {
        Outcome::Denied { cause: error.to_string() }
    } else {
        Outcome::Failed { cause: error.to_string(), passes: error.cause.passes() }
    }
}

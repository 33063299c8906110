//! The executor: changes in, restarts out.

mod batch;
mod defer;
mod deletions;
mod enrich;
mod reach;
mod references;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join;
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::aws::{self, Aws, IN_A_CIRCLE, Listed, Listing};
use crate::clock::Clock;
use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::change::Change;
use crate::domain::history::Needed;
use crate::domain::key::Key;
use crate::domain::plan::{Plan, plan};
use crate::domain::policy::Policy;
use crate::domain::reason::{Decision, Reason};
use crate::domain::received::{Reach, ReceivedChange};
use crate::domain::service::Service;
use crate::domain::start::{ErrorKind, Executed, ResultCode, StartResult};
use crate::domain::summary::{ChangeLines, ServiceLine, Sums};
use crate::domain::tags::Tags;
use crate::domain::watch::Match;
use crate::event::Inbox;
use crate::execute::Executor;
use crate::pace::Pace;
use crate::settings::Settings;

use batch::{Batch, asks_for_a_sweep, batches, needs_a_listing};
use defer::{KeysLeft, Left};
use reach::{Concerned, add_new, count, with_mistakes};

/// How long an invocation waits itself for a change to settle, where a queue could wait instead.
const MAX_SETTLE_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// What a reload works with.
#[derive(Clone, Copy, Debug)]
pub struct Reconciler<'a> {
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
    /// By when what is left to do must be sent.
    pub send_by: Instant,
}

/// What a reload did.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Every service that has opted in.
    pub watching: Vec<Listed>,
    /// What was read in part alone, and worked with all the same.
    pub incomplete: Vec<String>,
    /// How many keys changed.
    pub changes: usize,
    /// The changes, each with how many services it concerns.
    pub received: Vec<ReceivedChange>,
    /// How many task definitions were read.
    pub task_definitions: usize,
    /// Tags of services that have opted in, and references of task definitions, that do not parse.
    pub mistakes: BTreeSet<(ServiceId, String)>,
    /// Resources that carry our tags and are not what these are for, by their ARNs, and what their
    /// owners can do.
    pub strangers: BTreeMap<String, &'static str>,
    /// What was decided about each service that a change concerns, and what became of it.
    pub services: Vec<ServiceLine>,
    /// The places in the inbox of the messages whose work is not all done, and that nothing else
    /// goes on with.
    pub unfinished: BTreeSet<usize>,
    /// The services about which something is left to do that no message of our own tells.
    pub stranded: BTreeSet<ServiceId>,
    /// How many messages were sent for what is left to do.
    pub sent: usize,
    /// Why nothing was done at all.
    pub error: Option<Error>,
    /// What a sweep found, where there was one.
    pub swept: Option<Findings>,
    /// How many changes were refused whole, since they would restart too many services.
    pub refused_changes: usize,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many keys were compared.
    pub keys: usize,
    /// How many services have a task that is older than a change which it reads.
    pub stale: usize,
    /// How many of them should have been restarted, and could not be.
    pub still_stale: usize,
    /// What could not be compared, and why.
    pub sweep_errors: Vec<String>,
    /// How many changes it refused whole, since they would restart too many services.
    pub refused_changes: usize,
}

impl Reconciled {
    /// Nobody repeats a direct invocation that started something, so that what it left undone does
    /// not go on by itself.
    pub fn will_not_be_retried(&mut self, from_queue: bool) {
        let started = self
            .services
            .iter()
            .any(|line| line.result == Some(ResultCode::Started));
        if started && !from_queue {
            let stranded: BTreeSet<_> = self.stranded.iter().map(ToString::to_string).collect();
            self.services
                .iter_mut()
                .filter(|line| stranded.contains(&line.service))
                .for_each(|line| line.will_retry = false);
            self.unfinished.clear();
        }
    }
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Who watches could not be read.
    #[error("cannot list the services that watch: {0}")]
    ListingFailed(#[from] aws::Error),
}

impl Error {
    /// Whether the listing may succeed later with nobody's help.
    fn passes(&self) -> bool {
        let Self::ListingFailed(error) = self;
        error.kind.passes()
    }
}

/// What became of one batch.
#[derive(Debug, Default)]
struct Performed {
    lines: Vec<ServiceLine>,
    mistakes: BTreeSet<(ServiceId, String)>,
    /// How many services each key concerns.
    reach: BTreeMap<Key, Reach>,
    task_definitions: usize,
    /// The keys of which it is not known whether they concern a service.
    undecided: BTreeMap<ServiceId, Arc<BTreeSet<Key>>>,
    /// The sets of keys in `undecided` and `left`.
    keys: KeysLeft,
    /// Why it is not known whether a service refers to what was deleted.
    unread_definitions: BTreeMap<ServiceId, String>,
    left: BTreeMap<ServiceId, Left>,
    /// The changes that would restart too many services.
    refused_changes: BTreeSet<Key>,
    unfinished: BTreeSet<usize>,
    stranded: BTreeSet<ServiceId>,
    sent: usize,
}

impl Reconciler<'_> {
    /// Decodes nothing and answers nobody: takes what was told, restarts what is stale. An inbox
    /// that concerns nobody costs the listing alone, and with a queue the message for the
    /// second look; explicit terms and a change younger than a minute cost ceil(S/100) +
    /// ceil(n/10) + n calls, and what `learn` asks beside them. Services that say `auto` are looked
    /// at for every change, and their task definitions read once. An older change, and a service in
    /// which a deployment runs, cost up to two more for each restart, for the deployment
    /// history, and one more where a deployment was executed back or stopped, or may stand at a
    /// hook; a change older than ten minutes two for a hundred tasks.
    pub async fn run(&self, inbox: &Inbox) -> Reconciled {
        let Listing {
            found: watching,
            is_whole,
        } = match self.list(inbox).await {
            Ok(listing) => listing,
            Err(error) => return self.requeue_all(inbox, error).await,
        };
        let mistakes = watching.iter().flat_map(|listed| {
            listed
                .tags
                .mistakes()
                .map(|mistake| (listed.id.clone(), mistake.to_string()))
        });
        let incomplete = if is_whole {
            Vec::new()
        } else {
            vec![format!(
                "the services that watch, {} of them: {IN_A_CIRCLE}",
                watching.len()
            )]
        };
        let mut reconciled = Reconciled {
            mistakes: mistakes.collect(),
            watching,
            incomplete,
            ..Reconciled::default()
        };
        let mut sums = Sums::default();
        let watching = reconciled.watching.len();
        for mut batch in batches(inbox, &reconciled.watching)
            .into_iter()
            .flat_map(|batch| batch.in_portions(watching))
        {
            if Instant::now() >= self.until {
                let unfinished = self.leave(batch, &mut reconciled.sent).await;
                reconciled.unfinished.extend(unfinished);
                continue;
            }
            let mut performed = Box::pin(self.perform(&mut batch, &reconciled.watching)).await;
            self.defer(&batch, &mut performed).await;
            let services_with_mistakes = with_mistakes(&reconciled.watching, &performed.mistakes);
            let home = reconciled.watching.first().map(|listed| &listed.home);
            let reach = |key: &Key| {
                Some(Reach {
                    services_with_mistakes,
                    ..performed.reach.get(key).copied().unwrap_or_default()
                })
            };
            reconciled.received.extend(batch.received(home, reach));
            let Performed {
                lines,
                mistakes,
                task_definitions,
                unfinished,
                stranded,
                sent,
                refused_changes,
                ..
            } = performed;
            reconciled.changes += batch.changes.len();
            reconciled.task_definitions += task_definitions;
            reconciled.mistakes.extend(mistakes);
            reconciled
                .services
                .extend(lines.into_iter().map(|line| sums.take(line)));
            reconciled.unfinished.extend(unfinished);
            reconciled.stranded.extend(stranded);
            reconciled.sent += sent;
            reconciled.refused_changes += refused_changes.len();
        }
        if let Some(sweep) = asks_for_a_sweep(inbox) {
            let (lines, mut findings) = Box::pin(self.sweep(sweep, &reconciled.watching)).await;
            findings
                .sweep_errors
                .extend(reconciled.incomplete.iter().cloned());
            reconciled
                .services
                .extend(lines.into_iter().map(|line| sums.take(line)));
            reconciled.swept = Some(findings);
        }
        reconciled.strangers = self.aws.tagging.take_strangers();
        reconciled
    }

    async fn list(&self, inbox: &Inbox) -> Result<Listing<Vec<Listed>>, Error> {
        if !needs_a_listing(inbox) {
            return Ok(Listing {
                found: Vec::new(),
                is_whole: true,
            });
        }
        // A listing that does not end leaves time to send what was told.
        let mut listed = self
            .aws
            .tagging
            .services_watching(&self.settings.tag_prefix, self.share_of_what_is_left(2))
            .await?;
        listed.found.retain(|listed| self.is_in_reach(&listed.id));
        Ok(listed)
    }

    fn is_in_reach(&self, id: &ServiceId) -> bool {
        self.settings.clusters.is_empty() || self.settings.clusters.contains(&id.cluster)
    }

    async fn perform(&self, batch: &mut Batch, watching: &[Listed]) -> Performed {
        let policy = self.policy(batch);
        let concerned = watching
            .iter()
            .filter(|listed| batch.concerns(listed))
            .map(|listed| &listed.id);
        let (ids, out_of_reach): (BTreeSet<_>, BTreeSet<_>) = concerned
            .chain(batch.named())
            .partition(|id| self.is_in_reach(id));
        let refused =
            |id| ServiceLine::unread(id, &failed("its cluster is not one of RELOADER_CLUSTERS"));
        let mut performed = Performed {
            lines: out_of_reach.into_iter().map(refused).collect(),
            ..Performed::default()
        };

        let (looked_at, asked_at) = (Instant::now(), self.clock.now());
        let home = watching
            .first()
            .map(|listed| listed.home.clone())
            .unwrap_or_default();
        let terms_name = |change: &Change| {
            watching.iter().any(|listed| {
                change.scope.includes(&listed.id) && is_decided(listed.match_of(&change.key))
            })
        };
        let named_by_terms = batch.needs_enrichment(&home, terms_name);
        let mut asked_for: BTreeSet<_> = named_by_terms
            .iter()
            .map(|change| change.key.clone())
            .collect();
        let (mut services, enriched) = join(
            self.look(ids, batch, watching, &mut performed),
            self.enrich(named_by_terms),
        )
        .await;
        batch.take_enriched(enriched);
        self.read_references(batch, &mut services, &mut performed)
            .await;
        let home = services
            .first()
            .map(|service| service.home.clone())
            .unwrap_or(home);
        let named_by_references = batch.needs_enrichment(&home, |change| {
            services.iter().any(|service| {
                change.scope.includes(&service.id) && is_decided(service.match_of(&change.key))
            })
        });
        asked_for.extend(named_by_references.iter().map(|change| change.key.clone()));
        batch.take_enriched(self.enrich(named_by_references).await);
        self.read_who_misses(batch, &mut services, &mut performed)
            .await;
        self.date_exactly(batch, &services, &asked_for, asked_at)
            .await;
        for service in &mut services {
            let attempt = batch.attempts.get(&service.id);
            service.followed = attempt.and_then(|attempt| attempt.rollout.clone());
            service.has_waited_to_settle =
                attempt.is_some_and(|attempt| attempt.last_reason == Some(Reason::Settling));
        }
        let mut told = ChangeLines::new(&batch.changes);
        let mut concerned = Concerned::default();
        for (id, executed) in self
            .carry_out(&batch.changes, services, &policy, looked_at)
            .await
        {
            concerned.add(&executed.planned.asked_by);
            add_new(
                &mut performed.refused_changes,
                executed.planned.refused_changes(),
            );
            let mut line = ServiceLine::decided(&executed, &mut told);
            let known = batch.attempts.get(&id).cloned().unwrap_or_default();
            line.attempts = if known.last_reason == Some(executed.planned.reason) {
                known.count.max(1)
            } else {
                0
            };
            if let Some(cause) = performed.unread_definitions.get(&id) {
                line.add_detail(&format!(
                    "whether its task definition refers to what was deleted is not known: {cause}"
                ));
            }
            performed.lines.push(line);
            if let Some(left) = Left::after(&executed, &mut performed.keys) {
                performed.left.insert(id, left);
            }
        }
        concerned.count(&mut performed.reach);
        for (id, keys) in std::mem::take(&mut performed.undecided) {
            let left = performed
                .left
                .entry(id)
                .or_insert_with(|| Left::unread(Arc::default()));
            left.keys = performed.keys.share(&*left.keys | &*keys);
            left.last_reason = if left.last_reason == Reason::Fresh {
                Reason::Stale
            } else {
                left.last_reason
            };
        }
        batch.sign(&mut performed.lines);
        performed
    }

    /// The services as they are; one that cannot be looked at has its line at once.
    async fn look(
        &self,
        ids: BTreeSet<&ServiceId>,
        batch: &Batch,
        watching: &[Listed],
        performed: &mut Performed,
    ) -> Vec<Service> {
        let looks = self
            .aws
            .ecs
            .describe_services(
                ids,
                &self.settings.tag_prefix,
                self.share_of_what_is_left(3),
            )
            .await;
        performed.lines.extend(
            looks
                .unread
                .iter()
                .map(|(id, error)| ServiceLine::unread(id, &unread(error))),
        );
        let listed: BTreeMap<_, _> = watching.iter().map(|listed| (&listed.id, listed)).collect();
        for (id, error) in &looks.unread {
            let of_listed = listed
                .get(id)
                .into_iter()
                .flat_map(|listed| batch.keys_of(listed));
            let keys = performed
                .keys
                .share(of_listed.chain(batch.keys_that_name(id)).cloned().collect());
            count(&mut performed.reach, &*keys, |reach| reach.undecided += 1);
            if error.kind.passes() {
                performed.left.insert(id.clone(), Left::unread(keys));
            }
        }
        let gone = looks.gone.into_iter().map(|id| match listed.get(&id) {
            Some(listed) => Service::gone(id, listed.home.clone(), listed.tags.clone()),
            None => Service::gone(id, AccountRegion::default(), Tags::default()),
        });
        let (meant, namesakes): (Vec<_>, Vec<_>) = looks
            .services
            .into_iter()
            .chain(gone)
            .partition(|service| batch.means(service));
        let refused = |service: &Service| {
            ServiceLine::unread(
                &service.id,
                &failed("the ARN names another account or Region"),
            )
        };
        performed.lines.extend(namesakes.iter().map(refused));
        meant
    }

    fn policy(&self, batch: &Batch) -> Policy {
        let request = batch.request.as_ref();
        let Settings {
            notify_only,
            max_services,
            settle,
            min_interval,
            restarts_per_hour,
            max_in_flight,
            ref queue_url,
            ..
        } = *self.settings;
        Policy {
            notify_only,
            dry_run: request.is_some_and(|request| request.dry_run),
            max_services: batch.max_services(max_services),
            ignored_max_services: batch.raises(max_services).filter(|_| batch.queued),
            settle,
            max_settle_wait: if queue_url.is_some() {
                MAX_SETTLE_WAIT
            } else {
                SignedDuration::MAX
            },
            min_interval,
            restarts_per_hour,
            max_in_flight,
            named: request
                .map(|request| request.services.keys().cloned().collect())
                .unwrap_or_default(),
            asked_at: request.map_or_else(|| self.clock.now(), |request| request.asked_at),
        }
    }

    /// Decides about services that were looked at at an instant, and restarts those that are stale:
    /// what became of each that a change concerns.
    async fn carry_out(
        &self,
        changes: &BTreeMap<Key, Change>,
        mut services: Vec<Service>,
        policy: &Policy,
        looked_at: Instant,
    ) -> BTreeMap<ServiceId, Executed> {
        let (mut plan, needed) = self.plan(changes, &mut services, policy).await;
        let executor = Executor {
            ecs: &self.aws.ecs,
            changes,
            policy,
            tag_prefix: &self.settings.tag_prefix,
            pace: self.pace,
            clock: self.clock,
            needed: &needed,
            looked_at,
            until: self.until,
        };
        let mut executed = executor.execute(&plan, &services).await;
        for seen in services {
            if let Some(planned) = plan.services.remove(&seen.id) {
                executed.entry(seen.id.clone()).or_insert_with(|| Executed {
                    planned,
                    start: None,
                    seen,
                });
            }
        }
        executed
    }

    /// Plans, and tells which evidence is to be read of services shortly before they are restarted.
    /// It is read at once where nothing is to be restarted: to tell what would have been, or
    /// who ended a rollout; and where others wait for the restart to end, which perhaps is none.
    async fn plan(
        &self,
        changes: &BTreeMap<Key, Change>,
        services: &mut [Service],
        policy: &Policy,
    ) -> (Plan, BTreeMap<ServiceId, Needed>) {
        loop {
            let plan = plan(changes, services, policy, self.clock.now());
            let others_wait = plan
                .services
                .values()
                .any(|planned| planned.reason == Reason::InFlightLimit);
            let is_restart = |id: &ServiceId| {
                plan.services
                    .get(id)
                    .is_some_and(|planned| planned.reason.decision() == Decision::Restart)
            };
            let needed = plan.evidence_needed(changes, services, policy, self.clock.now());
            let (later, now): (BTreeMap<_, _>, BTreeMap<_, _>) = needed
                .into_iter()
                .partition(|(id, _)| is_restart(id) && !others_wait);
            if now.is_empty() {
                return (plan, later);
            }
            let mut evidence = self
                .aws
                .ecs
                .evidence(now, self.share_of_what_is_left(3))
                .await;
            for service in services.iter_mut() {
                if let Some(evidence) = evidence.remove(&service.id) {
                    *service = service.clone().with_evidence(evidence);
                }
            }
        }
    }

    /// By when a kind of read must have answered, so that what hangs leaves time to restart the
    /// others.
    fn share_of_what_is_left(&self, shares: u32) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / shares
    }
}

fn is_decided(listening: Match) -> bool {
    matches!(listening, Match::Watched | Match::Pinned)
}

fn failed(cause: &str) -> StartResult {
    StartResult::Failed {
        cause: cause.to_owned(),
        passes: false,
    }
}

fn unread(error: &aws::Error) -> StartResult {
    if error.kind == ErrorKind::Denied {
        StartResult::Denied {
            cause: error.to_string(),
        }
    } else {
        StartResult::Failed {
            cause: error.to_string(),
            passes: error.kind.passes(),
        }
    }
}

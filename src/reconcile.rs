//! One invocation: from changes and requests to restarts, and deferred work back to the queue.

mod affected;
mod batches;
mod bystanders;
mod discover;
mod ends;
mod enrich;
mod of_sweep;
mod reconciled;
mod resolved;
mod restarts;
mod results;
mod self_test;
mod send;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join;
use jiff::SignedDuration;

use crate::aws::{Aws, Listing};
use crate::clock::{Clock, Deadline};
use crate::domain::arn::AccountRegion;
use crate::domain::backoff::retry_listing_at;
use crate::domain::batch::{Batch, MessageIndex};
use crate::domain::change::Change;
use crate::domain::defer::{DeferPolicy, defer};
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::received::Reach;
use crate::domain::watch::Match;
use crate::domain::watching::Watching;
use crate::event::{Content, Inbox};
use crate::pace::Pace;
use crate::settings::Settings;

use affected::{received, with_mistakes};
use batches::{batches, needs_a_listing};
use bystanders::Restarting;
use discover::{Discovered, is_decided};
use enrich::Enricher;
use send::Sender;

pub use reconciled::{Error, Reconciled};
use resolved::Resolved;

pub(crate) use bystanders::note_unread;
pub(crate) use discover::Discovery;
pub(crate) use restarts::Restarts;

/// The longest time that an invocation itself waits for a change to settle. A change that needs
/// longer is deferred. Without a queue there is no such limit.
const MAX_SETTLE_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// Everything that an invocation works with.
#[derive(Clone, Copy, Debug)]
pub struct Reconciler<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// The settings of the function.
    pub settings: &'a Settings,
    /// The pace of restarts.
    pub pace: &'a Pace,
    /// The time of day.
    pub clock: &'a Clock,
    /// The end of the invocation.
    pub deadline: Deadline,
    /// The account and Region of the function's own ARN, if it has one.
    pub home: Option<&'a AccountRegion>,
}

impl Reconciler<'_> {
    /// Restarts the stale services of an inbox. If it affects no service, the cost is the listing
    /// and, with a queue, the message for the second listing. Explicit terms and a change younger
    /// than a minute cost ceil(S/100) + ceil(n/10) + n calls, and those of the enrichment. Services
    /// that say `auto` are described for every change, and their task definitions read once. These
    /// branches need more:
    ///
    /// * an older change, a running deployment, or a busy hour: one call for each restart, for the
    ///   history; one more for the revisions, if a deployment was rolled back or stopped, or if
    ///   there are as many as the restart budget allows; and one more if a deployment was rolled
    ///   back or stopped, or may stand at a hook;
    /// * a change older than ten minutes: two for a hundred tasks;
    /// * a followed rollout that may have ended: those of [`Self::read_ends`];
    /// * restarts whose turn comes more than five seconds after their services were described: one
    ///   for ten of them;
    /// * an order or a canary: the descriptions of all that watch the key, and the history of each.
    pub async fn run(&self, inbox: &Inbox) -> Reconciled {
        let listing = match self.list(inbox).await {
            Ok(listing) => listing,
            Err(error) => return self.requeue_all(inbox, error).await,
        };
        let mut reconciled = Reconciled::of(listing, self.home);
        let watching = reconciled.watching.len();
        let batches = batches(inbox, &reconciled.home);
        for batch in batches
            .into_iter()
            .flat_map(|batch| batch.in_portions(watching))
        {
            if self.deadline.is_over() {
                reconciled.take_sent(self.sender().requeue(batch).await);
            } else {
                Box::pin(self.reconcile(batch, &mut reconciled)).await;
            }
        }
        if reconciled.has_started && !inbox.from_queue {
            // A direct invocation that started something returns success, so Lambda does not retry
            // it.
            reconciled.services.nothing_is_redelivered();
            reconciled.redelivered.clear();
        }
        reconciled
    }

    /// One batch: describe, enrich, plan, execute, defer, send, report.
    async fn reconcile(&self, mut batch: Batch, reconciled: &mut Reconciled) {
        let resolved = self
            .resolve(&mut batch, &reconciled.watching, &reconciled.home)
            .await;
        let Resolved {
            mut resolutions,
            mistakes,
            reach,
            task_definitions,
            refused_changes,
        } = resolved;
        let deferral = defer(&batch, &resolutions, &self.defer_policy(), self.clock.now());
        let sent = self.sender().defer(deferral, &mut resolutions).await;
        reconciled.take_sent(sent);

        let services_with_mistakes = with_mistakes(&reconciled.watching, &mistakes);
        let reach = |key: &Key| {
            Some(Reach {
                services_with_mistakes,
                ..reach.get(key).copied().unwrap_or_default()
            })
        };
        reconciled.self_tests += self.self_tests(&batch);
        reconciled.changes += batch.changes.len();
        reconciled
            .received
            .extend(received(&batch, Some(&reconciled.home), reach));
        reconciled.task_definitions += task_definitions;
        reconciled.mistakes.extend(mistakes);
        reconciled.refused_changes += refused_changes.len();
        self.report(&batch, resolutions, reconciled);
    }

    /// Decides about every service of a batch, and starts the restarts that are due.
    async fn resolve(
        &self,
        batch: &mut Batch,
        watching: &Watching,
        home: &AccountRegion,
    ) -> Resolved {
        let mut policy = self.policy(batch);
        let mut discovered = self.discover(batch, watching, home).await;
        let unread = discovered.unreadable.keys().cloned().collect();
        note_unread(&mut policy, batch.changes.keys(), watching, &unread);
        discovered.take_attempts(batch);
        self.restart_nothing_for_the_self_test(batch);
        if batch.returned().next().is_some() {
            let services = &mut discovered.services;
            let (plan, _) = self
                .restarts()
                .plan(&batch.changes, services, &policy)
                .await;
            let restarting = Restarting::of(batch, &plan, services, &policy);
            self.enricher()
                .read_again(batch, &restarting.keys, &restarting.in_order, services)
                .await;
            self.discovery()
                .add_bystanders(&restarting, watching, &mut discovered, &mut policy)
                .await;
        }
        let services = std::mem::take(&mut discovered.services);
        let described_at = std::mem::take(&mut discovered.described_at);
        let mut executed = self
            .restarts()
            .carry_out(&batch.changes, services, &policy, &described_at)
            .await;
        Box::pin(self.read_ends(batch, &mut executed)).await;
        let mut resolved = Resolved::of(batch, discovered, executed, &self.following(batch));
        Box::pin(self.read_previous(&mut resolved.resolutions)).await;
        resolved
    }

    /// Describes the services of a batch, and completes its changes by metadata.
    async fn discover(
        &self,
        batch: &mut Batch,
        watching: &Watching,
        home: &AccountRegion,
    ) -> Discovered {
        let (discovery, enricher) = (self.discovery(), self.enricher());
        let read_at = self.clock.now();
        let open = batch.needs_enrichment(home, |change| {
            let mut matches = watching.matches(&change.key);
            matches.any(|(listed, matched)| {
                let is_decided = matches!(matched, Match::Watched | Match::Pinned);
                is_decided && change.scope.includes(&listed.id)
            })
        });
        let mut read_keys: BTreeSet<_> = open.iter().map(|change| change.key.clone()).collect();
        let (mut discovered, completed) =
            join(discovery.describe(batch, watching), enricher.enrich(open)).await;
        batch.take_enriched(completed);

        discovery.read_references(batch, &mut discovered).await;
        let services = &discovered.services;
        let affects = |change: &Change| {
            let mut services = services.iter();
            services.any(|service| is_decided(service, change))
        };
        let open = batch.needs_enrichment(home, affects);
        read_keys.extend(open.iter().map(|change| change.key.clone()));
        let completed = enricher.enrich(open).await;
        batch.take_enriched(completed);

        discovery.read_missing_keys(batch, &mut discovered).await;
        let services = &discovered.services;
        enricher
            .date_exactly(batch, services, &read_keys, read_at)
            .await;
        discovered
    }

    async fn list(&self, inbox: &Inbox) -> Result<Listing<Watching>, Error> {
        if needs_a_listing(inbox) {
            Ok(self.discovery().list().await?)
        } else {
            Ok(Listing {
                found: Watching::default(),
                is_whole: true,
            })
        }
    }

    /// The services could not be listed: everything that came through the queue is requeued as it
    /// was. Requests stay in the queue. So does everything if the error does not pass by itself, or
    /// has lasted too long: then it becomes a dead letter, which a person sees.
    async fn requeue_all(&self, inbox: &Inbox, error: Error) -> Reconciled {
        let home = self.home.cloned().unwrap_or_default();
        let batches = batches(inbox, &home);
        let passes = error.passes();
        let messages = inbox.messages.iter().enumerate();
        let asking = messages.filter(|(_, message)| message.has_work());
        let mut reconciled = Reconciled {
            error: Some(error),
            redelivered: asking.map(|(place, _)| place).collect(),
            received: batches
                .iter()
                .flat_map(|batch| received(batch, self.home, |_| None))
                .collect(),
            ..Reconciled::default()
        };
        if !inbox.from_queue || !passes {
            return reconciled;
        }
        let is_request = |message: &MessageIndex| {
            let message = inbox.messages.get(*message);
            let mut contents = message.iter().flat_map(|message| &message.contents);
            contents.any(|content| matches!(content, Content::Request(_)))
        };
        let (limit, now) = (self.settings.hold_limit, self.clock.now());
        for batch in batches {
            let not_before = retry_listing_at(batch.failed_listings, limit, now)
                .filter(|_| !batch.messages.iter().any(is_request));
            let Some(not_before) = not_before else {
                continue;
            };
            let (messages, failures) = (batch.messages.clone(), batch.failed_listings);
            let sent = self
                .sender()
                .requeue_at(batch, not_before, failures.saturating_add(1))
                .await;
            if sent.redelivered.is_empty() {
                let left = &mut reconciled.redelivered;
                left.retain(|message| !messages.contains(message));
            }
            reconciled.sent += sent.messages;
        }
        reconciled
    }

    /// The limits of the function and of this batch.
    pub(crate) fn policy(&self, batch: &Batch) -> Policy {
        let request = batch.request.as_ref();
        let settings = self.settings;
        Policy {
            notify_only: settings.notify_only,
            dry_run: batch.is_dry_run(),
            max_services: batch.max_services(settings.max_services),
            ignored_max_services: batch.raises(settings.max_services).filter(|_| batch.queued),
            settle: settings.settle,
            max_settle_wait: if settings.queue_url.is_some() {
                MAX_SETTLE_WAIT
            } else {
                SignedDuration::MAX
            },
            min_interval: settings.min_interval,
            restarts_per_hour: settings.restarts_per_hour,
            max_in_flight: settings.max_in_flight,
            quiet: settings.quiet,
            canary: settings.canary,
            outcome_deadline: settings.outcome_deadline,
            unread: BTreeMap::new(),
            named: request
                .map(|request| request.services.keys().cloned().collect())
                .unwrap_or_default(),
            requested_at: request.map_or_else(|| self.clock.now(), |request| request.requested_at),
        }
    }

    fn defer_policy(&self) -> DeferPolicy {
        DeferPolicy {
            hold_limit: self.settings.hold_limit,
            max_in_flight: self.settings.max_in_flight,
            has_queue: self.settings.queue_url.is_some(),
            spent: SignedDuration::try_from(self.clock.elapsed()).unwrap_or(SignedDuration::MAX),
        }
    }

    pub(crate) fn discovery(&self) -> Discovery<'_> {
        Discovery {
            ecs: &self.aws.ecs,
            tagging: &self.aws.tagging,
            settings: self.settings,
            deadline: self.deadline,
        }
    }

    fn enricher(&self) -> Enricher<'_> {
        Enricher {
            aws: self.aws,
            tag_prefix: &self.settings.tag_prefix,
            clock: self.clock,
            deadline: self.deadline,
        }
    }

    pub(crate) fn restarts(&self) -> Restarts<'_> {
        Restarts {
            ecs: &self.aws.ecs,
            pace: self.pace,
            tag_prefix: &self.settings.tag_prefix,
            clock: self.clock,
            deadline: self.deadline,
        }
    }

    fn sender(&self) -> Sender<'_> {
        Sender {
            sqs: &self.aws.sqs,
            queue_url: self.settings.queue_url.as_deref(),
            clock: self.clock,
            deadline: self.deadline,
        }
    }
}

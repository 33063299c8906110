//! The sweep: every watched key's last change is compared with every service that watches it. It finds what no event told.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join3;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Performed, Reload};
use crate::aws::{Described, Listed, ListedObjects, ListedSecret};
use crate::domain::arn::{Place, ServiceId};
use crate::domain::change::{Change, ChangeKind, SWEEP, Whom, coalesce, end_of_second};
use crate::domain::key::{CURRENT, Key, Kind};
use crate::domain::outcome::RolledOut;
use crate::domain::plan::{Planned, Policy, plan};
use crate::domain::reason::Reason;
use crate::domain::service::{Service, ServiceStatus};
use crate::domain::summary::ServiceLine;
use crate::domain::tags::Mode;
use crate::domain::watch::{Listening, Term};
use crate::event::Sweep;

/// Look-ups of one kind under way at once.
const IN_FLIGHT: usize = 8;

/// Why a stale service is not restarted, where that is not its owner's wish.
const TOO_OLD: &str = "it changed before RELOADER_SWEEP_SINCE";
const MAYBE: &str = "the secret was modified since, its current version was not: perhaps a label moved, or only its description changed";

/// What a sweep did.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) performed: Performed,
    /// How many keys were compared.
    pub(super) keys: usize,
    /// How many services have a task that is older than a change which it reads.
    pub(super) stale: usize,
    /// What could not be compared.
    pub(super) unswept: Vec<String>,
}

/// What is to be compared.
#[derive(Debug, Default)]
struct Subjects {
    keys: BTreeSet<Key>,
    /// Everything below these paths.
    prefixes: BTreeSet<(Kind, String)>,
}

/// What metadata told.
#[derive(Debug, Default)]
struct Found {
    changes: Vec<Change>,
    unswept: Vec<String>,
}

impl Found {
    fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self.unswept.extend(other.unswept);
        self
    }

    fn told(&mut self, key: Key, at: Timestamp, told: Option<&Described>) {
        let version = told.map(|told| told.version.to_string());
        let previous = told.filter(|told| told.version > 1).map(|told| (told.version - 1).to_string());
        let by = told.and_then(|told| told.by.clone());
        self.changes.push(Change { version, previous, by, ..Change::new(key, end_of_second(at), ChangeKind::Written, SWEEP) });
    }
}

impl Reload<'_> {
    /// Looks at every service that has opted in, asks metadata when each key changed that one of them watches, and has the tasks of what looks
    /// stale tell when they were created. Costs ceil(S/100) + ceil(S/10) calls for the services, one for fifty parameters, a hundred secrets and
    /// each object, one a page for what is watched by its prefix, and for each service that looks stale one or two for its tasks. Restarts what
    /// is stale, under the same plan as any other change, and sends nothing for later: the next sweep finds what is left.
    pub(super) async fn sweep(&self, sweep: Sweep, watching: &[Listed]) -> Swept {
        let ids: BTreeSet<_> = watching.iter().map(|listed| &listed.id).collect();
        let looks = self.aws.ecs.look_at(ids, &self.settings.tag_prefix, self.share_of_what_is_left(3)).await;
        let mut swept = Swept { unswept: looks.unread.iter().map(|(id, error)| format!("{id}: {error}")).collect(), ..Swept::default() };
        let mut services = looks.services;
        services.retain(|service| service.status == ServiceStatus::Active && service.desired > 0 && service.tags.mode != Mode::Off);
        let looked_at = Instant::now();
        self.refer(&mut services, &mut swept).await;

        let home = watching.first().map(|listed| listed.home.clone()).unwrap_or_default();
        let subjects = subjects(&services, &home, &mut swept.unswept);
        let by = self.share_of_what_is_left(2);
        let (parameters, secrets, objects) =
            Box::pin(join3(self.parameters(&subjects, &home, by), self.secrets(&subjects, &home, by), self.objects(&subjects, &home, by)))
                .await;
        let found = parameters.and(secrets).and(objects);
        swept.unswept.extend(found.unswept);
        swept.keys = found.changes.len();

        let changes = coalesce(found.changes);
        let suspects = suspects(&changes, &services);
        let confirmed = self.confirm(&changes, suspects, &mut swept.unswept).await;
        swept.stale = confirmed.values().flatten().collect::<BTreeSet<_>>().len();
        let repair = sweep.repair.unwrap_or(self.settings.sweep_repairs);
        self.repair(repair, &changes, confirmed, &mut services, looked_at, &mut swept).await;
        swept
    }

    /// The references of the services that say `auto`.
    async fn refer(&self, services: &mut [Service], swept: &mut Swept) {
        let says_auto = |service: &Service| service.tags.watch.as_ref().is_some_and(|watch| watch.auto);
        let wanted = services.iter().filter(|service| says_auto(service)).filter_map(|service| service.task_definition.clone());
        let told = self.aws.ecs.references(wanted.collect(), self.share_of_what_is_left(2)).await;
        for service in services.iter_mut() {
            match service.task_definition.as_ref().and_then(|arn| told.get(arn)) {
                Some(Ok(references)) => service.references = Some(references.clone()),
                Some(Err(error)) => swept.unswept.push(format!("what {} refers to: {error}", service.id)),
                None => {}
            }
        }
    }

    async fn parameters(&self, subjects: &Subjects, home: &Place, by: Instant) -> Found {
        let mut found = Found::default();
        let exact: Vec<_> = subjects.of_kind(Kind::Parameter).collect();
        let paths: Vec<_> = exact.iter().map(|key| key.path()).collect();
        let (told, failed) = self.aws.ssm.describe(&paths, by).await;
        for key in exact {
            match (told.get(key.path()), failed.get(key.path())) {
                (Some(told), _) => found.told(key.clone(), told.at, Some(told)),
                (None, Some(cause)) => found.unswept.push(format!("{key}: {cause}")),
                (None, None) => {}
            }
        }
        let prefixes: Vec<_> = subjects.prefixes_of(Kind::Parameter).collect();
        for path in prefixes {
            match self.aws.ssm.describe_below(path, by).await {
                Ok(told) => {
                    for (name, told) in &told {
                        found.told(Key::parameter(home.clone(), name), told.at, Some(told));
                    }
                }
                Err(error) => found.unswept.push(format!("ssm:/{path}: {error}")),
            }
        }
        found
    }

    /// When a secret was modified: whether its version changed then is asked for those alone that look stale.
    async fn secrets(&self, subjects: &Subjects, home: &Place, by: Instant) -> Found {
        let mut found = Found::default();
        let (exact, prefixes): (BTreeSet<_>, Vec<_>) =
            (subjects.of_kind(Kind::Secret).collect(), subjects.prefixes_of(Kind::Secret).collect());
        if exact.is_empty() && prefixes.is_empty() {
            return found;
        }
        let listed = match self.aws.secrets.list(by).await {
            Ok(listed) => listed,
            Err(error) => {
                found.unswept.push(format!("all secrets: {error}"));
                return found;
            }
        };
        for ListedSecret { name, changed_at, rotated_at } in listed {
            let Some(at) = changed_at.into_iter().chain(rotated_at).max() else { continue };
            let secret = Key::secret(home.clone(), &name);
            let staged = exact.iter().filter(|key| key.is_the_thing_of(&secret)).map(|key| Key::clone(key));
            let below = prefixes.iter().any(|prefix| name.starts_with(*prefix)).then(|| secret.clone());
            for key in staged.chain(below).collect::<BTreeSet<_>>() {
                found.told(key, at, None);
            }
        }
        found
    }

    async fn objects(&self, subjects: &Subjects, home: &Place, by: Instant) -> Found {
        let keys: Vec<_> = subjects.of_kind(Kind::Object).cloned().collect();
        let exact = stream::iter(keys).map(|key| async move {
            let mut found = Found::default();
            let Some((bucket, name)) = key.path().split_once('/') else { return found };
            match self.aws.s3.modified_at(bucket, name, by).await {
                Ok(Some(at)) => found.told(key.clone(), at, None),
                Ok(None) => {}
                Err(error) => found.unswept.push(format!("{key}: {error}")),
            }
            found
        });
        let paths: Vec<_> = subjects.prefixes_of(Kind::Object).map(str::to_owned).collect();
        let below = stream::iter(paths).map(|path| async move {
            let mut found = Found::default();
            let Some((bucket, prefix)) = path.split_once('/') else { return found };
            match self.aws.s3.modified_below(bucket, prefix, by).await {
                Ok(ListedObjects { modified_at, is_cut_off }) => {
                    let key = |name: &str| Key::object(&home.partition, bucket, name);
                    for (name, at) in &modified_at {
                        found.told(key(name), *at, None);
                    }
                    if is_cut_off {
                        found.unswept.push(format!("s3:{path}: it holds more than {} objects", modified_at.len()));
                    }
                }
                Err(error) => found.unswept.push(format!("s3:{path}: {error}")),
            }
            found
        });
        let found = exact.buffered(IN_FLIGHT).fold(Found::default(), async |all, some| all.and(some)).await;
        below.buffered(IN_FLIGHT).fold(found, async |all, some| all.and(some)).await
    }

    /// The services, of those that look stale for a change, that have a task which is not younger than it.
    async fn confirm(
        &self,
        changes: &BTreeMap<Key, Change>,
        suspects: BTreeMap<Key, BTreeSet<ServiceId>>,
        unswept: &mut Vec<String>,
    ) -> BTreeMap<Key, BTreeSet<ServiceId>> {
        let by = self.share_of_what_is_left(2);
        let services: BTreeSet<_> = suspects.values().flatten().cloned().collect();
        let oldest = stream::iter(services).map(|id| async move {
            let oldest = self.aws.ecs.oldest_task(&id, by).await;
            (id, oldest)
        });
        let oldest: BTreeMap<_, _> = oldest.buffered(IN_FLIGHT).collect().await;
        unswept.extend(oldest.iter().filter_map(|(id, told)| Some(format!("the tasks of {id}: {}", told.as_ref().err()?))));
        let is_older = |id: &ServiceId, t: Timestamp| matches!(oldest.get(id), Some(Ok(Some(created_at))) if *created_at <= t);
        let confirmed = suspects.into_iter().filter_map(|(key, these)| {
            let t = changes.get(&key)?.at;
            let these: BTreeSet<_> = these.into_iter().filter(|id| is_older(id, t)).collect();
            (!these.is_empty()).then_some((key, these))
        });
        confirmed.collect()
    }

    /// Restarts, or tells of, what is stale.
    async fn repair(
        &self,
        repair: bool,
        changes: &BTreeMap<Key, Change>,
        confirmed: BTreeMap<Key, BTreeSet<ServiceId>>,
        services: &mut [Service],
        looked_at: Instant,
        swept: &mut Swept,
    ) {
        let now = self.clock.now();
        let (mut young, mut old) = (BTreeMap::new(), BTreeMap::new());
        for (key, these) in confirmed {
            let Some(change) = changes.get(&key) else { continue };
            let change = Change { whom: Whom::Only(these), ..change.clone() };
            let surely = self.surely(change, services, &mut swept.unswept).await;
            for change in surely {
                let is_young = now.duration_since(change.at) <= self.settings.sweep_since;
                let into = if is_young && change.note.as_deref() != Some(MAYBE) { &mut young } else { &mut old };
                into.insert(key.clone(), change);
            }
        }
        let policy = self.policy(None);
        let only_tells = Policy { notify_only: true, ..policy.clone() };
        let repairing = if repair { &policy } else { &only_tells };
        let rolled = self.carry_out(&young, services, repairing, looked_at).await;
        // The next sweep goes on with it.
        let lines = rolled.values().map(|rolled| ServiceLine::decided(rolled, &young));
        let lines = lines.map(|line| ServiceLine { again: line.again && repair, ..line });
        swept.performed.lines.extend(lines);
        let told = plan(&old, services, &only_tells, now);
        for seen in services.iter().filter(|service| !rolled.contains_key(&service.id)) {
            let Some(planned) = told.services.get(&seen.id).filter(|planned| planned.reason != Reason::Fresh).cloned() else { continue };
            let why = planned.asked_by.keys().filter_map(|key| old.get(key)).map(|change| change.note.as_deref().unwrap_or(TOO_OLD));
            let why = why.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ");
            let planned = Planned { detail: Some(why), ..planned };
            swept.performed.lines.push(ServiceLine::decided(&RolledOut { planned, outcome: None, seen: seen.clone() }, &old));
        }
    }

    /// What is certain of a change that looks newer than a service: of a secret, when its version was created or it was rotated. What is newer
    /// than that, and older than the secret's last modification, is told with a note.
    async fn surely(&self, change: Change, services: &[Service], unswept: &mut Vec<String>) -> Vec<Change> {
        if change.key.kind() != Kind::Secret {
            return vec![change];
        }
        let label = change.key.stage().unwrap_or(CURRENT);
        let created = match self.aws.secrets.version_created_at(change.key.path(), label, self.until).await {
            Ok(created) => created,
            Err(error) => {
                unswept.push(format!("{}: {error}", change.key));
                return Vec::new();
            }
        };
        let Some(at) = created.map(end_of_second) else { return Vec::new() };
        let certain = Change { at, ..change.clone() };
        let is_stale = |service: &&Service| certain.whom.includes(&service.id) && !service.is_fresh(at);
        if services.iter().any(|service| is_stale(&service)) {
            vec![certain]
        } else {
            vec![Change { note: Some(MAYBE.to_owned()), ..change }]
        }
    }
}

impl Subjects {
    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| {
            key.kind() == kind && !self.prefixes_of(kind).any(|prefix| key.stage().is_none() && key.path().starts_with(prefix))
        })
    }

    fn prefixes_of(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.prefixes.iter().filter(move |(of, _)| *of == kind).map(|(_, path)| path.as_str())
    }
}

/// Everything that the services watch in the account and Region `home`; what is elsewhere, or has no metadata to ask, is named.
fn subjects(services: &[Service], home: &Place, unswept: &mut Vec<String>) -> Subjects {
    let mut subjects = Subjects::default();
    let mut elsewhere = BTreeSet::new();
    for service in services {
        let Some(watch) = &service.tags.watch else { continue };
        let followed = service.references.iter().filter(|_| watch.auto).flat_map(|references| &references.followed);
        for term in watch.terms.iter().chain(followed) {
            if term.is_prefix() {
                match term.prefix(home) {
                    Some(path) => _ = subjects.prefixes.insert((term.kind(), path.to_owned())),
                    None => _ = elsewhere.insert(format!("a prefix that {} watches in another account or Region", service.id)),
                }
            } else {
                let (here, there): (Vec<_>, Vec<_>) =
                    Term::keys(term, home).partition(|key| key.is_at(home) && key.kind() != Kind::Profile);
                subjects.keys.extend(here);
                elsewhere.extend(there.iter().map(|key| match key.kind() {
                    Kind::Profile => format!("{key}: AppConfig is not asked"),
                    Kind::Parameter | Kind::Object | Kind::Secret => format!("{}: it is in another account or Region", key.arn()),
                }));
            }
        }
    }
    unswept.extend(elsewhere);
    subjects
}

/// The services that no good deployment made fresh since a change.
fn suspects(changes: &BTreeMap<Key, Change>, services: &[Service]) -> BTreeMap<Key, BTreeSet<ServiceId>> {
    let mut suspects: BTreeMap<Key, BTreeSet<ServiceId>> = BTreeMap::new();
    for service in services {
        let stale = changes.values().filter(|change| !service.is_fresh(change.at) && service.listens(&change.key) == Listening::Yes);
        for change in stale {
            suspects.entry(change.key.clone()).or_default().insert(service.id.clone());
        }
    }
    suspects
}

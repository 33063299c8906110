//! Gathers what people are notified of in one invocation. Services for which the same change came
//! to the same share one notice.

mod detail;
mod findings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::arn::{AccountRegion, ServiceId};
use crate::domain::change::Change;
use crate::domain::key::Key;
use crate::domain::notice::{
    Identity, MOST_COMMAND, MOST_DETAILS, MOST_SERVICES, Notice, NoticeKind,
};
use crate::domain::reason::Reason;
use crate::domain::resolution::Resolution;
use crate::domain::restore::Restore;
use crate::domain::text::bounded;

pub use detail::{DETAIL_TYPE, Detail, SOURCE, VERSION};
use findings::{Finding, findings, stale_in_sweep};

/// The most notices of one invocation: fifty calls. A thousand keys that change at once need no
/// thousand messages to people.
const MOST_NOTICES: usize = 500;

/// The notices of one invocation so far.
#[derive(Debug, Default)]
pub struct Notices(BTreeMap<Subject, Group>);

/// What one notice is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    kind: NoticeKind,
    reason: Option<Reason>,
    /// The key and the instant of its change; `None` if a request alone named the services.
    change: Option<(Key, Timestamp)>,
}

/// The services of one notice.
#[derive(Debug, Default)]
struct Group {
    change: Option<Change>,
    /// The account and Region of the services.
    home: Option<AccountRegion>,
    services: BTreeSet<ServiceId>,
    deployments: BTreeSet<String>,
    details: BTreeSet<String>,
    until: Option<Timestamp>,
    may_need_a_restore: bool,
}

/// The notices of an invocation, the most important first.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The notices.
    pub notices: Vec<Notice>,
    /// The number of those for which there was no room.
    pub left_out: usize,
}

impl Notices {
    /// Adds the resolutions of one batch, with its changes, as they are `now`.
    pub fn add<'a>(
        &mut self,
        changes: &BTreeMap<Key, Change>,
        resolutions: impl IntoIterator<Item = &'a Resolution>,
        now: Timestamp,
    ) {
        for resolution in resolutions {
            for finding in findings(resolution, changes, now) {
                self.take(resolution, &finding);
            }
        }
    }

    /// Adds the resolutions of a sweep. It finds the same services again each time, so that it
    /// notifies of no hold and of no refusal as such: these services are stale.
    pub fn add_swept<'a>(
        &mut self,
        changes: &BTreeMap<Key, Change>,
        resolutions: impl IntoIterator<Item = &'a Resolution>,
    ) {
        for resolution in resolutions {
            for finding in stale_in_sweep(resolution, changes) {
                self.take(resolution, &finding);
            }
        }
    }

    fn take(&mut self, resolution: &Resolution, finding: &Finding<'_>) {
        let mut about: Vec<_> = finding.changes.iter().copied().map(Some).collect();
        if about.is_empty() {
            about.push(None);
        }
        for change in about {
            let subject = Subject {
                kind: finding.kind,
                reason: finding.reason,
                change: change.map(|change| (change.key.clone(), change.at)),
            };
            let group = self.0.entry(subject).or_insert_with(|| Group {
                change: change.cloned(),
                ..Group::default()
            });
            let home = || resolution.seen.as_ref().map(|seen| seen.home.clone());
            group.home = group.home.take().or_else(home);
            group.services.insert(resolution.service.clone());
            group.deployments.extend(finding.deployment.iter().cloned());
            if let Some(detail) = &finding.detail {
                let detail = bounded(&format!("{}: {detail}", resolution.service));
                group.details.insert(detail);
            }
            group.may_need_a_restore |= finding.may_need_a_restore;
            group.until = group.until.into_iter().chain(finding.until).min();
        }
    }

    /// The notices of everything that was added, made at `now`. Keys are seen from the account and
    /// Region of the services, or from `home` if none of them could be described.
    #[must_use]
    pub fn finish(self, home: &AccountRegion, now: Timestamp) -> Gathered {
        let left_out = self.0.len().saturating_sub(MOST_NOTICES);
        let groups = self.0.into_iter().take(MOST_NOTICES);
        let notices = groups.map(|(subject, group)| group.notice(&subject, home, now));
        Gathered {
            notices: notices.collect(),
            left_out,
        }
    }
}

impl Group {
    fn notice(self, subject: &Subject, home: &AccountRegion, now: Timestamp) -> Notice {
        let Self {
            change,
            home: of_services,
            services,
            deployments,
            details,
            until,
            may_need_a_restore,
        } = self;
        let change = change.as_ref();
        let home = of_services.as_ref().unwrap_or(home);
        let shown = |text: &String| bounded(text);
        let restore = change.filter(|_| may_need_a_restore).map(Restore::of);
        let previous = change.and_then(|change| change.previous.as_ref());
        let previous = previous.or(restore.as_ref().and_then(|back| back.previous.as_ref()));
        let version = change.and_then(|change| change.version.as_ref().or(change.etag.as_ref()));
        // A change without a version is known by its time.
        let changed_at = change.map(|change| change.at.to_string());
        let identity = Identity {
            kind: subject.kind,
            reason: subject.reason,
            key: change.map(|change| whole_name(&change.key)),
            version: version.or(changed_at.as_ref()).map(String::as_str),
            services: services.iter().collect(),
            deployments: deployments.iter().map(String::as_str).collect(),
            until: until.filter(|_| subject.kind == NoticeKind::AwaitingApproval),
        };
        Notice {
            id: identity.id(),
            kind: subject.kind,
            key: change.map(|change| bounded(&change.key.seen_from(home))),
            version: version.map(shown),
            previous_version: previous.map(shown),
            changed_at: change.map(|change| change.at),
            changed_by: change.and_then(|change| change.by.as_ref().map(shown)),
            more_services: more_than(MOST_SERVICES, services.len()),
            services: services
                .iter()
                .take(MOST_SERVICES)
                .map(|id| bounded(&id.to_string()))
                .collect(),
            deployments: deployments.iter().take(MOST_SERVICES).map(shown).collect(),
            reason: subject.reason,
            details: details.into_iter().take(MOST_DETAILS).collect(),
            until,
            restore: restore.and_then(|back| command(&back)),
            at: now,
        }
    }
}

/// The name of a key that every event about it gives, whatever else the event says.
fn whole_name(key: &Key) -> String {
    let AccountRegion {
        partition,
        account,
        region,
    } = key.home();
    let (kind, stage) = (key.kind().word(), key.stage().unwrap_or_default());
    format!(
        "{kind}:{partition}:{account}:{region}:{stage}:{}",
        key.path()
    )
}

fn more_than(most: usize, number: usize) -> u32 {
    u32::try_from(number.saturating_sub(most)).unwrap_or(u32::MAX)
}

/// The command that brings the old value back, unless it is too long for a notice.
fn command(restore: &Restore) -> Option<String> {
    let command = restore.command.as_ref().ok()?;
    (command.len() <= MOST_COMMAND).then(|| command.clone())
}

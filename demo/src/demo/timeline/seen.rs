//! What was seen of the services, and what it means for a change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sim::ServiceView;

/// What was seen of the services.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, Service>);

/// What was seen of one service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) desired: usize,
    /// The fewest tasks that its deployment configuration allows.
    pub(super) floor: usize,
    samples: Vec<Sample>,
}

/// The running tasks of a service from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sample {
    at: Timestamp,
    /// The versions that each of them read when it started.
    read: Vec<BTreeMap<String, u64>>,
}

/// One change of a key, and what came of it.
#[derive(Debug)]
pub(super) struct Change {
    /// The key, as the log names it.
    pub(super) key: String,
    /// Its version, counted from one.
    pub(super) version: u64,
    /// The time of the change.
    pub(super) at: Timestamp,
    /// The time of the next change of the key, or of the end of the demo.
    pub(super) until: Timestamp,
    /// The time at which the function was invoked with it.
    pub(super) heard_at: Option<Timestamp>,
    /// The time at which the function had decided.
    pub(super) decided_at: Option<Timestamp>,
    /// The services that read the key, each with a reason why it was not restarted, or why its
    /// restart failed.
    pub(super) services: Vec<Reader>,
}

/// A service that reads a key.
#[derive(Debug)]
pub(super) struct Reader {
    /// `cluster/name`.
    pub(super) name: String,
    /// The reason why old tasks still run, for a service that is not all fresh in the end.
    pub(super) held_by: Option<String>,
}

/// The tasks of a service at one time, as a change divides them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tasks {
    pub(super) at: Timestamp,
    /// Those that read a version before the change.
    pub(super) old: usize,
    /// The others.
    pub(super) new: usize,
}

impl Seen {
    /// Adds what is seen of a service at an instant.
    pub(super) fn add(&mut self, view: &ServiceView, floor: usize, at: Timestamp) {
        let running = view
            .tasks
            .iter()
            .filter(|task| task.started_at.is_some_and(|started| started <= at));
        let sample = Sample {
            at,
            read: running.map(|task| task.read.clone()).collect(),
        };
        let service = self.0.entry(view.name.clone()).or_insert_with(|| Service {
            desired: view.desired,
            floor,
            samples: Vec::new(),
        });
        let is_new = service
            .samples
            .last()
            .is_none_or(|last| last.read != sample.read);
        if is_new {
            service.samples.push(sample);
        }
    }

    pub(super) fn of(&self, reader: &Reader) -> Option<&Service> {
        self.0.get(&reader.name)
    }
}

impl Service {
    /// The old and the new tasks, from the change on.
    pub(super) fn since(&self, change: &Change) -> Vec<Tasks> {
        let is_old = |read: &&BTreeMap<String, u64>| {
            let version = read.get(&change.key).copied();
            version.unwrap_or_default() < change.version
        };
        let later = self
            .samples
            .partition_point(|sample| sample.at <= change.at)
            .saturating_sub(1);
        let samples = self.samples.iter().skip(later);
        samples
            .take_while(|sample| sample.at < change.until)
            .map(|sample| {
                let old = sample.read.iter().filter(is_old).count();
                Tasks {
                    at: sample.at.max(change.at),
                    old,
                    new: sample.read.len().saturating_sub(old),
                }
            })
            .collect()
    }

    /// The time from which no old task runs any more.
    pub(super) fn fresh_at(&self, change: &Change) -> Option<Timestamp> {
        let since = self.since(change);
        let last = since.last().filter(|last| last.old == 0 && last.new > 0)?;
        let with_old = since.iter().rposition(|tasks| tasks.old > 0);
        let first_without = with_old.map_or(Some(last), |place| since.get(place + 1));
        first_without.map(|tasks| tasks.at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + second).unwrap()
    }

    /// A service of two tasks, and the versions that its tasks had read at these seconds.
    pub(in super::super) fn seen(samples: &[(i64, &[u64])]) -> Seen {
        let samples = samples.iter().map(|(second, versions)| Sample {
            at: at(*second),
            read: versions
                .iter()
                .map(|version| BTreeMap::from([("ssm:/a".to_owned(), *version)]))
                .collect(),
        });
        let service = Service {
            desired: 2,
            floor: 2,
            samples: samples.collect(),
        };
        Seen(BTreeMap::from([("web/api".to_owned(), service)]))
    }

    pub(in super::super) fn change() -> Change {
        Change {
            key: "ssm:/a".to_owned(),
            version: 2,
            at: at(10),
            until: at(20),
            heard_at: Some(at(11)),
            decided_at: None,
            services: vec![Reader {
                name: "web/api".to_owned(),
                held_by: Some("held by <its owner>".to_owned()),
            }],
        }
    }

    fn fresh_at(samples: &[(i64, &[u64])]) -> Option<Timestamp> {
        seen(samples).0["web/api"].fresh_at(&change())
    }

    #[test]
    fn a_service_is_fresh_from_the_time_when_its_last_old_task_is_gone() {
        let rolling: [(i64, &[u64]); 4] = [
            (0, &[1, 1]),
            (12, &[1, 1, 2]),
            (14, &[1, 2, 2]),
            (16, &[2, 2]),
        ];
        assert_eq!(fresh_at(&rolling), Some(at(16)));
        assert_eq!(fresh_at(&rolling[..3]), None);
    }

    #[test]
    fn tasks_that_read_a_later_version_do_not_count_for_this_one() {
        assert_eq!(fresh_at(&[(0, &[1, 1]), (20, &[3, 3])]), None);
    }

    #[test]
    fn a_service_whose_new_tasks_are_gone_again_is_not_fresh() {
        assert_eq!(fresh_at(&[(0, &[1]), (12, &[1, 2]), (14, &[1])]), None);
    }
}

//! The tasks of a service, as far as the end of a rollout needs them.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// The stopped tasks of a rollout that are kept.
pub const MOST_STOPPED: usize = 5;

/// The tasks that are to be counted for the end of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TasksNeeded {
    /// The deployment whose stopped tasks are wanted, `ecs-svc/…`.
    pub deployment: String,
    /// The instant *t* of the change: a task that was created at it or before is older.
    pub older_than: Timestamp,
}

/// The tasks of a service, if the end of a rollout needed them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RolloutTasks {
    /// Not asked: the rollout has not ended.
    #[default]
    NotAsked,
    /// They could not be read, for this cause. Then no end of the rollout is believed that needs
    /// them.
    Unreadable(String),
    /// The tasks that run, and those that have stopped within the hour.
    Read(CountedTasks),
}

/// The tasks of one service, counted for one rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedTasks {
    /// The tasks that are older than the change and not stopped, draining ones included.
    pub older: usize,
    /// The tasks of the rollout that failed, as far as Amazon ECS remembers them: for an hour.
    pub failed: usize,
    /// The first [`MOST_STOPPED`] of its stopped tasks, those that failed before the others.
    pub stopped: Vec<StoppedTask>,
}

/// Counts the tasks of one service.
#[derive(Debug)]
pub struct Counting<'a> {
    needed: &'a TasksNeeded,
    /// The ARNs of the tasks that were counted: one that begins to drain is in two lists.
    known: BTreeSet<String>,
    counted: CountedTasks,
}

/// One task, as Amazon ECS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTask {
    /// Its ARN.
    pub arn: String,
    /// `startedBy`: the deployment that started it.
    pub started_by: String,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// `None` while it runs, or drains.
    pub stopped: Option<StoppedTask>,
}

/// A task that has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedTask {
    /// Its id, the end of its ARN.
    pub id: String,
    /// The time at which it stopped.
    pub at: Option<Timestamp>,
    /// `stopCode`, such as `TaskFailedToStart`.
    pub code: String,
    /// `stoppedReason`, and the exit codes and reasons of its containers.
    pub reason: String,
    /// True if it failed by itself. Amazon ECS itself stops tasks that fail their health checks,
    /// but also those that it no longer needs.
    pub has_failed: bool,
}

impl<'a> Counting<'a> {
    /// Counts no task yet.
    #[must_use]
    pub fn of(needed: &'a TasksNeeded) -> Self {
        Self {
            needed,
            known: BTreeSet::new(),
            counted: CountedTasks::default(),
        }
    }

    /// Counts one task, once.
    pub fn add(&mut self, task: SeenTask) {
        let SeenTask {
            arn,
            started_by,
            created_at,
            stopped,
        } = task;
        if !self.known.insert(arn) {
            return;
        }
        let counted = &mut self.counted;
        match stopped {
            None => counted.older += usize::from(created_at <= self.needed.older_than),
            Some(stopped) if started_by == self.needed.deployment => {
                counted.failed += usize::from(stopped.has_failed);
                counted.stopped.push(stopped);
                let order = |task: &StoppedTask| (!task.has_failed, task.at);
                counted.stopped.sort_by_key(order);
                counted.stopped.truncate(MOST_STOPPED);
            }
            Some(_) => {}
        }
    }

    /// The numbers.
    #[must_use]
    pub fn finish(self) -> CountedTasks {
        self.counted
    }
}

impl RolloutTasks {
    /// The tasks, if they were read.
    #[must_use]
    pub fn read(&self) -> Option<&CountedTasks> {
        match self {
            Self::Read(counted) => Some(counted),
            Self::NotAsked | Self::Unreadable(_) => None,
        }
    }

    /// The cause, if they could not be read.
    #[must_use]
    pub fn lacks(&self) -> Option<&str> {
        match self {
            Self::Unreadable(cause) => Some(cause),
            Self::NotAsked | Self::Read(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "ecs-svc/2";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn needed() -> TasksNeeded {
        TasksNeeded {
            deployment: OURS.to_owned(),
            older_than: at(100),
        }
    }

    fn running(arn: &str, created_at: i64) -> SeenTask {
        SeenTask {
            arn: arn.to_owned(),
            started_by: "ecs-svc/1".to_owned(),
            created_at: at(created_at),
            stopped: None,
        }
    }

    fn stopped(second: i64, by: &str, has_failed: bool) -> SeenTask {
        let stopped = StoppedTask {
            id: second.to_string(),
            at: Some(at(second)),
            code: String::new(),
            reason: String::new(),
            has_failed,
        };
        SeenTask {
            started_by: by.to_owned(),
            stopped: Some(stopped),
            ..running(&second.to_string(), 200)
        }
    }

    fn counted(tasks: impl IntoIterator<Item = SeenTask>) -> CountedTasks {
        let needed = needed();
        let mut counting = Counting::of(&needed);
        for task in tasks {
            counting.add(task);
        }
        counting.finish()
    }

    #[test]
    fn a_task_is_older_that_was_created_at_the_change_or_before_whoever_started_it() {
        let tasks = [
            running("a", 99),
            running("b", 100),
            // A task of the old revision that replaced a lost one after the change.
            running("c", 101),
        ];

        assert_eq!(counted(tasks).older, 2);
    }

    #[test]
    fn a_task_that_begins_to_drain_between_the_two_lists_counts_once() {
        assert_eq!(counted([running("a", 1), running("a", 1)]).older, 1);
    }

    #[test]
    fn a_stopped_task_is_not_older_and_only_those_of_the_rollout_are_shown() {
        let other = stopped(150, "ecs-svc/1", true);

        let counted = counted([other, stopped(151, OURS, true)]);

        let ids: Vec<_> = counted.stopped.iter().map(|task| &*task.id).collect();
        assert_eq!((counted.older, counted.failed, ids), (0, 1, vec!["151"]));
    }

    #[test]
    fn five_stopped_tasks_are_shown_the_failed_ones_first() {
        let by_the_scheduler = (150..153).map(|second| stopped(second, OURS, false));
        let failed = (160..164).rev().map(|second| stopped(second, OURS, true));

        let counted = counted(by_the_scheduler.chain(failed));

        let ids: Vec<_> = counted.stopped.iter().map(|task| &*task.id).collect();
        assert_eq!(ids, ["160", "161", "162", "163", "150"]);
        assert_eq!(counted.failed, 4);
    }
}

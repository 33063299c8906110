//! The promises of the design, one a file. Each is checked after every history.

mod blast_radius;
mod budget;
mod budget_first;
mod burst;
mod deadline;
mod floors;
mod forgotten;
mod fought;
mod in_flight;
mod interval;
mod lateness;
mod missed;
mod modes;
mod newest;
mod once;
mod owed;
mod pace;
mod queue;
mod reported;
mod undisturbed;
mod wanted;
mod young;

use std::fmt;

use crate::excuse::Excuse;
use crate::history::History;

/// One promise of the design.
pub(crate) trait Promise {
    /// All breaches of it in a history, with the excused ones.
    fn check(&self, history: &History) -> Vec<Breach>;
}

/// Every promise.
pub(crate) const ALL: [&dyn Promise; 22] = [
    &newest::Newest,
    &missed::Missed,
    &lateness::Lateness,
    &floors::Floors,
    &owed::Owed,
    &modes::Modes,
    &wanted::Wanted,
    &undisturbed::Undisturbed,
    &young::Young,
    &interval::Interval,
    &budget::Budget,
    &budget_first::BudgetFirst,
    &in_flight::InFlight,
    &blast_radius::BlastRadius,
    &pace::Pace,
    &burst::Burst,
    &queue::Queue,
    &deadline::Deadline,
    &forgotten::Forgotten,
    &reported::Reported,
    &once::Once,
    &fought::Fought,
];

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Breach {
    /// Its number in the design, and the breach in words.
    pub(crate) what: String,
    /// The restart, or the owed restart, that it is about.
    pub(crate) about: String,
    /// The excuse, if there is one.
    pub(crate) excuse: Option<Excuse>,
}

impl Breach {
    /// A breach without excuses.
    pub(crate) fn of(what: String) -> Self {
        Self {
            about: what.clone(),
            what,
            excuse: None,
        }
    }

    /// A breach about the restart that started this deployment.
    pub(crate) fn about(deployment: &str, what: String, excuse: Option<Excuse>) -> Self {
        Self {
            what,
            about: deployment.to_owned(),
            excuse,
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.excuse {
            Some(excuse) => write!(f, "{}; excused, {excuse}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

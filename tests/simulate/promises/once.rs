//! Promise 6: each restart is reported once, except those that were found by describing a service,
//! and every reported deployment exists.

use std::collections::{BTreeMap, BTreeSet};

use super::reported::was_found;
use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Once;

impl Promise for Once {
    fn check(&self, history: &History) -> Vec<Breach> {
        let record = history.record();
        let mut reported: BTreeMap<&str, usize> = BTreeMap::new();
        // Of two invocations at once, one of which lost its answer, both may find the same
        // deployment.
        let started = record
            .lines
            .iter()
            .filter(|line| line["result"] == "started" && !was_found(line));
        for line in started {
            let deployment = line["deployment"].as_str().unwrap_or_default();
            *reported.entry(deployment).or_default() += 1;
        }
        let known: BTreeSet<&str> = history
            .subjects
            .iter()
            .flat_map(|subject| record.past(&subject.name))
            .map(|past| past.deployment.as_str())
            .collect();
        let twice = reported
            .iter()
            .filter(|(_, times)| **times > 1)
            .map(|(deployment, _)| format!("6: {deployment} was reported twice"));
        let unknown = reported
            .keys()
            .filter(|deployment| !known.contains(**deployment))
            .map(|deployment| format!("6: {deployment} is reported and does not exist"));
        twice.chain(unknown).map(Breach::of).collect()
    }
}

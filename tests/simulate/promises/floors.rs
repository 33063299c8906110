//! Promise 2: no service ever had too few running tasks.

use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Floors;

impl Promise for Floors {
    fn check(&self, history: &History) -> Vec<Breach> {
        let services = history.account.services();
        services
            .iter()
            .filter(|service| !service.kept_its_floor())
            .map(|service| {
                Breach::of(format!(
                    "2: {} had {} of {} tasks",
                    service.name, service.lowest_running, service.floor
                ))
            })
            .collect()
    }
}

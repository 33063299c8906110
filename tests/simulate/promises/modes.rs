//! Promise 3: nothing is restarted if the owner of the service, or of the function, wants decisions
//! only.

use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Modes;

impl Promise for Modes {
    fn check(&self, history: &History) -> Vec<Breach> {
        let quiet = history
            .subjects
            .iter()
            .filter(|subject| subject.mode.is_some() || !history.choices.enforces());
        quiet
            .flat_map(|subject| history.record().restarts(&subject.name))
            .map(|restart| {
                let what = format!(
                    "3: {} was restarted at {}, although its mode restarts nothing",
                    restart.service, restart.at
                );
                Breach::about(&restart.deployment, what, None)
            })
            .collect()
    }
}

//! Promise 4: no service is restarted while it is paused or its window is closed.

use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Wanted;

impl Promise for Wanted {
    fn check(&self, history: &History) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for subject in &history.subjects {
            let restarts = history.record().restarts(&subject.name);
            let unwanted = restarts
                .iter()
                .filter(|restart| subject.is_quiet(restart.at));
            breaches.extend(unwanted.map(|restart| {
                let what = format!(
                    "4: {} was restarted at {}, against the will of its owner",
                    subject.name, restart.at
                );
                Breach::about(&restart.deployment, what, None)
            }));
        }
        breaches
    }
}

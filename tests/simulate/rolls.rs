//! The deployments of the services of a history.

use std::time::Duration;

use fastrand::Rng;
use sim::{Approver, Hook, Stage};

use crate::history::pick;

/// The way in which a service is deployed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rolls {
    AboveDesired,
    /// A service of one task cannot roll so.
    BelowDesired,
    BlueGreen,
    /// In Express Mode, as a canary.
    Express,
}

pub(crate) const ROLLS: [Rolls; 7] = [
    Rolls::BelowDesired,
    Rolls::BelowDesired,
    Rolls::AboveDesired,
    Rolls::AboveDesired,
    Rolls::AboveDesired,
    Rolls::BlueGreen,
    Rolls::Express,
];

/// A person acts on a PAUSE hook, or forgets it; some Lambda hooks fail. A service that writes its
/// own configuration would wait at each of its restarts, so its hooks never take a day.
pub(crate) fn any_hook(rng: &mut Rng, writes: bool) -> Hook {
    let stage = pick(
        rng,
        &[
            Stage::PreScaleUp,
            Stage::PreScaleUp,
            Stage::PostScaleUp,
            Stage::PostProductionTrafficShift,
        ],
    );
    if rng.u8(..4) == 0 {
        return Hook::lambda(stage, Duration::from_secs(rng.u64(..900)), rng.u8(..4) > 0);
    }
    let minutes = |minutes: u64| Duration::from_mins(minutes);
    let within = minutes(pick(rng, &[2, 20, 120]));
    let longest = if writes { 90 } else { 24 * 60 };
    let hook = Hook::pause(stage).expiring_after(minutes(pick(rng, &[10, 10, 90, 90, longest])));
    let hook = hook.attended_by(Approver {
        approves: 0.5,
        rejects: 0.3,
        within,
    });
    if rng.u8(..4) == 0 {
        hook.continuing()
    } else {
        hook
    }
}

//! Promise 4, after a throttle: the burst ends. A process whose call was throttled repeats it no
//! sooner than the steady rate allows.

use sim::{Call, CallResult};

use super::{Breach, Promise};
use crate::history::History;

pub(crate) struct Burst;

impl Promise for Burst {
    fn check(&self, history: &History) -> Vec<Breach> {
        let asked: Vec<_> = history.record().calls_for_restarts().collect();
        asked
            .iter()
            .enumerate()
            .filter(|(_, call)| is_throttled(call))
            .filter_map(|(place, throttle)| too_soon(history, throttle, &asked[place + 1..]))
            .collect()
    }
}

fn is_throttled(call: &Call) -> bool {
    matches!(&call.result, CallResult::Error(code) if code.contains("Throttl"))
}

/// The next call about the same service by the same process. Calls about others may have been sent
/// before the throttle.
fn too_soon(history: &History, throttle: &Call, later: &[&Call]) -> Option<Breach> {
    let next = later
        .iter()
        .find(|call| call.principal == throttle.principal && call.target == throttle.target)?;
    let waited = next.time.duration_since(throttle.time).as_secs_f64();
    // 50 ms for the steps of the clock.
    (waited + 0.05 < 1.0 / history.choices.part().rate).then(|| {
        Breach::of(format!(
            "4: {} was asked for again {waited:.2} s after the throttle of {}",
            next.target, throttle.time
        ))
    })
}

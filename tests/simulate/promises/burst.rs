//! Promise 4, after a throttle: the burst ends. A process that was throttled asks at the steady rate
//! alone until a burst has gathered again.

use sim::{Call, CallResult};

use super::{Breach, Promise};
use crate::function::FUNCTION;
use crate::history::History;

pub(crate) struct Burst;

impl Promise for Burst {
    fn check(&self, history: &History) -> Vec<Breach> {
        let asked: Vec<_> = history
            .record()
            .calls
            .iter()
            .filter(|call| {
                call.operation == "UpdateService" && call.principal.starts_with(FUNCTION)
            })
            .collect();
        asked
            .iter()
            .enumerate()
            .filter(|(_, call)| is_throttled(call))
            .filter_map(|(place, throttle)| too_fast(history, throttle, &asked[place + 1..]))
            .collect()
    }
}

fn is_throttled(call: &Call) -> bool {
    matches!(&call.result, CallResult::Error(code) if code.contains("Throttl"))
}

/// The calls of the same process after a throttle, which come faster than its steady rate.
fn too_fast(history: &History, throttle: &Call, later: &[&Call]) -> Option<Breach> {
    /// What was on its way when the throttle came.
    const UNDER_WAY: f64 = 2.0;
    let rate = history.choices.part().rate;
    let refilled = f64::from(history.choices.part().burst) / rate;
    let own = later
        .iter()
        .filter(|call| call.principal == throttle.principal);
    for (number, call) in (1_u32..).zip(own) {
        let seconds = call.time.duration_since(throttle.time).as_secs_f64();
        if seconds > refilled {
            return None;
        }
        // An answer takes up to half a second, in which the burst goes on.
        if seconds > 1.0
            && f64::from(number) > rate * (seconds + UNDER_WAY) + allowed(later, throttle)
        {
            return Some(Breach::of(format!(
                "4: {number} restarts in the {seconds:.1} s after the throttle of {}",
                throttle.time
            )));
        }
    }
    None
}

/// Calls in the second after a throttle were under way, and are not held against the process.
fn allowed(later: &[&Call], throttle: &Call) -> f64 {
    let under_way = later
        .iter()
        .filter(|call| call.principal == throttle.principal)
        .take_while(|call| call.time.duration_since(throttle.time).as_secs_f64() <= 1.0)
        .count();
    f64::from(u32::try_from(under_way).unwrap_or(u32::MAX))
}

//! The whole product against the simulated account: real SDK clients, real time-outs, simulated
//! time.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod auto;
mod decisions;
mod deletions;
mod faults;
mod holds;
mod hostile;
mod kinds;
mod learn;
mod limits;
mod listings;
mod malformed;
mod manual;
mod names;
mod outcomes;
mod owner;
mod pace;
mod queue;
mod report;
mod restart;
mod rollouts;
mod secrets;
mod support;
mod sweep;
mod terms;
mod unswept;

//! The whole product against the simulated account: real SDK clients, real time-outs, simulated
//! time.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

#[path = "../support/notices.rs"]
mod schema;

mod auto;
mod calls;
mod canary;
mod change_limits;
mod change_lines;
mod deadlines;
mod decisions;
mod deletions;
mod enrichment;
mod faults;
mod followed;
mod freshness;
mod full_pace;
mod hold_limit;
mod holds;
mod hooks;
mod hostile;
mod in_progress;
mod kinds;
mod limits;
mod listings;
mod lost_answers;
mod malformed;
mod names;
mod not_compared;
mod notices;
mod notices_unsent;
mod older_tasks;
mod one_second;
mod order;
mod order_faults;
mod outcomes;
mod pace;
mod queue;
mod references;
mod refused_requests;
mod rejected;
mod report;
mod request_lines;
mod requests;
mod restart;
mod secret_references;
mod secrets;
mod self_test;
mod summaries;
mod support;
mod sweep;
mod sweep_limits;
mod swept_listings;
mod terms;
mod text_of_others;

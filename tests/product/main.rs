//! The whole product against the simulated account: real SDK clients, real time-outs, simulated time.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, reason = "a test that cannot go on fails")]

mod restart;
mod support;

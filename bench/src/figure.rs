//! Numbers as people read them.

/// A number for ratios and plots, where its last digits do not count.
#[expect(
    clippy::cast_precision_loss,
    reason = "beyond 2^53 the last digits are lost, which no table shows"
)]
pub(crate) fn approximate(number: u64) -> f64 {
    number as f64
}

/// Bytes in megabytes, with one decimal.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1}", approximate(bytes) / 1e6)
}

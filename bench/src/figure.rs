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

/// A number with a comma between each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        let numbers = [0, 999, 1_000, 12_345, 1_234_567].map(grouped);

        assert_eq!(numbers, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}

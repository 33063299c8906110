//! Numbers that are left out of the JSON where they say nothing.

/// True where a number is zero.
pub(super) fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

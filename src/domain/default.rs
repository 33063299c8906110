//! Members of the JSON that are left out if they say nothing.

/// True if a value is the one that a reader takes for a member that is not there.
#[must_use]
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

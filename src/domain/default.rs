//! Members of the JSON that are left out when they have their default value.

/// True if a value is its default, which a reader assumes for a missing member.
#[must_use]
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

//! Values that many services have in common, each kept once.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values, each kept once. Three thousand services that a hundred changes affect alike would
/// otherwise have three hundred thousand reasons.
#[derive(Debug)]
pub struct Shared<T>(BTreeSet<Arc<T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord> Shared<T> {
    /// The kept value that equals this one; otherwise this one, which is kept.
    pub fn share(&mut self, value: T) -> Arc<T>
    where
        Arc<T>: Borrow<T>,
    {
        if let Some(known) = self.0.get(&value) {
            return Arc::clone(known);
        }
        let value = Arc::new(value);
        self.0.insert(Arc::clone(&value));
        value
    }
}

/// Results that are computed once for each shared value, and for each key beside it. Values are
/// compared by their addresses. Each value is kept, so that no other value gets its address.
#[derive(Debug)]
pub struct Memo<T, K, V>(BTreeMap<(usize, K), Entry<T, V>>);

#[derive(Debug)]
struct Entry<T, V> {
    _value: Arc<T>,
    result: V,
}

impl<T, K, V> Default for Memo<T, K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T, K: Ord, V: Clone> Memo<T, K, V> {
    /// The known result of a value and a key; otherwise that of `compute`.
    pub fn get(&mut self, value: &Arc<T>, key: K, compute: impl FnOnce() -> V) -> V {
        let address = Arc::as_ptr(value).addr();
        let entry = self.0.entry((address, key)).or_insert_with(|| Entry {
            _value: Arc::clone(value),
            result: compute(),
        });
        entry.result.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_others_are_not() {
        let mut shared = Shared::default();

        let [one, same, other] = [vec![1], vec![1], vec![2]].map(|value| shared.share(value));

        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn a_result_is_computed_once_for_a_value() {
        let (one, equal) = (Arc::new(1), Arc::new(1));
        let (mut memo, mut computed) = (Memo::default(), 0);

        for value in [&one, &one, &equal] {
            memo.get(value, (), || computed += 1);
        }

        assert_eq!(computed, 2);
    }
}

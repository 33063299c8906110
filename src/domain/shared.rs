//! What is the same for many services is kept once.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Values, each kept once. Three thousand services that a hundred changes concern alike would
/// otherwise have three hundred thousand reasons.
#[derive(Debug)]
pub struct Shared<T>(BTreeSet<Arc<T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord> Shared<T> {
    /// The value that is kept already and equals this one, or else this one.
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

/// What was found out about shared values, once for each of them and for what else it depends on.
/// They are told apart by where they are in memory; each is kept, so that no other comes to lie
/// there.
#[derive(Debug)]
pub struct Found<T, K, V>(BTreeMap<(usize, K), (Arc<T>, V)>);

impl<T, K, V> Default for Found<T, K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T, K: Ord, V: Clone> Found<T, K, V> {
    /// What was found out before, or else what `find` finds.
    pub fn of(&mut self, value: &Arc<T>, beside: K, find: impl FnOnce() -> V) -> V {
        let (_, found) = self
            .0
            .entry((Arc::as_ptr(value).addr(), beside))
            .or_insert_with(|| (Arc::clone(value), find()));
        found.clone()
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
    fn what_is_found_out_about_a_value_is_found_out_once() {
        let (one, equal) = (Arc::new(1), Arc::new(1));
        let (mut found, mut asked) = (Found::default(), 0);

        for value in [&one, &one, &equal] {
            found.of(value, (), || asked += 1);
        }

        assert_eq!(asked, 2);
    }
}

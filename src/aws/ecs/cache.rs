//! References of task definitions, kept for the life of the process: a revision never changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::domain::reference::References;

/// Most references that are kept: some 250 bytes each, 5 MB in all. The task definition that was
/// used longest ago is removed first.
const MOST_REFERENCES: usize = 20_000;

/// References by the ARN of their task definition.
#[derive(Debug)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    by_arn: LruCache<String, Arc<References>>,
    references: usize,
    /// Task definitions that were kept in the life of the process.
    read: usize,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::new(Kept {
                by_arn: LruCache::unbounded(),
                references: 0,
                read: 0,
            }),
        }
    }

    /// The number of task definitions that were kept in the life of the process.
    pub(super) fn read(&self) -> usize {
        self.lock().read
    }

    pub(super) fn get(&self, arn: &str) -> Option<Arc<References>> {
        self.lock().by_arn.get(arn).cloned()
    }

    pub(super) fn keep(&self, arn: &str, references: &Arc<References>) {
        let mut kept = self.lock();
        kept.read += 1;
        // One for the entry itself: a task definition without references takes room too.
        let room = |references: &References| references.len() + 1;
        kept.references += room(references);
        if let Some(before) = kept.by_arn.put(arn.to_owned(), Arc::clone(references)) {
            kept.references -= room(&before);
        }
        while kept.references > MOST_REFERENCES {
            let Some((_, oldest)) = kept.by_arn.pop_lru() else {
                break;
            };
            kept.references -= room(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::Kind;

    fn references(number: usize) -> Arc<References> {
        let mut references = References::default();
        (0..number).for_each(|index| {
            references.add(String::new, &format!("name{index}"), Kind::Parameter);
        });
        Arc::new(references)
    }

    #[test]
    fn the_one_whose_use_is_longest_ago_goes_first() {
        let cache = Cache::new();
        cache.keep("first", &references(9_000));
        cache.keep("second", &references(9_000));
        assert!(cache.get("first").is_some());

        cache.keep("third", &references(9_000));

        assert_eq!(
            ["first", "second", "third"].map(|arn| cache.get(arn).is_some()),
            [true, false, true]
        );
    }

    #[test]
    fn keeping_one_again_takes_no_more_room() {
        let cache = Cache::new();

        (0..10).for_each(|_| cache.keep("same", &references(9_000)));
        cache.keep("other", &references(9_000));

        assert!(cache.get("same").is_some());
    }
}

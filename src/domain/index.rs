//! An index of terms: it finds those that may name a key without reading the others.

use std::collections::BTreeSet;
use std::iter;

use super::key::{Key, Kind};
use super::term::Term;

/// Terms, by the paths in them. It keeps a hash of each path and the place of the term's owner in a
/// list, so its answers are candidates: the owner decides.
///
/// A term names a key by the whole path or, as a prefix, by a part of it that ends at a slash. So a
/// key takes a search for each slash in it, among a hundred terms as among ten thousand.
#[derive(Clone, Debug, Default)]
pub struct TermIndex(
    /// In the order of their hashes.
    Vec<Entry>,
);

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The hash of a path.
    path: u64,
    owner: usize,
}

impl<'a> FromIterator<(usize, &'a Term)> for TermIndex {
    /// Takes terms, each with the place of its owner.
    fn from_iter<I: IntoIterator<Item = (usize, &'a Term)>>(terms: I) -> Self {
        let entries = terms.into_iter().flat_map(|(owner, term)| {
            let paths = term.paths();
            let hashes = paths.filter_map(|path| hashes(term.kind(), path).last());
            hashes.map(move |path| Entry { path, owner })
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|entry| entry.path);
        Self(entries)
    }
}

impl TermIndex {
    /// The places of all owners whose terms name `key`, and perhaps of others, in their order.
    #[must_use]
    pub fn candidates(&self, key: &Key) -> BTreeSet<usize> {
        let mut owners = BTreeSet::new();
        for path in key.paths() {
            for hash in hashes(key.kind(), path) {
                let first = self.0.partition_point(|entry| entry.path < hash);
                let from_first = self.0.iter().skip(first);
                let equal = from_first.take_while(|entry| entry.path == hash);
                owners.extend(equal.map(|entry| entry.owner));
            }
        }
        owners
    }
}

/// The hashes of the paths by which a term may name this one: the empty path, each part that ends at
/// a slash, and the whole, which comes last.
fn hashes(kind: Kind, path: &str) -> impl Iterator<Item = u64> {
    let mut hash = hashed(FNV_OFFSET, kind.word());
    let segments = path.split_inclusive('/').map(move |segment| {
        hash = hashed(hash, segment);
        hash
    });
    iter::once(hash).chain(segments)
}

/// The hash of a text whose beginning has the hash `before`. It is FNV-1a: the hash of each part is
/// on the way to the hash of the whole, and it is good enough for candidates.
fn hashed(before: u64, text: &str) -> u64 {
    let add = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
    text.bytes().fold(before, add)
}

/// The parameters of [FNV-1a in 64 bits](https://www.rfc-editor.org/rfc/rfc9923.html).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

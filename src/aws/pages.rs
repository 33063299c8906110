//! Paged reads: one page after another, until AWS says that there are no more, or hands out a token
//! that it has handed out before.

use std::collections::BTreeSet;

/// The reason of a listing that ended before its last page.
/// [`GetResources` has been seen to do so](https://github.com/boto/boto3/issues/2461).
pub const REPEATED_TOKEN: &str = "AWS handed out a page token for the second time, and the listing \
                               was ended there: something may be missing";

/// The result of a listing. A thing that is listed twice is in it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing<T> {
    /// The things on the pages that were read.
    pub found: T,
    /// True if it was read to its last page; `false` if it ended early, see [`REPEATED_TOKEN`].
    pub is_whole: bool,
}

impl<T> Listing<T> {
    /// The same listing, with its things converted.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Listing<U> {
        Listing {
            found: of(self.found),
            is_whole: self.is_whole,
        }
    }
}

/// The page tokens of one listing. Every paged read sends [`Self::token`], and continues for as long
/// as [`Self::next`] says so. If AWS never repeats a token, the listing's own time ends it.
#[derive(Debug, Default)]
pub(super) struct Pages {
    next: Option<String>,
    seen: BTreeSet<String>,
    has_repeated_token: bool,
}

impl Pages {
    /// The token to send; `None` for the first page.
    pub(super) fn token(&self) -> Option<String> {
        self.next.clone()
    }

    /// Takes the token of an answer. True if there is another page to read. An empty token is no
    /// token.
    pub(super) fn next(&mut self, token: Option<String>) -> bool {
        self.next = token.filter(|token| !token.is_empty());
        let Some(token) = &self.next else {
            return false;
        };
        self.has_repeated_token = !self.seen.insert(token.clone());
        !self.has_repeated_token
    }

    /// True if the listing was read to its last page.
    pub(super) fn is_whole(&self) -> bool {
        !self.has_repeated_token
    }

    /// The result of the listing.
    pub(super) fn listing<T>(&self, found: T) -> Listing<T> {
        Listing {
            found,
            is_whole: self.is_whole(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens that are sent when AWS answers with these, and true if the listing is whole.
    fn sent(answers: &[&str]) -> (Vec<Option<String>>, bool) {
        let (mut pages, mut sent) = (Pages::default(), Vec::new());
        for answer in answers {
            sent.push(pages.token());
            if !pages.next(Some((*answer).to_owned())) {
                break;
            }
        }
        (sent, pages.is_whole())
    }

    #[test]
    fn a_listing_ends_with_its_last_page() {
        let (sent, is_whole) = sent(&["a", "b", "", "never"]);

        assert_eq!(
            (sent, is_whole),
            (vec![None, Some("a".to_owned()), Some("b".to_owned())], true)
        );
        assert!(!Pages::default().next(None));
    }

    #[test]
    fn a_listing_ends_at_a_token_that_was_handed_out_before() {
        for (answers, calls) in [
            (vec!["a", "a"], 2),
            (vec!["a", "b", "a"], 3),
            (vec!["a", "b", "c", "b"], 4),
        ] {
            let (sent, is_whole) = sent(&[answers.clone(), vec!["never"; 5]].concat());

            assert_eq!((sent.len(), is_whole), (calls, false), "{answers:?}");
        }
    }
}

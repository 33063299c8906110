//! Paged reads: one page after another, until AWS says that there are no more, or hands out a token
//! that it has handed out before.

use std::collections::BTreeSet;

/// Why a listing ended before its last page.
/// [`GetResources` has been seen to do so](https://github.com/boto/boto3/issues/2461).
pub const IN_A_CIRCLE: &str = "AWS handed out a page token for the second time, and the listing \
                               was ended there: something may be missing";

/// What a listing found. Something that is listed twice is in it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was on the pages that were read.
    pub found: T,
    /// Whether it was read to its end, and not ended at a token that was handed out before: see
    /// [`IN_A_CIRCLE`].
    pub is_whole: bool,
}

impl<T> Listing<T> {
    /// The same listing of something else.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Listing<U> {
        Listing {
            found: of(self.found),
            is_whole: self.is_whole,
        }
    }
}

/// The page tokens of one listing. Every paged read asks with [`Self::token`] and goes on for as
/// long as [`Self::next`] says so: no listing has more pages than AWS has tokens for it. Tokens
/// that are new for ever are ended by the time that the listing has.
#[derive(Debug, Default)]
pub(super) struct Pages {
    next: Option<String>,
    seen: BTreeSet<String>,
    is_in_a_circle: bool,
}

impl Pages {
    /// The token to ask with; none for the first page.
    pub(super) fn token(&self) -> Option<String> {
        self.next.clone()
    }

    /// Takes the token of an answer. An empty one is none.
    pub(super) fn next(&mut self, token: Option<String>) -> bool {
        self.next = token.filter(|token| !token.is_empty());
        let Some(token) = &self.next else {
            return false;
        };
        self.is_in_a_circle = !self.seen.insert(token.clone());
        !self.is_in_a_circle
    }

    /// Whether no token was handed out before.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_in_a_circle
    }

    /// What was found.
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

    /// The tokens that were asked with, where AWS answers so.
    fn asked(answers: &[&str]) -> (Vec<Option<String>>, bool) {
        let (mut pages, mut asked) = (Pages::default(), Vec::new());
        for answer in answers {
            asked.push(pages.token());
            if !pages.next(Some((*answer).to_owned())) {
                break;
            }
        }
        (asked, pages.is_whole())
    }

    #[test]
    fn a_listing_ends_with_its_last_page() {
        let (asked, is_whole) = asked(&["a", "b", "", "never"]);

        assert_eq!(
            (asked, is_whole),
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
            let (asked, is_whole) = asked(&[answers.clone(), vec!["never"; 5]].concat());

            assert_eq!((asked.len(), is_whole), (calls, false), "{answers:?}");
        }
    }
}

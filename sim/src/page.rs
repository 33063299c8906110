//! Paging as most AWS APIs do it: a number of items a page, and an opaque token for the rest. Also
//! faults of paging.

use serde_json::{Value, json};

use crate::error::{ApiError, ApiResult};

pub(crate) struct Page<'a, T> {
    pub(crate) items: &'a [T],
    /// `None` on the last page; left out of the answer then.
    pub(crate) next: Option<String>,
}

/// The page of `items` that begins at `token`.
///
/// The token is not one of this account.
pub(crate) fn of<'a, T>(
    items: &'a [T],
    size: usize,
    token: Option<&str>,
) -> ApiResult<Page<'a, T>> {
    let start = match token.filter(|token| !token.is_empty()) {
        Some(token) => {
            start_of(token).ok_or_else(|| ApiError::invalid_parameter("Invalid token."))?
        }
        None => 0,
    };
    let rest = items.get(start..).unwrap_or_default();
    let page = rest.get(..size).unwrap_or(rest);
    let next = (page.len() < rest.len()).then(|| format!("page-{}", start + page.len()));
    Ok(Page { items: page, next })
}

fn start_of(token: &str) -> Option<usize> {
    token.strip_prefix("page-")?.parse().ok()
}

/// The fault of a listing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turns {
    /// The fourth page has the token of the second.
    InACircle,
    WithoutEnd,
}

/// The answer of a listing that never ends, in place of its next page.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// True for an empty page; else it is the first page.
    pub(crate) is_empty: bool,
    pub(crate) next: String,
}

impl Turn {
    /// The page that `token` asks for.
    pub(crate) fn after(token: Option<&str>, turns: Turns) -> Self {
        let place: u64 = token
            .and_then(|token| token.strip_prefix("turn-")?.parse().ok())
            .unwrap_or_default();
        let next = match turns {
            Turns::InACircle if place == 3 => 2,
            Turns::InACircle | Turns::WithoutEnd => place + 1,
        };
        Self {
            is_empty: place.is_multiple_of(2),
            next: format!("turn-{next}"),
        }
    }

    /// Makes the answer from the first page's JSON, whose token is the member `name`.
    pub(crate) fn change(self, page: &mut Value, name: &str) {
        let Some(members) = page.as_object_mut() else {
            return;
        };
        if self.is_empty {
            members
                .values_mut()
                .filter_map(Value::as_array_mut)
                .for_each(Vec::clear);
        }
        members.insert(name.to_owned(), json!(self.next));
    }
}

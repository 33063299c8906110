//! Paging as most AWS APIs do it: so many a page, an opaque token for the rest.

use crate::error::{ApiError, ApiResult};

pub(crate) struct Page<'a, T> {
    pub(crate) items: &'a [T],
    /// `None` on the last page; left out of the answer then.
    pub(crate) next: Option<String>,
}

/// The page of `items` that begins where `token` says.
///
/// # Errors
/// The token is none that this account gave.
pub(crate) fn of<'a, T>(items: &'a [T], size: usize, token: Option<&str>) -> ApiResult<Page<'a, T>> {
    let start = match token.filter(|token| !token.is_empty()) {
        Some(token) => start_of(token).ok_or_else(|| ApiError::invalid_parameter("Invalid token."))?,
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

//! Rules about a service and a key that changed.

use super::rule::Affected;
use crate::domain::change::ChangeKind;
use crate::domain::watch::Match;

pub(in crate::domain) fn excluded(affected: &Affected<'_>) -> bool {
    affected.relation == Match::Excluded
}

/// A deleted version breaks the next task, pinned or not.
pub(in crate::domain) fn pinned(affected: &Affected<'_>) -> bool {
    affected.relation == Match::Pinned && !affected.is_lost
}

pub(in crate::domain) fn ignored_key(affected: &Affected<'_>) -> bool {
    affected.relation == Match::Watched && affected.change.ignored
}

pub(in crate::domain) fn label_only(affected: &Affected<'_>) -> bool {
    affected.relation == Match::Watched && affected.change.kind == ChangeKind::Labelled
}

pub(in crate::domain) fn deleted(affected: &Affected<'_>) -> bool {
    let is_watched = affected.relation == Match::Watched;
    affected.is_lost || (is_watched && affected.change.kind == ChangeKind::Deleted)
}

//! Keyset paging: a page is asked for by the last row seen, never by an offset, so that rows that
//! come or go meanwhile neither repeat nor hide others.

use serde::Deserialize;
use serde::Serialize;
use time::OffsetDateTime;

/// Most rows of one page; a higher limit is cut to this.
pub const PAGE_MAX: u32 = 1_000;

/// Which page of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<C> {
    /// Rows at most (1 to [`PAGE_MAX`]).
    pub limit: u32,
    /// The cursor of the page before; `None` for the first page.
    pub after: Option<C>,
}

impl<C> PageRequest<C> {
    /// The first page.
    pub fn first(limit: u32) -> Self {
        Self { limit, after: None }
    }

    /// The page after `cursor`.
    pub fn after(limit: u32, cursor: C) -> Self {
        Self { limit, after: Some(cursor) }
    }

    /// The limit, brought into its bounds.
    pub(crate) fn rows(&self) -> usize {
        self.limit.clamp(1, PAGE_MAX) as usize
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page starts; `None` when this is the last.
    pub next: Option<C>,
}

/// Direction of a sorted list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortDirection {
    /// Smallest, oldest or first of the alphabet first.
    #[default]
    Ascending,
    /// The other way round.
    Descending,
}

/// Position in a list that is ordered by time, then by id (both descending: newest first).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeCursor {
    /// Microseconds since 1970 of the last row seen.
    pub at_us: i64,
    /// Id of the last row seen.
    pub id: String,
}

/// Cuts a time to what the registry keeps (microseconds, UTC), so that what was written compares
/// equal to what is read back.
pub fn registry_time(at: OffsetDateTime) -> OffsetDateTime {
    let at = at.to_offset(time::UtcOffset::UTC);
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}

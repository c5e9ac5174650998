//! Filtering, sorting and paging.

use std::cmp::Ordering;

use uuid::Uuid;
use zenml_auth_model::query::{Direction, Field, Page, Query, Value};

/// The page that a query asks for out of these rows.
pub(super) fn page<'a, R: Clone + 'a, F: Field>(
    rows: impl Iterator<Item = &'a R>,
    query: &Query<F>,
    id: impl Fn(&R) -> Uuid,
    read: impl Fn(&R, F) -> Option<Value>,
) -> Page<R> {
    // A missing value is smaller than all others, as `None` is.
    let mut matching: Vec<(Option<Value>, Uuid, &R)> = rows
        .filter(|row| query.matches(|field| read(row, field)))
        .map(|row| (read(row, query.sort.field), id(row), row))
        .collect();
    matching.sort_unstable_by(|(left, left_id, _), (right, right_id, _)| {
        directed(query.sort.direction, left.cmp(right).then(left_id.cmp(right_id)))
    });
    let total = u64::try_from(matching.len()).unwrap_or(u64::MAX);
    let skipped = usize::try_from(query.page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(query.page.size()).unwrap_or(usize::MAX);
    let items = matching
        .into_iter()
        .skip(skipped)
        .take(size)
        .map(|(_, _, row)| row.clone())
        .collect();
    Page {
        items,
        total,
        request: query.page,
    }
}

fn directed(direction: Direction, ordering: Ordering) -> Ordering {
    match direction {
        Direction::Ascending => ordering,
        Direction::Descending => ordering.reverse(),
    }
}

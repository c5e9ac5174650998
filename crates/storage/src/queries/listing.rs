//! Listings: filtered, sorted and cut into pages by the database.

use sea_orm::sea_query::{Expr, Order, SimpleExpr};
use sea_orm::{ColumnTrait, DbErr, IdenStatic, QueryFilter, QueryOrder, QuerySelect, Select};
use zenml_auth_model::query::{Direction, PageRequest, Query};

use crate::dialect::Dialect;
use crate::entities::Listed;
use crate::queries::filter;
use crate::transaction::Transactions;

/// The rows of the page that a query asks for, out of those in `scope`, and how many match it in all.
pub(crate) async fn page<E: Listed>(
    dialect: Dialect,
    reader: &Transactions,
    query: &Query<E::Field>,
    scope: Option<SimpleExpr>,
) -> Result<(Vec<E::Model>, u64), DbErr> {
    let column = |field| Expr::col((E::default(), E::column(field)));
    let mut matching = E::find().filter(filter::condition(dialect, query, column));
    if let Some(scope) = scope {
        matching = matching.filter(scope);
    }
    let sorted = sort(dialect, matching.clone(), query)
        .limit(u64::from(query.page.size()))
        .offset(query.page.offset());

    // The items and their number are read from the same state.
    let transaction = reader.begin().await?;
    let rows = sorted.all(&transaction).await?;
    let total = match total_without_counting(query.page, rows.len()) {
        Some(total) => total,
        None => {
            let count = matching.select_only().expr(Expr::cust("COUNT(*)"));
            let total = count.into_tuple::<i64>().one(&transaction).await?;
            total
                .and_then(|total| u64::try_from(total).ok())
                .unwrap_or_default()
        }
    };
    transaction.commit().await?;
    Ok((rows, total))
}

fn sort<E: Listed>(dialect: Dialect, select: Select<E>, query: &Query<E::Field>) -> Select<E> {
    let order = match query.sort.direction {
        Direction::Ascending => Order::Asc,
        Direction::Descending => Order::Desc,
    };
    let column = E::column(query.sort.field);
    let nulls = if column.def().is_null() {
        dialect.null_ordering(&order)
    } else {
        None
    };
    let sorted = match nulls {
        Some(nulls) => select.order_by_with_nulls(column, order.clone(), nulls),
        None => select.order_by(column, order.clone()),
    };
    if column.as_str() == E::ID.as_str() {
        sorted
    } else {
        sorted.order_by(E::ID, order)
    }
}

/// The last page tells how many items there are, unless it is empty: then it may lie anywhere past the end.
fn total_without_counting(page: PageRequest, items: usize) -> Option<u64> {
    let items = u64::try_from(items).ok()?;
    let is_last = items < u64::from(page.size()) && (items > 0 || page.offset() == 0);
    is_last.then(|| page.offset() + items)
}

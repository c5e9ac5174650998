//! Listings: filtered, sorted and cut into pages by the database.

use sea_orm::sea_query::{Expr, Order, SimpleExpr};
use sea_orm::{
    ColumnTrait, DatabaseConnection, IdenStatic, QueryFilter, QueryOrder, QuerySelect, Select,
    TransactionTrait,
};
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::query::{Direction, Page, PageRequest, Query};

use crate::dialect::Dialect;
use crate::entities::Listed;
use crate::error;
use crate::queries::filter;

/// The page that a query asks for, out of the rows in `scope`.
pub(crate) async fn page<E, M>(
    dialect: Dialect,
    reader: &DatabaseConnection,
    query: &Query<E::Field>,
    scope: Option<SimpleExpr>,
) -> Result<Page<M>, StoreError>
where
    E: Listed,
    M: TryFrom<E::Model, Error = StoreError>,
{
    let column = |field| Expr::col((E::default(), E::column(field)));
    let mut matching = E::find().filter(filter::condition(dialect, query, column));
    if let Some(scope) = scope {
        matching = matching.filter(scope);
    }
    let sorted = sort(dialect, matching.clone(), query)
        .limit(u64::from(query.page.size()))
        .offset(query.page.offset());

    let error = |error| error::of_read(dialect, &error);
    // The items and their number are read from the same state.
    let transaction = reader
        .begin_with_options(dialect.read_transaction())
        .await
        .map_err(error)?;
    let rows = sorted.all(&transaction).await.map_err(error)?;
    let total = match total_without_counting(query.page, rows.len()) {
        Some(total) => total,
        None => {
            let count = matching.select_only().expr(Expr::cust("COUNT(*)"));
            let total = count.into_tuple::<i64>().one(&transaction).await.map_err(error)?;
            total
                .and_then(|total| u64::try_from(total).ok())
                .unwrap_or_default()
        }
    };
    transaction.commit().await.map_err(error)?;
    let items = rows.into_iter().map(M::try_from).collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        total,
        request: query.page,
    })
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

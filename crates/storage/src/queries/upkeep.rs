//! What happens in the background: noting uses and cleaning up.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter};
use uuid::Uuid;
use zenml_auth_core::ports::PurgeBefore;

use crate::commit::later;
use crate::entities::{Versioned, WithId, device_grant, session, signing_key};

/// Notes a use, unless a later one is noted. What is gone is skipped.
pub(crate) async fn note_use<E: Versioned>(
    transaction: &DatabaseTransaction,
    column: E::Column,
    id: Uuid,
    at: i64,
) -> Result<(), DbErr> {
    let update = E::update_many()
        .col_expr(column, later(column, at))
        .filter(E::ID.eq(id));
    update.exec(transaction).await.map(|_| ())
}

/// Deletes at most `limit` rows of each kind that have ended.
pub(crate) async fn purge(
    transaction: &DatabaseTransaction,
    before: PurgeBefore,
    limit: u32,
) -> Result<u64, DbErr> {
    let limit = u64::from(limit);
    let (grants, sessions) = (before.grants.as_micros(), before.sessions.as_micros());
    let signing_keys = before.signing_keys.as_micros();
    let purged = [
        purge_table::<device_grant::Entity>(transaction, device_grant::Column::Expires, grants, limit)
            .await?,
        purge_table::<session::Entity>(transaction, session::Column::Expires, sessions, limit).await?,
        purge_table::<signing_key::Entity>(
            transaction,
            signing_key::Column::RetiredUntil,
            signing_keys,
            limit,
        )
        .await?,
    ];
    Ok(purged.iter().sum())
}

async fn purge_table<E: WithId>(
    transaction: &DatabaseTransaction,
    ends: E::Column,
    before: i64,
    limit: u64,
) -> Result<u64, DbErr> {
    let ended = Query::select()
        .column(E::ID)
        .from(E::default())
        .and_where(Expr::col(ends).lt(before))
        .order_by(ends, Order::Asc)
        .limit(limit)
        .take();
    let deleted = E::delete_many()
        .filter(E::ID.in_subquery(wrapped::<E>(ended)))
        .exec(transaction)
        .await?;
    Ok(deleted.rows_affected)
}

/// MySQL takes no limit in the subquery of a deletion, but does one level deeper.
fn wrapped<E: WithId>(ids: SelectStatement) -> SelectStatement {
    Query::select().column(E::ID).from_subquery(ids, "ended").take()
}

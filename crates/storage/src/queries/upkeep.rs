//! What happens in the background: noting uses and cleaning up.

use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Order, Query, SelectStatement};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;
use zenml_auth_core::ports::{Guard, PurgeBefore};
use zenml_auth_model::{Timestamp, UsedFrom};

use crate::commit;
use crate::dialect::Dialect;
use crate::entities::{Versioned, WithId, device_grant, guard, session, signing_key};

/// Notes the latest use of a row, unless a later one is noted. Tells whether there is such a row.
pub(crate) async fn note_use<E: Versioned>(
    transaction: &DatabaseTransaction,
    id: Uuid,
    at: Timestamp,
    from: &UsedFrom,
) -> Result<bool, DbErr> {
    let Some(columns) = E::LAST_USE else {
        return Ok(false);
    };
    let address = from.address.map(|address| address.to_string());
    let agent = from.agent.as_ref().map(|agent| agent.as_str().to_owned());
    let update = commit::note_use::<E>(
        E::update_many(),
        columns,
        at.as_micros(),
        [address.into(), agent.into()],
    );
    let updated = update.filter(E::ID.eq(id)).exec(transaction).await?;
    Ok(updated.rows_affected > 0)
}

/// Whether it is this transaction's turn to clean up: several replicas that did so at the same time would only wait
/// for each other's rows. Whoever does so holds the row of a guard that replicas agree by on what is cleaned up, too.
pub(crate) async fn take_turn(dialect: Dialect, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    if !dialect.has_replicas() {
        return Ok(true);
    }
    let free = guard::Entity::find_by_id(Guard::SigningKeys.as_str())
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(transaction)
        .await?;
    Ok(free.is_some())
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

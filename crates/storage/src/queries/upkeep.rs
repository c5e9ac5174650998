//! What happens in the background: noting uses and cleaning up.

use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, PrimaryKeyTrait, QueryFilter, QueryOrder, QuerySelect,
    TryGetable, Value,
};
use uuid::Uuid;
use zenml_auth_core::ports::{ApiKeyUse, DeviceUse, Guard, PurgeBefore, SessionUse};
use zenml_auth_model::{Timestamp, UsedFrom};

use crate::commit;
use crate::dialect::Dialect;
use crate::entities::{
    Versioned, WithId, api_key, audit_event, device, device_grant, familiar_network, guard, session,
    sign_in_failure, signing_key,
};
use crate::queries::key_uses;
use crate::transaction::Transaction;

/// Notes the latest uses of keys and devices.
pub(crate) async fn note_uses(
    transaction: &Transaction,
    keys: &[ApiKeyUse],
    devices: &[DeviceUse],
) -> Result<(), DbErr> {
    for key_use in keys {
        let ApiKeyUse { id, latest } = key_use;
        if note_use::<api_key::Entity>(transaction, id.as_uuid(), latest.at, &latest.from).await? {
            key_uses::note(transaction, key_use).await?;
        }
    }
    for DeviceUse { id, at, from } in devices {
        note_use::<device::Entity>(transaction, id.as_uuid(), *at, from).await?;
    }
    Ok(())
}

/// Notes the latest uses of sessions, unless later ones are noted.
pub(crate) async fn note_session_uses(
    transaction: &Transaction,
    sessions: &[SessionUse],
) -> Result<(), DbErr> {
    for SessionUse { id, at } in sessions {
        let is_later = Condition::any()
            .add(session::Column::LastActive.is_null())
            .add(session::Column::LastActive.lt(at.as_micros()));
        session::Entity::update_many()
            .col_expr(session::Column::LastActive, Expr::value(at.as_micros()))
            .filter(session::Column::Id.eq(id.as_uuid()))
            .filter(is_later)
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// Notes the latest use of a row, unless a later one is noted. Tells whether there is such a row.
async fn note_use<E: Versioned>(
    transaction: &Transaction,
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
/// for each other's rows. The one that does holds the row of a guard, by which replicas also agree on what is cleaned up.
pub(crate) async fn take_turn(dialect: Dialect, transaction: &Transaction) -> Result<bool, DbErr> {
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
pub(crate) async fn purge(transaction: &Transaction, before: PurgeBefore, limit: u32) -> Result<u64, DbErr> {
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
        purge_table::<sign_in_failure::Entity>(
            transaction,
            sign_in_failure::Column::Last,
            before.failures.as_micros(),
            limit,
        )
        .await?,
        purge_table::<familiar_network::Entity>(
            transaction,
            familiar_network::Column::Seen,
            before.networks.as_micros(),
            limit,
        )
        .await?,
    ];
    Ok(purged.iter().sum())
}

/// Deletes at most `limit` entries of the audit trail that are older.
pub(crate) async fn purge_audit(
    transaction: &Transaction,
    before: Timestamp,
    limit: u32,
) -> Result<u64, DbErr> {
    let created = audit_event::Column::Created;
    purge_table::<audit_event::Entity>(transaction, created, before.as_micros(), limit.into()).await
}

async fn purge_table<E>(
    transaction: &Transaction,
    ends: E::Column,
    before: i64,
    limit: u64,
) -> Result<u64, DbErr>
where
    E: WithId,
    <E::PrimaryKey as PrimaryKeyTrait>::ValueType: Into<Value> + TryGetable,
{
    let ended = E::find()
        .select_only()
        .column(E::ID)
        .filter(ends.lt(before))
        .order_by_asc(ends)
        .limit(limit)
        .into_tuple::<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>()
        .all(transaction)
        .await?;
    if ended.is_empty() {
        return Ok(0);
    }
    // Each by its id, as what has ended stays so: of a deletion with a subquery, some servers make a walk through the
    // whole table, on which they wait for every row that somebody is changing, and of one by time they wait for the first
    // row that they leave.
    let deleted = E::delete_many()
        .filter(E::ID.is_in(ended))
        .exec(transaction)
        .await?;
    Ok(deleted.rows_affected)
}

//! How often attempts at passwords failed, and from where accounts sign in.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use zenml_auth_core::ports::{FamiliarNetwork, NETWORKS_KEPT};
use zenml_auth_model::{SecretHash, Timestamp};

use crate::entities::{SecretBytes, familiar_network, sign_in_failure};
use crate::transaction::Transaction;

pub(crate) async fn failures(
    reader: &DatabaseConnection,
    key: &SecretHash,
) -> Result<Option<sign_in_failure::Model>, DbErr> {
    sign_in_failure::Entity::find_by_id(SecretBytes::from(key.as_bytes()))
        .one(reader)
        .await
}

/// Counts a failure in one statement, so that of many at once each is counted.
pub(crate) async fn count_failure(
    transaction: &Transaction,
    key: &SecretHash,
    at: Timestamp,
    forgotten_before: Timestamp,
) -> Result<(), DbErr> {
    use sign_in_failure::{Column, Entity, Model};

    let stored = |column: Column| Expr::col((Entity, column));
    let at = at.as_micros();
    // The number before the time, by which it goes: MySQL sets one column after the other.
    let anew = stored(Column::Last).lt(forgotten_before.as_micros());
    let full = stored(Column::Failures).gte(i64::from(u32::MAX));
    let more = Expr::case(anew, 1)
        .case(full, stored(Column::Failures))
        .finally(stored(Column::Failures).add(1));
    let later = Expr::case(stored(Column::Last).lt(at), at).finally(stored(Column::Last));
    let once_more = OnConflict::column(Column::Id)
        .value(Column::Failures, more)
        .value(Column::Last, later)
        .to_owned();
    let row = Model {
        id: SecretBytes::from(key.as_bytes()),
        failures: 1,
        last: at,
    };
    Entity::insert(row.into_active_model())
        .on_conflict(once_more)
        .exec_without_returning(transaction)
        .await
        .map(drop)
}

pub(crate) async fn forget_failures(transaction: &Transaction, key: &SecretHash) -> Result<(), DbErr> {
    sign_in_failure::Entity::delete_by_id(SecretBytes::from(key.as_bytes()))
        .exec(transaction)
        .await
        .map(drop)
}

pub(crate) async fn network_seen(
    reader: &DatabaseConnection,
    id: &SecretHash,
) -> Result<Option<familiar_network::Model>, DbErr> {
    familiar_network::Entity::find_by_id(SecretBytes::from(id.as_bytes()))
        .one(reader)
        .await
}

/// Remembers a network, and forgets those of the account that were seen the longest time ago when there are too many.
pub(crate) async fn note_network(transaction: &Transaction, network: &FamiliarNetwork) -> Result<(), DbErr> {
    use familiar_network::{Column, Entity, Model};

    let row = Model::from(network);
    let stored = || Expr::col((Entity, Column::Seen));
    let later = Expr::case(stored().lt(row.seen), row.seen).finally(stored());
    let noted = OnConflict::column(Column::Id)
        .value(Column::Seen, later)
        .to_owned();
    Entity::insert(row.into_active_model())
        .on_conflict(noted)
        .exec_without_returning(transaction)
        .await?;
    let of_account = Column::Account.eq(SecretBytes::from(network.account.as_bytes()));
    let doomed = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(of_account)
        .order_by_desc(Column::Seen)
        .order_by_desc(Column::Id)
        .offset(u64::try_from(NETWORKS_KEPT).unwrap_or(u64::MAX))
        // Without a limit, not every database takes an offset.
        .limit(1000)
        .into_tuple::<SecretBytes>()
        .all(transaction)
        .await?;
    if doomed.is_empty() {
        return Ok(());
    }
    Entity::delete_many()
        .filter(Column::Id.is_in(doomed))
        .exec(transaction)
        .await
        .map(drop)
}

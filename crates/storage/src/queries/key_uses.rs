//! Who used which value of a key of late.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};
use uuid::Uuid;
use zenml_auth_core::ports::{ApiKeyUse, KEY_USERS_KEPT};

use crate::entities::api_key_use::{Column, Entity, Model};
use crate::transaction::Transaction;

/// The users of a key, the latest first.
pub(crate) async fn of(reader: &DatabaseConnection, key: Uuid) -> Result<Vec<Model>, DbErr> {
    let rows = Entity::find().filter(Column::ApiKeyId.eq(key));
    rows.order_by_desc(Column::At).all(reader).await
}

/// Notes a use of a key that is there. When it is by somebody new, those who used the same value the longest time ago
/// make room, and so do all of a value that was replaced twice.
pub(crate) async fn note(transaction: &Transaction, key_use: &ApiKeyUse) -> Result<(), DbErr> {
    let row = Model::from(key_use);
    let known = Entity::update_many()
        .col_expr(Column::At, latest(row.at))
        .filter(Column::ApiKeyId.eq(row.api_key_id))
        .filter(Column::Generation.eq(row.generation))
        .filter(Column::Address.eq(&row.address))
        .filter(Column::Agent.eq(&row.agent))
        .exec(transaction)
        .await?;
    if known.rows_affected > 0 {
        return Ok(());
    }
    let (key, generation, at) = (row.api_key_id, row.generation, row.at);
    let columns = [
        Column::ApiKeyId,
        Column::Generation,
        Column::Address,
        Column::Agent,
    ];
    // Another replica may have seen the same one a moment ago.
    let noted = OnConflict::columns(columns)
        .value(Column::At, latest(at))
        .to_owned();
    Entity::insert(row.into_active_model())
        .on_conflict(noted)
        .exec_without_returning(transaction)
        .await?;
    trim(transaction, key, generation).await
}

/// The given moment, or the one in the row if that is later.
fn latest(at: i64) -> Expr {
    let stored = || Expr::col((Entity, Column::At));
    Expr::case(stored().lt(at), at).finally(stored()).into()
}

async fn trim(transaction: &Transaction, key: Uuid, generation: i64) -> Result<(), DbErr> {
    let of_value = Entity::find()
        .select_only()
        .column(Column::At)
        .filter(Column::ApiKeyId.eq(key))
        .filter(Column::Generation.eq(generation));
    let last_kept: Option<i64> = of_value
        .order_by_desc(Column::At)
        .offset(u64::try_from(KEY_USERS_KEPT.saturating_sub(1)).unwrap_or(u64::MAX))
        .limit(1)
        .into_tuple()
        .one(transaction)
        .await?;
    let too_old = Column::Generation.lt(generation - 1);
    let doomed = match last_kept {
        None => too_old,
        Some(last) => too_old.or(Column::Generation.eq(generation).and(Column::At.lt(last))),
    };
    Entity::delete_many()
        .filter(Column::ApiKeyId.eq(key))
        .filter(doomed)
        .exec(transaction)
        .await
        .map(drop)
}

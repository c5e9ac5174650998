//! The epoch in the database, and what was revoked at which.
//!
//! # Numbers
//!
//! An epoch is a count in its upper bits and a random mark in its lower 24. The count orders epochs. The mark tells two
//! epochs of the same count apart: when a database comes back from a backup, or another server takes over that lacks the
//! latest commits, the count goes back and then up again by other commits. A cache that knows an epoch from before would take
//! it for one of them. So [`read`] tells what was revoked after an epoch only if that very epoch is in the log.
//!
//! # Why a reader of an epoch sees the rows of its commit
//!
//! The change of the epoch, the log and the changed rows are one transaction, so every snapshot holds all of them or
//! none. Snapshots of one server only ever get newer. The epoch is read in one statement and rows in a later one, which
//! takes its snapshot later, under READ COMMITTED on PostgreSQL and on InnoDB alike. (Under REPEATABLE READ that would not
//! hold within one transaction; no row is ever kept that was read in one.)
//!
//! The `UPDATE` of the only row holds its lock until the commit, so of two transactions the second waits and then counts
//! on from what the first has committed: both databases read the newest committed row for an update under READ
//! COMMITTED. So epochs become visible in their order, and an epoch that is seen means that all before it are.
//!
//! The lock is taken last, when nothing but the log and the commit is left to do, so that nobody holds it while waiting
//! for another row. It can't be part of a deadlock for the same reason.

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, UnionType};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QueryResult};
use uuid::Uuid;
use zenml_auth_core::ports::{Epoch, IdentityRef, Revocations, Revoked, StoreError};
use zenml_auth_model::{ApiKeyId, DeviceId, ServiceAccountId, SessionId, UserId};

use crate::dialect::Dialect;
use crate::error;
use crate::transaction::Transaction;

const EPOCH: &str = "revocation_epoch";
const LOG: &str = "revocations";

/// One more in the count.
const COUNT: i64 = 1 << 24;
/// How many epochs back it can be told what was revoked.
const REMEMBERED: i64 = 4_096;
/// How many entries of the log are deleted at a time.
const TRIM_BATCH: u64 = 1_000;

/// Moves the epoch on and notes what was revoked. The last thing a transaction does.
pub(crate) async fn move_on(
    dialect: Dialect,
    transaction: &Transaction,
    what: &[IdentityRef],
) -> Result<(), DbErr> {
    let epoch = || Expr::col("epoch");
    let count = epoch().sub(Func::cust("mod").arg(epoch()).arg(COUNT));
    let next = count.add(COUNT).add(dialect.random_below(COUNT));
    transaction
        .execute(&Query::update().table(EPOCH).value("epoch", next).take())
        .await?;

    let entries = what.iter().enumerate().map(|(position, identity)| {
        let (kind, id) = parts(*identity);
        Query::select()
            .column("epoch")
            .expr(Expr::val(i64::try_from(position).unwrap_or(i64::MAX)))
            .expr(Expr::val(kind))
            .expr(Expr::val(id))
            .from(EPOCH)
            .take()
    });
    let Some(entries) = entries.reduce(|mut all: SelectStatement, one| all.union(UnionType::All, one).take())
    else {
        return Ok(());
    };
    let mut insert = Query::insert()
        .into_table(LOG)
        .columns(["epoch", "position", "kind", "identity"])
        .take();
    insert
        .select_from(entries)
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    transaction.execute(&insert).await.map(|_| ())
}

/// The epoch and the log from an epoch on, by one statement and so from one snapshot.
pub(crate) async fn since(reader: &DatabaseConnection, since: Epoch) -> Result<Vec<QueryResult>, DbErr> {
    let query = Query::select()
        .expr_as(Expr::col((EPOCH, "epoch")), "now")
        .expr_as(Expr::col((LOG, "epoch")), "at")
        .column((LOG, "kind"))
        .column((LOG, "identity"))
        .from(EPOCH)
        .left_join(LOG, Expr::col((LOG, "epoch")).gte(number(since)))
        .take();
    reader.query_all(&query).await
}

/// Makes sense of what was read.
pub(crate) fn read(dialect: Dialect, since: Epoch, rows: &[QueryResult]) -> Result<Revocations, StoreError> {
    let of_row = |error: DbErr| error::of_read(dialect, &error);
    let first = rows
        .first()
        .ok_or_else(|| StoreError::Corrupt(format!("{EPOCH} is empty")))?;
    let now: i64 = first.try_get("", "now").map_err(of_row)?;
    let mut is_known = false;
    let mut what = Vec::new();
    for row in rows {
        match row.try_get::<Option<i64>>("", "at").map_err(of_row)? {
            Some(at) if at == number(since) => is_known = true,
            Some(_) => what.extend(identity(dialect, row)?),
            None => {}
        }
    }
    let epoch = u64::try_from(now)
        .map(Epoch::new)
        .map_err(|_| StoreError::Corrupt(format!("{EPOCH}.epoch is negative")))?;
    Ok(Revocations {
        epoch,
        what: if is_known {
            Revoked::These(what)
        } else {
            Revoked::Any
        },
    })
}

/// For [`Epoch::UNKNOWN`] one that there never is, so that nothing but the epoch is read.
fn number(epoch: Epoch) -> i64 {
    match epoch {
        Epoch::UNKNOWN => i64::MAX,
        epoch => i64::try_from(epoch.get()).unwrap_or(i64::MAX),
    }
}

/// Forgets what was revoked long ago, in small batches.
pub(crate) async fn trim(writer: &DatabaseConnection) -> Result<(), DbErr> {
    let remembered = Query::select()
        .expr(Expr::col("epoch").sub(REMEMBERED * COUNT))
        .from(EPOCH)
        .take();
    let old = Query::select()
        .column("epoch")
        .from(LOG)
        .and_where(Expr::col("epoch").lt(Expr::SubQuery(None, Box::new(remembered.into()))))
        .order_by("epoch", sea_orm::Order::Asc)
        .limit(TRIM_BATCH)
        .take();
    loop {
        let rows = writer.query_all(&old).await?;
        let epochs: Vec<i64> = rows
            .iter()
            .map(|row| row.try_get("", "epoch"))
            .collect::<Result<_, _>>()?;
        let Some(last) = epochs.last() else {
            return Ok(());
        };
        // All up to it: they are ordered, and new ones only come after them.
        let delete = Query::delete()
            .from_table(LOG)
            .and_where(Expr::col("epoch").lte(*last))
            .take();
        writer.execute(&delete).await?;
        if u64::try_from(epochs.len()).is_ok_and(|count| count < TRIM_BATCH) {
            return Ok(());
        }
    }
}

const USER: &str = "user";
const DEVICE: &str = "device";
const SERVICE_ACCOUNT: &str = "service_account";
const API_KEY: &str = "api_key";
const SESSION: &str = "session";
/// The entry of the first epoch, at which nothing was revoked.
const START: &str = "start";

fn parts(identity: IdentityRef) -> (&'static str, Uuid) {
    match identity {
        IdentityRef::User(id) => (USER, id.as_uuid()),
        IdentityRef::Device(id) => (DEVICE, id.as_uuid()),
        IdentityRef::ServiceAccount(id) => (SERVICE_ACCOUNT, id.as_uuid()),
        IdentityRef::ApiKey(id) => (API_KEY, id.as_uuid()),
        IdentityRef::Session(id) => (SESSION, id.as_uuid()),
    }
}

fn identity(dialect: Dialect, row: &QueryResult) -> Result<Option<IdentityRef>, StoreError> {
    let of_row = |error: DbErr| error::of_read(dialect, &error);
    let kind: String = row.try_get("", "kind").map_err(of_row)?;
    let id: Uuid = row.try_get("", "identity").map_err(of_row)?;
    Ok(Some(match kind.as_str() {
        START => return Ok(None),
        USER => IdentityRef::User(UserId::from_uuid(id)),
        DEVICE => IdentityRef::Device(DeviceId::from_uuid(id)),
        SERVICE_ACCOUNT => IdentityRef::ServiceAccount(ServiceAccountId::from_uuid(id)),
        API_KEY => IdentityRef::ApiKey(ApiKeyId::from_uuid(id)),
        SESSION => IdentityRef::Session(SessionId::from_uuid(id)),
        _ => {
            return Err(StoreError::Corrupt(
                "revocations.kind is none of the known ones".to_owned(),
            ));
        }
    }))
}

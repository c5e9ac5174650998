//! The tables, one file each: the row as sea-orm sees it, and the one place where it becomes a model and back.

#![allow(
    unreachable_pub,
    reason = "sea-orm's derives need the items of an entity to be public"
)]

pub(crate) mod api_key;
pub(crate) mod api_key_use;
pub(crate) mod audit_event;
pub(crate) mod device;
pub(crate) mod device_grant;
pub(crate) mod familiar_network;
pub(crate) mod guard;
pub(crate) mod server;
pub(crate) mod service_account;
pub(crate) mod session;
pub(crate) mod sign_in_failure;
pub(crate) mod signing_key;
pub(crate) mod user;
mod value;

pub(crate) use value::{SecretBytes, SecretText};

use sea_orm::EntityTrait;
use zenml_auth_model::query::Field;

/// A table whose rows are named by an id.
pub(crate) trait WithId: EntityTrait {
    /// The column of the id.
    const ID: Self::Column;
}

/// A table whose rows are changed by compare-and-swap.
pub(crate) trait Versioned: WithId {
    /// The column of the version.
    const VERSION: Self::Column;
    /// The columns that note the latest use, if there are some: an update never takes them back in time.
    const LAST_USE: Option<LastUse<Self::Column>> = None;

    /// Gives a row its next version.
    fn set_version(row: &mut Self::Model, version: i64);
}

/// The columns that note the latest use of a row.
#[derive(Clone, Copy)]
pub(crate) struct LastUse<C> {
    /// When.
    pub(crate) at: C,
    /// From which address.
    pub(crate) address: C,
    /// With which user agent.
    pub(crate) agent: C,
}

/// A table that can be listed.
pub(crate) trait Listed: WithId {
    /// The fields of its listings.
    type Field: Field;

    /// The column that holds a field.
    fn column(field: Self::Field) -> Self::Column;
}

macro_rules! with_id {
    () => {
        impl crate::entities::WithId for Entity {
            const ID: Column = Column::Id;
        }
    };
}

macro_rules! versioned {
    ($($at:ident, $address:ident, $agent:ident)?) => {
        impl crate::entities::Versioned for Entity {
            const VERSION: Column = Column::Version;
            $(const LAST_USE: Option<crate::entities::LastUse<Column>> = Some(crate::entities::LastUse {
                at: Column::$at,
                address: Column::$address,
                agent: Column::$agent,
            });)?

            fn set_version(row: &mut Model, version: i64) {
                row.version = version;
            }
        }
    };
}

pub(crate) use {versioned, with_id};

//! What the unique indexes of the schema are about.

use zenml_auth_core::ports::Unique;

struct Index {
    /// As the migrations name it. The key of a table that is not an id goes by its name on PostgreSQL.
    name: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    unique: Unique,
}

/// All unique indexes other than the primary keys on `id`.
const INDEXES: &[Index] = &[
    Index {
        name: "server_pkey",
        table: "server",
        columns: &["singleton"],
        unique: Unique::Server,
    },
    Index {
        name: "users_name",
        table: "users",
        columns: &["name"],
        unique: Unique::UserName,
    },
    Index {
        name: "service_accounts_name",
        table: "service_accounts",
        columns: &["name"],
        unique: Unique::ServiceAccountName,
    },
    Index {
        name: "api_keys_name",
        table: "api_keys",
        columns: &["service_account_id", "name"],
        unique: Unique::ApiKeyName,
    },
    Index {
        name: "devices_client",
        table: "devices",
        columns: &["client_id", "user_id"],
        unique: Unique::DeviceOfClient,
    },
    Index {
        name: "device_grants_user_code",
        table: "device_grants",
        columns: &["user_code"],
        unique: Unique::Code,
    },
    Index {
        name: "sessions_cookie",
        table: "sessions",
        columns: &["cookie"],
        unique: Unique::Code,
    },
];

/// What is unique by the index of this name.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn of_index(name: &str) -> Option<Unique> {
    INDEXES
        .iter()
        .find(|index| index.name == name)
        .map(|index| index.unique)
}

/// What is unique about these columns, each written `table.column`.
#[cfg(feature = "sqlite")]
pub(super) fn of_columns(columns: &[&str]) -> Option<Unique> {
    if let [column] = columns
        && column.ends_with(".id")
    {
        return Some(Unique::Id);
    }
    let qualified = |index: &Index| {
        index
            .columns
            .iter()
            .map(|column| format!("{}.{column}", index.table))
            .collect()
    };
    INDEXES
        .iter()
        .find(|index| {
            let expected: Vec<String> = qualified(index);
            expected == columns
        })
        .map(|index| index.unique)
}

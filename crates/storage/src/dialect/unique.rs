//! What the unique indexes of the schema are about.

use zenml_auth_core::ports::Unique;

struct Index {
    table: &'static str,
    columns: &'static [&'static str],
    unique: Unique,
}

/// All unique indexes other than the primary keys on `id`.
const INDEXES: &[Index] = &[
    Index {
        table: "server",
        columns: &["singleton"],
        unique: Unique::Server,
    },
    Index {
        table: "users",
        columns: &["name"],
        unique: Unique::UserName,
    },
    Index {
        table: "service_accounts",
        columns: &["name"],
        unique: Unique::ServiceAccountName,
    },
    Index {
        table: "api_keys",
        columns: &["service_account_id", "name"],
        unique: Unique::ApiKeyName,
    },
    Index {
        table: "devices",
        columns: &["client_id", "user_id"],
        unique: Unique::DeviceOfClient,
    },
    Index {
        table: "device_grants",
        columns: &["device_code"],
        unique: Unique::Code,
    },
    Index {
        table: "device_grants",
        columns: &["user_code"],
        unique: Unique::Code,
    },
    Index {
        table: "sessions",
        columns: &["cookie"],
        unique: Unique::Code,
    },
];

/// What is unique about these columns, each written `table.column`.
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

//! Credentials that get in, for devices and API keys that are there already.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use uuid::Uuid;
use zenml_auth_api::key::KeyText;
use zenml_auth_core::ports::{Store as _, SystemEntropy};
use zenml_auth_core::sealing::EncryptionKeys;
use zenml_auth_core::secrets::{hash, random_secret};
use zenml_auth_core::token::{Keyring, Provenance, Token};
use zenml_auth_model::{ApiKeyId, DeviceId, Timestamp, UserId};
use zenml_auth_storage::SqlStore;
use zenml_auth_storage::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, QueryResult, Statement, TransactionTrait as _,
};

/// When the devices were connected, and when that ends; as `fill live` has stored it.
const ISSUED: Timestamp = Timestamp::from_secs(1_700_000_000);
const EXPIRES: Timestamp = Timestamp::from_secs(1_900_000_000);

/// Writes the files `tokens` and `keys`.
pub(crate) async fn write(
    store: &SqlStore,
    encryption: &EncryptionKeys,
    number: u32,
    folder: &Path,
) -> Result<(), Box<dyn Error>> {
    let server = store.server().await?.ok_or("the database is not set up")?;
    let keyring = Keyring::new(server.id);
    // At the end of time, every replica knows the newest key, so it signs.
    keyring.load(&store.signing_keys().await?, encryption, Timestamp::MAX)?;
    let mut tokens = BufWriter::new(File::create(folder.join("tokens"))?);
    for (device, user) in devices(store.connection(), number).await? {
        let token = Token {
            id: Uuid::nil(),
            provenance: Provenance::Device {
                user,
                credentials_gen: 1,
                device,
                token_gen: 1,
            },
            issued: ISSUED,
            expires: EXPIRES,
            authenticated: None,
            made_from: None,
        };
        writeln!(tokens, "{}", keyring.sign(&token)?.expose())?;
    }
    tokens.flush()?;
    write_keys(store.connection(), number, &folder.join("keys")).await
}

/// Gives keys values that are known here.
async fn write_keys(db: &DatabaseConnection, number: u32, file: &Path) -> Result<(), Box<dyn Error>> {
    let mut keys = BufWriter::new(File::create(file)?);
    let ids = sample(db, "api_keys", "id", "active", number).await?;
    let transaction = db.begin().await?;
    for row in ids {
        let key = KeyText {
            id: ApiKeyId::from_uuid(uuid(&row, "id")?),
            key: random_secret(&SystemEntropy),
        };
        let values = [
            hash(&key.key).as_bytes().to_vec().into(),
            key.id.as_uuid().as_bytes().to_vec().into(),
        ];
        let update = "UPDATE api_keys SET hash = ? WHERE id = ?";
        transaction
            .execute_raw(Statement::from_sql_and_values(
                transaction.get_database_backend(),
                update,
                values,
            ))
            .await?;
        writeln!(keys, "{}", key.encode().expose())?;
    }
    transaction.commit().await?;
    keys.flush()?;
    Ok(())
}

async fn devices(db: &DatabaseConnection, number: u32) -> Result<Vec<(DeviceId, UserId)>, Box<dyn Error>> {
    let rows = sample(db, "devices", "id, user_id", "state = 'active'", number).await?;
    rows.iter()
        .map(|row| {
            Ok((
                DeviceId::from_uuid(uuid(row, "id")?),
                UserId::from_uuid(uuid(row, "user_id")?),
            ))
        })
        .collect()
}

/// As many rows as asked for, in no order.
async fn sample(
    db: &DatabaseConnection,
    table: &str,
    columns: &str,
    which: &str,
    number: u32,
) -> Result<Vec<QueryResult>, Box<dyn Error>> {
    let query = format!("SELECT {columns} FROM {table} WHERE {which} ORDER BY random() LIMIT {number}");
    let backend = db.get_database_backend();
    let rows = db.query_all_raw(Statement::from_string(backend, query)).await?;
    if rows.len() < number as usize {
        return Err(format!("there are only {} of the {table}", rows.len()).into());
    }
    Ok(rows)
}

fn uuid(row: &QueryResult, column: &str) -> Result<Uuid, Box<dyn Error>> {
    Ok(Uuid::from_slice(&row.try_get::<Vec<u8>>("", column)?)?)
}

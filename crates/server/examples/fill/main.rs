//! Fills a SQLite database that a server has set up, for benchmarks.
//!
//! `fill FILE live NUMBER` adds that many devices and API keys: a hundred for each of many users and service accounts,
//! and a hundred devices for the first user. Nobody can get in with any of them until
//! `fill FILE credentials NUMBER FOLDER` writes the tokens of that many devices and the values of that many API keys,
//! taken from all over the database, to the files `tokens` and `keys` of a folder, one a line.
//!
//! `fill FILE ended NUMBER` adds that many requests of machines and sign-ins that have ended long ago, and
//! `fill FILE left` prints how many of them are left.

#![allow(clippy::print_stdout, reason = "it is what one of its commands is for")]

mod credentials;

use std::env::args;
use std::path::PathBuf;

use zenml_auth_core::sealing::EncryptionKeys;
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, Statement};
use zenml_auth_storage::{ConnectOptions, SqlStore};

/// How many devices a user has, and how many keys a service account.
const EACH: u32 = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    const USAGE: &str =
        "usage: fill FILE live|ended NUMBER, fill FILE credentials NUMBER FOLDER, or fill FILE left";
    let file: PathBuf = args().nth(1).ok_or(USAGE)?.into();
    let number = || -> Result<u32, Box<dyn std::error::Error>> { Ok(args().nth(3).ok_or(USAGE)?.parse()?) };
    let wanted = args().nth(2);

    let mut options = ConnectOptions::sqlite_file(&file);
    options.create_if_missing = false;
    let store = SqlStore::connect(&options).await?;
    store.check_schema().await?;
    match wanted.as_deref() {
        Some("live") => execute(&store, live(number()?)).await?,
        Some("ended") => execute(&store, ended(number()?)).await?,
        Some("left") => println!("{}", left(&store).await?),
        Some("credentials") => {
            let folder: PathBuf = args().nth(4).ok_or(USAGE)?.into();
            // The server made it beside the database.
            let key = std::fs::read_to_string(file.with_added_extension("key"))?;
            credentials::write(&store, &EncryptionKeys::parse(&key)?, number()?, &folder).await?;
        }
        _ => return Err(USAGE.into()),
    }
    store.close().await?;
    Ok(())
}

async fn execute(store: &SqlStore, statements: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
    for statement in statements {
        store.connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// The numbers from 0 to one less than this, as the table `n` with the column `i`.
fn numbers(count: u32) -> String {
    format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})")
}

/// Sixteen bytes for the `i`th owner; the first one is the user that was there first.
fn owner(kind: &str, table: &str, i: &str) -> String {
    format!(
        "CASE {i} WHEN 0 THEN (SELECT id FROM {table} ORDER BY created LIMIT 1) \
         ELSE CAST(printf('{kind}%012d', {i}) AS BLOB) END"
    )
}

fn ended(number: u32) -> Vec<String> {
    let numbers = numbers(number);
    vec![
        format!(
            "{numbers} INSERT INTO device_grants (id, client_id, device_code, user_code, poll_interval, \
             failed_attempts, state, created, updated, expires, version) SELECT randomblob(16), randomblob(16), \
             randomblob(32), randomblob(32), 5000000, 0, 'pending', 1600000000000000 + i, 1600000000000000 + i, \
             1600000300000000 + i, 1 FROM n"
        ),
        format!(
            "{numbers} INSERT INTO sessions (id, user_id, credentials_gen, created, expires, version) \
             SELECT randomblob(16), (SELECT id FROM users LIMIT 1), 1, 1600000000000000 + i, 1600003600000000 + i, 1 \
             FROM n"
        ),
    ]
}

/// How many requests and sign-ins there are that have ended long ago.
async fn left(store: &SqlStore) -> Result<i64, Box<dyn std::error::Error>> {
    let db = store.connection();
    let count = "SELECT (SELECT COUNT(*) FROM device_grants WHERE expires < 1700000000000000) \
                 + (SELECT COUNT(*) FROM sessions WHERE expires < 1700000000000000) AS number";
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), count))
        .await?;
    Ok(row.ok_or("no count")?.try_get("", "number")?)
}

fn live(number: u32) -> Vec<String> {
    let owners = (number / EACH).max(1);
    let (numbers, owner_numbers) = (numbers(number), numbers(owners));
    let (user, account) = (
        owner("user", "users", &format!("i % {owners}")),
        // There is no account yet, so that none comes before the first.
        format!("CAST(printf('work%012d', i % {owners}) AS BLOB)"),
    );
    vec![
        format!(
            "{owner_numbers} INSERT INTO users (id, name, full_name, active, is_admin, credentials_gen, created, \
             updated, version) SELECT CAST(printf('user%012d', i) AS BLOB), printf('person-%d', i), '', 1, 0, 1, \
             1700000000000000 + i, 1700000000000000 + i, 1 FROM n WHERE i > 0"
        ),
        format!(
            "{numbers} INSERT INTO devices (id, user_id, client_id, state, trusted, expires, hostname, os, token_gen, \
             created, updated, version) SELECT randomblob(16), {user}, randomblob(16), \
             iif(i % 3 = 0, 'locked', 'active'), 0, 1900000000000000, printf('host-%d', i), 'Linux', 1, \
             1700000000000000 + i, 1700000000000000 + i, 1 FROM n"
        ),
        format!(
            "{owner_numbers} INSERT INTO service_accounts (id, name, full_name, description, active, created, updated, \
             version) SELECT CAST(printf('work%012d', i) AS BLOB), printf('workload-%d', i), '', '', 1, \
             1700000000000000 + i, 1700000000000000 + i, 1 FROM n"
        ),
        format!(
            "{numbers} INSERT INTO api_keys (id, service_account_id, name, description, active, generation, hash, \
             retain_period_minutes, created, updated, version) SELECT randomblob(16), {account}, \
             printf('key-%d', i), '', i % 3 > 0, 1, randomblob(32), 0, 1700000000000000 + i, 1700000000000000 + i, 1 \
             FROM n"
        ),
        "ANALYZE".to_owned(),
    ]
}

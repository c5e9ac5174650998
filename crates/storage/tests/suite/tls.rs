//! How connections to database servers are protected: each mode does what it says, on servers with and without TLS.

use std::path::PathBuf;
use std::time::Duration;

use zenml_auth_storage::sea_orm::{ConnectionTrait, DbBackend, Statement};
use zenml_auth_storage::{ConnectOptions, SqlStore, TlsMode};
use zenml_auth_testkit::databases::{Kind, TestDatabase, authority_of_others, fresh, own_server_with_tls};

zenml_auth_testkit::on_servers! {
    modes_do_what_they_say
    modes_are_taken_from_the_url
    a_server_without_tls_is_only_used_if_that_is_all_right
    a_password_that_may_only_go_over_tls_does
}

/// What came of connecting.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Protected,
    Plain,
    Refused,
}

async fn outcome(mut options: ConnectOptions) -> Outcome {
    options.connect_timeout = Duration::from_secs(3);
    match SqlStore::connect(&options).await {
        Ok(store) => {
            let protected = is_protected(&store).await;
            store.close().await.unwrap();
            if protected {
                Outcome::Protected
            } else {
                Outcome::Plain
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains("secret"), "{text}");
            assert!(
                ["tls", "certificate", "ssl"]
                    .iter()
                    .any(|word| text.to_ascii_lowercase().contains(word)),
                "an operator has to learn that it is about TLS: {text}"
            );
            Outcome::Refused
        }
    }
}

/// What the server says of the connection.
async fn is_protected(store: &SqlStore) -> bool {
    let db = store.connection();
    let backend = db.get_database_backend();
    let (sql, column) = match backend {
        DbBackend::Postgres => (
            "SELECT CASE WHEN ssl THEN 'yes' ELSE '' END AS yes FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            "yes",
        ),
        _ => ("SHOW SESSION STATUS LIKE 'Ssl_cipher'", "Value"),
    };
    let row = db
        .query_one_raw(Statement::from_string(backend, sql))
        .await
        .unwrap();
    !row.unwrap().try_get::<String>("", column).unwrap().is_empty()
}

/// Files of authorities: the server's own, and another one.
struct Authorities {
    _folder: tempfile::TempDir,
    own: PathBuf,
    other: PathBuf,
}

impl Authorities {
    fn of(database: &TestDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, pem: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path
        };
        Self {
            own: write("own.pem", database.server().authority().unwrap()),
            other: write("other.pem", &authority_of_others()),
            _folder: folder,
        }
    }
}

/// The same database, asked for by the name that is on the certificate.
fn by_name(database: &TestDatabase) -> String {
    database.url().replace("@127.0.0.1:", "@localhost:")
}

async fn modes_do_what_they_say(kind: Kind) {
    let Some(server) = own_server_with_tls(kind).await else {
        return;
    };
    let database = server.fresh().await;
    let authorities = Authorities::of(&database);
    let (own, other) = (Some(&authorities.own), Some(&authorities.other));
    let (by_address, by_name) = (database.url(), by_name(&database));
    for (mode, url, ca_file, expected) in [
        (None, &by_address, None, Outcome::Protected),
        (Some(TlsMode::Disable), &by_address, None, Outcome::Plain),
        (Some(TlsMode::Prefer), &by_address, None, Outcome::Protected),
        (Some(TlsMode::Require), &by_address, None, Outcome::Protected),
        (Some(TlsMode::VerifyCa), &by_address, own, Outcome::Protected),
        (Some(TlsMode::VerifyCa), &by_name, own, Outcome::Protected),
        (Some(TlsMode::VerifyCa), &by_name, other, Outcome::Refused),
        (Some(TlsMode::VerifyFull), &by_name, own, Outcome::Protected),
        (Some(TlsMode::VerifyFull), &by_name, other, Outcome::Refused),
        (Some(TlsMode::VerifyFull), &by_address, own, Outcome::Refused),
        // The system trusts nobody who signed this.
        (Some(TlsMode::VerifyFull), &by_name, None, Outcome::Refused),
    ] {
        let mut options = ConnectOptions::url(url);
        options.tls = mode;
        options.ca_file = ca_file.cloned();
        assert_eq!(outcome(options).await, expected, "{mode:?} {url} {ca_file:?}");
    }
}

async fn modes_are_taken_from_the_url(kind: Kind) {
    let Some(server) = own_server_with_tls(kind).await else {
        return;
    };
    let database = server.fresh().await;
    let authorities = Authorities::of(&database);
    let (mode, ca, full, disabled) = match kind {
        Kind::Postgres => ("sslmode", "sslrootcert", "verify-full", "disable"),
        Kind::MySql => ("ssl-mode", "ssl-ca", "VERIFY_IDENTITY", "DISABLED"),
    };
    for (url, parameters, expected) in [
        (database.url(), format!("{mode}={disabled}"), Outcome::Plain),
        (
            by_name(&database),
            format!("{mode}={full}&{ca}={}", authorities.own.display()),
            Outcome::Protected,
        ),
        (
            by_name(&database),
            format!("{mode}={full}&{ca}={}", authorities.other.display()),
            Outcome::Refused,
        ),
    ] {
        let options = ConnectOptions::url(format!("{url}?{parameters}"));
        assert_eq!(outcome(options).await, expected, "{parameters}");
    }
}

async fn a_server_without_tls_is_only_used_if_that_is_all_right(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    if database.server().is_mysql {
        // It makes a certificate for itself, as it does where it is installed: see the next one.
        return;
    }
    for (mode, expected) in [
        (None, Outcome::Plain),
        (Some(TlsMode::Disable), Outcome::Plain),
        (Some(TlsMode::Prefer), Outcome::Plain),
        (Some(TlsMode::Require), Outcome::Refused),
        (Some(TlsMode::VerifyFull), Outcome::Refused),
    ] {
        let mut options = ConnectOptions::url(by_name(&database));
        options.tls = mode;
        assert_eq!(outcome(options).await, expected, "{mode:?}");
    }
}

async fn a_password_that_may_only_go_over_tls_does(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    if !database.server().is_mysql {
        // The others prove that they know the password without sending it.
        return;
    }
    let admin = database.connection().await;
    admin
        .execute_unprepared("CREATE USER somebody IDENTIFIED BY 'secret'")
        .await
        .unwrap();
    admin
        .execute_unprepared("GRANT ALL PRIVILEGES ON *.* TO somebody")
        .await
        .unwrap();
    admin.close().await.unwrap();
    for (mode, expected) in [
        (Some(TlsMode::Disable), Outcome::Refused),
        (Some(TlsMode::VerifyFull), Outcome::Refused),
        (None, Outcome::Protected),
        // The server has seen it by now, and is content with a proof.
        (Some(TlsMode::Disable), Outcome::Plain),
        (Some(TlsMode::Prefer), Outcome::Protected),
        (Some(TlsMode::Require), Outcome::Protected),
    ] {
        let mut options = ConnectOptions::url(by_name(&database).replace("//zenml:", "//somebody:"));
        options.tls = mode;
        assert_eq!(outcome(options).await, expected, "{mode:?}");
    }
}

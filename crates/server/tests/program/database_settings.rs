//! What is set for a database server, and what the real program makes of it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::task::{JoinSet, spawn_blocking};
use zenml_auth_storage::sea_orm::ConnectionTrait as _;
use zenml_auth_testkit::databases::{Kind, authority_of_others, fresh, own_server, own_server_with_tls};

use crate::support::{Server, command, failure, said};

zenml_auth_testkit::on_servers! {
    a_server_waits_for_a_database_that_starts_after_it
    a_request_that_gets_no_connection_in_time_is_turned_away
    authorities_in_the_file_are_trusted_beside_those_of_the_system
    the_rights_that_the_guide_gives_are_enough
    what_the_url_leaves_out_comes_from_variables
}

const GUIDE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md"));

async fn a_server_waits_for_a_database_that_starts_after_it(kind: Kind) {
    let Some(database_server) = own_server(kind).await else {
        return;
    };
    let url = database_server.fresh().await.url();
    database_server.stop();
    // In its place, to see that the server tries again and again.
    let place = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, database_server.port));
    let place = place.await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let starting = spawn_blocking(move || {
        let flags = ["--database-url", &url, "--database-connect-timeout", "60s"];
        Server::start_as(command(&flags), &log)
    });
    for _ in 0..3 {
        drop(place.accept().await.unwrap());
    }
    drop(place);
    database_server.start_again().await;
    let server = starting.await.unwrap();
    assert_eq!(server.ready(), 200);
}

#[test]
fn a_database_that_does_not_come_is_told_of_when_the_time_for_it_is_over() {
    // A port that nobody listens on, and that nobody else can take meanwhile.
    let closed = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    closed
        .bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    let closed_port = closed.local_addr().unwrap().as_socket().unwrap().port();
    // One where connections are opened, and nobody says a word.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    for scheme in ["postgres", "mysql"] {
        for (port, reason) in [
            (closed_port, "Connection refused"),
            (silent_port, "it did not answer in time"),
        ] {
            let url = format!("{scheme}://somebody:hunter2@127.0.0.1:{port}/auth");
            let begun = Instant::now();
            let output = command(&["--bind", "127.0.0.1:0", "--database-url", &url])
                .args(["--database-connect-timeout", "2s"])
                .output()
                .unwrap();
            let took = begun.elapsed();
            let said = failure(&output);
            assert!(
                said.contains("can't open the database: ") && said.contains(reason),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
            // By itself it would be ten.
            let expected = Duration::from_secs(2)..Duration::from_secs(9);
            assert!(expected.contains(&took), "{scheme} {reason}: {took:?}");
        }
    }
}

async fn a_request_that_gets_no_connection_in_time_is_turned_away(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = database.url();
    let flags = [
        "--database-url",
        &url,
        "--database-max-connections",
        "2",
        "--database-acquire-timeout",
        "2s",
    ];
    let server = Server::start_as(command(&flags), &folder.path().join("log"));
    let admin = server.admin();
    assert_eq!(admin.status(), 200);
    let held = database.hold("users").await;

    let mut asking = JoinSet::new();
    for _ in 0..6 {
        let admin = admin.clone();
        asking.spawn_blocking(move || {
            let begun = Instant::now();
            let answer = admin.talk("GET", "/api/v1/users", "", "").unwrap();
            (answer, begun.elapsed())
        });
    }
    for _ in 0..4 {
        let (answer, took) = asking.join_next().await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
        // By itself it would be five.
        let expected = Duration::from_secs(2)..Duration::from_secs(5);
        assert!(expected.contains(&took), "{took:?}");
    }
    // Two, one more that reads the epoch, and the one that holds the table.
    assert_eq!(database.connections().await.len(), 4);
    // Who is in memory needs the epoch alone.
    assert_eq!(admin.status(), 200);
    held.release().await;
    let answers = asking.join_all().await;
    assert_eq!(answers.len(), 2);
    for (answer, _) in answers {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// Whether the program gets to the database.
fn look(url: &str, flags: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command(&["migrate", "status", "--database-url", url]);
    command.args(["--database-connect-timeout", "2s"]).args(flags);
    for name in [
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
        "PGPASSFILE",
    ] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

async fn authorities_in_the_file_are_trusted_beside_those_of_the_system(kind: Kind) {
    let Some(database_server) = own_server_with_tls(kind).await else {
        return;
    };
    let database = database_server.fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (own, other) = (path("own.pem"), path("other.pem"));
    std::fs::write(&own, database_server.authority().unwrap()).unwrap();
    std::fs::write(&other, authority_of_others()).unwrap();
    let by_name = database.url().replace("@127.0.0.1:", "@localhost:");
    for mode in ["verify-ca", "verify-full"] {
        for (of_the_system, in_the_file, is_trusted) in [
            (&own, &other, true),
            (&other, &own, true),
            (&other, &other, false),
        ] {
            let flags = ["--database-tls", mode, "--database-ca-file", in_the_file];
            let looked = look(&by_name, &flags, &[("SSL_CERT_FILE", of_the_system)]);
            if is_trusted {
                said(&looked);
            } else {
                let said = failure(&looked);
                assert!(said.contains("certificate"), "{said}");
            }
        }
    }
}

/// The statements with which the guide has operators make a database and its user, with this password.
fn statements_of_the_guide(kind: Kind, password: &str) -> Vec<String> {
    let heading = match kind {
        Kind::Postgres => "\n### PostgreSQL\n",
        Kind::MySql => "\n### MySQL and MariaDB\n",
    };
    let (_, section) = GUIDE.split_once(heading).unwrap();
    let (_, block) = section.split_once("```sql\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert!(block.contains("'…'"), "{block}");
    let block = block.replace('…', password);
    block
        .split(';')
        .map(str::trim)
        .filter(|sql| !sql.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn the_rights_that_the_guide_gives_are_enough(kind: Kind) {
    let Some(database_server) = own_server(kind).await else {
        return;
    };
    let database = database_server.fresh().await;
    let by_hand = database.connection().await;
    for sql in statements_of_the_guide(kind, "secret") {
        by_hand.execute_unprepared(&sql).await.unwrap();
    }
    by_hand.close().await.unwrap();
    let url = database.url().replace("//zenml:", "//zenml_auth:");
    let url = format!("{}/zenml_auth", url.rsplit_once('/').unwrap().0);
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--database-url", &url];
    let server = Server::start_as(command(&flags), &folder.path().join("log"));
    let admin = server.admin();
    let user = r#"{"name": "ann", "is_admin": false, "active": true, "password": "correct horse battery"}"#;
    let user = admin.ok("POST", "/api/v1/users", user);
    let token = server.sign_in_as("ann", "correct horse battery").unwrap();
    let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
    admin.ok("DELETE", &path, "");
    assert_eq!(admin.with(&token).status(), 401);
    // All that operators do, too.
    let run = |arguments: &[&str]| command(&[&flags[..], arguments].concat()).output().unwrap();
    said(&run(&["admin", "create-user", "bob", "--admin"]));
    said(&run(&["audit"]));
    said(&run(&["encryption", "rotate"]));
    assert!(failure(&run(&["encryption", "reset", "--yes"])).contains("still runs"));
    assert_eq!(server.terminate().0, Some(0));
    said(&run(&["encryption", "reset", "--yes"]));
    said(&run(&["encryption", "unseal", "--yes"]));
    let undone = said(&run(&["migrate", "down", "1000"]));
    assert!(undone.contains("m0001_server"), "{undone}");
}

async fn what_the_url_leaves_out_comes_from_variables(kind: Kind) {
    if kind == Kind::MySql {
        // Only PostgreSQL's clients know such variables.
        return;
    }
    let Some(database) = fresh(kind).await else { return };
    let port = database.server().port.to_string();
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    let place = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port.as_str()),
        ("PGUSER", "zenml"),
        ("PGDATABASE", name),
    ];
    let with = |name: &str, value: &str| {
        let mut variables = place.to_vec();
        variables.push((name, value));
        look("postgres://", &[], &variables)
    };
    said(&with("PGPASSWORD", "secret"));
    let refused = failure(&with("PGPASSWORD", "wrong"));
    assert!(refused.contains("password authentication failed"), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    let passwords = password_file(folder.path(), &format!("127.0.0.1:{port}:{name}:zenml:secret\n"));
    said(&with("PGPASSFILE", &passwords));

    // What the URL says is not asked of them.
    let others = [
        ("PGHOST", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGDATABASE", "nowhere"),
    ];
    said(&look(&database.url(), &[], &others));
}

/// A password file as PostgreSQL's clients read it, who ask for it to be private.
fn password_file(folder: &Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;

    let path = folder.join("passwords");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

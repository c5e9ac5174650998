//! Stopping the real program when something does not end.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use tempfile::TempDir;
use zenml_auth_testkit::databases::{Kind, Proxy, fresh};

use crate::support::{DEADLINE, Server, program};

zenml_auth_testkit::on_servers! {
    a_database_that_falls_silent_does_not_keep_it_from_ending
}

#[test]
fn another_signal_while_it_stops_ends_it_at_once() {
    for (again, code) in [("-TERM", 143), ("-INT", 130)] {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("test.log");
        let mut server = Server::start_as(program(folder.path(), &[]), &log);
        // A request whose body does not come to its end. The server asks for it, so it has begun.
        let mut client = TcpStream::connect(&server.address).unwrap();
        let head =
            "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut asked = [0; 12];
        std::io::Read::read_exact(&mut client, &mut asked).unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100");
        server.signal("-TERM");
        crate::support::wait_for_line(&log, "stopping: requests");
        std::thread::sleep(Duration::from_millis(500));
        assert!(
            server.process.try_wait().unwrap().is_none(),
            "it waits for nobody"
        );
        server.signal(again);
        let (status, took) = server.wait_for_end();
        assert_eq!(status, Some(code), "{again}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        crate::support::wait_for_line(&log, "ended by another signal");
    }
}

async fn a_database_that_falls_silent_does_not_keep_it_from_ending(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let proxy = Proxy::to(database.server().port).await;
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("test.log");
    let mut command = crate::support::command(&["serve", "--database-url"]);
    command.arg(database.url_through(&proxy));
    let started = {
        let log = log.clone();
        tokio::task::spawn_blocking(move || {
            let server = Server::start_as(command, &log);
            let token = server.sign_in(crate::support::PASSWORD).unwrap();
            (server, token)
        })
    };
    let (server, token) = started.await.unwrap();
    proxy.fall_silent();
    // A request that is under way, and a refusal that is to be written down at the end.
    let address = server.address.clone();
    let asking = std::thread::spawn(move || {
        let client = crate::support::Client::new(&address);
        let _ = client
            .with("ZENKEY_x")
            .exchange("GET", "/api/v1/current-user", "");
        let client = crate::support::Client::new(&address);
        let _ = client.with(&token).exchange("GET", "/api/v1/current-user", "");
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.signal("-TERM");
    let (status, took) = tokio::task::spawn_blocking(move || server.wait_for_end())
        .await
        .unwrap();
    assert_eq!(status, Some(0), "{}", std::fs::read_to_string(&log).unwrap());
    // The default drain time of 5 seconds comes on top of it, and 30 are the promise.
    assert!(took < Duration::from_secs(25), "{took:?}");
    asking.join().unwrap();
}

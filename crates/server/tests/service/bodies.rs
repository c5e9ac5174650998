//! Bodies of requests that are held back: who is turned away then, and who is not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower::ServiceExt as _;
use zenml_auth_server::extract::Form;
use zenml_auth_server::middleware::identify;
use zenml_auth_testkit::server::{ADMIN, PASSWORD, TestServer};

/// How many bodies of 16 KiB one address may hold back at the same time.
const LARGE_BODIES: usize = 96;
const LARGE: usize = 16 * 1024;

/// Sends the head of a sign-in with a body of so many bytes, and gives what the server says to it.
async fn announce(server: &TestServer, length: usize) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read(&mut stream).await;
    (stream, answer)
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_memory_are_turned_away_and_come_back() {
    let server = TestServer::start().await;
    let mut held = Vec::new();
    for number in 0..LARGE_BODIES {
        let (stream, answer) = announce(&server, LARGE).await;
        // It is asked for when it has its memory.
        assert!(answer.starts_with("HTTP/1.1 100 "), "{number}: {answer}");
        held.push(stream);
    }
    let (_, refused) = announce(&server, LARGE).await;
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(head.to_lowercase().contains("\r\nretry-after: 1"), "{refused}");
    assert!(
        body.contains("The server is busy with other requests."),
        "{refused}"
    );

    // What everybody sends is small, and has memory of its own.
    let form = format!("username={ADMIN}&password={PASSWORD}");
    let (mut stream, answer) = announce(&server, form.len()).await;
    assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
    stream.write_all(form.as_bytes()).await.unwrap();
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    // One that is answered makes room, and so does one whose client is gone.
    let mut whole = held.pop().unwrap();
    whole.write_all(&vec![b'x'; LARGE]).await.unwrap();
    let answer = read(&mut whole).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let (next, answer) = announce(&server, LARGE).await;
    assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
    drop((next, held));
    while server.app.facts.bodies.reserved() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn the_memory_for_a_body_is_kept_until_its_request_is_answered() {
    let server = TestServer::start().await;
    let (read, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (read, go_on) = (read.clone(), go_on.clone());
        |Form(_): Form| async move {
            read.notify_one();
            go_on.notified().await;
        }
    };
    let router = Router::new()
        .route("/", post(handler))
        .layer(from_fn_with_state(server.app.clone(), identify))
        .with_state(server.app.clone());
    let send = || {
        let request = Request::post("/").body(Body::from("x".repeat(5_000))).unwrap();
        tokio::spawn(router.clone().oneshot(request))
    };
    let reserved = || server.app.facts.bodies.reserved();

    let answered = send();
    read.notified().await;
    assert_eq!(reserved(), 5_000);
    go_on.notify_one();
    assert_eq!(answered.await.unwrap().unwrap().status(), 200);
    assert_eq!(reserved(), 0);

    let given_up = send();
    read.notified().await;
    assert_eq!(reserved(), 5_000);
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    assert_eq!(reserved(), 0);
}

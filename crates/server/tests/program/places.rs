//! The real program, with clients at several addresses: whose connections are served, and whose are kept.

use std::io::Read as _;
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use http::{HeaderName, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::support::{ADMIN, Addresses, DEADLINE, PASSWORD, Server, program};

/// How many connections the server serves: 56 for everybody, and 8 in reserve.
const PLACES: u32 = 64;
const ORDINARY: u32 = 56;
/// How many of each one address may have. Without the setting, its share would be 8.
const SHARE: u32 = 16;
const RESERVED: u32 = 4;
/// The number of the address of the server, of a proxy that it trusts, and of a client that comes last.
const SERVER: u32 = 15;
const PROXY: u32 = 14;
const LATE: u32 = 13;

const INFO: &str = "/api/v1/info";
const CURRENT_USER: &str = "/api/v1/current-user";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

type TestBody = Empty<Bytes>;

enum Sender {
    Http1(http1::SendRequest<TestBody>),
    Http2(http2::SendRequest<TestBody>),
}

/// A connection that is kept open.
struct Connection {
    sender: Sender,
    ended: JoinHandle<()>,
}

struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    body: String,
}

impl Connection {
    async fn new(stream: TcpStream, protocol: Protocol) -> Option<Self> {
        stream.set_nonblocking(true).unwrap();
        let io = TokioIo::new(tokio::net::TcpStream::from_std(stream).unwrap());
        Some(match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.ok()?;
                Self {
                    sender: Sender::Http1(sender),
                    ended: tokio::spawn(async move { drop(connection.await) }),
                }
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                // It answers pings by itself, and sends some, so that there is always something on its way.
                builder
                    .timer(TokioTimer::new())
                    .keep_alive_interval(Duration::from_secs(1))
                    .keep_alive_while_idle(true);
                let (sender, connection) = builder.handshake(io).await.ok()?;
                Self {
                    sender: Sender::Http2(sender),
                    ended: tokio::spawn(async move { drop(connection.await) }),
                }
            }
        })
    }

    /// The answer to a request with this header; `None` when the connection is gone.
    async fn get(&mut self, path: &str, (name, value): (HeaderName, &str)) -> Option<Answer> {
        let request = Request::get(format!("http://server{path}"))
            .header(header::HOST, "server")
            .header(name, value)
            .body(Empty::new())
            .unwrap();
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.ok()?;
                sender.send_request(request).await.ok()?
            }
            Sender::Http2(sender) => {
                sender.ready().await.ok()?;
                sender.send_request(request).await.ok()?
            }
        };
        let status = answer.status();
        let retry_after = answer.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some(Answer {
            status,
            retry_after,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// The status of a request without a credential.
    async fn ask(&mut self, path: &str) -> Option<u16> {
        let answer = self.get(path, (header::ACCEPT, "*/*")).await?;
        Some(answer.status.as_u16())
    }

    /// The status of a request that shows who sends it.
    async fn show(&mut self, token: &str) -> Option<u16> {
        let bearer = format!("Bearer {token}");
        let answer = self
            .get(CURRENT_USER, (header::AUTHORIZATION, bearer.as_str()))
            .await?;
        Some(answer.status.as_u16())
    }
}

/// A server at an address of its own, and its clients at others.
struct Site {
    server: Server,
    addresses: Addresses,
    token: String,
    _folder: TempDir,
}

impl Site {
    fn start() -> Option<Self> {
        let addresses = Addresses::take()?;
        let folder = tempfile::tempdir().unwrap();
        // Written as some proxies and systems write IPv4.
        let proxies = format!("::ffff:{}/128", addresses.get(PROXY));
        let (places, share) = (PLACES.to_string(), SHARE.to_string());
        let command = program(
            folder.path(),
            &[
                "--max-connections",
                &places,
                "--max-connections-per-address",
                &share,
                "--trusted-proxies",
                &proxies,
            ],
        );
        let bind = format!("{}:0", addresses.get(SERVER));
        let server = Server::start_at(command, &folder.path().join("test.log"), &bind);
        let client = server.client().coming_from(addresses.get(LATE));
        let token = client.signed_in(ADMIN, PASSWORD).token;
        Some(Self {
            server,
            addresses,
            token,
            _folder: folder,
        })
    }

    fn dial(&self, number: u32) -> TcpStream {
        let from: IpAddr = self.addresses.get(number);
        self.server.client().coming_from(from).connect().unwrap()
    }

    async fn connect(&self, number: u32, protocol: Protocol) -> Connection {
        Connection::new(self.dial(number), protocol).await.unwrap()
    }

    /// The status of a request over a new connection that shows who sends it.
    async fn try_show(&self, number: u32, protocol: Protocol) -> Option<u16> {
        let mut one = Connection::new(self.dial(number), protocol).await?;
        one.show(&self.token).await
    }

    /// A connection that is served, and shows who uses it.
    async fn signed_in(&self, number: u32, protocol: Protocol) -> Connection {
        let mut one = self.connect(number, protocol).await;
        assert_eq!(one.show(&self.token).await, Some(200), "{number}, {protocol:?}");
        one
    }

    /// As many connections that show who uses them as there are ordinary places.
    async fn fill(&self, protocol: Protocol) -> Vec<Connection> {
        let mut all = Vec::new();
        for number in 0..ORDINARY {
            all.push(self.signed_in(number / SHARE, protocol).await);
        }
        all
    }

    /// Every one of these is still served.
    async fn are_kept(&self, connections: &mut [Connection], protocol: Protocol) {
        for (number, one) in connections.iter_mut().enumerate() {
            assert_eq!(one.show(&self.token).await, Some(200), "{number}, {protocol:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_share_and_is_told_so() {
    for protocol in BOTH {
        let Some(site) = Site::start() else { return };
        let mut own = Vec::new();
        for _ in 0..SHARE + RESERVED {
            own.push(site.signed_in(0, protocol).await);
        }
        for _ in 0..3 {
            let mut answer = String::new();
            site.dial(0).read_to_string(&mut answer).unwrap();
            assert_eq!(
                answer,
                "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
                 Content-Length: 0\r\n\r\n"
            );
        }
        // Others have places, and many clients speak through a proxy.
        let mut others = vec![site.signed_in(1, protocol).await];
        for _ in 0..SHARE * 2 {
            others.push(site.signed_in(PROXY, protocol).await);
        }
        site.are_kept(&mut own, protocol).await;
        site.are_kept(&mut others, protocol).await;
        // One that ends makes room for another one.
        drop(own.pop());
        let begun = Instant::now();
        while site.try_show(0, protocol).await != Some(200) {
            assert!(begun.elapsed() < DEADLINE);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserve_is_for_health_checks_and_credentials() {
    for protocol in BOTH {
        let Some(site) = Site::start() else { return };
        let mut all = site.fill(protocol).await;
        for path in ["/health", "/ready"] {
            let mut check = site.connect(LATE, protocol).await;
            assert_eq!(check.ask(path).await, Some(200), "{path}, {protocol:?}");
            check.ended.await.unwrap();
        }
        for path in [INFO, "/login"] {
            let mut stranger = site.connect(LATE, protocol).await;
            let answer = stranger.get(path, (header::ACCEPT, "*/*")).await.unwrap();
            assert_eq!(answer.status, 503, "{path}, {protocol:?}");
            assert_eq!(answer.retry_after.as_deref(), Some("1"));
            assert!(
                answer.body.contains("no room for another connection"),
                "{}",
                answer.body
            );
            stranger.ended.await.unwrap();
        }
        // What shows something is answered, and stays if it was good.
        for shown in [
            (header::COOKIE, "a=b"),
            (header::AUTHORIZATION, "Bearer nonsense"),
        ] {
            let mut one = site.connect(LATE, protocol).await;
            let answer = one.get(CURRENT_USER, shown).await.unwrap();
            assert_eq!(answer.status, 401, "{protocol:?}");
            one.ended.await.unwrap();
        }
        let mut known = vec![site.signed_in(LATE, protocol).await];
        // For longer than it has to show something.
        tokio::time::sleep(Duration::from_secs(3)).await;
        site.are_kept(&mut known, protocol).await;
        site.are_kept(&mut all, protocol).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_make_room_and_those_who_are_signed_in_stay() {
    for protocol in BOTH {
        let Some(site) = Site::start() else { return };
        let mut known = vec![site.signed_in(0, protocol).await];
        let mut strangers = Vec::new();
        for number in 1..ORDINARY {
            let mut one = site.connect(number / SHARE, protocol).await;
            assert_eq!(one.ask(INFO).await, Some(200), "{number}, {protocol:?}");
            strangers.push(one);
        }
        let mut new = Vec::new();
        for number in 0..20 {
            let mut one = site.connect(4 + number / SHARE, protocol).await;
            assert_eq!(one.ask(INFO).await, Some(200), "{number}, {protocol:?}");
            new.push(one);
        }
        site.are_kept(&mut known, protocol).await;
        let mut gone = 0;
        for one in &mut strangers {
            gone += u32::from(one.ask(INFO).await.is_none());
        }
        assert!(gone > 0, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_do_not_keep_a_connection_without_requests() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let stream = server.client().connect().unwrap();
    let begun = Instant::now();
    let mut idle = Connection::new(stream, Protocol::Http2).await.unwrap();
    assert_eq!(idle.ask(INFO).await, Some(200));
    let ended = tokio::time::timeout(DEADLINE, idle.ended).await;
    assert!(ended.is_ok(), "it is still there");
    let after = begun.elapsed().as_secs();
    assert!((15..=32).contains(&after), "{after}");
}

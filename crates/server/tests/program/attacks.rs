//! The real program under attack: it stays small, and everybody else is answered.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use http::{Method, Request};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{ADMIN, PASSWORD, Server};

/// The most memory that the server may have at any time: half of what the shipped manifests give it. Unoptimised code keeps
/// several times as much for each request that is under way, so a debug build only has to stay within the manifests.
fn most_kib() -> u64 {
    match cfg!(debug_assertions) && crate::support::release().is_none() {
        true => 256 * 1024,
        false => 128 * 1024,
    }
}
/// How many connections the attacks come over; four times as many as the server has places.
const CONNECTIONS: usize = 2_000;

/// For how long each attack goes on. Everything that is held back is given up after 20 seconds, so a minute sees all of it
/// several times: `cargo xtask attacks` does so to a release.
fn duration() -> Duration {
    let seconds = std::env::var("ATTACK_SECONDS").map_or(4, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// What the system says of the server's memory, in KiB.
fn memory(server: &Server, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches([':', '\t', ' ', 'k', 'B']).parse().unwrap()
}

/// Someone who works with the server as always, over new connections: with a token, and by signing in.
fn work(server: &Server, token: &str, done: &AtomicBool) -> (u32, Duration) {
    let (mut rounds, mut slowest) = (0, Duration::ZERO);
    // Failures and bodies are counted by address, and others have none of the attackers'.
    let client = server.client().coming_from([127, 0, 0, 2]);
    let signed_in = client.with(token);
    while rounds < 3 || !done.load(Ordering::SeqCst) {
        let begun = Instant::now();
        assert_eq!(signed_in.status(), 200);
        let health = client.exchange("GET", "/health", "").unwrap();
        assert_eq!(health, (200, "ok".to_owned()));
        let (status, body) = client
            .exchange(
                "POST",
                "/api/v1/login",
                &format!("username={ADMIN}&password={PASSWORD}"),
            )
            .unwrap();
        assert_eq!(status, 200, "{body}");
        slowest = slowest.max(begun.elapsed());
        rounds += 1;
        thread::sleep(Duration::from_millis(50));
    }
    (rounds, slowest)
}

/// Attacks for the time above, with these tasks, each of which does its worst again and again.
fn attack<F>(name: &str, server: &Server, token: &str, count: usize, task: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let (rounds, slowest) = thread::scope(|scope| {
        let working = scope.spawn(|| work(server, token, &done));
        let watching = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                most.fetch_max(memory(server, "VmRSS"), Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
        });
        runtime.block_on(async {
            let mut tasks: JoinSet<()> = (0..count).map(&task).collect();
            let ended = timeout(duration(), tasks.join_next()).await;
            assert!(ended.is_err(), "{name}: an attacker gave up: {ended:?}");
            tasks.shutdown().await;
        });
        done.store(true, Ordering::SeqCst);
        watching.join().unwrap();
        working.join().unwrap()
    });
    let (most, peak, program) = (
        most.into_inner(),
        memory(server, "VmHWM"),
        memory(server, "RssFile"),
    );
    println!(
        "{name}: {} MiB at most ({} since the start, {} of them the program's file); {rounds} rounds of work, the slowest took {} ms",
        most / 1024,
        peak / 1024,
        program / 1024,
        slowest.as_millis()
    );
    // Of the whole time, not only of when it was looked at.
    assert!(peak < most_kib(), "{name}: {peak} KiB");
}

/// In which passwords are hashed, 19 MiB each.
#[test]
fn memory_of_passwords_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--rate-limit", "off"]);
    let held = || memory(&server, "RssAnon");
    assert!(server.sign_in(PASSWORD).is_some());
    let after_sign_in = held();
    let begun = Instant::now();
    while held() + 15 * 1024 > after_sign_in {
        assert!(
            begun.elapsed() < crate::support::DEADLINE,
            "{after_sign_in} and {} KiB",
            held()
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// How many addresses the attackers have: enough to use up the memory for bodies, of which each has a share.
const ATTACKERS: u8 = 24;
static LAST: AtomicU8 = AtomicU8::new(0);

/// A connection from one of the attackers' addresses.
async fn dial(address: &str) -> std::io::Result<TcpStream> {
    let attacker = LAST.fetch_add(1, Ordering::SeqCst) % ATTACKERS;
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 1, attacker], 0).into())?;
    socket.connect(address.parse().unwrap()).await
}

/// Sends this, and waits for as long as the server lets it.
async fn send_and_wait(address: String, bytes: Vec<u8>) {
    loop {
        let Ok(mut stream) = dial(&address).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.write_all(&bytes).await;
        let mut answer = [0; 1024];
        while let Ok(1..) = stream.read(&mut answer).await {}
        // One that is turned away comes back, though not as fast as this machine can: it has to serve the others, too.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// JSON that becomes as large as possible when it is read.
fn tree(bytes: usize) -> String {
    let items = bytes.saturating_sub(16) / 7;
    format!("{{\"x\":[{}{{}}]}}", "{\"\":0},".repeat(items))
}

fn request(line: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A body of so many bytes, the last of which never comes.
struct Withheld {
    length: u64,
    left: usize,
}

impl Body for Withheld {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.left.min(16_384);
        if part == 0 {
            return Poll::Pending;
        }
        self.left -= part;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; part])))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

type AttackBody = BoxBody<Bytes, Infallible>;

async fn connect(address: &str, window: u32) -> Option<SendRequest<AttackBody>> {
    let stream = dial(address).await.ok()?;
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(stream))
        .await
        .ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// So many requests at the same time over one connection, and again when they are answered or the connection ends.
async fn http2(
    address: String,
    window: u32,
    streams: usize,
    make: impl Fn(&str) -> Request<AttackBody> + Copy + Send + 'static,
) {
    loop {
        if let Some(sender) = connect(&address, window).await {
            let mut requests: JoinSet<()> = (0..streams)
                .map(|_| {
                    let mut sender = sender.clone();
                    let request = make(&address);
                    async move {
                        let Ok(()) = sender.ready().await else { return };
                        if let Ok(answer) = sender.send_request(request).await {
                            let _ = answer.into_body().collect().await;
                        }
                    }
                })
                .collect();
            while requests.join_next().await.is_some() {}
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn form(address: &str, length: usize) -> Request<AttackBody> {
    let body = Withheld {
        length: u64::try_from(length).unwrap(),
        left: length - 1,
    };
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}/api/v1/login"))
        .body(body.boxed())
        .unwrap()
}

/// A page whose answer is as long as it gets.
fn page(address: &str) -> Request<AttackBody> {
    let field = "%27".repeat(256);
    Request::builder()
        .uri(format!(
            "http://{address}/activate-user?user={field}&username={field}&token={field}"
        ))
        .body(Empty::new().boxed())
        .unwrap()
}

#[test]
fn the_server_stays_small_and_answers_others() {
    let files = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: files.maximum.or(Some(1 << 20)),
        maximum: files.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();

    let folder = tempfile::tempdir().unwrap();
    // Failures of the attackers count against their address, which is also that of everybody else here.
    let server = Server::start(folder.path(), &["--rate-limit", "off", "--log-filter", "error"]);
    let token = server.sign_in(PASSWORD).unwrap();
    let address = || server.address.clone();
    println!("at the start: {} MiB", memory(&server, "VmRSS") / 1024);

    let activate = "PUT /api/v1/users/default/activate";
    let trees = [1024 * 1024, 16_000].map(|bytes| {
        let body = tree(bytes);
        request(activate, body.len(), body.as_bytes())
    });
    attack("JSON that grows", &server, &token, 16, |number| {
        send_and_wait(address(), trees[number % 2].clone())
    });

    attack("HTTP/2 bodies held back", &server, &token, 200, |number| {
        let address = address();
        async move {
            match number {
                0 => http2(address, 65_535, 200, |address| form(address, 1_000_000)).await,
                _ if number % 2 == 0 => http2(address, 65_535, 32, |address| form(address, 16_384)).await,
                _ => http2(address, 65_535, 32, |address| form(address, 500)).await,
            }
        }
    });

    let forms = [1024 * 1024, 16_384, 500].map(|length| {
        let body = vec![b'x'; length - 1];
        request("POST /login", length, &body)
    });
    attack("forms held back", &server, &token, CONNECTIONS, |number| {
        send_and_wait(address(), forms[number % 3].clone())
    });

    let head = format!(
        "GET /health HTTP/1.1\r\nHost: x\r\nX-Large: {}",
        "x".repeat(16_000)
    );
    attack(
        "heads held back, and answers not taken",
        &server,
        &token,
        CONNECTIONS,
        |number| {
            let (address, head) = (address(), head.clone());
            async move {
                match number % 4 {
                    0 => http2(address, 0, 32, page).await,
                    _ => send_and_wait(address, head.into_bytes()).await,
                }
            }
        },
    );
    let (code, _) = server.terminate();
    assert_eq!(code, Some(0));
}

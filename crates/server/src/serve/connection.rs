//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode, Version, header};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;
use tower::ServiceExt as _;

use super::idle_timeout::{Activity, ActivityStream, End, HEAD_TIMEOUT, OpenRequest, Stay, WaitForBody};

/// How many bytes the head of a request may have. HTTP/1.1 reads bodies through the same buffer.
const MAX_HEAD_BYTES: u32 = 16 * 1024;
/// How many requests one HTTP/2 connection may have open. Each may hold back a body, and leave an answer where it is.
pub(super) const MAX_STREAMS: u32 = 8;
/// How many bytes a client may send on an HTTP/2 stream before they are taken from there.
const STREAM_WINDOW: u32 = 16 * 1024;
/// The same for all streams of a connection together; the least that HTTP/2 allows.
const CONNECTION_WINDOW: u32 = 65_535;
/// How many bytes of an answer wait in an HTTP/2 stream for a client that does not take them.
const SEND_BUFFER: usize = 64 * 1024;
/// How many requests a client may have taken back before they were looked at (CVE-2023-44487).
const MAX_RESETS: usize = 16;
/// How many streams the server may have had to reset for what the client did wrong (CVE-2025-8671).
const MAX_ERROR_RESETS: usize = 64;
/// How long a connection without a place of its own may take to show who it is.
const PROBATION: Duration = Duration::from_secs(2);
/// How long a client may take to close a connection that is about to end, when nothing is under way.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is waited for so long when something is.
const FAREWELLS: u32 = 90;
/// How often a client may be found to keep the server waiting when its place is needed. One that goes on asking is never
/// found to do so for long.
const MAX_WAITS: u32 = 3;

/// What a client is told whose connection can't be kept.
const BUSY: &str =
    r#"{"detail":["RuntimeError","The server has no room for another connection. Try again in a second."]}"#;

/// The other end of a connection; put on every request where it is accepted.
#[derive(Debug, Clone)]
pub struct Peer {
    address: SocketAddr,
    activity: Arc<Activity>,
}

impl Peer {
    /// Its address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Notes that the server waits for the body of a request, until what this gives is dropped.
    #[must_use]
    pub fn wait_for_body(&self) -> WaitForBody {
        self.activity.wait_for_body()
    }

    /// Notes that a request on this connection had a good credential: it is not closed for the sake of a stranger.
    pub fn prove(&self) {
        self.activity.prove();
    }
}

/// What all connections share.
pub(super) struct Connections {
    server: auto::Builder<TokioExecutor>,
    router: Router,
    /// Whether a request is answered when there is no place for strangers.
    is_welcome: fn(&Request<Incoming>) -> bool,
}

impl Connections {
    pub(super) fn new(router: Router, is_welcome: fn(&Request<Incoming>) -> bool) -> Self {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(usize::try_from(MAX_HEAD_BYTES).unwrap_or(usize::MAX));
        server
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEAD_TIMEOUT))
            .max_header_list_size(MAX_HEAD_BYTES)
            .max_concurrent_streams(MAX_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_ERROR_RESETS);
        Self {
            server,
            router,
            is_welcome,
        }
    }

    /// Serves one, until it ends, is of no use any more, or has finished after being told to. With a reserved place it
    /// has to show a good credential, or ends after its first request.
    pub(super) fn serve<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        activity: Arc<Activity>,
        is_reserved: bool,
        mut draining: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = ActivityStream::new(stream, activity.clone());
        let (router, is_welcome, watched) = (self.router.clone(), self.is_welcome, activity.clone());
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let open = watched.begin();
            let peer = Peer {
                address: peer,
                activity: watched.clone(),
            };
            let probation = (is_reserved && !watched.is_proven()).then(|| Probation {
                peer: peer.clone(),
                is_welcome: is_welcome(&request),
                version: request.version(),
            });
            request.extensions_mut().insert(peer);
            let router = router.clone();
            let is_http1 = request.version() < Version::HTTP_2;
            async move {
                // A router is always ready, and never fails.
                let response: Result<Response, Infallible> = match probation {
                    None => router.oneshot(request).await,
                    Some(probation) => Ok(probation.answer(router, request).await),
                };
                let open = open.answered();
                response.map(|mut response| {
                    // The rest of the body is not read, so that nothing can follow it.
                    let is_unread = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT];
                    if is_http1 && is_unread.contains(&response.status()) {
                        let close = HeaderValue::from_static("close");
                        response.headers_mut().insert(header::CONNECTION, close);
                    }
                    response.map(|body| Tracked { body, _open: open })
                })
            }
        });
        let connection = self
            .server
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        async move {
            let mut connection = pin!(connection);
            let stay = if is_reserved {
                Stay::Probation(PROBATION)
            } else {
                Stay::Open
            };
            let mut ends = pin!(activity.ends(stay));
            let (mut farewell, mut is_drained) = (None, false);
            loop {
                tokio::select! {
                    ended = connection.as_mut() => {
                        if let Err(error) = ended {
                            tracing::debug!(%error, %peer, "a connection broke");
                        }
                        return;
                    }
                    end = ends.as_mut(), if farewell.is_none() => match end {
                        End::Close(reason) => {
                            tracing::debug!(reason, %peer, "a connection was given up");
                            return;
                        }
                        End::Finish(reason) => {
                            tracing::debug!(reason, %peer, "a connection is ended");
                            farewell = Some(Farewell::default());
                            connection.as_mut().graceful_shutdown();
                        }
                        End::Leave(reason) => {
                            tracing::debug!(reason, %peer, "a connection is ended");
                            farewell = Some(Farewell::of_needed_place());
                            connection.as_mut().graceful_shutdown();
                        }
                    },
                    _ = draining.changed(), if !is_drained => {
                        is_drained = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = activity.is_asked_to_leave(), if farewell.as_ref().is_some_and(Farewell::can_be_urged) => {
                        farewell = Some(Farewell::of_needed_place());
                    }
                    () = sleep(FAREWELL), if farewell.is_some() => {
                        if farewell.as_mut().is_some_and(|farewell| farewell.is_over(&activity)) {
                            tracing::debug!(%peer, "a connection was closed");
                            return;
                        }
                    }
                }
            }
        }
    }
}

/// The end of a connection whose client was told.
#[derive(Debug, Default)]
struct Farewell {
    is_place_needed: bool,
    turns: u32,
    waits: u32,
}

impl Farewell {
    /// That of a connection whose place another one needs.
    fn of_needed_place() -> Self {
        Self {
            is_place_needed: true,
            ..Self::default()
        }
    }

    /// Whether it has to be told when its place is needed.
    const fn can_be_urged(&self) -> bool {
        !self.is_place_needed
    }

    /// Whether the client had its time: to close the connection or, when its place is needed, to do its part of what is
    /// under way. A body that does not come and an answer that is not taken do not keep the place.
    fn is_over(&mut self, activity: &Activity) -> bool {
        self.turns += 1;
        let waited = if self.is_place_needed {
            let waited = activity.waits_for();
            self.waits += u32::from(waited.is_some());
            waited
        } else {
            activity.idle_for()
        };
        self.turns >= FAREWELLS || self.waits >= MAX_WAITS || waited.is_some_and(|waited| waited >= FAREWELL)
    }
}

/// A request on a connection that has to show a good credential.
struct Probation {
    peer: Peer,
    is_welcome: bool,
    version: Version,
}

impl Probation {
    async fn answer(self, router: Router, request: Request<Incoming>) -> Response {
        let mut response = if self.is_welcome {
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        } else {
            let mut response = Response::new(Body::from(BUSY));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        };
        if !self.peer.activity.is_proven() {
            if self.version < Version::HTTP_2 {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            self.peer.activity.ask_to_leave();
        }
        response
    }
}

/// The body of an answer, and the request that it ends.
struct Tracked {
    body: Body,
    _open: OpenRequest,
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::routing::{get, post};
    use http_body_util::combinators::BoxBody;
    use http_body_util::{BodyExt as _, Full};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    /// A server with a quick answer, a slow one, a long one, and one that waits for the whole body; one route proves
    /// the connection.
    fn router() -> Router {
        Router::new()
            .route("/", get(|| async { "here" }))
            .route(
                "/slow",
                get(|| async {
                    sleep(59 * SECOND).await;
                    "late"
                }),
            )
            .route("/long", get(|| async { "x".repeat(100_000) }))
            .route("/health", get(|| async { "ok" }))
            .route(
                "/body",
                post(|request: Request| async move {
                    let peer = request.extensions().get::<Peer>().unwrap().clone();
                    let waiting = peer.wait_for_body();
                    let read = axum::body::to_bytes(request.into_body(), 1_000).await;
                    drop(waiting);
                    read.unwrap().len().to_string()
                }),
            )
            .route(
                "/sign-in",
                get(|request: Request| async move {
                    request.extensions().get::<Peer>().unwrap().prove();
                    "in"
                }),
            )
            .route(
                "/slow-sign-in",
                get(|request: Request| async move {
                    sleep(10 * SECOND).await;
                    request.extensions().get::<Peer>().unwrap().prove();
                    "in"
                }),
            )
    }

    struct Connected {
        client: DuplexStream,
        activity: Arc<Activity>,
        ended: JoinHandle<()>,
    }

    fn open(is_reserved: bool) -> Connected {
        let (client, server) = duplex(1_000);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let activity = Arc::new(Activity::new());
        let (drain, draining) = watch::channel(false);
        let is_welcome = |request: &Request<Incoming>| request.uri().path() != "/";
        let served = Connections::new(router(), is_welcome).serve(
            server,
            peer,
            activity.clone(),
            is_reserved,
            draining,
        );
        let ended = tokio::spawn(async move {
            served.await;
            drop(drain);
        });
        Connected {
            client,
            activity,
            ended,
        }
    }

    /// The client's end of a connection.
    fn connect() -> DuplexStream {
        open(false).client
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Protocol {
        Http1,
        Http2,
    }

    const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

    type TestBody = BoxBody<Bytes, Infallible>;

    enum Sender {
        Http1(hyper::client::conn::http1::SendRequest<TestBody>),
        Http2(hyper::client::conn::http2::SendRequest<TestBody>),
    }

    /// The client's end of a connection, until it hears nothing any more: neither answers, nor that the connection ends.
    struct Ear {
        stream: DuplexStream,
        is_deaf: Arc<AtomicBool>,
    }

    impl AsyncRead for Ear {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if self.is_deaf.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            Pin::new(&mut self.stream).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Ear {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(context)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }

    /// A client that speaks HTTP well, and answers pings.
    struct Client {
        sender: Sender,
        is_deaf: Arc<AtomicBool>,
        activity: Arc<Activity>,
        begun: Instant,
        ended: JoinHandle<()>,
    }

    impl Client {
        async fn new(protocol: Protocol, is_reserved: bool) -> Self {
            let begun = Instant::now();
            let connected = open(is_reserved);
            let is_deaf = Arc::new(AtomicBool::new(false));
            let io = TokioIo::new(Ear {
                stream: connected.client,
                is_deaf: is_deaf.clone(),
            });
            let sender = match protocol {
                Protocol::Http1 => {
                    let (sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
                    tokio::spawn(connection);
                    Sender::Http1(sender)
                }
                Protocol::Http2 => {
                    let (sender, connection) =
                        hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                            .await
                            .unwrap();
                    tokio::spawn(connection);
                    Sender::Http2(sender)
                }
            };
            Self {
                sender,
                is_deaf,
                activity: connected.activity,
                begun,
                ended: connected.ended,
            }
        }

        async fn send(&mut self, path: &str, body: TestBody) -> Option<StatusCode> {
            let request = Request::builder()
                .method(if path == "/body" { "POST" } else { "GET" })
                .uri(format!("http://here{path}"))
                .header("host", "here")
                .body(body)
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
            answer.into_body().collect().await.ok()?;
            Some(status)
        }

        async fn get(&mut self, path: &str) -> Option<u16> {
            let empty = Full::new(Bytes::new()).boxed();
            self.send(path, empty).await.map(|status| status.as_u16())
        }

        /// After how many seconds the server ends the connection.
        async fn ends_after(&mut self) -> u64 {
            (&mut self.ended).await.unwrap();
            self.begun.elapsed().as_secs()
        }
    }

    /// A body whose end never comes.
    struct Withheld(Option<Bytes>);

    impl hyper::body::Body for Withheld {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0
                .take()
                .map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn idle_means_no_open_request() {
        for protocol in BOTH {
            let mut client = Client::new(protocol, false).await;
            for _ in 0..20 {
                assert_eq!(client.get("/").await, Some(200), "{protocol:?}");
                sleep(14 * SECOND).await;
            }
            // A request is not cut short, whenever it comes.
            for after in 0..10 {
                sleep(after * SECOND).await;
                assert_eq!(client.get("/slow").await, Some(200), "{protocol:?}");
            }
            let last = client.begun.elapsed().as_secs();
            let idle = client.ends_after().await - last;
            assert!((15..=30).contains(&idle), "{protocol:?}: {idle}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_ends_its_connection() {
        for protocol in BOTH {
            let mut client = Client::new(protocol, false).await;
            let withheld = Withheld(Some(Bytes::from_static(b"x"))).boxed();
            let sent = tokio::select! {
                sent = client.send("/body", withheld) => sent,
                () = sleep(300 * SECOND) => panic!("{protocol:?}: it is still there"),
            };
            assert_eq!(sent, None, "{protocol:?}");
            let after = client.ends_after().await;
            assert!((90..=120).contains(&after), "{protocol:?}: {after}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn others_on_the_connection_do_not_keep_a_request_that_never_ends() {
        let mut client = Client::new(Protocol::Http2, false).await;
        let Sender::Http2(sender) = &client.sender else {
            return;
        };
        let mut second = sender.clone();
        let request = Request::post("http://here/body")
            .body(Withheld(None).boxed())
            .unwrap();
        let withheld = tokio::spawn(async move { second.send_request(request).await.is_ok() });
        let mut answered = 0;
        while client.get("/").await == Some(200) {
            answered += 1;
            sleep(SECOND).await;
        }
        assert!((90..=120).contains(&answered), "{answered}");
        assert!(!withheld.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reserved_place_is_for_those_who_show_who_they_are() {
        for protocol in BOTH {
            let mut stranger = Client::new(protocol, true).await;
            assert_eq!(stranger.get("/").await, Some(503), "{protocol:?}");
            assert!(stranger.ends_after().await <= 2, "{protocol:?}");

            // A health check is answered, and makes no place.
            let mut check = Client::new(protocol, true).await;
            assert_eq!(check.get("/health").await, Some(200), "{protocol:?}");
            assert!(check.ends_after().await <= 2, "{protocol:?}");

            let mut known = Client::new(protocol, true).await;
            assert_eq!(known.get("/sign-in").await, Some(200), "{protocol:?}");
            for _ in 0..5 {
                sleep(14 * SECOND).await;
                assert_eq!(known.get("/").await, Some(200), "{protocol:?}");
            }

            let mut silent = Client::new(protocol, true).await;
            assert_eq!(silent.ends_after().await, 2, "{protocol:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_needed_is_left_after_what_is_under_way() {
        for protocol in BOTH {
            let mut idle = Client::new(protocol, false).await;
            assert_eq!(idle.get("/").await, Some(200), "{protocol:?}");
            idle.activity.ask_to_leave();
            assert!(idle.ends_after().await <= 1, "{protocol:?}");

            // A body that does not come is not under way.
            let mut withheld = Client::new(protocol, false).await;
            let activity = withheld.activity.clone();
            tokio::spawn(async move {
                sleep(10 * SECOND).await;
                activity.ask_to_leave();
            });
            let body = Withheld(Some(Bytes::from_static(b"x"))).boxed();
            assert_eq!(withheld.send("/body", body).await, None, "{protocol:?}");
            assert_eq!(withheld.ends_after().await, 10, "{protocol:?}");

            let mut busy = Client::new(protocol, false).await;
            let activity = busy.activity.clone();
            tokio::spawn(async move {
                sleep(10 * SECOND).await;
                activity.ask_to_leave();
            });
            assert_eq!(busy.get("/slow").await, Some(200), "{protocol:?}");
            let after = busy.ends_after().await;
            assert!((59..=61).contains(&after), "{protocol:?}: {after}");
        }
    }

    impl Client {
        /// Sends a request over HTTP/2, and does not wait for its answer.
        fn send_only(&self, path: &str, body: TestBody) {
            let Sender::Http2(sender) = &self.sender else {
                panic!("HTTP/1.1 has one request at a time");
            };
            let mut sender = sender.clone();
            let request = Request::builder()
                .method(if path == "/body" { "POST" } else { "GET" })
                .uri(format!("http://here{path}"))
                .body(body)
                .unwrap();
            tokio::spawn(async move { sender.send_request(request).await.is_ok() });
        }

        fn ask_to_leave_after(&self, time: Duration) {
            let activity = self.activity.clone();
            tokio::spawn(async move {
                sleep(time).await;
                activity.ask_to_leave();
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_owes_its_part_does_not_keep_a_place_that_is_needed() {
        for protocol in BOTH {
            // It has asked, and owes the body for less than a second.
            let mut client = Client::new(protocol, false).await;
            client.ask_to_leave_after(SECOND / 2);
            let body = Withheld(Some(Bytes::from_static(b"x"))).boxed();
            assert_eq!(client.send("/body", body).await, None, "{protocol:?}");
            let after = client.ends_after().await;
            assert!(after <= 2, "{protocol:?}: {after}");
        }
        for path in ["/body", "/long"] {
            // It was about to be closed as it is idle, does not hear that, and asks for more.
            let mut client = Client::new(Protocol::Http2, false).await;
            assert_eq!(client.get("/").await, Some(200));
            client.is_deaf.store(true, Ordering::Relaxed);
            sleep(15 * SECOND + SECOND / 4).await;
            client.send_only(path, Withheld(None).boxed());
            client.ask_to_leave_after(SECOND / 4);
            let after = client.ends_after().await;
            assert!((15..=18).contains(&after), "{path}: {after}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_on_asking_does_not_keep_a_place_that_is_needed() {
        let mut client = Client::new(Protocol::Http2, false).await;
        assert_eq!(client.get("/").await, Some(200));
        client.is_deaf.store(true, Ordering::Relaxed);
        client.activity.ask_to_leave();
        let ended = tokio::select! {
            after = async { (&mut client.ended).await.map(|()| client.begun.elapsed()) } => after.unwrap(),
            () = async {
                let Sender::Http2(sender) = &client.sender else { return };
                loop {
                    let mut sender = sender.clone();
                    let request = Request::get("http://here/").body(Full::new(Bytes::new()).boxed()).unwrap();
                    tokio::spawn(async move { sender.send_request(request).await.is_ok() });
                    sleep(SECOND / 4).await;
                }
            } => return,
        };
        assert!(ended <= 4 * SECOND, "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_shows_nothing_does_not_keep_a_reserved_place() {
        for protocol in BOTH {
            for sent in [None, Some(Bytes::from_static(b"x"))] {
                let mut stranger = Client::new(protocol, true).await;
                let body = Withheld(sent).boxed();
                assert_eq!(stranger.send("/body", body).await, None, "{protocol:?}");
                assert_eq!(stranger.ends_after().await, 2, "{protocol:?}");
            }

            // What the server works on is answered, and may be what it waits for.
            let mut slow = Client::new(protocol, true).await;
            assert_eq!(slow.get("/slow").await, Some(200), "{protocol:?}");
            let after = slow.ends_after().await;
            assert!((59..=61).contains(&after), "{protocol:?}: {after}");
            let mut known = Client::new(protocol, true).await;
            assert_eq!(known.get("/slow-sign-in").await, Some(200), "{protocol:?}");
            sleep(10 * SECOND).await;
            assert_eq!(known.get("/").await, Some(200), "{protocol:?}");
        }
        // An answer that is not taken is none that is waited for.
        let mut deaf = Client::new(Protocol::Http2, true).await;
        deaf.is_deaf.store(true, Ordering::Relaxed);
        deaf.send_only("/long", Withheld(None).boxed());
        let after = deaf.ends_after().await;
        assert!(after <= 4, "{after}");
    }

    async fn read_some(client: &mut DuplexStream) -> String {
        let mut bytes = [0; 2_000];
        let count = client.read(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// After how many seconds the server closes a connection on which it was sent this.
    async fn closed_after(sent: &[u8]) -> u64 {
        let mut client = connect();
        let begun = Instant::now();
        client.write_all(sent).await.unwrap();
        let _ = client.read_to_end(&mut Vec::new()).await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_for_nothing_does_not_stay() {
        for sent in [
            &b""[..],
            b"P",
            b"PRI * HTTP/2.0\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: he",
        ] {
            let text = String::from_utf8_lossy(sent);
            assert_eq!(closed_after(sent).await, 15, "{text:?}");
        }
        assert_eq!(closed_after(ASK).await, 15, "after its last request");
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_does_not_help() {
        let mut client = connect();
        let begun = Instant::now();
        for byte in b"PRI * HTTP/2.0" {
            sleep(2 * SECOND).await;
            if client.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        assert_eq!(begun.elapsed().as_secs(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_does_not_stay() {
        let mut client = connect();
        let begun = Instant::now();
        client
            .write_all(b"GET /long HTTP/1.1\r\nhost: here\r\n\r\n")
            .await
            .unwrap();
        assert!(read_some(&mut client).await.starts_with("HTTP/1.1 200"));
        // What is on its way already can still be read.
        sleep(200 * SECOND).await;
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() < 5_000, "{}", rest.len());
        assert_eq!(begun.elapsed().as_secs(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_on_asking_stays() {
        let mut client = connect();
        for _ in 0..100 {
            client.write_all(ASK).await.unwrap();
            assert!(read_some(&mut client).await.ends_with("here"));
            sleep(14 * SECOND).await;
        }
        // Nor is a request cut short, whenever it comes.
        for after in 0..10 {
            sleep(after * SECOND).await;
            client
                .write_all(b"GET /slow HTTP/1.1\r\nhost: here\r\n\r\n")
                .await
                .unwrap();
            assert!(read_some(&mut client).await.ends_with("late"));
        }
    }
}

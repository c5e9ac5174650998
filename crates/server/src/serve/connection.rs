//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt as _;

use super::vitals::{HEAD_TIMEOUT, Vitals, Watched};
use crate::extract::Peer;

/// What all connections share.
pub(super) struct Connections {
    server: auto::Builder<TokioExecutor>,
    router: Router,
}

impl Connections {
    pub(super) fn new(router: Router) -> Self {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        server
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEAD_TIMEOUT));
        Self { server, router }
    }

    /// Serves one, until it ends, is lost, or is told to end well.
    pub(super) fn serve<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let vitals = Arc::new(Vitals::default());
        let stream = Watched {
            stream,
            vitals: vitals.clone(),
        };
        let (router, asked) = (self.router.clone(), vitals.clone());
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            asked.asked();
            request.extensions_mut().insert(Peer(peer));
            // A router is always ready.
            router.clone().oneshot(request)
        });
        let connection = self
            .server
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let served = graceful.watch(connection);
        async move {
            tokio::select! {
                ended = served => if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection broke");
                },
                reason = vitals.lost() => tracing::debug!(reason, %peer, "a connection was given up"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    /// The client's end of a connection to a server with a quick answer, a slow one, and a long one.
    fn connect() -> DuplexStream {
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route(
                "/slow",
                get(|| async {
                    sleep(59 * SECOND).await;
                    "late"
                }),
            )
            .route("/long", get(|| async { "x".repeat(100_000) }));
        let (client, server) = duplex(1_000);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        tokio::spawn(async move {
            // Which ends all connections when it goes away.
            let graceful = GracefulShutdown::new();
            Connections::new(router).serve(server, peer, &graceful).await;
        });
        client
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
    async fn whoever_asks_for_nothing_does_not_stay() {
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
    async fn whoever_does_not_read_does_not_stay() {
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
    async fn whoever_goes_on_asking_stays() {
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

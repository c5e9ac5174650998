//! Accepting connections, and ending well.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use crate::extract::Peer;
use crate::state::App;
use crate::{middleware, pages, routes};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests that are under way may take once the server was told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Everything that is served.
pub fn router(app: App) -> Router {
    routes::router()
        .merge(pages::router(&app))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn(middleware::in_time))
        .layer(from_fn_with_state(app.clone(), middleware::identify))
        .with_state(app)
}

/// Serves until told to stop, then lets requests that are under way finish.
///
/// # Errors
/// When the listener is broken for good.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEAD_TIMEOUT));
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => continue,
                Err(error) => {
                    // Out of file handles, most likely; closing connections will free some.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let connection = connect(&server, &router, stream, peer);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, %peer, "a connection broke");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("some requests took too long and were cut off"),
    }
    Ok(())
}

/// Errors of one connection, not of the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn connect(
    server: &auto::Builder<TokioExecutor>,
    router: &Router,
    stream: TcpStream,
    peer: SocketAddr,
) -> auto::Connection<
    'static,
    TokioIo<TcpStream>,
    impl hyper::service::Service<
        hyper::Request<Incoming>,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
        Future: Send,
    > + Send
    + use<>,
    TokioExecutor,
> {
    // Answers are small; waiting for more of them costs 40 ms a time.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "can't turn Nagle's algorithm off");
    }
    let router = router.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        // A router is always ready.
        router.clone().oneshot(request)
    });
    server
        .serve_connection(TokioIo::new(stream), service)
        .into_owned()
}

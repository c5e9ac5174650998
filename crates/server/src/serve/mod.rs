//! Accepting connections, and ending well.

mod arrivals;
pub mod body_budget;
mod connection;
mod network;
mod room;
mod vitals;

use std::io;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

use crate::state::App;
use crate::{middleware, pages, routes};
use arrivals::Arrivals;
pub use arrivals::listen;
use connection::Connections;
pub use room::room;

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

/// Serves so many connections at the same time until told to stop, then lets requests that are under way finish.
/// Whoever comes when there is no room waits to be accepted.
///
/// # Errors
/// When the listener is broken for good.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    room: usize,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let connections = Connections::new(router);
    let graceful = GracefulShutdown::new();
    let mut arrivals = Arrivals::new(listener, room);
    loop {
        let (stream, peer, place) = tokio::select! {
            _ = stop.changed() => break,
            next = arrivals.next() => next?,
        };
        // Answers are small; waiting for more of them costs 40 ms a time.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "can't turn Nagle's algorithm off");
        }
        let ended = connections.serve(stream, peer, &graceful);
        tokio::spawn(async move {
            ended.await;
            drop(place);
        });
    }
    drop(arrivals);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("some requests took too long and were cut off"),
    }
    Ok(())
}

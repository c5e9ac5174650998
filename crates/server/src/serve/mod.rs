//! Accepting connections, and ending well.

pub mod body_budget;
mod connection;
mod connection_limit;
mod drain;
mod idle_timeout;
mod listener;
mod network;

use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use http::header;
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower_http::catch_panic::CatchPanicLayer;
use zenml_auth_api::paths;

use crate::state::App;
use crate::{middleware, pages, routes};
use connection::Connections;
pub use connection::Peer;
use connection_limit::ConnectionLimit;
pub use connection_limit::{ConnectionLimits, DEFAULT_MAX_CONNECTIONS};
pub use drain::{Entrance, Leaving};
pub use idle_timeout::WaitForBody;
pub use listener::listen;
use listener::{Accepted, Listener};

/// How long requests that are under way may take once the server was told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// Whether the server is to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stop {
    /// It goes on.
    #[default]
    No,
    /// It stops at once: who has not asked for anything yet is not waited for.
    Now,
    /// It stops, and those who have just connected may still ask.
    Gently,
}

/// Everything that is served.
pub fn router(app: App) -> Router {
    let routes = routes::router().merge(pages::router(&app));
    guarded(routes, app)
}

/// Routes with what happens to every request.
fn guarded(routes: Router<App>, app: App) -> Router {
    routes
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn(middleware::in_time))
        .layer(from_fn_with_state(app.leaving.clone(), drain::let_go))
        .layer(from_fn_with_state(app.clone(), middleware::identify))
        .with_state(app)
}

/// Whether a request is answered when there is no place for strangers: a health check, or one with a credential, whether
/// it is good or not.
fn is_welcome(request: &Request<Incoming>) -> bool {
    [paths::HEALTH, paths::READY].contains(&request.uri().path())
        || request.headers().contains_key(header::AUTHORIZATION)
        || request.headers().contains_key(header::COOKIE)
}

/// Serves so many connections at the same time until told to stop, then lets requests that are under way finish.
///
/// # Errors
/// When the listener is broken for good.
pub async fn serve(
    entrance: impl Into<Entrance>,
    router: Router,
    limits: impl Into<ConnectionLimits>,
    mut stop: watch::Receiver<Stop>,
) -> io::Result<()> {
    let entrance = entrance.into();
    let shutter = entrance.shutter();
    let connections = Connections::new(router, is_welcome);
    let mut listener = Listener::new(entrance.listener, ConnectionLimit::new(limits.into()));
    let (drain, draining) = watch::channel(false);
    // Until then those who are on their way still come in.
    let mut closes = None;
    loop {
        let Accepted {
            stream,
            peer,
            activity,
            place,
        } = tokio::select! {
            accepted = listener.next() => accepted,
            _ = stop.changed(), if closes.is_none() => {
                closes = Some(Instant::now() + shutter.shut());
                continue;
            }
            () = sleep_until(closes.unwrap_or_else(Instant::now)), if closes.is_some() => break,
        };
        // Answers are small; waiting for more of them costs 40 ms a time.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "can't turn Nagle's algorithm off");
        }
        let is_reserved = place.is_reserved();
        let ended = connections.serve(stream, peer, activity, is_reserved, draining.clone());
        tokio::spawn(async move {
            ended.await;
            drop(place);
        });
    }
    drop((listener, shutter, draining));
    if *stop.borrow() == Stop::Gently {
        drain::last_call(&drain).await;
    }
    let _ = drain.send(true);
    tokio::select! {
        () = drain.closed() => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("some requests took too long and were cut off"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;
    use std::sync::Arc;

    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tower::ServiceExt as _;
    use zenml_auth_storage::ConnectOptions;
    use zenml_auth_testkit::encryption::encryption_keys;

    use super::*;
    use crate::compose::{IfMissing, connect, ports};
    use crate::extract::proxies::TrustedProxies;
    use crate::state::Facts;

    /// A server without users.
    async fn app(folder: &Path) -> App {
        use zenml_auth_core::password::HashingCost;
        use zenml_auth_core::services::{Engine, FirstAdministrator, set_up};
        use zenml_auth_model::Name;

        let options = ConnectOptions::sqlite_file(folder.join("database"));
        let store = connect(&options, IfMissing::Create).await.unwrap();
        store.migrate_up().await.unwrap();
        let ports = ports(Arc::new(store), encryption_keys());
        let administrator = FirstAdministrator {
            name: Name::new("ann").unwrap(),
            password: None,
        };
        let cost = HashingCost::default();
        set_up(&ports, administrator, cost).await.unwrap();
        let engine = Engine::open(ports, zenml_auth_core::settings::Settings::default(), cost).await;
        App {
            engine: Arc::new(engine.unwrap()),
            facts: Arc::new(Facts {
                public_url: None,
                proxies: TrustedProxies::new(Vec::new()),
                bodies: body_budget::BodyBudget::default(),
                hsts_subdomains: false,
                database_type: "sqlite",
            }),
            leaving: Leaving::default(),
        }
    }

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[allow(clippy::panic, reason = "it is what is tested")]
    async fn panics() -> &'static str {
        panic!("hunter2")
    }

    #[tokio::test]
    async fn a_panic_is_one_500_and_the_server_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let routes = routes::router().route("/panics", get(panics));
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(Stop::No);
        let serving = tokio::spawn(serve(listener, guarded(routes, app), 100_usize, stopped));
        for _ in 0..3 {
            let answer = ask(address, "/panics").await;
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
            assert!(
                answer.contains("request_id") && !answer.contains("hunter2"),
                "{answer}"
            );
            let answer = ask(address, "/ready").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        stop.send(Stop::Now).unwrap();
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_request_has_sixty_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path()).await;
        let takes = |seconds| get(move || tokio::time::sleep(Duration::from_secs(seconds)));
        let routes = routes::router()
            .route("/slow", takes(59))
            .route("/too-slow", takes(61));
        let router = guarded(routes, app);
        // The database has been opened, and nothing else takes time.
        tokio::time::pause();
        for (path, status, seconds) in [
            ("/slow", StatusCode::OK, 59),
            ("/too-slow", StatusCode::SERVICE_UNAVAILABLE, 60),
        ] {
            let begun = Instant::now();
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(begun.elapsed().as_secs(), seconds, "{path}");
            if status == StatusCode::OK {
                continue;
            }
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
            let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
            let body = String::from_utf8_lossy(&body);
            assert!(
                body.contains("The request took too long") && body.contains("request_id"),
                "{body}"
            );
        }
    }
}

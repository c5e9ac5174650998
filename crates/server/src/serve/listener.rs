//! Where connections come in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::connection_limit::{Admission, ConnectionLimit, Place, WAIT_WHEN_FULL};
use super::idle_timeout::Activity;

/// How many may wait to be accepted, if the system allows it. A client that finds no place in the line tries again
/// after a second at the earliest, and all clients come at once when a server was away for a moment.
const LINE: u32 = 1024;

/// What a client is told that has more connections than its share, as far as it takes it.
const OVER_SHARE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
                            Content-Length: 0\r\n\r\n";

/// Listens on an address.
///
/// # Errors
/// When it is taken, not ours, or not for us.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // So that connections of the server before, which are about to end, are not in the way. On Windows it would let
    // two servers listen on the same address.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LINE)
}

/// A connection that has a place.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) activity: Arc<Activity>,
    pub(super) place: Place,
}

/// Accepts connections, as many at the same time as there are places for.
pub(super) struct Listener {
    listener: TcpListener,
    limit: Arc<ConnectionLimit>,
    is_full: bool,
    /// The one that waits for a place: it is not lost when nobody waits for [`Listener::next`] any more.
    waiting: Option<(TcpStream, SocketAddr)>,
}

impl Listener {
    pub(super) fn new(listener: TcpListener, limit: Arc<ConnectionLimit>) -> Self {
        Self {
            listener,
            limit,
            is_full: false,
            waiting: None,
        }
    }

    /// The next one. Nothing is lost when this is dropped before it has one.
    pub(super) async fn next(&mut self) -> Accepted {
        loop {
            let (stream, peer) = match self.waiting.take() {
                Some(waiting) => waiting,
                None => self.accept().await,
            };
            let activity = Arc::new(Activity::new());
            match self.limit.admit(peer.ip(), &activity) {
                Admission::Admitted(place) => {
                    if !place.is_reserved() {
                        self.is_full = false;
                    }
                    return Accepted {
                        stream,
                        peer,
                        activity,
                        place,
                    };
                }
                Admission::OverShare => {
                    tracing::debug!(%peer, "an address has its share of the connections");
                    // It is gone in a moment, and takes this or does not.
                    let _ = stream.try_write(OVER_SHARE);
                }
                Admission::Full => {
                    // Once, not for each of many who wait in line.
                    if !self.is_full {
                        tracing::warn!("there is no room for another connection until one ends");
                        self.is_full = true;
                    }
                    self.waiting = Some((stream, peer));
                    // Strangers whose place it could get have kept the server waiting for long enough by then.
                    let freed = tokio::time::timeout(WAIT_WHEN_FULL / 5, self.limit.freed());
                    let _ = freed.await;
                }
            }
        }
    }

    async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    // Out of file handles, most likely; closing connections will free some.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// Errors of one connection, not of the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

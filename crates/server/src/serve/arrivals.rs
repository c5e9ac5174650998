//! Where connections come in, while there is room.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many may wait to be accepted, if the system allows it. A client that finds no place in the line tries again
/// after a second at the earliest, and all clients come at once when a server was away for a moment.
const LINE: u32 = 1024;

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

/// Accepts connections, as many at the same time as there is room for.
pub(super) struct Arrivals {
    listener: TcpListener,
    room: Arc<Semaphore>,
    is_full: bool,
}

impl Arrivals {
    pub(super) fn new(listener: TcpListener, room: usize) -> Self {
        Self {
            listener,
            room: Arc::new(Semaphore::new(room)),
            is_full: false,
        }
    }

    /// The next one, and its place, to be given back when it ends.
    pub(super) async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = self.place().await?;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return Ok((stream, peer, place)),
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    // Out of file handles, most likely; closing connections will free some.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn place(&mut self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(place) = self.room.clone().try_acquire_owned() {
            self.is_full = false;
            return Ok(place);
        }
        // Once, not for each of many who wait in line.
        if !self.is_full {
            tracing::warn!("there is no room for another connection until one ends");
            self.is_full = true;
        }
        self.room.clone().acquire_owned().await.map_err(io::Error::other)
    }
}

/// Errors of one connection, not of the listener.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

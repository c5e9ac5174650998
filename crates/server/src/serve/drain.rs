//! Leaving without dropping anybody.
//!
//! A server that is told to stop first says so, at `/ready` and with `Connection: close` in every answer, and goes on serving
//! meanwhile, so that load balancers send their requests elsewhere and proxies let go of the connections that they keep. Then
//! it takes no new connections. What has been connected by then is still served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Version, header};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::listener;

/// How long a connection that is being made takes at most to get here, once no new ones are begun.
#[cfg(target_os = "linux")]
const HANDSHAKE: Duration = Duration::from_millis(200);
/// How long connections that have not asked for anything yet may take to do so, at the end.
const LAST_CALL: Duration = Duration::from_secs(2);
/// How often to look whether they are gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether the server is about to stop. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Leaving(Arc<AtomicBool>);

impl Leaving {
    /// It is, from now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Has clients let go of their connection when the server is about to stop. HTTP/2 has a frame for it, which is sent later.
pub(super) async fn let_go(State(leaving): State<Leaving>, request: Request, next: Next) -> Response {
    let version = request.version();
    let mut response = next.run(request).await;
    if leaving.has_begun() && version <= Version::HTTP_11 {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The socket that connections come in at.
#[derive(Debug)]
pub struct Entrance {
    pub(super) listener: TcpListener,
    /// Whether others hold the same socket, at which connections wait for the next server.
    is_inherited: bool,
}

impl Entrance {
    /// The socket that the service manager handed over, as systemd does with a `.socket` unit, or else a new one at the
    /// address.
    ///
    /// # Errors
    /// When what was handed over is not one listening TCP socket, or the address is taken, not ours, or not for us.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let mut inherited = listenfd::ListenFd::from_env();
        if inherited.len() > 1 {
            return Err(io::Error::other(format!(
                "the service manager handed {} sockets over, and this server accepts connections at one; leave one \
                 `ListenStream=` in the socket unit",
                inherited.len()
            )));
        }
        if let Some(listener) = inherited.take_tcp_listener(0)? {
            refuse_unless_listening(&listener)?;
            listener.set_nonblocking(true)?;
            return Ok(Self {
                listener: TcpListener::from_std(listener)?,
                is_inherited: true,
            });
        }
        Ok(listener::listen(address)?.into())
    }

    /// Where it is.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A way to shut it later.
    pub(super) fn shutter(&self) -> Shutter {
        #[cfg(target_os = "linux")]
        {
            let socket = std::os::fd::AsFd::as_fd(&self.listener)
                .try_clone_to_owned()
                .map(socket2::Socket::from)
                .ok();
            Shutter(socket.filter(|_| !self.is_inherited))
        }
        #[cfg(not(target_os = "linux"))]
        Shutter
    }
}

/// Refuses a socket that nobody can connect to, as systemd hands over with `Accept=yes`: that is one connection.
#[cfg(target_os = "linux")]
fn refuse_unless_listening(socket: &std::net::TcpListener) -> io::Result<()> {
    if socket2::SockRef::from(socket).is_listener()? {
        return Ok(());
    }
    Err(io::Error::other(
        "the socket that the service manager handed over does not listen; set `Accept=no` in the socket unit",
    ))
}

#[cfg(not(target_os = "linux"))]
fn refuse_unless_listening(_socket: &std::net::TcpListener) -> io::Result<()> {
    Ok(())
}

impl From<TcpListener> for Entrance {
    fn from(listener: TcpListener) -> Self {
        Self {
            listener,
            is_inherited: false,
        }
    }
}

/// Keeps new connections from being begun, while those that were begun still come in.
///
/// A listening socket that is closed resets what is connected and was not accepted yet, and a client can't tell whether its
/// request got through. So from here on the first packet of a connection is ignored. Its client tries again, and finds the
/// next server, or is refused once the socket is closed, after which it may safely try elsewhere.
#[cfg(target_os = "linux")]
pub(super) struct Shutter(Option<socket2::Socket>);

#[cfg(not(target_os = "linux"))]
pub(super) struct Shutter;

impl Shutter {
    /// Shuts it, and tells how long those on their way take at most. At a socket that stays open, connections wait for the
    /// next server.
    #[cfg(target_os = "linux")]
    pub(super) fn shut(&self) -> Duration {
        use socket2::SockFilter;

        // Instructions of the classic BPF.
        const LOAD_BYTE: u16 = 0x30;
        const AND: u16 = 0x54;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        let Some(socket) = &self.0 else {
            return Duration::ZERO;
        };
        // The flags of TCP are its byte 13; SYN is 2 and ACK 16.
        let ignore_first_packets = [
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(AND, 0, 0, 0x12),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, 0x02),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        match socket.attach_filter(&ignore_first_packets) {
            Ok(()) => HANDSHAKE,
            Err(error) => {
                tracing::debug!(%error, "can't keep connections from being begun");
                Duration::ZERO
            }
        }
    }

    /// Not on this system.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn shut(&self) -> Duration {
        Duration::ZERO
    }
}

/// Waits until all connections have ended by themselves, as they do after their next answer, but not long for those that ask
/// for nothing. Each connection holds a receiver.
pub(super) async fn last_call(connections: &watch::Sender<bool>) {
    let begun = Instant::now();
    while !connections.is_closed() && begun.elapsed() < LAST_CALL {
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn who_is_connected_is_served_and_nobody_else_connects() {
        let entrance = Entrance::from(listener::listen(([127, 0, 0, 1], 0).into()).unwrap());
        let address = entrance.address().unwrap();
        let shutter = entrance.shutter();
        let waiting = TcpStream::connect(address).unwrap();
        assert!(shutter.shut() > Duration::ZERO);
        // Nobody answers this one; it is not even refused.
        let late = TcpStream::connect_timeout(&address, Duration::from_millis(300));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        // What is connected goes on, with data in both directions.
        let (served, _) = entrance.listener.accept().await.unwrap();
        drop((entrance, shutter));
        let mut served = served.into_std().unwrap();
        served.set_nonblocking(false).unwrap();
        let mut waiting = waiting;
        waiting.write_all(b"ask").unwrap();
        let mut asked = [0; 3];
        served.read_exact(&mut asked).unwrap();
        served.write_all(b"answer").unwrap();
        drop(served);
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        // And now it is refused, so that it may be tried elsewhere.
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}

//! The client's end of the operators' socket: a command that asks the server to carry an operation out.

use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::operation::{Done, Operation, Refusal};
use super::socket;
use super::wire::{Answer, Hello, LONGEST_ANSWER, Lines, PROTOCOL, Request, WireError};
use crate::ownership::DatabaseFile;

/// How long the server may take to accept the connection and to say what it is.
const IO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an operation may take: longer than the server waits for its database.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(90);

/// Why the server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SocketClientError {
    /// Nobody listens.
    #[error("nobody listens at the socket")]
    NobodyThere,
    /// Permission was denied, or the socket is another user's.
    #[error(
        "can't talk to the server that runs on this database: {0}; be its user, or root, or stop it first"
    )]
    OutOfReach(io::Error),
    /// It speaks another version of the protocol.
    #[error(transparent)]
    OtherVersion(Refusal),
    /// It went away before it was asked.
    #[error("can't talk to the server that runs on this database: {0}")]
    NotAsked(WireError),
    /// It was asked and did not answer.
    #[error("the server was asked, but {0}; look whether it was done")]
    NoAnswer(WireError),
    /// It refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A connection to the server.
#[derive(Debug)]
pub struct SocketClient(Lines<UnixStream>);

impl SocketClient {
    /// Connects to the server that runs on this database.
    ///
    /// # Errors
    /// [`SocketClientError`]
    pub async fn connect(database: &DatabaseFile) -> Result<Self, SocketClientError> {
        let stream = timeout(IO_TIMEOUT, socket::connect(database))
            .await
            .map_err(|_| SocketClientError::NotAsked(WireError::TooSlow))?
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => SocketClientError::NobodyThere,
                _ => SocketClientError::OutOfReach(error),
            })?;
        let mut lines = Lines::new(stream);
        let hello = lines.receive(LONGEST_ANSWER, IO_TIMEOUT).await;
        let hello: Hello = match hello.map_err(SocketClientError::NotAsked)? {
            Some(line) => line.read().map_err(SocketClientError::NotAsked)?,
            // It was about to stop.
            None => return Err(SocketClientError::NobodyThere),
        };
        if hello.protocol != PROTOCOL {
            let program = hello.program;
            return Err(SocketClientError::OtherVersion(Refusal::OtherProtocol {
                program,
            }));
        }
        Ok(Self(lines))
    }

    /// Has an operation carried out.
    ///
    /// # Errors
    /// [`SocketClientError`]
    pub async fn ask(&mut self, operation: Operation) -> Result<Done, SocketClientError> {
        let request = Request {
            protocol: PROTOCOL,
            operation,
        };
        self.0
            .send(&request, IO_TIMEOUT)
            .await
            .map_err(SocketClientError::NotAsked)?;
        let answer = self.0.receive(LONGEST_ANSWER, OPERATION_TIMEOUT).await;
        let answer = answer.and_then(|line| line.ok_or(WireError::Gone)?.read());
        match answer.map_err(SocketClientError::NoAnswer)? {
            Answer::Done(done) => Ok(done),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }
}

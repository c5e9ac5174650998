//! The other end: a command that asks the owner of the database.

use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::operation::{Done, Operation, Refusal};
use super::socket;
use super::wire::{Answer, Hello, LONGEST_ANSWER, Lines, PROTOCOL, Request, WireError};
use crate::ownership::DatabaseFile;

/// How long the owner may take to let us in and to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to do something: longer than it waits for its database.
const LONGEST_WORK: Duration = Duration::from_secs(90);

/// Why the owner could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError {
    /// Nobody listens.
    #[error("nobody listens at the socket")]
    NobodyThere,
    /// One may not, or it is somebody else.
    #[error(
        "can't talk to the server that runs on this database: {0}; be its user, or root, or stop it first"
    )]
    OutOfReach(io::Error),
    /// It speaks another language.
    #[error(transparent)]
    OtherVersion(Refusal),
    /// It went away before it was asked.
    #[error("can't talk to the server that runs on this database: {0}")]
    NotAsked(WireError),
    /// It was asked and did not answer.
    #[error("the server was asked, but {0}; look whether it was done")]
    NoAnswer(WireError),
    /// It will not.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A connection to the owner.
#[derive(Debug)]
pub struct Errand(Lines<UnixStream>);

impl Errand {
    /// Goes to whoever serves on this database.
    ///
    /// # Errors
    /// [`ErrandError`]
    pub async fn begin(database: &DatabaseFile) -> Result<Self, ErrandError> {
        let stream = timeout(PATIENCE, socket::connect(database))
            .await
            .map_err(|_| ErrandError::NotAsked(WireError::TooSlow))?
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ErrandError::NobodyThere,
                _ => ErrandError::OutOfReach(error),
            })?;
        let mut lines = Lines::new(stream);
        let hello = lines.receive(LONGEST_ANSWER, PATIENCE).await;
        let hello: Hello = match hello.map_err(ErrandError::NotAsked)? {
            Some(line) => line.read().map_err(ErrandError::NotAsked)?,
            // It was about to stop, and turned us away.
            None => return Err(ErrandError::NobodyThere),
        };
        if hello.protocol != PROTOCOL {
            let program = hello.program;
            return Err(ErrandError::OtherVersion(Refusal::OtherProtocol { program }));
        }
        Ok(Self(lines))
    }

    /// Has it do something.
    ///
    /// # Errors
    /// [`ErrandError`]
    pub async fn ask(&mut self, operation: Operation) -> Result<Done, ErrandError> {
        let request = Request {
            protocol: PROTOCOL,
            operation,
        };
        self.0
            .send(&request, PATIENCE)
            .await
            .map_err(ErrandError::NotAsked)?;
        let answer = self.0.receive(LONGEST_ANSWER, LONGEST_WORK).await;
        let answer = answer.and_then(|line| line.ok_or(WireError::Gone)?.read());
        match answer.map_err(ErrandError::NoAnswer)? {
            Answer::Done(done) => Ok(done),
            Answer::Refused(refusal) => Err(refusal.into()),
        }
    }
}

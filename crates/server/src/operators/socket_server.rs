//! The server's end of the operators' socket: carries out what their commands ask for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use zenml_auth_core::services::Engine;

use super::operation::{Operation, Refusal, perform};
use super::socket;
use super::wire::{Answer, AnyRequest, Hello, LONGEST_REQUEST, Line, Lines, PROTOCOL, Request, WireError};
use crate::ownership::DatabaseFile;

/// How long a line may take, and a connection may be silent.
const IO_TIMEOUT: Duration = Duration::from_secs(10);
/// How many connections are served at the same time; others wait to be accepted.
const MAX_CONNECTIONS: usize = 16;
/// How long operations may go on once the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// The task that serves the socket.
#[derive(Debug)]
pub struct SocketServer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl SocketServer {
    /// Starts it. The caller has the lock on the database.
    ///
    /// # Errors
    /// When there can't be a private socket beside the database.
    pub fn start(database: DatabaseFile, engine: Arc<Engine>) -> io::Result<Self> {
        let listener = socket::listen(&database)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            serve(listener, engine, stopped).await;
            if let Err(error) = socket::remove(&database) {
                tracing::debug!(%error, "can't remove the socket for operators");
            }
        });
        Ok(Self { stop, task })
    }

    /// Stops it, once the operations that it has begun are done.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the socket for operators broke");
        }
    }
}

async fn serve(listener: UnixListener, engine: Arc<Engine>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "can't accept an operator's connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        while connections.try_join_next().is_some() {}
        let (engine, stop) = (Arc::clone(&engine), stop.clone());
        connections.spawn(async move {
            if let Err(error) = serve_connection(stream, &engine, stop).await {
                tracing::debug!(%error, "an operator's connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    let done = timeout(SHUTDOWN_TIMEOUT, async {
        while connections.join_next().await.is_some() {}
    });
    if done.await.is_err() {
        tracing::warn!("an operator's request took too long and was cut off");
    }
}

async fn serve_connection(
    stream: UnixStream,
    engine: &Engine,
    mut stop: watch::Receiver<bool>,
) -> Result<(), WireError> {
    if !socket::is_trusted(&stream)? {
        tracing::warn!("another user of this machine was turned away at the socket for operators");
        return Ok(());
    }
    let mut lines = Lines::new(stream);
    lines.send(&Hello::ours(), IO_TIMEOUT).await?;
    loop {
        let received = tokio::select! {
            _ = stop.changed() => return Ok(()),
            received = lines.receive(LONGEST_REQUEST, IO_TIMEOUT) => received,
        };
        let operation = match received {
            Ok(None) => return Ok(()),
            Ok(Some(line)) => read(&line),
            Err(WireError::TooLong) => Err(Refusal::NotUnderstood),
            Err(error) => return Err(error),
        };
        let last = operation.is_err();
        let answer = match operation {
            // From here on to its end, whether or not the other side still listens.
            Ok(operation) => carry_out(engine, operation).await,
            Err(refusal) => Answer::Refused(refusal),
        };
        lines.send(&answer, IO_TIMEOUT).await?;
        if last {
            return Ok(());
        }
    }
}

fn read(line: &Line) -> Result<Operation, Refusal> {
    let understood = |_| Refusal::NotUnderstood;
    if line.read::<AnyRequest>().map_err(understood)?.protocol != PROTOCOL {
        return Err(Refusal::OtherProtocol {
            program: Hello::ours().program,
        });
    }
    Ok(line.read::<Request>().map_err(understood)?.operation)
}

async fn carry_out(engine: &Engine, operation: Operation) -> Answer {
    let what = operation.name();
    match perform(engine, operation).await {
        Ok(done) => {
            tracing::info!(operation = what, "did what an operator asked for");
            Answer::Done(done)
        }
        Err(refusal) => {
            if let Refusal::Failed(error) = &refusal {
                tracing::error!(operation = what, %error, "could not do what an operator asked for");
            }
            Answer::Refused(refusal)
        }
    }
}

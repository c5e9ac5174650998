//! Reads the epoch over a connection of its own, which never waits behind other work.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use zenml_auth_core::ports::{Epoch, StoreError};
use zenml_auth_migrations::Status;

use super::Authority;
use crate::dialect::{Dialect, EpochConnection};
use crate::endpoint::Endpoint;
use crate::error;
use crate::options::ConnectOptions;
use crate::schema::SchemaError;

/// Asks for the epoch. Clones share one connection.
#[derive(Clone)]
pub(crate) struct EpochReader {
    questions: mpsc::UnboundedSender<Question>,
}

/// How long the connection of a server may be without use. It holds the lock on the schema, so that one which is gone has
/// to be noticed, and a server must not take it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

enum Question {
    Epoch(oneshot::Sender<Result<Epoch, StoreError>>),
    Serve(oneshot::Sender<Result<Epoch, StoreError>>),
    Close(oneshot::Sender<()>),
}

impl EpochReader {
    /// Starts a task that owns the connection, and ends when nobody can ask any more. A caller may go away at any
    /// time without breaking off a read, which would cost the connection.
    pub(crate) fn start(
        dialect: Dialect,
        options: ConnectOptions,
        endpoint: Endpoint,
        authority: Authority,
    ) -> Self {
        let (questions, asked) = mpsc::unbounded_channel();
        let actor = EpochActor {
            dialect,
            options,
            endpoint,
            authority,
            connection: None,
            serves: false,
        };
        tokio::spawn(actor.answer(asked));
        Self { questions }
    }

    /// The epoch, by a read that begins after this call.
    pub(crate) async fn epoch(&self) -> Result<Epoch, StoreError> {
        let closed = || StoreError::Unavailable("the connection to the database was closed".to_owned());
        let (answer, answered) = oneshot::channel();
        self.questions
            .send(Question::Epoch(answer))
            .map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Holds the lock that servers have on the schema from now on, over this connection and those that replace it, each of
    /// which looks whether the schema is the program's.
    pub(crate) async fn serve(&self) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("the connection to the database was closed".to_owned());
        let (answer, answered) = oneshot::channel();
        self.questions
            .send(Question::Serve(answer))
            .map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?.map(|_| ())
    }

    /// Closes the connection. Callers get an error from now on.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.questions.send(Question::Close(done)).is_ok() {
            // It is closed as well when the task is gone already.
            let _ = closed.await;
        }
    }
}

/// What the task works with.
struct EpochActor {
    dialect: Dialect,
    options: ConnectOptions,
    endpoint: Endpoint,
    authority: Authority,
    connection: Option<EpochConnection>,
    /// Whether a server works with it.
    serves: bool,
}

impl EpochActor {
    async fn answer(mut self, mut asked: mpsc::UnboundedReceiver<Question>) {
        while let Some(first) = self.next(&mut asked).await {
            // One read serves all who have asked by now.
            let mut waiting = Vec::new();
            let mut next = Some(first);
            while let Some(question) = next {
                match question {
                    Question::Epoch(answer) => waiting.push(answer),
                    Question::Serve(answer) => {
                        self.serves = true;
                        // The one that is there does not have the lock.
                        drop(self.connection.take());
                        waiting.push(answer);
                    }
                    Question::Close(done) => {
                        drop(self.connection.take());
                        // Who waits finds the channel closed.
                        drop((asked, waiting));
                        let _ = done.send(());
                        return;
                    }
                }
                next = asked.try_recv().ok();
            }
            let epoch = self.read().await;
            for answer in waiting {
                // Who does not wait any more does not want to know.
                let _ = answer.send(epoch.clone());
            }
        }
    }

    /// The next question. While a server waits for it, the connection is looked after.
    async fn next(&mut self, asked: &mut mpsc::UnboundedReceiver<Question>) -> Option<Question> {
        if !self.serves {
            return asked.recv().await;
        }
        loop {
            if let Ok(question) = timeout(KEEP_ALIVE, asked.recv()).await {
                return question;
            }
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "can't read the revocation epoch");
            }
        }
    }

    async fn read(&mut self) -> Result<Epoch, StoreError> {
        if let Some(connection) = self.connection.take() {
            match self.read_from(connection).await {
                Ok(epoch) => return Ok(epoch),
                // It may have broken while nobody asked: a new one tells.
                Err(error) => tracing::debug!(%error, "lost the connection that the epoch is read over"),
            }
        }
        // A password may have been rotated. It is a rare and short read.
        self.endpoint.reread();
        let options = self.endpoint.options();
        let mut connection = within(
            self.dialect,
            self.options.connect_timeout,
            self.dialect.connect_for_epoch(&options),
        )
        .await?;
        if self.serves {
            self.join_servers(&mut connection).await?;
        }
        self.authority.begins();
        self.read_from(connection).await
    }

    /// Takes the lock before looking at the schema, so that it stays what it is.
    async fn join_servers(&self, connection: &mut EpochConnection) -> Result<(), StoreError> {
        let limit = self.options.statement_timeout;
        if !within(self.dialect, limit, connection.join_servers()).await? {
            return Err(StoreError::Unavailable(
                "an operator's command needs the database without servers, or too many servers run on it"
                    .to_owned(),
            ));
        }
        let changes = within(self.dialect, limit, connection.changes()).await?;
        let schema = &self.options.schema;
        let mut status = Status::new(schema, &changes, None);
        if !status.works {
            let oldest = within(self.dialect, limit, connection.oldest()).await?;
            status = Status::new(schema, &changes, oldest);
        }
        match status.misfit() {
            None => Ok(()),
            Some(misfit) => Err(StoreError::Unavailable(SchemaError::from(misfit).to_string())),
        }
    }

    /// Keeps the connection only after a good answer: nobody knows what state it is in after another one.
    async fn read_from(&mut self, mut connection: EpochConnection) -> Result<Epoch, StoreError> {
        let limit = self.options.statement_timeout;
        let (number, is_follower) = within(self.dialect, limit, connection.read()).await?;
        if is_follower {
            let reason = "the database server follows another one now";
            return Err(StoreError::Unavailable(reason.to_owned()));
        }
        self.connection = Some(connection);
        u64::try_from(number)
            .map(Epoch::new)
            .map_err(|_| StoreError::Corrupt("revocation_epoch.epoch is negative".to_owned()))
    }
}

/// Does not wait longer than this for a server that has fallen silent.
pub(super) async fn within<T>(
    dialect: Dialect,
    limit: Duration,
    work: impl Future<Output = Result<T, sea_orm::SqlxError>>,
) -> Result<T, StoreError> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|error| error::of_sqlx(dialect, &error)),
        Err(_) => Err(StoreError::Unavailable("it did not answer in time".to_owned())),
    }
}

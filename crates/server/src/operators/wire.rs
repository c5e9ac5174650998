//! What travels between an operator's command and the owner of the database: lines of JSON, with limits on their length
//! and on the time they take.
//!
//! The owner speaks first and says what it is ([`Hello`]), so that nothing secret is told to somebody else. Then each
//! [`Request`] gets one [`Answer`], for as long as the other side asks.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream,
};
use tokio::time::timeout;

use super::operation::{Done, Operation, Refusal};

/// The language; it changes whenever the other side could misunderstand.
pub const PROTOCOL: u32 = 1;
/// The most bytes of a request: a name and a password, with room.
pub const LONGEST_REQUEST: usize = 32 * 1024;
/// The most bytes of an answer: a page of users with the longest names, each letter escaped.
pub const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// What the owner says first. Every version says this much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its language.
    pub protocol: u32,
    /// What it is, with its version.
    pub program: String,
}

impl Hello {
    /// What this program says.
    #[must_use]
    pub fn ours() -> Self {
        Self {
            protocol: PROTOCOL,
            program: concat!("zenml-auth-server ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What a command asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its language.
    pub protocol: u32,
    /// What to do.
    pub operation: Operation,
}

/// The one part of a request that every version has.
#[derive(Debug, Deserialize)]
pub struct AnyRequest {
    /// Its language.
    pub protocol: u32,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was done.
    Done(Done),
    /// It was not.
    Refused(Refusal),
}

/// Why a line did not get through. The line is never repeated, as there may be a password in it.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broke(#[from] io::Error),
    /// The other side went away in the middle.
    #[error("the other side went away")]
    Gone,
    /// The other side took too long.
    #[error("the other side took too long")]
    TooSlow,
    /// The line is too long.
    #[error("the other side sent a line that is too long")]
    TooLong,
    /// The line says nothing that is known here.
    #[error("the other side sent something that can't be understood")]
    NotUnderstood,
}

/// A connection that carries lines.
#[derive(Debug)]
pub struct Lines<S>(BufStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// Over a connection.
    pub fn new(stream: S) -> Self {
        Self(BufStream::new(stream))
    }

    /// Sends a line.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn send<T: Serialize + Sync>(
        &mut self,
        message: &T,
        within: Duration,
    ) -> Result<(), WireError> {
        let mut line = serde_json::to_vec(message).map_err(|_| WireError::NotUnderstood)?;
        line.push(b'\n');
        let sent = timeout(within, async {
            self.0.write_all(&line).await?;
            self.0.flush().await
        });
        Ok(sent.await.map_err(|_| WireError::TooSlow)??)
    }

    /// Receives a line of at most so many bytes; nothing when the other side has said everything.
    ///
    /// # Errors
    /// [`WireError`]
    pub async fn receive(&mut self, longest: usize, within: Duration) -> Result<Option<Line>, WireError> {
        let mut line = Vec::new();
        let limit = u64::try_from(longest).unwrap_or(u64::MAX);
        let mut limited = (&mut self.0).take(limit);
        timeout(within, limited.read_until(b'\n', &mut line))
            .await
            .map_err(|_| WireError::TooSlow)??;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(Line(line))),
            Some(_) if line.len() >= longest => Err(WireError::TooLong),
            Some(_) => Err(WireError::Gone),
        }
    }
}

/// A line that was received.
pub struct Line(Vec<u8>);

impl Line {
    /// What it says.
    ///
    /// # Errors
    /// [`WireError::NotUnderstood`]
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        serde_json::from_slice(&self.0).map_err(|_| WireError::NotUnderstood)
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_api::SecretText;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    async fn receive(sent: &[u8], longest: usize) -> Result<Option<Line>, WireError> {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(sent).await.unwrap();
        drop(theirs);
        Lines::new(ours).receive(longest, SOON).await
    }

    #[tokio::test]
    async fn lines_come_whole_or_not_at_all() {
        let line = receive(
            b"{\"protocol\":7,\"operation\":\"of a later version\"}\nmore",
            100,
        )
        .await;
        assert_eq!(line.unwrap().unwrap().read::<AnyRequest>().unwrap().protocol, 7);
        assert!(receive(b"", 100).await.unwrap().is_none());
        assert!(matches!(
            receive(b"{\"protocol\":1", 100).await,
            Err(WireError::Gone)
        ));
        assert!(matches!(
            receive(&[b'x'; 101], 100).await,
            Err(WireError::TooLong)
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_not_waited_for() {
        let (ours, _theirs) = tokio::io::duplex(64);
        let said = Lines::new(ours).receive(100, SOON).await;
        assert!(matches!(said, Err(WireError::TooSlow)));
        let (ours, _theirs) = tokio::io::duplex(4);
        let sent = Lines::new(ours).send(&Hello::ours(), SOON).await;
        assert!(matches!(sent, Err(WireError::TooSlow)));
    }

    #[test]
    fn requests_are_as_they_always_were() {
        let request = Request {
            protocol: PROTOCOL,
            operation: Operation::ResetPassword {
                name: "ann".to_owned(),
                password: Some(SecretText::new("hunter2")),
            },
        };
        assert_eq!(
            serde_json::to_string(&request).unwrap(),
            r#"{"protocol":1,"operation":{"reset_password":{"name":"ann","password":"hunter2"}}}"#
        );
        assert!(!format!("{request:?}").contains("hunter2"));
        for unknown in [
            r#"{"protocol":1,"operation":{"reset_password":{"name":"ann","pasword":"hunter2"}}}"#,
            r#"{"protocol":1,"operation":{"list_users":{"page":1}},"dry_run":true}"#,
            r#"{"protocol":1,"operation":{"drop_everything":{}}}"#,
        ] {
            let line = Line(unknown.as_bytes().to_vec());
            let error = line.read::<Request>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}

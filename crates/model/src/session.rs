//! Sign-ins with a password.

use crate::{SecretHash, SessionId, Timestamp, UserId, Version};

/// What a sign-in with a password was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionPurpose {
    /// The server's own pages: the browser holds a cookie whose hash this is.
    Browser {
        /// The hash of the cookie's random value.
        cookie: SecretHash,
    },
    /// The API: a signed access token names the session.
    Api,
}

/// One sign-in with a password, from then until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// What for.
    pub purpose: SessionPurpose,
    /// [`User::credentials_gen`](crate::User::credentials_gen) at the time of signing in.
    pub credentials_gen: u32,
    /// When it began.
    pub created: Timestamp,
    /// When the person proved who they are, with a factor of their own (`auth_time` of OpenID Connect Core §2).
    pub authenticated: Timestamp,
    /// When it was last used, as far as is written: uses are written behind.
    pub last_active: Timestamp,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// For compare-and-swap.
    pub version: Version,
}

//! People.

use crate::{Name, PasswordHash, SecretHash, Text, Timestamp, UserId, Version};

/// An activation token that is out: with it, a person sets a password and may sign in from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// The token's hash.
    pub token: SecretHash,
    /// The first moment at which the token is refused.
    pub expires: Timestamp,
}

/// A person with an account on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// The sign-in name, unique among users.
    pub name: Name,
    /// The name to show; may be empty.
    pub full_name: Text,
    /// An e-mail address, if one was given.
    pub email: Option<Text>,
    /// Whether the person agreed to share the address; `None` when never asked.
    pub email_opted_in: Option<bool>,
    /// Whether the person may sign in.
    pub active: bool,
    /// Whether the person manages users, service accounts and keys.
    pub is_admin: bool,
    /// The password's hash; `None` for an invited account that was never activated.
    pub password: Option<PasswordHash>,
    /// When the password was last changed.
    pub password_changed: Option<Timestamp>,
    /// The activation token that is out, if one is. It may have ended.
    pub invitation: Option<Invitation>,
    /// Counts what ends all credentials made so far: a changed password, a deactivation. Tokens and sessions
    /// carry the count they were made under, and are good only while it is still the same.
    pub credentials_gen: u32,
    /// A JSON object that clients keep with the account.
    pub metadata: Option<String>,
    /// The project that clients use unless told otherwise.
    pub default_project_id: Option<uuid::Uuid>,
    /// A picture to show.
    pub avatar_url: Option<Text>,
    /// When the account was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// For compare-and-swap.
    pub version: Version,
}

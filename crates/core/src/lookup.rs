//! Naming things: by id or by name.

use zenml_auth_model::{ApiKeyId, ServiceAccountId, UserId};

/// What a client names something by. A name never has the form of an id, so there is no doubt which one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By<I> {
    /// By id.
    Id(I),
    /// By exact name.
    Name(String),
}

macro_rules! read_by {
    ($($id:ty),+) => {$(
        impl From<&str> for By<$id> {
            fn from(text: &str) -> Self {
                text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
            }
        }

        impl From<$id> for By<$id> {
            fn from(id: $id) -> Self {
                Self::Id(id)
            }
        }
    )+};
}

read_by!(UserId, ServiceAccountId, ApiKeyId);

impl<I: std::fmt::Display> std::fmt::Display for By<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

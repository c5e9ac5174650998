//! One method of [`Client`](crate::Client) per endpoint, one file per group.
//!
//! What takes an id of a user, a service account or an API key in its path also takes its name, as ZenML's server does, except where
//! the parameter is a [`Uuid`](uuid::Uuid). To find things the way people name them, see [`lookup`](crate::lookup).

mod api_keys;
mod devices;
mod server;
mod service_accounts;
mod users;
mod workspace;

//! What operators do on the server's own machine, beside a running server or without one.
//!
//! An [`Operation`] is carried out by core, as the operator. When no server runs, the command takes the lock on the database
//! and does it itself. While a server runs, the database is the server's ([`ownership`](crate::ownership)):
//! then the operation goes to it through a local socket, and takes effect with the very next request.
//!
//! | file | holds |
//! |---|---|
//! | `operation.rs` | what can be asked for, what comes of it, and carrying it out |
//! | `executor.rs` | carrying it out here, or having the server do it |
//! | `wire.rs` | what travels: lines of JSON, with limits |
//! | `socket.rs` | where the socket is, and whose |
//! | `socket_server.rs` | the server's end of it |
//! | `socket_client.rs` | the command's end |

pub mod executor;
pub mod operation;
#[cfg(unix)]
pub mod socket;
#[cfg(unix)]
pub mod socket_client;
#[cfg(unix)]
pub mod socket_server;
pub mod wire;

pub use operation::{Done, Operation, Refusal};

//! What operators do on the server's own machine, whoever has the database.
//!
//! An [`Operation`] is carried out by core, as the operator. When nobody has the database, the command that was typed
//! takes its lock and does it itself. While a server runs, the database is the server's ([`ownership`](crate::ownership)):
//! then the operation goes to it through a local socket, and takes effect with the very next request.
//!
//! | file | holds |
//! |---|---|
//! | `operation.rs` | what can be asked for, what comes of it, and carrying it out |
//! | `access.rs` | doing it here, or having the owner do it |
//! | `wire.rs` | what travels: lines of JSON, with limits |
//! | `socket.rs` | where the socket is, and whose |
//! | `door.rs` | the owner's end of it |
//! | `errand.rs` | the other end |

pub mod access;
#[cfg(unix)]
pub mod door;
#[cfg(unix)]
pub mod errand;
pub mod operation;
#[cfg(unix)]
pub mod socket;
pub mod wire;

pub use operation::{Done, Operation, Refusal};

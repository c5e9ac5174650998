//! What handlers take from a request: who asks, from where, and what is asked for.

mod body;
mod caller;
mod origin;
mod path;
pub mod proxies;

pub use body::{Form, Json, MAX_BODY_BYTES};
pub use caller::Authenticated;
pub use origin::{Peer, RequestId, RequestOrigin};
pub use path::Segments;

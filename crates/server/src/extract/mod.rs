//! What handlers take from a request: who asks, from where, and what is asked for.

mod body;
mod caller;
mod origin;
mod path;
pub mod proxies;

pub use body::{Form, Json, LARGE_BODY, SMALL_BODY};
pub use caller::Authenticated;
pub use origin::{ClientAddress, Peer, RequestId, RequestOrigin};
pub use path::Segments;

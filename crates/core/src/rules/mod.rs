//! What may happen to what: pure functions from an old state, an input and the time to a new state or a typed
//! refusal. They do no I/O and take no time or randomness on their own; services call them.

pub mod api_key;
pub mod device;
pub mod grant;
pub mod recent_authentication;
pub mod session;
pub mod slow_down;
pub mod user;

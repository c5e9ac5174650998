//! The wire between ZenML's clients and servers: what is sent, what is answered, and how a model becomes an answer.
//!
//! There is no logic here. Each module holds one group of endpoints or one concern of all of them:
//!
//! | module | holds |
//! |---|---|
//! | [`paths`] | where the endpoints are |
//! | [`info`], [`login`], [`device_authorization`], [`api_token`] | endpoints for everyone, and tokens |
//! | [`device`], [`service_account`], [`api_key`], [`user`] | what people manage |
//! | [`project`], [`stack`] | what clients read on connecting |
//! | [`page`], [`query`] | listings |
//! | [`error`], [`error_code`], [`fields`] | how requests fail, and how their bodies are read |
//! | [`key`], [`user_agent`] | the text forms of API keys and of what devices say of themselves |
//! | [`time`], [`secret`] | values that many of them share |
//!
//! Responses are written as a **superset** of what the releases 0.58 to 0.98 of ZenML's server answer, and are read
//! tolerantly, so that one set of types serves both sides of the wire. The recordings in `wire/` are the contract:
//! the tests read every recorded answer, and compare what is written with what was recorded.

pub mod api_key;
pub mod api_token;
pub mod device;
pub mod device_authorization;
pub mod error;
pub mod error_code;
pub mod fields;
pub mod info;
pub mod key;
pub mod login;
pub mod page;
pub mod paths;
pub mod project;
pub mod query;
pub mod secret;
pub mod service_account;
pub mod stack;
pub mod time;
pub mod user;
pub mod user_agent;

pub use error::{ErrorBody, ErrorClass, Problem, ValidationErrors};
pub use error_code::ErrorCode;
pub use fields::{Change, Fields, RequestBody};
pub use page::PageResponse;
pub use query::{Hydrate, ListQuery, ListRequest};
pub use secret::SecretText;
pub use time::WireTime;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;

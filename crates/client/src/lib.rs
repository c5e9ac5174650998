//! A typed HTTP client for ZenML servers, theirs and ours.
//!
//! ```no_run
//! # async fn example() -> Result<(), zenml_auth_client::ClientError> {
//! use zenml_auth_client::{Client, Credentials};
//! use zenml_auth_api::ListRequest;
//! use zenml_auth_model::Secret;
//!
//! let client = Client::builder("https://zenml.example.com")?
//!     .credentials(Credentials::api_key(Secret::new("ZENKEY_…")))
//!     .build()?;
//! for device in client.devices(&ListRequest::new().filter("status", "active")).await?.items {
//!     println!("{} {:?}", device.id, device.body.hostname);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | the [`Client`] and how to make one |
//! | [`credentials`] | what it signs in with |
//! | [`device_flow`] | waiting for a person to let this machine in |
//! | [`retention`] | waiting until nobody uses a replaced value of a key |
//! | [`endpoints`] | one method per endpoint |
//! | [`lookup`] | finding things by name, id or the beginning of an id |
//! | [`exposure`] | whether others can read what is sent to a server |
//! | [`error`] | what can go wrong, and what to do then |
//! | [`tls`], [`timer`], [`observe`], [`address`] | certificates, time, looking at the traffic, server addresses |

pub mod address;
pub mod client;
pub mod credentials;
pub mod device_flow;
pub mod endpoints;
pub mod error;
pub mod lookup;
mod mask;
pub mod observe;
mod proxy;
pub mod retention;
pub mod timer;
pub mod tls;
mod transport;

pub use address::{ServerAddress, ServerAddressError};
pub use client::{Client, ClientBuilder};
pub use credentials::{Credentials, IssuedToken};
pub use device_flow::{DeviceFlow, DeviceFlowError, FlowEvent};
pub use error::{CertificateFault, ClientError};
pub use observe::{Observer, WireEvent};
pub use proxy::{Exposure, exposure};
pub use retention::{OldValueUser, RetentionEvent, RetentionOutcome, RetentionWatch};
pub use timer::{SystemTimer, Timer};
pub use tls::{TlsTrust, TrustError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;

//! The decisions of zenml-auth: who is authenticated, with what, for how long, and who may change that.
//!
//! Core is functional at heart: [`rules`] are pure transitions from an old state, an input and the time to a new
//! state or a typed refusal. [`services`] load, ask the rules and commit, through the [`ports`] that a
//! program brings: a [`Store`](ports::Store), a [`Clock`](ports::Clock), [`Entropy`](ports::Entropy).
//! There is no HTTP, no SQL, no configuration and no environment here.
//!
//! ```
//! # #[cfg(feature = "memory")] {
//! use std::sync::Arc;
//!
//! use zenml_auth_core::memory::MemoryStore;
//! use zenml_auth_core::password::HashingCost;
//! use zenml_auth_core::ports::{SystemClock, SystemEntropy};
//! use zenml_auth_core::sealing::{EncryptionKey, EncryptionKeys};
//! use zenml_auth_core::services::{Engine, FirstAdministrator, Ports, set_up};
//! use zenml_auth_core::settings::Settings;
//! use zenml_auth_model::{ClientId, DeviceTraits, EncryptionKeyId, Name, Origin};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! // To be kept somewhere else than what is stored.
//! let key = EncryptionKey::generate(EncryptionKeyId::new("k1").unwrap(), &SystemEntropy);
//! let ports = Ports {
//!     store: Arc::new(MemoryStore::new()),
//!     clock: Arc::new(SystemClock),
//!     entropy: Arc::new(SystemEntropy),
//!     encryption: Arc::new(EncryptionKeys::one(key)),
//! };
//! let administrator = FirstAdministrator { name: Name::new("default").unwrap(), password: None };
//! set_up(&ports, administrator, HashingCost::default()).await.unwrap();
//! let engine = Engine::open(ports, Settings::default(), HashingCost::default()).await.unwrap();
//!
//! // A machine asks for approval.
//! let client = ClientId::from_random([7; 16]);
//! let request =
//!     engine.device_flow().request(client, DeviceTraits::default(), &Origin::default()).await.unwrap();
//! println!("confirm the code {} in your browser", request.user_code.expose());
//! # });
//! # }
//! ```

pub mod audit_details;
mod audit_target;
mod audit_writer;
pub mod caller;
pub mod device_code;
pub mod epoch_log;
mod hashing_memory;
mod identities;
pub mod lookup;
#[cfg(feature = "memory")]
pub mod memory;
pub mod password;
pub mod ports;
pub mod rules;
pub mod sealing;
pub mod secrets;
pub mod services;
pub mod settings;
pub mod strength;
pub mod throttle;
pub mod token;
pub mod user_code;

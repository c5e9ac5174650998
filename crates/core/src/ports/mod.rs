//! What core needs from the outside world. A program brings these.

mod change;
mod clock;
mod entropy;
mod epoch;
mod store;

pub use change::{Change, ChangeSet, CommitError, Guard, Need, Unique};
pub use clock::Clock;
#[cfg(feature = "system")]
pub use clock::SystemClock;
#[cfg(test)]
pub(crate) use entropy::Counting;
pub use entropy::Entropy;
#[cfg(feature = "system")]
pub use entropy::SystemEntropy;
pub(crate) use entropy::id_bytes;
pub use epoch::{Epoch, IdentityRef, Revocations, Revoked};
pub use store::{
    ApiKeyUse, DeviceUse, FamiliarNetwork, KEY_USERS_KEPT, NETWORKS_KEPT, PurgeBefore, SessionUse, Store,
    StoreError,
};

//! The key that tests seal under, the same for all replicas.

use std::sync::Arc;

use zenml_auth_core::sealing::EncryptionKeys;

/// A key as it is given to a server.
pub const ENCRYPTION_KEY: &str = "test:dGhpcyBrZXkgaXMga25vd24gdG8gZXZlcnlib2R5ISE=";

/// The same, read.
#[must_use]
pub fn encryption_keys() -> Arc<EncryptionKeys> {
    Arc::new(EncryptionKeys::parse(ENCRYPTION_KEY).unwrap())
}

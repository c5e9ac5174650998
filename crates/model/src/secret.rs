//! Secrets that can't be printed by accident, and what is kept of them.

use std::fmt;

use zeroize::Zeroizing;

/// A secret in plain text: a password, an API key, a device or user code, a token.
///
/// It prints as `[redacted]`, has no equality (compare hashes, in constant time) and is wiped from memory when
/// dropped. Reading it takes a call that is easy to search for: [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret into custody.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself, for the one place that checks it or hands it to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

macro_rules! opaque_bytes {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps the 32 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

opaque_bytes!(
    /// The SHA-256 of a secret that carries 256 random bits: a device code, an API key, a session cookie, an
    /// activation token. No salt and no stretching, because nobody can guess 256 bits.
    SecretHash
);
opaque_bytes!(
    /// The HMAC-SHA-256 of a user code under the server's secret. User codes are short enough to try them all, so
    /// a plain hash in a stolen database would give them away.
    CodeMac
);

/// A password's argon2id hash in PHC string format, with its parameters and salt.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string.
    #[must_use]
    pub const fn from_phc(text: String) -> Self {
        Self(text)
    }

    /// The PHC string.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!(
            "{:?} {:?} {:?} {:?}",
            Secret::new("hunter2"),
            SecretHash::from_bytes([7; 32]),
            CodeMac::from_bytes([7; 32]),
            PasswordHash::from_phc("$argon2id$hunter2".to_owned()),
        );
        assert_eq!(printed, "[redacted] SecretHash(…) CodeMac(…) PasswordHash(…)");
    }
}

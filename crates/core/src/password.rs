//! Passwords: argon2id (RFC 9106), off the async threads, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use zenml_auth_model::text::nfc;
use zenml_auth_model::{PasswordHash, Secret};
use zeroize::Zeroizing;

use crate::hashing_memory::HashingMemory;
use crate::ports::Entropy;
use crate::strength::{self, MAX_PASSWORD_BYTES, WeakPassword, Whose};

/// Why a password could not be hashed or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// Too many are waiting already.
    #[error("too many passwords are being checked; try again in a moment")]
    Overloaded,
    /// The stored hash can't be read, or hashing failed.
    #[error("a password hash can't be used")]
    Broken,
}

/// What hashing costs, and how much of it goes on at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingCost {
    /// Memory in KiB. Default: 19,456, as OWASP recommends with two passes.
    pub memory_kib: u32,
    /// Passes. Default: 2.
    pub passes: u32,
    /// How many passwords are hashed at the same time. Default: 2.
    pub parallel: usize,
    /// How many may wait; more are turned away. Default: 64.
    pub queue: usize,
}

impl Default for HashingCost {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            parallel: 2,
            queue: 64,
        }
    }
}

/// Hashes and checks passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    memory: Arc<HashingMemory>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    /// A hash of nothing, so that an unknown account costs the same work as a known one.
    decoy: PasswordHash,
}

impl Passwords {
    /// Sets hashing up.
    ///
    /// # Errors
    /// [`HashingError::Broken`] when the cost is outside of what argon2 allows.
    pub fn new(cost: HashingCost, entropy: &dyn Entropy) -> Result<Self, HashingError> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|_| HashingError::Broken)?;
        Ok(Self {
            decoy: decoy(&params, entropy),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            memory: Arc::default(),
            permits: Arc::new(Semaphore::new(cost.parallel.max(1))),
            waiting: AtomicUsize::new(0),
            queue: cost.queue.max(1),
        })
    }

    /// Hashes a new password, if it may be set.
    ///
    /// # Errors
    /// [`WeakPassword`] inside, [`HashingError`] outside.
    pub async fn hash_new(
        &self,
        password: Secret,
        least: u32,
        whose: Whose,
        entropy: &dyn Entropy,
    ) -> Result<Result<PasswordHash, WeakPassword>, HashingError> {
        let (argon2, memory) = (self.argon2.clone(), Arc::clone(&self.memory));
        let salt = salt(entropy);
        self.off_thread(move || match strength::check(&password, least, &whose) {
            Ok(()) => hash_now(&argon2, &memory, &password, salt).map(Ok),
            Err(weak) => Ok(Err(weak)),
        })
        .await
    }

    /// Hashes a password with a fresh salt.
    ///
    /// # Errors
    /// See [`HashingError`].
    pub async fn hash(&self, password: Secret, entropy: &dyn Entropy) -> Result<PasswordHash, HashingError> {
        let (argon2, memory) = (self.argon2.clone(), Arc::clone(&self.memory));
        let salt = salt(entropy);
        self.off_thread(move || hash_now(&argon2, &memory, &password, salt))
            .await
    }

    /// Whether a password is the one behind the hash, composed (NFC) or just as it was typed, which is how older builds
    /// hashed it. Without a hash the same work is done for nothing, and the answer is no.
    ///
    /// # Errors
    /// See [`HashingError`].
    pub async fn verify(&self, password: Secret, hash: Option<PasswordHash>) -> Result<bool, HashingError> {
        let memory = Arc::clone(&self.memory);
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let right = self
            .off_thread(move || {
                let phc = Phc::new(hash.as_phc()).map_err(|_| HashingError::Broken)?;
                let typed = password.expose();
                // Longer ones can't have been set; refusing them early would tell how long the longest is, no more.
                let is = |text: &str| {
                    Ok(text.len() <= MAX_PASSWORD_BYTES && is_behind(&phc, &memory, text.as_bytes())?)
                };
                // Composing shortens a text to a third at most.
                if typed.len() > 3 * MAX_PASSWORD_BYTES {
                    return Ok(false);
                }
                let composed = Zeroizing::new(nfc(typed).into_owned());
                Ok(is(&composed)? || (*composed != typed && is(typed)?))
            })
            .await?;
        Ok(right && known)
    }

    /// Gives the memory back when no password was hashed since the last call.
    pub fn release_memory(&self) {
        self.memory.release();
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let _place = Place::take(&self.waiting, self.queue)?;
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| HashingError::Overloaded)?;
        tokio::task::spawn_blocking(move || {
            // Held by the work, not by the caller: a caller who goes away does not let another one start beside it.
            let _permit = permit;
            work()
        })
        .await
        .map_err(|_| HashingError::Broken)?
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Result<Self, HashingError> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= most {
            Err(HashingError::Overloaded)
        } else {
            Ok(place)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn salt(entropy: &dyn Entropy) -> [u8; 16] {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    salt
}

/// A hash that no password is known to have: its output is random, and was not computed from anything. It names the
/// same cost as real ones, and checking a password against it is the same work.
fn decoy(params: &Params, entropy: &dyn Entropy) -> PasswordHash {
    let mut output = [0; 32];
    entropy.fill(&mut output);
    PasswordHash::from_phc(format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost(),
        STANDARD_NO_PAD.encode(salt(entropy)),
        STANDARD_NO_PAD.encode(output)
    ))
}

fn hash_now(
    argon2: &Argon2<'_>,
    memory: &HashingMemory,
    password: &Secret,
    salt: [u8; 16],
) -> Result<PasswordHash, HashingError> {
    let composed = Zeroizing::new(nfc(password.expose()).into_owned());
    let mut output = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
    memory.compute(argon2, composed.as_bytes(), &salt, &mut *output)?;
    let phc = || -> argon2::password_hash::Result<Phc> {
        Ok(Phc {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params())?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(Output::new(&*output)?),
        })
    };
    let phc = phc().map_err(|_| HashingError::Broken)?;
    Ok(PasswordHash::from_phc(phc.to_string()))
}

/// Whether this password is the one behind the hash, computed at the cost that the hash names.
fn is_behind(phc: &Phc, memory: &HashingMemory, password: &[u8]) -> Result<bool, HashingError> {
    let (Some(salt), Some(expected)) = (&phc.salt, &phc.hash) else {
        return Err(HashingError::Broken);
    };
    let argon2 = || -> argon2::password_hash::Result<Argon2<'_>> {
        let version = phc.version.map(Version::try_from).transpose()?;
        Ok(Argon2::new(
            Algorithm::try_from(phc.algorithm.as_str())?,
            version.unwrap_or_default(),
            Params::try_from(phc)?,
        ))
    };
    let argon2 = argon2().map_err(|_| HashingError::Broken)?;
    let mut output = Zeroizing::new([0; Output::MAX_LENGTH]);
    let output = output.get_mut(..expected.len()).ok_or(HashingError::Broken)?;
    memory.compute(&argon2, password, salt, output)?;
    Ok(expected.as_bytes().ct_eq(output).into())
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;
    use crate::ports::SystemEntropy;

    #[tokio::test]
    async fn hashes_are_those_of_the_library() {
        let passwords = passwords(8);
        let ours = passwords
            .hash(Secret::new("correct horse"), &SystemEntropy)
            .await
            .unwrap();
        let ours = Phc::new(ours.as_phc()).unwrap();
        assert!(passwords.argon2.verify_password(b"correct horse", &ours).is_ok());
        // At other costs, of other kinds, and with other lengths than ours.
        for (algorithm, memory, output) in [
            (Algorithm::Argon2id, 256, 32),
            (Algorithm::Argon2i, 8, 16),
            (Algorithm::Argon2d, 64, 64),
        ] {
            let params = Params::new(memory, 2, 1, Some(output)).unwrap();
            let theirs: Phc = Argon2::new(algorithm, Version::V0x13, params)
                .hash_password_with_salt(b"correct horse", &salt(&SystemEntropy))
                .unwrap();
            for (typed, right) in [("correct horse", true), ("correct horsf", false)] {
                let theirs = PasswordHash::from_phc(theirs.to_string());
                assert_eq!(
                    passwords.verify(Secret::new(typed), Some(theirs)).await,
                    Ok(right)
                );
            }
        }
    }

    #[tokio::test]
    async fn the_decoy_costs_what_a_real_hash_costs() {
        let passwords = passwords(10);
        let real = passwords
            .hash(Secret::new("correct horse"), &SystemEntropy)
            .await
            .unwrap();
        let (real, decoy) = (
            Phc::new(real.as_phc()).unwrap(),
            Phc::new(passwords.decoy.as_phc()).unwrap(),
        );
        assert_eq!(decoy.algorithm, real.algorithm);
        assert_eq!(decoy.version, real.version);
        assert_eq!(decoy.params, real.params);
        assert_eq!(decoy.salt.unwrap().len(), real.salt.unwrap().len());
        assert_eq!(decoy.hash.unwrap().len(), real.hash.unwrap().len());
        assert_eq!(
            passwords.verify(Secret::new("correct horse"), None).await,
            Ok(false)
        );
    }

    fn passwords(queue: usize) -> Passwords {
        let cost = HashingCost {
            memory_kib: 64,
            passes: 1,
            parallel: 1,
            queue,
        };
        Passwords::new(cost, &SystemEntropy).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_right() {
        let passwords = passwords(8);
        let hash = passwords
            .hash(Secret::new("correct horse"), &SystemEntropy)
            .await
            .unwrap();
        assert!(hash.as_phc().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(
            passwords
                .verify(Secret::new("correct horse"), Some(hash.clone()))
                .await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify(Secret::new("correct horsf"), Some(hash)).await,
            Ok(false)
        );
        assert_eq!(
            passwords.verify(Secret::new("correct horse"), None).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn a_broken_hash_is_no_password() {
        let hash = PasswordHash::from_phc("not a hash".to_owned());
        assert_eq!(
            passwords(8).verify(Secret::new("x"), Some(hash)).await,
            Err(HashingError::Broken)
        );
    }

    #[tokio::test]
    async fn a_flood_is_turned_away() {
        let passwords = Arc::new(passwords(3));
        let hash = passwords
            .hash(Secret::new("correct horse"), &SystemEntropy)
            .await
            .unwrap();
        // The one that may be hashed at a time takes as long as this is held.
        let working = passwords.permits.clone().acquire_owned().await.unwrap();
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (passwords, hash) = (passwords.clone(), hash.clone());
            tries.spawn(async move { passwords.verify(Secret::new("x"), Some(hash)).await });
        }
        for _ in 0..47 {
            let turned_away = tries.join_next().await.unwrap().unwrap();
            assert_eq!(turned_away, Err(HashingError::Overloaded));
        }
        drop(working);
        while let Some(checked) = tries.join_next().await {
            assert_eq!(checked.unwrap(), Ok(false));
        }
        assert_eq!(
            passwords.verify(Secret::new("correct horse"), Some(hash)).await,
            Ok(true)
        );
    }

    #[tokio::test]
    async fn two_are_checked_at_a_time_and_sixty_four_in_all() {
        // The numbers that are the default, with a cost that is not.
        let cost = HashingCost {
            memory_kib: 64,
            passes: 1,
            ..HashingCost::default()
        };
        let passwords = Arc::new(Passwords::new(cost, &SystemEntropy).unwrap());
        let first = passwords.permits.clone().acquire_owned().await.unwrap();
        // Beside one that takes its time, there is room for another one.
        assert_eq!(passwords.verify(Secret::new("x"), None).await, Ok(false));
        let second = passwords.permits.clone().acquire_owned().await.unwrap();
        assert!(passwords.permits.clone().try_acquire_owned().is_err());
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..70 {
            let passwords = passwords.clone();
            tries.spawn(async move { passwords.verify(Secret::new("x"), None).await });
        }
        for _ in 64..70 {
            let turned_away = tries.join_next().await.unwrap().unwrap();
            assert_eq!(turned_away, Err(HashingError::Overloaded));
        }
        drop((first, second));
        let mut checked = 0;
        while let Some(one) = tries.join_next().await {
            assert_eq!(one.unwrap(), Ok(false));
            checked += 1;
        }
        assert_eq!(checked, 64);
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_it_is_typed() {
        let passwords = passwords(8);
        let (composed, decomposed) = ("r\u{e9}sum\u{e9} otter", "re\u{301}sume\u{301} otter");
        let hash = passwords
            .hash(Secret::new(decomposed), &SystemEntropy)
            .await
            .unwrap();
        for typed in [composed, decomposed] {
            assert_eq!(
                passwords.verify(Secret::new(typed), Some(hash.clone())).await,
                Ok(true),
                "{typed:?}"
            );
            assert_eq!(passwords.verify(Secret::new(typed), None).await, Ok(false));
        }
    }

    #[tokio::test]
    async fn a_hash_of_what_was_typed_stays_good() {
        let passwords = passwords(8);
        let decomposed = "re\u{301}sume\u{301} otter";
        // As older builds hashed it.
        let hash: Phc = passwords
            .argon2
            .hash_password_with_salt(decomposed.as_bytes(), &salt(&SystemEntropy))
            .unwrap();
        let hash = PasswordHash::from_phc(hash.to_string());
        assert_eq!(
            passwords
                .verify(Secret::new(decomposed), Some(hash.clone()))
                .await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify(Secret::new("resume otter"), Some(hash)).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn a_weak_password_is_not_hashed() {
        let passwords = passwords(8);
        let refused = passwords
            .hash_new(Secret::new("Password1234"), 12, Whose::default(), &SystemEntropy)
            .await;
        assert_eq!(refused, Ok(Err(WeakPassword::Common)));
    }
}

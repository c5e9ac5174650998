//! The keys that sign access tokens and that once did.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use zenml_auth_model::{Secret, ServerId, SigningKey, SigningKeyId, Timestamp};
use zeroize::Zeroizing;

use super::claims::{Claims, Token};
use crate::sealing::{EncryptionKeys, Place, SealingError};
use crate::settings::REMEMBERED;

/// The PKCS #8 wrapping (RFC 8410 §7) of an Ed25519 private key of 32 bytes.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Why a token is no good, before anything is looked up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of ours: not a JWT, another issuer, a broken signature, claims that make no sense.
    #[error("the access token is not valid")]
    Invalid,
    /// It names a signing key that is not loaded.
    #[error("the access token was signed with an unknown key")]
    UnknownKey,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
    /// The signing key that it names is there, but can't be opened here.
    #[error(transparent)]
    Sealed(#[from] SealingError),
    /// There is no key to sign with, or it can't be used.
    #[error("no signing key can be used: {0}")]
    Signing(String),
}

/// The public half of a signing key, as a JWKS shows it (RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The `kid`.
    pub id: SigningKeyId,
    /// The `x` coordinate, base64url.
    pub x: String,
}

struct Signer {
    header: Header,
    key: Arc<Opened>,
}

/// A signing key that was opened.
struct Opened {
    signs: EncodingKey,
    verifies: DecodingKey,
    public: PublicKey,
}

/// For how long every replica has had the time to load a new key, before any of them signs with it.
const PUBLISHED_FIRST: Duration = Duration::from_secs(120);

/// Tokens whose signature was verified, by the SHA-256 of their text: the cost is paid once.
type Verified = Cache<[u8; 32], Token>;

struct Loaded {
    signer: Option<Signer>,
    /// By their `kid`.
    opened: HashMap<String, Arc<Opened>>,
    /// Keys that are there and can't be opened, by their `kid`.
    problems: HashMap<String, SealingError>,
    public: Vec<PublicKey>,
    at: Option<Timestamp>,
    /// Good as long as the keys are the same: what a key verified that is gone has to be refused.
    verified: Arc<Verified>,
}

impl Loaded {
    fn nothing(remembered: usize) -> Self {
        Self {
            signer: None,
            opened: HashMap::new(),
            problems: HashMap::new(),
            public: Vec::new(),
            at: None,
            verified: Arc::new(Cache::new(remembered)),
        }
    }
}

/// Signs and verifies tokens with the keys that were last loaded.
pub struct Keyring {
    server: ServerId,
    validation: Validation,
    loaded: RwLock<Arc<Loaded>>,
    /// How many verified tokens are remembered.
    remembered: usize,
}

impl Keyring {
    /// A keyring without keys, for the tokens of this server.
    #[must_use]
    pub fn new(server: ServerId) -> Self {
        Self::remembering(server, REMEMBERED)
    }

    /// The same, which remembers so many tokens that it verified; a workload uses one for an hour.
    #[must_use]
    pub fn remembering(server: ServerId, tokens: u32) -> Self {
        let remembered = usize::try_from(tokens).unwrap_or(usize::MAX);
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[server.to_string()]);
        validation.set_issuer(&[server.to_string()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The time is given, so it is compared here.
        validation.validate_exp = false;
        Self {
            server,
            validation,
            loaded: RwLock::new(Arc::new(Loaded::nothing(remembered))),
            remembered,
        }
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read())
    }

    /// Takes these keys in place of the ones before. The newest that every replica knows by now signs, though it is
    /// retired already; before there is any, the newest that is not.
    ///
    /// A key that can't be opened is said in the log. If it was opened before, it goes on as it was: its row is sealed
    /// under an encryption key that is not known here yet. If not, its tokens get [`TokenError::Sealed`].
    ///
    /// # Errors
    /// [`TokenError::Signing`] when a key can't be used; the keys before stay.
    pub fn load(
        &self,
        keys: &[SigningKey],
        encryption: &EncryptionKeys,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let before = self.loaded();
        let mut loaded = Loaded {
            at: Some(now),
            ..Loaded::nothing(self.remembered)
        };
        for key in keys {
            let name = key.id.to_string();
            let opened = match encryption.open(Place::SigningKey(self.server, key.id), &key.seed) {
                Ok(seed) => Arc::new(open(key.id, &seed)?),
                Err(problem) => {
                    tracing::error!(%problem, "can't open a signing key");
                    loaded.problems.insert(name.clone(), problem);
                    match before.opened.get(&name) {
                        Some(opened) => Arc::clone(opened),
                        None => continue,
                    }
                }
            };
            loaded.public.push(opened.public.clone());
            loaded.opened.insert(name, opened);
        }
        let usable = keys
            .iter()
            .filter(|key| loaded.opened.contains_key(&key.id.to_string()));
        let name = signing(usable, now).map(|key| key.id.to_string());
        loaded.signer = name.and_then(|name| {
            let key = Arc::clone(loaded.opened.get(&name)?);
            let header = Header {
                kid: Some(name),
                ..Header::new(Algorithm::EdDSA)
            };
            Some(Signer { header, key })
        });
        let mut current = self.loaded.write();
        if current.public == loaded.public {
            loaded.verified = Arc::clone(&current.verified);
        }
        *current = Arc::new(loaded);
        Ok(())
    }

    /// What is wrong with one of the keys that were last loaded, if anything is.
    #[must_use]
    pub fn first_problem(&self) -> Option<SealingError> {
        self.loaded().problems.values().next().cloned()
    }

    /// When the keys were last loaded.
    #[must_use]
    pub fn loaded_at(&self) -> Option<Timestamp> {
        self.loaded().at
    }

    /// The public keys, for the JWKS.
    #[must_use]
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.loaded().public.clone()
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`TokenError::Signing`] when there is no key to sign with.
    pub fn sign(&self, token: &Token) -> Result<Secret, TokenError> {
        let loaded = self.loaded();
        let signer = loaded
            .signer
            .as_ref()
            .ok_or_else(|| TokenError::Signing("none is loaded".to_owned()))?;
        jsonwebtoken::encode(
            &signer.header,
            &Claims::new(self.server, token),
            &signer.key.signs,
        )
        .map(Secret::new)
        .map_err(|error| TokenError::Signing(error.to_string()))
    }

    /// Checks a token's signature, issuer, audience and time. Whether its credential is still good is another
    /// question.
    ///
    /// # Errors
    /// [`TokenError`] says why it is refused.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Token, TokenError> {
        let loaded = self.loaded();
        let digest = Sha256::digest(token.as_bytes()).into();
        let token = match loaded.verified.get(&digest) {
            Some(remembered) => remembered,
            None => {
                let verified = self.verify_signature(&loaded, token)?;
                if now < verified.expires {
                    loaded.verified.insert(digest, verified);
                }
                verified
            }
        };
        if now >= token.expires {
            Err(TokenError::Expired)
        } else {
            Ok(token)
        }
    }

    fn verify_signature(&self, loaded: &Loaded, token: &str) -> Result<Token, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let key = match (loaded.opened.get(&kid), loaded.problems.get(&kid)) {
            (Some(key), _) => &key.verifies,
            (None, Some(problem)) => return Err(problem.clone().into()),
            (None, None) => return Err(TokenError::UnknownKey),
        };
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        claims.into_token().ok_or(TokenError::Invalid)
    }
}

/// The key to sign with.
fn signing<'k>(keys: impl Iterator<Item = &'k SigningKey> + Clone, now: Timestamp) -> Option<&'k SigningKey> {
    let known_to_all = keys.clone().filter(|key| key.created + PUBLISHED_FIRST <= now);
    let in_use = keys.filter(|key| key.retired_until.is_none());
    known_to_all
        .max_by_key(|key| key.created)
        .or_else(|| in_use.max_by_key(|key| key.created))
}

fn open(id: SigningKeyId, seed: &[u8; 32]) -> Result<Opened, TokenError> {
    let mut der = Zeroizing::new(PKCS8_ED25519.to_vec());
    der.extend_from_slice(seed);
    let signs = EncodingKey::from_ed_der(&der);
    let unusable = |error: jsonwebtoken::errors::Error| TokenError::Signing(error.to_string());
    let jwk = Jwk::from_encoding_key(&signs, Algorithm::EdDSA).map_err(unusable)?;
    let AlgorithmParameters::OctetKeyPair(pair) = jwk.algorithm else {
        return Err(TokenError::Signing("not an Ed25519 key".to_owned()));
    };
    let verifies = DecodingKey::from_ed_components(&pair.x).map_err(unusable)?;
    let public = PublicKey { id, x: pair.x };
    Ok(Opened {
        signs,
        verifies,
        public,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use uuid::Uuid;
    use zenml_auth_model::{
        ApiKeyId, DeviceId, EncryptionKeyId, KeptSecret, ServiceAccountId, SessionId, UserId, Version,
    };

    use super::super::claims::Provenance;
    use super::*;
    use crate::ports::Counting;
    use crate::sealing::EncryptionKey;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    const SERVER: ServerId = ServerId::from_random([9; 16]);

    fn encryption(id: &str) -> EncryptionKeys {
        let id = EncryptionKeyId::new(id).unwrap();
        EncryptionKeys::one(EncryptionKey::generate(id, &Counting(AtomicU8::new(1))))
    }

    fn key(number: u8) -> SigningKey {
        key_of(SERVER, number)
    }

    fn key_of(server: ServerId, number: u8) -> SigningKey {
        sealed(server, number, &encryption("k1"))
    }

    fn sealed(server: ServerId, number: u8, encryption: &EncryptionKeys) -> SigningKey {
        let id = SigningKeyId::from_random([number; 16]);
        let place = Place::SigningKey(server, id);
        let seed = encryption.seal(place, &[number; 32], &Counting(AtomicU8::new(number)));
        SigningKey {
            id,
            seed: seed.unwrap().into(),
            created: NOW,
            retired_until: None,
            version: Version::FIRST,
        }
    }

    fn keyring(keys: &[SigningKey]) -> Keyring {
        let keyring = Keyring::new(SERVER);
        load(&keyring, keys);
        keyring
    }

    fn load(keyring: &Keyring, keys: &[SigningKey]) {
        keyring.load(keys, &encryption("k1"), NOW).unwrap();
    }

    fn token(provenance: Provenance) -> Token {
        Token {
            id: Uuid::from_u128(7),
            provenance,
            issued: NOW,
            expires: NOW + Duration::from_secs(60),
            authenticated: Some(NOW),
            made_from: Some(Uuid::from_u128(8)),
        }
    }

    fn provenances() -> [Provenance; 3] {
        let user = UserId::from_random([1; 16]);
        [
            Provenance::Device {
                user,
                credentials_gen: 3,
                device: DeviceId::from_random([2; 16]),
                token_gen: 4,
            },
            Provenance::ApiKey {
                account: ServiceAccountId::from_random([3; 16]),
                key: ApiKeyId::from_random([4; 16]),
                generation: 5,
            },
            Provenance::Session {
                user,
                credentials_gen: 6,
                session: SessionId::from_random([5; 16]),
            },
        ]
    }

    #[test]
    fn what_was_signed_verifies_until_it_expires() {
        let keyring = keyring(&[key(1)]);
        for provenance in provenances() {
            let token = token(provenance);
            let signed = keyring.sign(&token).unwrap();
            assert_eq!(keyring.verify(signed.expose(), NOW), Ok(token));
            let last = token.expires - Duration::from_micros(1);
            assert_eq!(keyring.verify(signed.expose(), last), Ok(token));
            assert_eq!(
                keyring.verify(signed.expose(), token.expires),
                Err(TokenError::Expired)
            );
        }
    }

    #[test]
    fn a_changed_token_is_refused() {
        let keyring = keyring(&[key(1)]);
        let signed = keyring.sign(&token(provenances()[0])).unwrap();
        let text = signed.expose();
        for position in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last digit of base64 has bits that stand for nothing; decoders that take any would accept those.
            assert!(
                keyring.verify(&changed, NOW).is_err(),
                "changing byte {position} went unseen"
            );
        }
        for text in [
            "",
            ".",
            "..",
            "a.b.c",
            "ZENKEY_x",
            &text[..text.len() - 1],
            &format!("{text}A"),
        ] {
            assert!(keyring.verify(text, NOW).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_token_of_another_server_or_key_is_refused() {
        let ours = keyring(&[key(1)]);
        let other = ServerId::from_random([8; 16]);
        let other_server = Keyring::new(other);
        load(&other_server, &[key_of(other, 1)]);
        let foreign = other_server.sign(&token(provenances()[0])).unwrap();
        assert_eq!(ours.verify(foreign.expose(), NOW), Err(TokenError::Invalid));
        let other_key = keyring(&[key(2)]).sign(&token(provenances()[0])).unwrap();
        assert_eq!(ours.verify(other_key.expose(), NOW), Err(TokenError::UnknownKey));
    }

    #[test]
    fn another_algorithm_is_refused() {
        let keyring = keyring(&[key(1)]);
        let public = keyring.public_keys().remove(0);
        let claims = Claims::new(ServerId::from_random([9; 16]), &token(provenances()[0]));
        let header = Header {
            kid: Some(public.id.to_string()),
            ..Header::new(Algorithm::HS256)
        };
        // The classic confusion: the public key as an HMAC secret.
        let forged = jsonwebtoken::encode(
            &header,
            &claims,
            &EncodingKey::from_base64_secret(&public.x)
                .unwrap_or_else(|_| EncodingKey::from_secret(public.x.as_bytes())),
        )
        .unwrap();
        assert_eq!(keyring.verify(&forged, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn retired_keys_verify_but_do_not_sign() {
        let old = key(1);
        let signed = keyring(std::slice::from_ref(&old))
            .sign(&token(provenances()[0]))
            .unwrap();
        let retired = SigningKey {
            retired_until: Some(NOW + Duration::from_secs(60)),
            ..old
        };
        let rotated = keyring(&[retired, key(2)]);
        assert!(rotated.verify(signed.expose(), NOW).is_ok());
        let fresh = rotated.sign(&token(provenances()[0])).unwrap();
        assert_eq!(
            jsonwebtoken::decode_header(fresh.expose()).unwrap().kid,
            Some(key(2).id.to_string())
        );
        assert_eq!(rotated.public_keys().len(), 2);
    }

    #[test]
    fn a_new_key_signs_once_every_replica_knows_it() {
        let old = SigningKey {
            retired_until: Some(NOW + Duration::from_secs(3_600)),
            created: NOW - Duration::from_secs(3_600),
            ..key(1)
        };
        let keys = [old, key(2)];
        let signs_at = |now| signing(keys.iter(), now).map(|key| key.id);
        let published = NOW + PUBLISHED_FIRST;
        assert_eq!(signs_at(NOW), Some(keys[0].id));
        assert_eq!(signs_at(published - Duration::from_micros(1)), Some(keys[0].id));
        assert_eq!(signs_at(published), Some(keys[1].id));
        // The first key of a new server has no one to wait for.
        assert_eq!(signing(keys[1..].iter(), NOW).map(|key| key.id), Some(keys[1].id));
    }

    #[test]
    fn a_token_is_forgotten_with_the_key_that_verified_it() {
        let keyring = keyring(&[key(1)]);
        let signed = keyring.sign(&token(provenances()[0])).unwrap();
        assert!(keyring.verify(signed.expose(), NOW).is_ok());
        load(&keyring, &[key(1)]);
        assert_eq!(
            keyring.loaded().verified.len(),
            1,
            "the same keys verify the same"
        );
        load(&keyring, &[key(1), key(2)]);
        assert!(keyring.verify(signed.expose(), NOW).is_ok());
        load(&keyring, &[key(2)]);
        assert_eq!(keyring.verify(signed.expose(), NOW), Err(TokenError::UnknownKey));
    }

    #[test]
    fn a_key_that_cannot_be_opened_ends_only_its_own_tokens() {
        let signed = keyring(&[key(1)]).sign(&token(provenances()[0])).unwrap();
        let elsewhere = sealed(SERVER, 1, &encryption("k2"));
        let late = keyring(&[elsewhere.clone(), key(2)]);
        assert!(matches!(
            late.first_problem(),
            Some(SealingError::UnknownKey { .. })
        ));
        assert!(matches!(
            late.verify(signed.expose(), NOW),
            Err(TokenError::Sealed(SealingError::UnknownKey { .. }))
        ));
        let own = late.sign(&token(provenances()[0])).unwrap();
        assert!(late.verify(own.expose(), NOW).is_ok());
        assert_eq!(late.public_keys().len(), 1);
        // Where it was opened before it was sealed anew, it goes on.
        let running = keyring(&[key(1)]);
        load(&running, &[elsewhere]);
        assert!(running.verify(signed.expose(), NOW).is_ok());
        assert!(running.sign(&token(provenances()[0])).is_ok());
    }

    #[test]
    fn a_key_that_somebody_put_in_is_not_used() {
        let (ours, theirs) = (key(1), key(2));
        let planted = [
            SigningKey {
                seed: KeptSecret::Plain(Zeroizing::new([2; 32])),
                ..theirs.clone()
            },
            // The sealed bytes of another row, whose private key may be known.
            SigningKey {
                seed: ours.seed.clone(),
                ..theirs
            },
        ];
        for planted in planted {
            let keyring = keyring(&[ours.clone(), planted]);
            assert_eq!(keyring.public_keys().len(), 1);
            assert!(keyring.first_problem().is_some());
        }
    }

    #[test]
    fn without_keys_nothing_is_signed() {
        assert!(matches!(
            keyring(&[]).sign(&token(provenances()[0])),
            Err(TokenError::Signing(_))
        ));
    }
}

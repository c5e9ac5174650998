//! Sealing, sealing anew, putting back and giving up what a server keeps secret.

use std::sync::Arc;

use zenml_auth_core::caller::Caller;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::ports::{Change, ChangeSet, Guard, Store};
use zenml_auth_core::sealing::{EncryptionKey, EncryptionKeys, SealingError};
use zenml_auth_core::services::{
    Encryption, Engine, FirstAdministrator, OpenError, Ports, RotateEncryptionError, set_up,
};
use zenml_auth_core::settings::{Lifetimes, Settings};
use zenml_auth_core::token::TokenError;
use zenml_auth_model::query::Query;
use zenml_auth_model::{EncryptionKeyId, KeptSecret, Name, Secret, SigningKey};
use zenml_auth_testkit::clock::ManualClock;
use zenml_auth_testkit::entropy::SeededEntropy;

use crate::common::{CHEAP, PASSWORD};

fn key(id: &str) -> EncryptionKey {
    let seed = id.bytes().map(u64::from).sum();
    EncryptionKey::generate(EncryptionKeyId::new(id).unwrap(), &SeededEntropy::new(seed))
}

/// Keys by their ids, the one that seals first.
fn keys(ids: &[&str]) -> Arc<EncryptionKeys> {
    let texts: Vec<_> = ids
        .iter()
        .map(|id| key(id).to_text().expose().to_owned())
        .collect();
    Arc::new(EncryptionKeys::parse(&texts.join("\n")).unwrap())
}

/// A store, and those who come to it with different keys.
struct Shared {
    store: Arc<MemoryStore>,
    clock: ManualClock,
    lifetimes: Lifetimes,
}

impl Shared {
    /// One that was set up under these keys.
    async fn set_up_with(ids: &[&str]) -> Self {
        let shared = Self {
            store: Arc::new(MemoryStore::new()),
            clock: ManualClock::default(),
            lifetimes: Lifetimes::default(),
        };
        let administrator = FirstAdministrator {
            name: Name::new("default").unwrap(),
            password: Some(Secret::new(PASSWORD)),
        };
        set_up(&shared.ports(ids, 1), administrator, CHEAP).await.unwrap();
        shared
    }

    /// One as an earlier release has left it.
    async fn in_plain() -> Self {
        let shared = Self::set_up_with(&["k1"]).await;
        assert_eq!(
            shared
                .encryption(&shared.ports(&["k1"], 2))
                .unseal()
                .await
                .unwrap(),
            2
        );
        shared
    }

    fn ports(&self, ids: &[&str], seed: u64) -> Ports {
        Ports {
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(1000 + seed)),
            encryption: if ids.is_empty() {
                Arc::new(EncryptionKeys::none())
            } else {
                keys(ids)
            },
        }
    }

    const fn encryption<'a>(&'a self, ports: &'a Ports) -> Encryption<'a> {
        Encryption::of(ports, &self.lifetimes)
    }

    async fn open(&self, ids: &[&str], seed: u64) -> Result<Engine, OpenError> {
        Engine::open(self.ports(ids, seed), Settings::default(), CHEAP).await
    }

    async fn sealed_by(&self) -> Vec<Option<String>> {
        let status = self.encryption(&self.ports(&[], 3)).status().await.unwrap();
        let ids = status
            .rows
            .iter()
            .map(|row| row.sealed_by.as_ref().map(ToString::to_string));
        ids.collect()
    }

    async fn actions(&self, engine: &Engine) -> Vec<&'static str> {
        let events = engine
            .audit()
            .list(&Caller::operator(), &Query::default())
            .await
            .unwrap();
        events.items.iter().map(|event| event.action.as_str()).collect()
    }
}

async fn token(engine: &Engine) -> Secret {
    let origin = zenml_auth_model::Origin::default();
    let signed_in = engine
        .sign_in()
        .with_password("default", Secret::new(PASSWORD), &origin)
        .await;
    signed_in.unwrap().token
}

#[tokio::test]
async fn what_is_in_plain_is_sealed_once_and_a_new_key_takes_over() {
    let shared = Shared::in_plain().await;
    assert_eq!(shared.sealed_by().await, [None, None]);
    let before = shared.store.signing_keys().await.unwrap();
    assert!(matches!(
        shared.open(&["k1"], 4).await.map(|_| ()),
        Err(OpenError::Sealing(SealingError::InPlain(_)))
    ));
    let sealing = (5..11).map(|seed| {
        let ports = shared.ports(&["k2"], seed);
        let lifetimes = shared.lifetimes;
        tokio::spawn(async move { Encryption::of(&ports, &lifetimes).seal_plain().await.unwrap() })
    });
    let mut sealed = 0;
    for replica in sealing.collect::<Vec<_>>() {
        sealed += replica.await.unwrap();
    }
    assert_eq!(sealed, 2, "by one of them");
    assert_eq!(
        shared.sealed_by().await,
        [const { None::<String> }; 3].map(|_| Some("k2".to_owned()))
    );
    let after = shared.store.signing_keys().await.unwrap();
    let old = after.iter().find(|key| key.id == before[0].id).unwrap();
    let new: Vec<_> = after.iter().filter(|key| key.retired_until.is_none()).collect();
    assert!(old.retired_until.is_some(), "somebody may have a copy of it");
    assert_eq!(new.len(), 1);
    assert_ne!(new[0].id, old.id);
    let engine = shared.open(&["k2"], 12).await.unwrap();
    assert_eq!(engine.keyring().public_keys().len(), 2);
    let actions = shared.actions(&engine).await;
    assert_eq!(
        actions
            .iter()
            .filter(|action| **action == "encryption.sealed")
            .count(),
        1
    );
    assert!(actions.contains(&"signing_key.rotated"));
}

#[tokio::test]
async fn tokens_from_before_sealing_stay_good() {
    let shared = Shared::set_up_with(&["k1"]).await;
    let before = token(&shared.open(&["k1"], 4).await.unwrap()).await;
    let ports = shared.ports(&["k1"], 5);
    shared.encryption(&ports).unseal().await.unwrap();
    shared.encryption(&ports).seal_plain().await.unwrap();
    let engine = shared.open(&["k1"], 6).await.unwrap();
    assert!(engine.keyring().verify(before.expose(), engine.now()).is_ok());
}

#[tokio::test]
async fn without_a_key_nothing_is_sealed_or_set_up() {
    let shared = Shared::in_plain().await;
    let ports = shared.ports(&[], 4);
    assert!(shared.encryption(&ports).seal_plain().await.is_err());
    assert_eq!(shared.sealed_by().await, [None, None]);
    let empty = Ports {
        store: Arc::new(MemoryStore::new()),
        ..ports
    };
    let administrator = FirstAdministrator {
        name: Name::new("default").unwrap(),
        password: None,
    };
    assert!(set_up(&empty, administrator, CHEAP).await.is_err());
    assert_eq!(empty.store.server().await.unwrap(), None);
}

#[tokio::test]
async fn rotating_seals_everything_under_the_first_key() {
    let shared = Shared::set_up_with(&["old"]).await;
    // A replica that has not heard of the new key.
    let late = shared.open(&["old"], 4).await.unwrap();
    let signed = token(&late).await;
    let ports = shared.ports(&["new", "old"], 5);
    let encryption = shared.encryption(&ports);
    assert_eq!(encryption.rotate(None).await.unwrap(), 2);
    assert_eq!(
        shared.sealed_by().await,
        [Some("new".to_owned()), Some("new".to_owned())]
    );
    assert_eq!(
        encryption.rotate(None).await.unwrap(),
        0,
        "there is nothing left to do"
    );
    // It goes on with what it has opened.
    late.maintenance().rotate_signing_key_if_due().await.unwrap();
    assert!(late.keyring().first_problem().is_some());
    let now = late.now();
    assert!(late.keyring().verify(signed.expose(), now).is_ok());
    let fresh = token(&late).await;
    // The old key is not needed any more.
    let alone = shared.open(&["new"], 6).await.unwrap();
    assert!(alone.keyring().verify(signed.expose(), now).is_ok());
    assert!(alone.keyring().verify(fresh.expose(), now).is_ok());
    assert!(shared.actions(&alone).await.contains(&"encryption.rotated"));
}

#[tokio::test]
async fn rotating_under_another_key_than_was_meant_does_nothing() {
    let shared = Shared::set_up_with(&["old"]).await;
    let ports = shared.ports(&["old"], 4);
    let wanted = EncryptionKeyId::new("new").unwrap();
    let error = shared.encryption(&ports).rotate(Some(&wanted)).await.unwrap_err();
    assert!(matches!(error, RotateEncryptionError::OtherKey { .. }), "{error}");
    assert!(
        error.to_string().contains("old seals here, and not new"),
        "{error}"
    );
    // Nor where something can't be opened.
    let strangers = shared.ports(&["new"], 5);
    assert!(shared.encryption(&strangers).rotate(None).await.is_err());
    assert_eq!(
        shared.sealed_by().await,
        [Some("old".to_owned()), Some("old".to_owned())]
    );
}

#[tokio::test]
async fn a_lost_key_is_named_and_a_wrong_one_is_told_apart() {
    let shared = Shared::set_up_with(&["k1"]).await;
    let problem = |opened: Result<Engine, OpenError>| match opened.map(|_| ()).unwrap_err() {
        OpenError::Sealing(problem) => problem,
        other => panic!("{other}"),
    };
    let lost = problem(shared.open(&["k2"], 4).await);
    assert!(
        matches!(&lost, SealingError::UnknownKey { key, .. } if key.as_str() == "k1"),
        "{lost}"
    );
    let other = EncryptionKey::generate(EncryptionKeyId::new("k1").unwrap(), &SeededEntropy::new(77));
    let ports = Ports {
        encryption: Arc::new(EncryptionKeys::one(other)),
        ..shared.ports(&[], 5)
    };
    let wrong = problem(Engine::open(ports, Settings::default(), CHEAP).await);
    assert!(
        matches!(&wrong, SealingError::Refused { key, .. } if key.as_str() == "k1"),
        "{wrong}"
    );
}

#[tokio::test]
async fn after_a_reset_no_former_token_is_good_and_everybody_is_still_there() {
    let shared = Shared::set_up_with(&["lost"]).await;
    let before = token(&shared.open(&["lost"], 4).await.unwrap()).await;
    let ports = shared.ports(&["k2"], 5);
    shared.encryption(&ports).reset().await.unwrap();
    let engine = shared.open(&["k2"], 6).await.unwrap();
    let verified = engine.keyring().verify(before.expose(), engine.now());
    assert_eq!(verified.unwrap_err(), TokenError::UnknownKey);
    let after = token(&engine).await;
    assert!(engine.keyring().verify(after.expose(), engine.now()).is_ok());
    assert_eq!(shared.store.signing_keys().await.unwrap().len(), 1);
    assert!(shared.actions(&engine).await.contains(&"encryption.reset"));
}

#[tokio::test]
async fn what_was_put_into_another_row_or_planted_is_refused() {
    let shared = Shared::set_up_with(&["k1"]).await;
    let original = shared.store.signing_keys().await.unwrap().remove(0);
    let server = shared.store.server().await.unwrap().unwrap();
    let planted = [
        // In plain, so the writer of the row knows it.
        KeptSecret::Plain([7; 32].into()),
        server.secret,
    ];
    for seed in planted {
        let current = shared.store.signing_keys().await.unwrap().remove(0);
        let changed = SigningKey { seed, ..current };
        let guard = shared.store.guard(Guard::SigningKeys).await.unwrap();
        let changes = ChangeSet::new()
            .with(Change::UpdateSigningKey(changed))
            .with(Change::Guard(Guard::SigningKeys, guard));
        shared.store.commit(changes).await.unwrap();
        // Sealing what is in plain does not make it good.
        let ports = shared.ports(&["k1"], 4);
        assert_eq!(shared.encryption(&ports).seal_plain().await.unwrap(), 0);
        let opened = shared.open(&["k1"], 5).await.map(|_| ());
        assert!(matches!(opened, Err(OpenError::Sealing(_))), "{opened:?}");
    }
    let current = shared.store.signing_keys().await.unwrap().remove(0);
    let mended = SigningKey {
        seed: original.seed,
        ..current
    };
    shared
        .store
        .commit(ChangeSet::new().with(Change::UpdateSigningKey(mended)))
        .await
        .unwrap();
    assert!(shared.open(&["k1"], 6).await.is_ok());
}

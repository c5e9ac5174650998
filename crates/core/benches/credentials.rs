//! What a credential costs apart from everything around it: `cargo bench -p zenml-auth-core`.

#![allow(clippy::unwrap_used, reason = "a benchmark of what can't fail")]

use std::time::Duration;

use divan::{Bencher, black_box};
use uuid::Uuid;
use zenml_auth_core::rules::api_key;
use zenml_auth_core::sealing::Place;
use zenml_auth_core::secrets;
use zenml_auth_core::token::{Keyring, Provenance, Token};
use zenml_auth_core::user_code;
use zenml_auth_model::{Secret, SigningKey, Timestamp};
use zenml_auth_testkit::builders::Builders;
use zenml_auth_testkit::encryption::encryption_keys;
use zenml_auth_testkit::entropy::SeededEntropy;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn main() {
    divan::main();
}

/// A key ring with one key, and a token to sign with it.
fn keyring() -> (Keyring, Token) {
    let builders = Builders::new();
    let (server, encryption) = (builders.server().id, encryption_keys());
    let key = builders.signing_key();
    let place = Place::SigningKey(server, key.id);
    let seed = encryption.seal(place, &[7; 32], &SeededEntropy::new(1)).unwrap();
    let key = SigningKey {
        seed: seed.into(),
        ..key
    };
    let keyring = Keyring::new(server);
    keyring.load(&[key], &encryption, NOW).unwrap();
    let user = builders.user("anna");
    let token = Token {
        id: Uuid::from_u128(7),
        provenance: Provenance::Device {
            user: user.id,
            credentials_gen: 1,
            device: builders.device(&user).id,
            token_gen: 1,
        },
        issued: NOW,
        expires: NOW + Duration::from_secs(3600),
        authenticated: None,
        made_from: None,
    };
    (keyring, token)
}

#[divan::bench]
fn sign_a_token(bencher: Bencher<'_, '_>) {
    let (keyring, token) = keyring();
    bencher.bench_local(|| keyring.sign(black_box(&token)).unwrap());
}

#[divan::bench]
fn verify_a_token_for_the_first_time(bencher: Bencher<'_, '_>) {
    let signed = {
        let (keyring, token) = keyring();
        keyring.sign(&token).unwrap()
    };
    bencher
        .with_inputs(|| keyring().0)
        .bench_local_refs(|fresh| fresh.verify(signed.expose(), NOW));
}

#[divan::bench]
fn verify_a_token_again(bencher: Bencher<'_, '_>) {
    let (keyring, token) = keyring();
    let signed = keyring.sign(&token).unwrap();
    bencher.bench_local(|| keyring.verify(black_box(signed.expose()), NOW).unwrap());
}

#[divan::bench]
fn verify_an_api_key(bencher: Bencher<'_, '_>) {
    let builders = Builders::new();
    let value = secrets::random_secret(&SeededEntropy::new(1));
    let mut key = builders.api_key(&builders.service_account("ci"), "default");
    key.current.hash = secrets::hash(&value);
    bencher.bench_local(|| api_key::present(&key, &secrets::hash(black_box(&value)), NOW).unwrap());
}

#[divan::bench]
fn make_an_api_key_value(bencher: Bencher<'_, '_>) {
    let entropy = SeededEntropy::new(1);
    bencher.bench_local(|| {
        let value: Secret = secrets::random_secret(&entropy);
        secrets::hash(&value)
    });
}

#[divan::bench]
fn read_a_user_code(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| user_code::mac(&[7; 32], &user_code::normalize(black_box("wdjb mjht")).unwrap()));
}

//! Names are compared letter by letter, as no database does by default and some do on no account.

use std::sync::Arc;

use zenml_auth_core::ports::{Change, Store};
use zenml_auth_model::text::{MAX_NAME_CHARS, MAX_TEXT_BYTES};
use zenml_auth_model::{ServiceAccount, User};

use super::{make, make_all};
use crate::builders::{Builders, text_of};

/// Different names, some of which one collation or other takes for the same.
const NAMES: &[&str] = &[
    "alice",
    "Alice",
    "ALICE",
    "alicé",
    "alice\u{301}",
    "strasse",
    "straße",
    "ı",
    "i",
    "I",
    "İ",
    "🚀",
    "🚁",
    "a b",
    "a_b",
    "a%b",
    "a\u{a0}b",
    "ﬁ",
    "fi",
    "½",
    "1/2",
    "\u{200b}alice",
];

pub(super) async fn names_that_differ_in_case_are_different(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (lower, upper) = (build.user("alice"), build.user("Alice"));
    let account = build.service_account("ci");
    let (lower_key, upper_key) = (build.api_key(&account, "key"), build.api_key(&account, "KEY"));
    let changes = [
        Change::InsertUser(lower.clone()),
        Change::InsertUser(upper.clone()),
        Change::InsertServiceAccount(account.clone()),
        Change::InsertServiceAccount(build.service_account("CI")),
        Change::InsertApiKey(lower_key.clone()),
        Change::InsertApiKey(upper_key.clone()),
    ];
    make_all(&*store, changes).await;
    assert_eq!(store.user_by_name("alice").await.unwrap(), Some(lower));
    assert_eq!(store.user_by_name("Alice").await.unwrap(), Some(upper));
    assert_eq!(store.user_by_name("ALICE").await.unwrap(), None);
    assert_eq!(store.service_account_by_name("Ci").await.unwrap(), None);
    assert_eq!(
        store.api_key_by_name(account.id, "key").await.unwrap(),
        Some(lower_key)
    );
    assert_eq!(
        store.api_key_by_name(account.id, "KEY").await.unwrap(),
        Some(upper_key)
    );
}

pub(super) async fn names_are_compared_letter_by_letter(store: Arc<dyn Store>) {
    let build = Builders::new();
    let users: Vec<User> = NAMES.iter().map(|name| build.user(name)).collect();
    make_all(&*store, users.iter().cloned().map(Change::InsertUser)).await;
    for user in users {
        let found = store.user_by_name(user.name.as_str()).await.unwrap();
        assert_eq!(found, Some(user));
    }
    // Also where a name could not have them: blanks count.
    for near_miss in ["alice ", " alice", "alic", "", "alice\0", "%", "a_", "Straße"] {
        assert_eq!(
            store.user_by_name(near_miss).await.unwrap(),
            None,
            "{near_miss:?} is nobody's name"
        );
    }
}

pub(super) async fn long_names_and_texts_fit(store: Arc<dyn Store>) {
    let build = Builders::new();
    let account = ServiceAccount {
        description: text_of(&"🚀".repeat(MAX_TEXT_BYTES / 4)),
        full_name: text_of(&"x".repeat(MAX_TEXT_BYTES)),
        ..build.service_account(&"🚀".repeat(MAX_NAME_CHARS))
    };
    let key = build.api_key(&account, &"ü".repeat(MAX_NAME_CHARS));
    // A request body, and so what a client keeps with an account, has up to 1 MiB.
    let user = User {
        metadata: Some(format!("{{\"long\": \"{}\"}}", "🚀".repeat(256 * 1024))),
        ..build.user(&"x".repeat(MAX_NAME_CHARS))
    };
    make(&*store, Change::InsertServiceAccount(account.clone())).await;
    make(&*store, Change::InsertApiKey(key.clone())).await;
    make(&*store, Change::InsertUser(user.clone())).await;
    assert_eq!(
        store
            .service_account_by_name(account.name.as_str())
            .await
            .unwrap()
            .as_ref(),
        Some(&account)
    );
    assert_eq!(
        store
            .api_key_by_name(account.id, key.name.as_str())
            .await
            .unwrap(),
        Some(key)
    );
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
}

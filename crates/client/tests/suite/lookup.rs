//! Finding things by name, by id, or by the beginning of an id.

use serde_json::{Value, json};
use zenml_auth_client::ClientError;

use crate::support::Fake;

const ID: &str = "4dd61a55-b8c9-4214-b613-292d167af1bc";
const OTHER_ID: &str = "4dd61a55-0000-4214-b613-292d167af1bc";

fn account(id: &str, name: &str) -> Value {
    let time = "2026-11-23T18:49:49.109472";
    json!({"id": id, "name": name, "body": {"created": time, "updated": time, "active": true}})
}

fn page(items: &[Value]) -> Value {
    json!({"index": 1, "max_size": 20, "total_pages": 1, "total": items.len(), "items": items})
}

#[tokio::test]
async fn a_name_is_compared_as_a_whole() {
    let fake = Fake::start().await;
    fake.reply_json(200, page(&[account(ID, "a:b")]));
    let found = fake.client().0.find_service_account("a:b").await.unwrap();
    assert_eq!(found.id.to_string(), ID);
    assert_eq!(
        fake.asked()[0].path,
        "/api/v1/service_accounts?name=equals%3Aa%3Ab&size=1&hydrate=true"
    );
}

#[tokio::test]
async fn an_id_is_asked_for_directly() {
    let fake = Fake::start().await;
    fake.reply_json(200, account(ID, "ci"));
    fake.client().0.find_service_account(ID).await.unwrap();
    assert_eq!(fake.asked()[0].path, format!("/api/v1/service_accounts/{ID}"));
    fake.reply_json(404, json!({"detail": ["KeyError", "'none'"]}));
    let error = fake.client().0.find_service_account(ID).await.unwrap_err();
    assert_eq!(error.to_string(), format!("there is no service account {ID:?}"));
}

#[tokio::test]
async fn the_beginning_of_an_id_will_do_when_it_is_unique() {
    let fake = Fake::start().await;
    fake.reply_json(200, page(&[]))
        .reply_json(200, page(&[account(ID, "ci")]));
    assert_eq!(
        fake.client()
            .0
            .find_service_account("4DD61A55-b8")
            .await
            .unwrap()
            .name,
        "ci"
    );
    assert_eq!(
        fake.asked()[1].path,
        "/api/v1/service_accounts?id=startswith%3A4dd61a55b8&size=5&hydrate=true"
    );
    fake.reply_json(200, page(&[]))
        .reply_json(200, page(&[account(ID, "a"), account(OTHER_ID, "b")]));
    let error = fake.client().0.find_service_account("4dd").await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Ambiguous { matches, .. } if matches.len() == 2),
        "{error:?}"
    );
}

#[tokio::test]
async fn devices_have_no_names() {
    let fake = Fake::start().await;
    let error = fake.client().0.find_device("laptop").await.unwrap_err();
    assert!(error.is_not_found());
    assert!(
        fake.asked().is_empty(),
        "nothing can be found so, and nothing was asked"
    );
}

#[tokio::test]
async fn what_is_neither_is_nothing() {
    let fake = Fake::start().await;
    fake.reply_json(200, page(&[]));
    let error = fake.client().0.find_user("..").await.unwrap_err();
    assert_eq!(error.to_string(), r#"there is no user "..""#);
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_service_account_finds_itself_by_name_though_it_may_list_none() {
    let fake = Fake::start().await;
    let refused = json!({"detail": ["IllegalOperationError", "no"]});
    let own = json!({"id": ID, "name": "ci", "body": {
        "created": "2026-11-23T18:49:49.109472", "updated": "2026-11-23T18:49:49.109472", "active": true,
        "full_name": "", "is_service_account": true, "is_admin": false, "email_opted_in": false,
    }});
    fake.reply_json(403, refused.clone())
        .reply_json(200, own.clone())
        .reply_json(200, account(ID, "ci"));
    let found = fake.client().0.find_service_account("ci").await.unwrap();
    assert_eq!(found.id.to_string(), ID);
    let asked: Vec<String> = fake.asked().into_iter().map(|request| request.path).collect();
    assert_eq!(
        &asked[1..],
        [
            "/api/v1/current-user".to_owned(),
            format!("/api/v1/service_accounts/{ID}")
        ]
    );

    // Another one's name is refused as before.
    fake.reply_json(403, refused).reply_json(200, own);
    let error = fake.client().0.find_service_account("cd").await.unwrap_err();
    assert!(error.is_forbidden(), "{error}");
}

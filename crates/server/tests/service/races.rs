//! Dozens of racers for one thing, over HTTP, on every store: one winner each.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use zenml_auth_core::services::{ConfirmError, Presented, UserCode};
use zenml_auth_model::{DeviceId, GrantId, Origin};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh};
use zenml_auth_testkit::head_start::{HeadStart, Side, give_way};
use zenml_auth_testkit::server::{
    ADMIN, Keeping, PASSWORD, TestOptions, TestResponse, TestServer, device_id, text,
};

const RACERS: usize = 40;
const CLIENT: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
const USERS: &str = "/api/v1/users";

/// How often each thing is raced for.
const ROUNDS: usize = 100;
/// How often rotations are raced for: each time all racers change the same key, and each of them wins once.
const ROTATION_ROUNDS: usize = 30;

/// Runs each test on every store; on database servers only where they are installed.
macro_rules! on_stores {
    ($($test:ident)+) => {
        on_stores! { @on memory (Store::Kept(Keeping::Memory)) $($test)+ }
        on_stores! { @on sqlite (Store::Kept(Keeping::Sqlite)) $($test)+ }
        on_stores! { @on postgres (Store::On(Kind::Postgres)) $($test)+ }
        on_stores! { @on mysql (Store::On(Kind::MySql)) $($test)+ }
    };
    (@on $module:ident $store:tt $($test:ident)+) => {
        mod $module {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some((server, _database)) = $store.serve().await {
                        Box::pin(super::$test(server)).await;
                    }
                }
            )+
        }
    };
}

on_stores! {
    one_poll_gets_the_token
    pending_polls_at_once_neither_fail_nor_win
    every_rotation_replaces_the_one_before_and_one_value_is_left
    rotations_with_retention_leave_two_values
    one_approval_counts
    approvals_and_denials_agree_on_one
    guesses_at_once_count_as_many
    a_lock_ends_every_connection_that_races_with_it
    two_administrators_cannot_demote_each_other
    two_administrators_cannot_deactivate_each_other
    two_administrators_cannot_delete_each_other
}

/// Where a server keeps everything.
enum Store {
    Kept(Keeping),
    On(Kind),
}

impl Store {
    /// A server, and the database that it needs; `None` where there is none on this machine.
    async fn serve(self) -> Option<(Arc<TestServer>, Option<TestDatabase>)> {
        match self {
            Self::Kept(keeping) => {
                let options = TestOptions {
                    keeping,
                    ..TestOptions::default()
                };
                Some((Arc::new(TestServer::start_with(options).await), None))
            }
            Self::On(kind) => {
                let database = fresh(kind).await?;
                let store = Arc::new(database.store().await);
                let server = TestServer::start_on(store, TestOptions::default()).await;
                Some((Arc::new(server), Some(database)))
            }
        }
    }
}

/// Runs all racers at once and gives what each of them got.
async fn race<T, F, Racer>(count: usize, racer: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(usize) -> Racer,
    Racer: Future<Output = T> + Send + 'static,
{
    let running: Vec<_> = (0..count).map(|number| tokio::spawn(racer(number))).collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.await.unwrap());
    }
    answers
}

/// The same on two sides, one of which begins earlier.
async fn race_of_two<T, F, Racer>(head_start: &HeadStart, racer: F) -> Vec<(Side, T)>
where
    T: Send + 'static,
    F: Fn(Side) -> Racer,
    Racer: Future<Output = T> + Send + 'static,
{
    race(RACERS, |number| {
        let side = head_start.side(number);
        let (wait, racer) = (head_start.wait(side), racer(side));
        async move {
            give_way(wait).await;
            (side, racer.await)
        }
    })
    .await
}

fn count(answers: &[TestResponse], status: StatusCode) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

async fn one_poll_gets_the_token(server: Arc<TestServer>) {
    let admin = server.admin().await;
    for _ in 0..ROUNDS {
        let asked = server.request_device(CLIENT).await;
        server.approve(&admin, &asked).await.expect(StatusCode::OK);
        let code = text(&asked["device_code"]);
        let answers = race(RACERS, |_| {
            let (server, code) = (server.clone(), code.clone());
            async move { server.poll(CLIENT, &code).await }
        })
        .await;
        assert_eq!(count(&answers, StatusCode::OK), 1);
        for lost in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
            assert_eq!(
                lost.expect(StatusCode::BAD_REQUEST).json()["error"],
                "expired_token"
            );
        }
    }
    let devices = server.get("/api/v1/devices").bearer(&admin).send().await.json();
    assert_eq!(devices["total"], 1, "one client of one person is one device");
}

async fn pending_polls_at_once_neither_fail_nor_win(server: Arc<TestServer>) {
    let asked = server.request_device(CLIENT).await;
    let code = text(&asked["device_code"]);
    let answers = race(RACERS, |_| {
        let (server, code) = (server.clone(), code.clone());
        async move { server.poll(CLIENT, &code).await }
    })
    .await;
    let errors: Vec<_> = answers
        .iter()
        .map(|answer| text(&answer.expect(StatusCode::BAD_REQUEST).json()["error"]))
        .collect();
    assert_eq!(
        errors
            .iter()
            .filter(|error| *error == "authorization_pending")
            .count(),
        1
    );
    assert_eq!(
        errors.iter().filter(|error| *error == "slow_down").count(),
        RACERS - 1
    );
}

async fn every_rotation_replaces_the_one_before_and_one_value_is_left(server: Arc<TestServer>) {
    let admin = server.admin().await;
    let mut current = server.api_key(&admin, "ci", "default").await;
    for _ in 0..ROTATION_ROUNDS {
        let answers = race(RACERS, |_| {
            let (server, admin) = (server.clone(), admin.clone());
            async move {
                let path = "/api/v1/service_accounts/ci/api_keys/default/rotate";
                server.change(&admin, path, &json!({})).await
            }
        })
        .await;
        assert_eq!(count(&answers, StatusCode::OK), RACERS);
        assert_eq!(
            server.current_user(&current).await.status,
            StatusCode::UNAUTHORIZED
        );
        let mut alive = Vec::new();
        for answer in &answers {
            let key = text(&answer.json()["body"]["key"]);
            if server.good(&key).await {
                alive.push(key);
            }
        }
        assert_eq!(alive.len(), 1, "one winner");
        current = alive.remove(0);
    }
}

async fn rotations_with_retention_leave_two_values(server: Arc<TestServer>) {
    let admin = server.admin().await;
    let mut keys = vec![server.api_key(&admin, "ci", "default").await];
    let answers = race(RACERS, |_| {
        let (server, admin) = (server.clone(), admin.clone());
        async move {
            let path = "/api/v1/service_accounts/ci/api_keys/default/rotate";
            server
                .change(&admin, path, &json!({"retain_period_minutes": 60}))
                .await
        }
    })
    .await;
    keys.extend(
        answers
            .iter()
            .map(|answer| text(&answer.expect(StatusCode::OK).json()["body"]["key"])),
    );
    let mut alive = 0;
    for key in &keys {
        alive += usize::from(server.good(key).await);
    }
    assert_eq!(alive, 2);
}

async fn one_approval_counts(server: Arc<TestServer>) {
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(server.user(&format!("person-{number}")).await);
    }
    let asked = server.request_device(CLIENT).await;
    let answers = race(RACERS, |number| {
        let (server, asked) = (server.clone(), asked.clone());
        let person = people[number % people.len()].clone();
        let body = json!({"user_code": asked["user_code"], "trusted_device": number % 2 == 0});
        async move { server.verify(&person, &asked, &body).await }
    })
    .await;
    assert_eq!(count(&answers, StatusCode::OK), 1);
    assert_eq!(count(&answers, StatusCode::BAD_REQUEST), RACERS - 1);
    let winner = answers
        .iter()
        .find(|answer| answer.status == StatusCode::OK)
        .unwrap()
        .json();
    let token = server
        .poll(CLIENT, asked["device_code"].as_str().unwrap())
        .await
        .expect(StatusCode::OK)
        .json();
    let me = server
        .current_user(token["access_token"].as_str().unwrap())
        .await
        .json();
    assert_eq!(me["id"], winner["body"]["user_id"], "the token is the winner's");
}

async fn approvals_and_denials_agree_on_one(server: Arc<TestServer>) {
    let mut head_start = HeadStart::none();
    let admin = server.admin().await;
    for _ in 0..ROUNDS {
        let asked = server.request_device(CLIENT).await;
        let decisions = race_of_two(&head_start, |side| {
            let (server, admin, asked) = (server.clone(), admin.clone(), asked.clone());
            async move {
                match side {
                    Side::Left => approve(&server, &admin, &asked).await,
                    Side::Right => deny(&server, &admin, &asked).await,
                }
            }
        })
        .await;
        let winners: Vec<_> = decisions
            .into_iter()
            .filter_map(|(side, decided)| decided.then_some(side))
            .collect();
        assert_eq!(winners.len(), 1, "one decision counts");
        let polled = server.poll(CLIENT, asked["device_code"].as_str().unwrap()).await;
        match winners[0] {
            Side::Left => drop(polled.expect(StatusCode::OK)),
            Side::Right => assert_eq!(polled.json()["error"], "access_denied"),
        }
        head_start.won(winners[0]);
    }
    head_start.expect_both_won();
}

/// What the form on the page does; whether it was this that decided.
async fn approve(server: &TestServer, token: &str, asked: &serde_json::Value) -> bool {
    match server.approve(token, asked).await.status {
        StatusCode::OK => true,
        StatusCode::BAD_REQUEST => false,
        other => panic!("{other}"),
    }
}

/// What the button on the page does; whether it was this that decided.
async fn deny(server: &TestServer, token: &str, asked: &serde_json::Value) -> bool {
    let caller = server
        .engine
        .authenticator()
        .authenticate(Presented::Token(token), Origin::default())
        .await
        .unwrap();
    let id: DeviceId = device_id(asked).parse().unwrap();
    let code = UserCode::typed(asked["user_code"].as_str().unwrap());
    let denied = server
        .engine
        .device_flow()
        .deny(&caller, GrantId::from(id), &code)
        .await;
    match denied {
        Ok(_) => true,
        Err(ConfirmError::NotPending) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn guesses_at_once_count_as_many(server: Arc<TestServer>) {
    let admin = server.admin().await;
    let asked = server.request_device(CLIENT).await;
    let wrong = json!({"user_code": "BBBB-BBBB"});
    let answers = race(RACERS, |_| {
        let (server, asked, admin) = (server.clone(), asked.clone(), admin.clone());
        let wrong = wrong.clone();
        async move { server.verify(&admin, &asked, &wrong).await }
    })
    .await;
    assert_eq!(count(&answers, StatusCode::BAD_REQUEST), RACERS);
    let counted = answers
        .iter()
        .filter(|answer| !answer.text().contains("not pending"))
        .count();
    assert_eq!(counted, 3, "three tries, however many come at once");
    let code = text(&asked["device_code"]);
    assert_eq!(server.poll(CLIENT, &code).await.json()["error"], "access_denied");
}

async fn a_lock_ends_every_connection_that_races_with_it(server: Arc<TestServer>) {
    let mut head_start = HeadStart::none();
    let admin = server.admin().await;
    for _ in 0..ROUNDS {
        let (_, id) = server.connect_device(&admin, CLIENT, true).await;
        let asked = server.request_device(CLIENT).await;
        server.approve(&admin, &asked).await.expect(StatusCode::OK);
        let (code, path) = (text(&asked["device_code"]), format!("/api/v1/devices/{id}"));
        let answers = race_of_two(&head_start, |side| {
            let (server, admin, code, path) = (server.clone(), admin.clone(), code.clone(), path.clone());
            async move {
                match side {
                    Side::Left => server.change(&admin, &path, &json!({"locked": true})).await,
                    Side::Right => server.poll(CLIENT, &code).await,
                }
            }
        })
        .await;
        let mut tokens = Vec::new();
        for (side, answer) in answers {
            if side == Side::Left {
                answer.expect(StatusCode::OK);
            } else if answer.status == StatusCode::OK {
                tokens.push(text(&answer.json()["access_token"]));
            } else {
                // Locked before, or somebody else had the token.
                let error = text(&answer.expect(StatusCode::BAD_REQUEST).json()["error"]);
                assert!(
                    ["access_denied", "expired_token"].contains(&error.as_str()),
                    "{error}"
                );
            }
        }
        assert!(tokens.len() <= 1, "one poll gets the token");
        head_start.won(if tokens.is_empty() {
            Side::Left
        } else {
            Side::Right
        });
        for token in tokens {
            assert_eq!(server.current_user(&token).await.status, StatusCode::UNAUTHORIZED);
        }
        server
            .change(&admin, &path, &json!({"locked": false}))
            .await
            .expect(StatusCode::OK);
    }
    head_start.expect_both_won();
}

async fn two_administrators_cannot_demote_each_other(server: Arc<TestServer>) {
    for round in 0..10 {
        let first = server.admin().await;
        let name = format!("second-{round}");
        let second = server.user(&name).await;
        let path = format!("/api/v1/users/{name}");
        server
            .change(&first, &path, &json!({"is_admin": true}))
            .await
            .expect(StatusCode::OK);
        let answers = race(2, |number| {
            let server = server.clone();
            let (token, path) = if number == 0 {
                (first.clone(), path.clone())
            } else {
                (second.clone(), "/api/v1/users/default".to_owned())
            };
            async move { server.change(&token, &path, &json!({"is_admin": false})).await }
        })
        .await;
        assert_eq!(count(&answers, StatusCode::OK), 1, "{answers:?}");
        // The one who is left makes the default one an administrator again, for the next round.
        if answers[1].status == StatusCode::OK {
            server
                .change(&second, "/api/v1/users/default", &json!({"is_admin": true}))
                .await
                .expect(StatusCode::OK);
            let first = server.admin().await;
            server
                .delete(&path)
                .bearer(&first)
                .send()
                .await
                .expect(StatusCode::OK);
        }
    }
}

/// How one administrator gets rid of another.
#[derive(Clone, Copy)]
enum Removal {
    Deactivate,
    Delete,
}

async fn two_administrators_cannot_deactivate_each_other(server: Arc<TestServer>) {
    one_of_two_administrators_stays(server, Removal::Deactivate).await;
}

async fn two_administrators_cannot_delete_each_other(server: Arc<TestServer>) {
    one_of_two_administrators_stays(server, Removal::Delete).await;
}

async fn one_of_two_administrators_stays(server: Arc<TestServer>, removal: Removal) {
    let mut head_start = HeadStart::none();
    let made = json!({"name": "second", "password": PASSWORD, "is_admin": true, "active": true});
    for _ in 0..20 {
        let first = server.admin().await;
        let created = server.post(USERS).bearer(&first).json(&made).send().await;
        created.expect(StatusCode::OK);
        let second = server.sign_in("second", PASSWORD).await;
        let answers = race_of_two(&head_start, |side| {
            let (server, first, second) = (server.clone(), first.clone(), second.clone());
            async move {
                let (token, other) = match side {
                    Side::Left => (first, "second"),
                    Side::Right => (second, ADMIN),
                };
                let path = format!("{USERS}/{other}");
                match removal {
                    Removal::Deactivate => server.change(&token, &path, &json!({"active": false})).await,
                    Removal::Delete => server.delete(&path).bearer(&token).send().await,
                }
            }
        })
        .await;
        let mut winners: Vec<_> = answers
            .iter()
            .filter(|(_, answer)| answer.status == StatusCode::OK)
            .map(|(side, _)| *side)
            .collect();
        winners.dedup();
        let [winner] = winners[..] else {
            panic!("{answers:?}");
        };
        for (_, answer) in &answers {
            assert!(!answer.status.is_server_error(), "{answer:?}");
        }
        head_start.won(winner);
        // The one who is left is still an administrator, and restores the other for the next round.
        let (left, gone) = match winner {
            Side::Left => (&first, "second"),
            Side::Right => (&second, ADMIN),
        };
        let me = server.current_user(left).await;
        assert_eq!(me.expect(StatusCode::OK).json()["body"]["is_admin"], true);
        let path = format!("{USERS}/{gone}");
        match removal {
            Removal::Deactivate => {
                let back = server.change(left, &path, &json!({"active": true})).await;
                back.expect(StatusCode::OK);
            }
            Removal::Delete => {
                let back = json!({"name": gone, "password": PASSWORD, "is_admin": true, "active": true});
                let made = server.post(USERS).bearer(left).json(&back).send().await;
                made.expect(StatusCode::OK);
            }
        }
        let first = server.admin().await;
        let deleted = server
            .delete(&format!("{USERS}/second"))
            .bearer(&first)
            .send()
            .await;
        deleted.expect(StatusCode::OK);
    }
    head_start.expect_both_won();
}

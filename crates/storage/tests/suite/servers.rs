//! What happens on database servers: connections break, transactions run into each other, others take over.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use zenml_auth_core::ports::{
    Change, ChangeSet, CommitError, DeviceUse, Epoch, PurgeBefore, Revocations, Revoked, Store, StoreError,
};
use zenml_auth_model::{Timestamp, UsedFrom, User};
use zenml_auth_storage::sea_orm::{ConnectionTrait, IsolationLevel, Statement, TransactionTrait};
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::builders::{Builders, text_of};
use zenml_auth_testkit::databases::{Cut, Kind, Proxy, TestDatabase, fresh, own_server};

zenml_auth_testkit::on_servers! {
    connections_that_were_cut_are_replaced
    requests_in_flight_survive_or_fail_clearly
    what_broke_off_before_the_commit_is_made_again
    what_broke_off_during_the_commit_is_not_made_twice
    a_deadlock_is_resolved
    what_the_server_takes_back_is_tried_again_but_not_for_ever
    what_the_server_says_is_told_by_its_meaning
    a_server_that_goes_away_is_unavailable_until_it_is_back
    a_server_that_follows_another_is_refused
    a_database_of_another_encoding_is_refused
    an_epoch_of_another_history_is_not_known
    the_log_of_revocations_stays_small
    one_replica_tidies_up_at_a_time
    tidying_up_waits_for_nobody_who_is_alive
    a_server_that_falls_silent_is_unavailable
    waiting_for_a_migration_takes_as_long_as_it_takes
    replicas_see_each_others_revocations
    a_statement_that_takes_too_long_ends
    long_texts_are_sorted_to_their_end
    names_with_blanks_at_their_end_are_others
}

/// More often than anything is tried.
const FOR_EVER: u32 = 1_000_000;

fn insert(user: &User) -> ChangeSet {
    ChangeSet::new().with(Change::InsertUser(user.clone()))
}

fn update(user: &User) -> ChangeSet {
    ChangeSet::new().with(Change::UpdateUser(user.clone()))
}

fn is_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    match result {
        Err(StoreError::Unavailable(_)) => true,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_unavailable(committed: Result<(), CommitError>) {
    match committed {
        Err(CommitError::Store(StoreError::Unavailable(_))) => {}
        other => panic!("{other:?}"),
    }
}

/// Everything that has ended by then.
fn ended_by(moment: Timestamp) -> PurgeBefore {
    PurgeBefore::all(moment)
}

async fn connections_that_were_cut_are_replaced(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let build = Builders::new();
    let user = build.user("alice");
    store.commit(insert(&user)).await.unwrap();
    store.epoch().await.unwrap();
    for round in 0..3 {
        // All of them: those of the pool, and the one that the epoch is read over.
        assert!(database.cut_connections().await >= 2);
        match round {
            0 => assert_eq!(store.user(user.id).await.unwrap(), Some(user.clone())),
            1 => drop(store.epoch().await.unwrap()),
            _ => store.commit(insert(&build.user("bob"))).await.unwrap(),
        }
        store.epoch().await.unwrap();
        store.user(user.id).await.unwrap();
    }
}

async fn requests_in_flight_survive_or_fail_clearly(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = Arc::new(database.store().await);
    let build = Arc::new(Builders::new());
    let mut workers = JoinSet::new();
    for worker in 0..6 {
        let (store, build) = (Arc::clone(&store), Arc::clone(&build));
        workers.spawn(async move {
            let mut done = Vec::new();
            for round in 0..40 {
                let user = build.user(&format!("user {worker} {round}"));
                match store.commit(insert(&user)).await {
                    Ok(()) => done.push(user.clone()),
                    Err(CommitError::Store(StoreError::Unavailable(_))) => {}
                    Err(other) => panic!("{other:?}"),
                }
                match store.user(user.id).await {
                    Ok(_) | Err(StoreError::Unavailable(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            done
        });
    }
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        database.cut_connections().await;
    }
    let acknowledged: Vec<User> = workers.join_all().await.into_iter().flatten().collect();
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    for user in acknowledged {
        assert_eq!(
            store.user(user.id).await.unwrap(),
            Some(user),
            "it was acknowledged"
        );
    }
}

/// A store on a new database that is reached over a wire that can be cut.
async fn over_a_wire(kind: Kind) -> Option<(SqlStore, Proxy, TestDatabase)> {
    let database = fresh(kind).await?;
    database.store().await.close().await.unwrap();
    let proxy = Proxy::to(database.server().port).await;
    let store = SqlStore::connect(&ConnectOptions::url(database.url_through(&proxy)))
        .await
        .unwrap();
    Some((store, proxy, database))
}

async fn what_broke_off_before_the_commit_is_made_again(kind: Kind) {
    let Some((store, proxy, _database)) = over_a_wire(kind).await else {
        return;
    };
    let build = Builders::new();
    let insertion = match kind {
        Kind::Postgres => "INSERT INTO \"users\"",
        Kind::MySql => "INSERT INTO `users`",
    };
    // The second time, the statement is prepared already and goes over the wire by its number, as do those after it.
    let cuts = [
        Cut::Before(insertion),
        Cut::Before("COMMIT"),
        Cut::Before("COMMIT"),
    ];
    for (number, cut) in cuts.into_iter().enumerate() {
        let user = build.user(&format!("user {number}"));
        proxy.cut(cut);
        let done = store.commit(insert(&user)).await;
        assert!(proxy.is_done());
        match (cut, done) {
            (Cut::Before("COMMIT"), Err(CommitError::Store(StoreError::Unavailable(reason)))) => {
                // To us it looks like one that got through.
                assert!(reason.contains("unknown"), "{reason}");
                assert_eq!(store.user(user.id).await.unwrap(), None);
            }
            (_, Ok(())) if cut != Cut::Before("COMMIT") => {
                assert_eq!(store.user(user.id).await.unwrap(), Some(user));
            }
            (cut, other) => panic!("{cut:?}: {other:?}"),
        }
    }
}

async fn what_broke_off_during_the_commit_is_not_made_twice(kind: Kind) {
    let Some((store, proxy, _database)) = over_a_wire(kind).await else {
        return;
    };
    let mut user = Builders::new().user("alice");
    store.commit(insert(&user)).await.unwrap();
    let before = store.epoch().await.unwrap();
    user.full_name = text_of("Alice");
    proxy.cut(Cut::After("COMMIT"));
    let error = store.commit(update(&user)).await.unwrap_err();
    assert!(proxy.is_done());
    let CommitError::Store(StoreError::Unavailable(reason)) = error else {
        panic!("{error:?}: the same again would have been stale")
    };
    assert!(reason.contains("unknown"), "{reason}");
    let stored = store.user(user.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.full_name, stored.version),
        (user.full_name, user.version.next())
    );
    let told = store.revoked_since(before).await.unwrap();
    assert!(told.epoch > before);
    assert!(matches!(told.what, Revoked::These(what) if what.len() == 1));
}

async fn a_deadlock_is_resolved(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = Arc::new(database.store().await);
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    for user in [&alice, &bob] {
        store.commit(insert(user)).await.unwrap();
    }
    let by_hand = database.connection().await;
    let other = by_hand.begin().await.unwrap();
    // Much to take back, so that it is not the one to be given up.
    other
        .execute_unprepared("UPDATE guards SET version = version + 0")
        .await
        .unwrap();
    for number in 0..50 {
        other
            .execute_unprepared(&format!(
                "INSERT INTO guards (name, version) VALUES ('guard {number}', 1)"
            ))
            .await
            .unwrap();
    }
    other
        .execute_unprepared("UPDATE users SET email_opted_in = TRUE WHERE name = 'bob'")
        .await
        .unwrap();
    let ours = tokio::spawn({
        let (store, alice, bob) = (Arc::clone(&store), alice.clone(), bob.clone());
        async move {
            let set = ChangeSet::new()
                .with(Change::UpdateUser(alice))
                .with(Change::UpdateUser(bob));
            store.commit(set).await
        }
    });
    // Until ours has the one and waits for the other.
    tokio::time::sleep(Duration::from_millis(300)).await;
    other
        .execute_unprepared("UPDATE users SET email_opted_in = TRUE WHERE name = 'alice'")
        .await
        .unwrap();
    other.rollback().await.unwrap();
    ours.await.unwrap().unwrap();
    for user in [alice, bob] {
        let version = store.user(user.id).await.unwrap().unwrap().version;
        assert_eq!(version, user.version.next());
    }
}

/// What a server calls the end of a deadlock.
const fn deadlock(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "40P01",
        Kind::MySql => "1213",
    }
}

/// Makes insertions of users fail with an error of the server's, as often as told.
async fn fail(database: &TestDatabase, code: &str, times: u32) {
    let db = database.connection().await;
    let statements: Vec<String> = match database.kind() {
        Kind::Postgres => vec![
            "CREATE SEQUENCE IF NOT EXISTS attempts".to_owned(),
            "ALTER SEQUENCE attempts RESTART".to_owned(),
            format!(
                "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('attempts') <= {times} THEN \
                 RAISE EXCEPTION 'it failed' USING ERRCODE = '{code}'; END IF; RETURN NEW; END $$"
            ),
            "DROP TRIGGER IF EXISTS fail ON users".to_owned(),
            "CREATE TRIGGER fail BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fail()".to_owned(),
        ],
        // What is counted in memory is not taken back.
        Kind::MySql => vec![
            "CREATE TABLE IF NOT EXISTS attempts (made INT) ENGINE = MEMORY".to_owned(),
            "DELETE FROM attempts".to_owned(),
            "DROP TRIGGER IF EXISTS fail".to_owned(),
            format!(
                "CREATE TRIGGER fail BEFORE INSERT ON users FOR EACH ROW BEGIN \
                 INSERT INTO attempts VALUES (1); \
                 IF (SELECT COUNT(*) FROM attempts) <= {times} THEN \
                 SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'it failed'; END IF; END"
            ),
        ],
    };
    for statement in statements {
        db.execute_unprepared(&statement).await.unwrap();
    }
}

async fn what_the_server_takes_back_is_tried_again_but_not_for_ever(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let build = Builders::new();
    fail(&database, deadlock(kind), 3).await;
    let alice = build.user("alice");
    store.commit(insert(&alice)).await.unwrap();
    assert_eq!(store.user(alice.id).await.unwrap(), Some(alice));
    fail(&database, deadlock(kind), FOR_EVER).await;
    let bob = build.user("bob");
    assert_unavailable(store.commit(insert(&bob)).await);
    assert_eq!(store.user(bob.id).await.unwrap(), None);
}

/// The servers' own errors: the first of each line is what they mean here.
fn meanings(kind: Kind) -> [(&'static str, Vec<&'static str>); 6] {
    match kind {
        Kind::Postgres => [
            (
                "Unavailable",
                vec![
                    "40001", "40P01", "08006", "28000", "53300", "55P03", "57014", "57P01", "58030", "3D000",
                ],
            ),
            ("ReadOnly", vec!["25006"]),
            ("Full", vec!["53100"]),
            ("Corrupt", vec!["XX001", "XX002"]),
            // The schema was changed behind our back.
            ("Unavailable", vec!["42P01", "42703"]),
            ("Other", vec!["22012"]),
        ],
        Kind::MySql => [
            (
                "Unavailable",
                vec![
                    "1213", "1020", "3101", "1040", "1045", "1047", "1053", "1158", "1205", "1226", "1317",
                    "1927", "1969", "3024", "4031",
                ],
            ),
            ("ReadOnly", vec!["1290", "1792", "1836"]),
            ("Full", vec!["1021", "1114", "1135"]),
            ("Corrupt", vec!["1034", "1194"]),
            // The schema was changed behind our back.
            ("Unavailable", vec!["1054", "1146"]),
            ("Other", vec!["1365"]),
        ],
    }
}

async fn what_the_server_says_is_told_by_its_meaning(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let build = Builders::new();
    let alice = build.user("alice");
    for (meaning, codes) in meanings(kind) {
        for code in codes {
            fail(&database, code, FOR_EVER).await;
            let told = match store.commit(insert(&alice)).await {
                Err(CommitError::Store(StoreError::Unavailable(_))) => "Unavailable",
                Err(CommitError::Store(StoreError::ReadOnly(_))) => "ReadOnly",
                Err(CommitError::Store(StoreError::Full(_))) => "Full",
                Err(CommitError::Store(StoreError::Corrupt(_))) => "Corrupt",
                Err(CommitError::Store(StoreError::Other(_))) => "Other",
                other => panic!("{code}: {other:?}"),
            };
            assert_eq!(told, meaning, "{code}");
        }
    }
    fail(&database, deadlock(kind), 0).await;
    store.commit(insert(&alice)).await.unwrap();
}

async fn a_server_that_goes_away_is_unavailable_until_it_is_back(kind: Kind) {
    let Some(server) = own_server(kind).await else {
        return;
    };
    let database = server.fresh().await;
    database.store().await.close().await.unwrap();
    let mut options = database.options();
    options.acquire_timeout = Duration::from_secs(1);
    options.connect_timeout = Duration::from_secs(1);
    let store = SqlStore::connect(&options).await.unwrap();
    let build = Builders::new();
    let user = build.user("alice");
    store.commit(insert(&user)).await.unwrap();
    let epoch = store.epoch().await.unwrap();

    server.stop();
    assert!(is_unavailable(store.epoch().await));
    assert!(is_unavailable(store.user(user.id).await));
    assert!(is_unavailable(store.list_users(&Default::default(), None).await));
    assert!(is_unavailable(store.ping().await));
    assert!(is_unavailable(store.revoked_since(epoch).await));
    assert_unavailable(store.commit(insert(&build.user("bob"))).await);
    assert!(is_unavailable(SqlStore::connect(&options).await));

    server.start_again().await;
    assert_eq!(store.epoch().await.unwrap(), epoch);
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
    store.commit(insert(&build.user("carol"))).await.unwrap();
    store.ping().await.unwrap();
}

async fn a_server_that_follows_another_is_refused(kind: Kind) {
    let Some(server) = own_server(kind).await else {
        return;
    };
    let database = server.fresh().await;
    database.store().await.close().await.unwrap();
    let mut options = database.options();
    options.connect_timeout = Duration::from_secs(2);
    options.acquire_timeout = Duration::from_secs(2);
    let store = SqlStore::connect(&options).await.unwrap();
    store.epoch().await.unwrap();
    let set_follower = async |follows: bool| match kind {
        Kind::Postgres => {
            server.stop();
            server.set_marker("standby.signal", follows);
            server.start_again().await;
        }
        Kind::MySql => {
            let sql = format!("SET GLOBAL read_only = {}", u8::from(follows));
            let db = database.connection().await;
            db.execute_unprepared(&sql).await.unwrap();
        }
    };
    set_follower(true).await;
    // Also over the connection from before, where it was not cut.
    assert!(is_unavailable(store.epoch().await));
    let refused = SqlStore::connect(&options).await.unwrap_err().to_string();
    assert!(refused.contains("connect to the"), "{refused}");
    set_follower(false).await;
    store.epoch().await.unwrap();
}

async fn a_database_of_another_encoding_is_refused(kind: Kind) {
    if kind == Kind::MySql {
        // The tables bring their own there, whatever the database has.
        return;
    }
    let Some(database) = fresh(kind).await else { return };
    let by_hand = database.connection().await;
    let statement = Statement::from_string(
        by_hand.get_database_backend(),
        "SELECT CAST(current_setting('server_version_num') AS integer) AS version",
    );
    let row = by_hand.query_one_raw(statement).await.unwrap().unwrap();
    // The collations of ICU, which this server's databases have by themselves from 15 on, do not go with all encodings.
    let provider = match row.try_get::<i32>("", "version").unwrap() {
        150_000.. => "LOCALE_PROVIDER libc",
        _ => "",
    };
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let url = format!("{}_{}", database.url(), encoding.to_lowercase());
        let name = url.rsplit('/').next().unwrap();
        by_hand
            .execute_unprepared(&format!(
                "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' {provider} TEMPLATE template0"
            ))
            .await
            .unwrap();
        let begun = Instant::now();
        let options = ConnectOptions::url(&url);
        let refused = SqlStore::connect(&options).await.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("the encoding {encoding};")),
            "{refused}"
        );
        assert!(
            begun.elapsed() < options.connect_timeout,
            "waiting does not change it"
        );
    }
}

async fn an_epoch_of_another_history_is_not_known(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let mut user = Builders::new().user("alice");
    store.commit(insert(&user)).await.unwrap();
    let mut epochs = Vec::new();
    for _ in 0..3 {
        store.commit(update(&user)).await.unwrap();
        user.version = user.version.next();
        epochs.push(store.epoch().await.unwrap());
    }
    let known = epochs[2];
    assert!(
        matches!(store.revoked_since(known).await.unwrap().what, Revoked::These(what) if what.is_empty())
    );

    // As if a backup had come back that was made after the first of them.
    let db = database.connection().await;
    let (back, gone) = (epochs[0].get(), epochs[0].get());
    db.execute_unprepared(&format!("UPDATE revocation_epoch SET epoch = {back}"))
        .await
        .unwrap();
    db.execute_unprepared(&format!("DELETE FROM revocations WHERE epoch > {gone}"))
        .await
        .unwrap();
    assert_eq!(
        store.revoked_since(known).await.unwrap(),
        Revocations {
            epoch: epochs[0],
            what: Revoked::Any
        }
    );
    // As many revocations later the count is the same again, and beyond.
    for _ in 0..3 {
        store.commit(update(&user)).await.unwrap();
        user.version = user.version.next();
        let now = store.epoch().await.unwrap();
        assert!(!epochs.contains(&now), "{now:?} is one of {epochs:?}");
        assert_eq!(store.revoked_since(known).await.unwrap().what, Revoked::Any);
    }
    assert!(store.epoch().await.unwrap() > known);
    let since_the_backup = store.revoked_since(epochs[0]).await.unwrap().what;
    assert!(matches!(since_the_backup, Revoked::These(what) if what.len() == 3));
}

async fn the_log_of_revocations_stays_small(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let db = database.connection().await;
    let mut user = Builders::new().user("alice");
    store.commit(insert(&user)).await.unwrap();
    let first = store.epoch().await.unwrap();
    // 5000 epochs at once.
    let count = 1_u64 << 24;
    let rows: Vec<String> = (1..=5000_u64)
        .map(|number| {
            let id = match kind {
                Kind::Postgres => "'00000000-0000-0000-0000-000000000001'",
                Kind::MySql => "x'00000000000000000000000000000001'",
            };
            format!("({}, 0, 'user', {id})", first.get() + number * count)
        })
        .collect();
    let insert_rows = format!(
        "INSERT INTO revocations (epoch, position, kind, identity) VALUES {}",
        rows.join(", ")
    );
    db.execute_unprepared(&insert_rows).await.unwrap();
    let now = first.get() + 5000 * count;
    db.execute_unprepared(&format!("UPDATE revocation_epoch SET epoch = {now}"))
        .await
        .unwrap();
    let known = |since: u64| {
        let store = &store;
        async move {
            match store.revoked_since(Epoch::new(since)).await.unwrap().what {
                Revoked::These(what) => Some(what.len()),
                Revoked::Any => None,
            }
        }
    };
    assert_eq!(known(first.get()).await, Some(5000));
    let purge = PurgeBefore::all(Timestamp::UNIX_EPOCH);
    assert_eq!(
        store.purge(purge, 10).await.unwrap(),
        0,
        "the log is nobody's row"
    );
    assert_eq!(known(first.get()).await, None, "it is too long ago");
    assert_eq!(known(now - 4096 * count).await, Some(4096));
    assert_eq!(known(now - 4097 * count).await, None);
    store.commit(update(&user)).await.unwrap();
    user.version = user.version.next();
    assert_eq!(known(now).await, Some(1));
}

async fn replicas_see_each_others_revocations(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let stores = [
        database.store().await,
        SqlStore::connect(&database.options()).await.unwrap(),
    ];
    let mut user = Builders::new().user("alice");
    stores[0].commit(insert(&user)).await.unwrap();
    for round in 0..200 {
        let (here, there) = (&stores[round % 2], &stores[(round + 1) % 2]);
        let before = there.epoch().await.unwrap();
        here.commit(update(&user)).await.unwrap();
        user.version = user.version.next();
        let now = there.epoch().await.unwrap();
        assert!(now > before, "round {round}");
        assert_eq!(there.user(user.id).await.unwrap(), Some(user.clone()));
        let told = there.revoked_since(before).await.unwrap();
        assert_eq!(told.epoch, now);
        assert!(matches!(told.what, Revoked::These(what) if what.len() == 1));
    }
}

async fn a_statement_that_takes_too_long_ends(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    database.store().await.close().await.unwrap();
    let mut options = database.options();
    options.statement_timeout = Duration::from_secs(1);
    let store = SqlStore::connect(&options).await.unwrap();
    let build = Builders::new();
    let user = build.user("alice");
    store.commit(insert(&user)).await.unwrap();
    let by_hand = database.connection().await;
    let other = by_hand.begin().await.unwrap();
    other
        .execute_unprepared("UPDATE users SET email_opted_in = TRUE WHERE name = 'alice'")
        .await
        .unwrap();
    assert_unavailable(store.commit(update(&user)).await);
    // What does not need that row goes on.
    store.commit(insert(&build.user("bob"))).await.unwrap();
    other.rollback().await.unwrap();
    store.commit(update(&user)).await.unwrap();
}

async fn long_texts_are_sorted_to_their_end(kind: Kind) {
    use zenml_auth_model::query::{Direction, PageRequest, Query, Sort, UserField};

    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let build = Builders::new();
    let mut users = Vec::new();
    for number in 0..40 {
        let mut user = build.user(&format!("user {number}"));
        // In another order than they come in.
        user.full_name = text_of(&format!("{}{:02}", "x".repeat(3_000), number * 7 % 40));
        store.commit(insert(&user)).await.unwrap();
        users.push(user);
    }
    users.sort_by(|one, other| one.full_name.cmp(&other.full_name));
    let query = Query {
        sort: Sort {
            field: UserField::FullName,
            direction: Direction::Ascending,
        },
        page: PageRequest::new(1, 100).unwrap(),
        ..Query::default()
    };
    let listed = store.list_users(&query, None).await.unwrap().items;
    let names = |users: &[User]| users.iter().map(|user| user.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&listed), names(&users));
}

async fn names_with_blanks_at_their_end_are_others(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let build = Builders::new();
    // No name can be like this, but a database that took them for the same would take others for the same, too.
    for name in ["alice", "alice ", "alice\u{a0}", "alice  "] {
        let mut user = build.user("alice");
        user.name = zenml_auth_model::Name::from_stored(name.to_owned());
        store.commit(insert(&user)).await.unwrap();
        assert_eq!(store.user_by_name(name).await.unwrap(), Some(user));
    }
}

async fn one_replica_tidies_up_at_a_time(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let store = database.store().await;
    let grant = Builders::new().grant();
    let ended = grant.expires + Duration::from_secs(1);
    store
        .commit(ChangeSet::new().with(Change::InsertGrant(grant.clone())))
        .await
        .unwrap();
    let before = ended_by(ended);
    let other = database.connection().await;
    let turn = other.begin().await.unwrap();
    turn.execute_unprepared("SELECT * FROM guards WHERE name = 'signing_keys' FOR UPDATE")
        .await
        .unwrap();
    assert_eq!(store.purge(before, 10).await.unwrap(), 0, "it is another's turn");
    assert!(store.grant(grant.id).await.unwrap().is_some());
    turn.rollback().await.unwrap();
    assert_eq!(store.purge(before, 10).await.unwrap(), 1);
}

async fn tidying_up_waits_for_nobody_who_is_alive(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let mut options = database.options();
    options.statement_timeout = Duration::from_secs(2);
    database.store().await.close().await.unwrap();
    let store = SqlStore::connect(&options).await.unwrap();
    let build = Builders::new();
    let grants: Vec<_> = (0..2_000)
        .map(|number| {
            let mut grant = build.grant();
            if number % 10 != 0 {
                grant.expires = grant.expires + Duration::from_secs(3_600);
            }
            grant
        })
        .collect();
    for batch in grants.chunks(200) {
        let changes = batch.iter().cloned().map(Change::InsertGrant);
        store
            .commit(changes.fold(ChangeSet::new(), ChangeSet::with))
            .await
            .unwrap();
    }
    // Somebody is in the middle of a change of each request that is open, and locks no others, as we do.
    let by_hand = database.connection().await;
    let other = by_hand
        .begin_with_config(Some(IsolationLevel::ReadCommitted), None)
        .await
        .unwrap();
    let open = grants[1].expires.as_micros();
    other
        .execute_unprepared(&format!(
            "UPDATE device_grants SET failed_attempts = 1 WHERE expires = {open}"
        ))
        .await
        .unwrap();
    let ended = grants[0].expires + Duration::from_secs(1);
    let before = ended_by(ended);
    assert_eq!(store.purge(before, 150).await.unwrap(), 150);
    assert_eq!(store.purge(before, 150).await.unwrap(), 50);
    other.rollback().await.unwrap();
}

async fn a_server_that_falls_silent_is_unavailable(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    database.store().await.close().await.unwrap();
    let proxy = Proxy::to(database.server().port).await;
    let mut options = ConnectOptions::url(database.url_through(&proxy));
    options.connect_timeout = Duration::from_secs(1);
    options.acquire_timeout = Duration::from_secs(1);
    options.statement_timeout = Duration::from_secs(1);
    let store = SqlStore::connect(&options).await.unwrap();
    let build = Builders::new();
    let user = build.user("alice");
    store.commit(insert(&user)).await.unwrap();
    let epoch = store.epoch().await.unwrap();
    proxy.fall_silent();

    let before = ended_by(user.created);
    let used = DeviceUse {
        id: build.device(&user).id,
        at: user.created,
        from: UsedFrom {
            address: None,
            agent: None,
        },
    };
    let everything = async {
        is_unavailable(store.ping().await);
        is_unavailable(store.user(user.id).await);
        is_unavailable(store.count_administrators().await);
        is_unavailable(store.epoch().await);
        is_unavailable(store.revoked_since(epoch).await);
        is_unavailable(store.purge(before, 100).await);
        is_unavailable(store.note_uses(&[], &[used]).await);
        assert_unavailable(store.commit(update(&user)).await);
    };
    let within = Duration::from_secs(60);
    tokio::time::timeout(within, everything).await.unwrap();
}

async fn waiting_for_a_migration_takes_as_long_as_it_takes(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let mut options = database.options();
    options.statement_timeout = Duration::from_secs(1);
    let store = SqlStore::connect(&options).await.unwrap();
    let by_hand = database.connection().await;
    let other = by_hand.begin().await.unwrap();
    let take = match kind {
        Kind::Postgres => format!(
            "SELECT pg_advisory_xact_lock({})",
            i64::from_be_bytes(*b"zenml-au")
        ),
        Kind::MySql => "DO GET_LOCK(CONCAT('zenml-auth ', LEFT(SHA2(DATABASE(), 256), 40)), 0)".to_owned(),
    };
    other.execute_unprepared(&take).await.unwrap();
    let migrated = tokio::spawn(async move { store.migrate_up().await });
    let wait = match kind {
        Kind::Postgres => "SELECT pg_sleep(3)",
        Kind::MySql => "DO SLEEP(3)",
    };
    other.execute_unprepared(wait).await.unwrap();
    assert!(!migrated.is_finished(), "another program has the lock");
    if kind == Kind::MySql {
        other.execute_unprepared("DO RELEASE_ALL_LOCKS()").await.unwrap();
    }
    other.rollback().await.unwrap();
    migrated.await.unwrap().unwrap();
}

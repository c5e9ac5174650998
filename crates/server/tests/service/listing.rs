//! Listings over HTTP: filters, order, pages, and whose things are on them.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use zenml_auth_testkit::server::{ADMIN, TestOptions, TestResponse, TestServer, text};

const ACCOUNTS: &str = "/api/v1/service_accounts";
const LAPTOP: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
const PHONE: &str = "1312a7a1-f68c-4e79-a01c-1f2fdf454f8e";
const MINUTE: Duration = Duration::from_secs(60);

/// The service accounts there are, a minute apart: name, description, whether it may be used.
const THERE_ARE: [(&str, &str, bool); 6] = [
    ("ci", "builds", true),
    ("ci-nightly", "builds at night", true),
    ("Deploy", "", true),
    ("deploy_50%", "half of it", false),
    ("a:b", "colons", true),
    ("zoo", "builds cages", false),
];

/// A server, and who asks it.
struct Subject {
    server: TestServer,
    admin: String,
}

impl Subject {
    async fn all() -> Vec<Self> {
        let mut subjects = Vec::new();
        for options in [TestOptions::default(), TestOptions::sqlite()] {
            let server = TestServer::start_with(options).await;
            let admin = server.admin().await;
            for (name, description, active) in THERE_ARE {
                server.clock.advance(MINUTE);
                let body = json!({"name": name, "description": description, "active": active});
                let made = server.post(ACCOUNTS).bearer(&admin).json(&body).send().await;
                made.expect(StatusCode::OK);
            }
            subjects.push(Self { server, admin });
        }
        subjects
    }

    async fn list(&self, path: &str, query: &str) -> TestResponse {
        let path = format!("{path}?{}", query.replace('"', "%22"));
        self.server.get(&path).bearer(&self.admin).send().await
    }

    /// The names of the service accounts that a query finds, in the order of the answer.
    async fn names(&self, query: &str) -> Vec<String> {
        names(&self.list(ACCOUNTS, query).await)
    }
}

/// The names of what is on a page.
fn names(answer: &TestResponse) -> Vec<String> {
    let page = answer.expect(StatusCode::OK).json();
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| text(&item["name"])).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[tokio::test]
async fn each_operator_finds_what_it_says() {
    for subject in Subject::all().await {
        for (query, expected) in [
            ("name=ci", &["ci"][..]),
            ("name=equals:ci", &["ci"]),
            ("name=CI", &[]),
            (
                "name=notequals:ci",
                &["Deploy", "a:b", "ci-nightly", "deploy_50%", "zoo"],
            ),
            ("name=contains:eplo", &["Deploy", "deploy_50%"]),
            ("name=notcontains:o", &["a:b", "ci", "ci-nightly"]),
            ("name=startswith:ci", &["ci", "ci-nightly"]),
            ("name=endswith:ly", &["ci-nightly"]),
            ("name=oneof:[\"ci\",\"zoo\",\"none\"]", &["ci", "zoo"]),
            ("name=oneof:ci,%20zoo", &["ci", "zoo"]),
            (
                "name=notoneof:ci,zoo",
                &["Deploy", "a:b", "ci-nightly", "deploy_50%"],
            ),
            // Text before the colon that is not an operator belongs to the value, and wildcards are letters like others.
            ("name=a:b", &["a:b"]),
            ("name=equals:a:b", &["a:b"]),
            ("name=contains:_", &["deploy_50%"]),
            ("name=endswith:%25", &["deploy_50%"]),
            ("name=contains:%25", &["deploy_50%"]),
            ("active=true", &["Deploy", "a:b", "ci", "ci-nightly"]),
            ("active=notequals:true", &["deploy_50%", "zoo"]),
            ("active=0", &["deploy_50%", "zoo"]),
            ("name=isnull:", &[]),
            ("description=startswith:builds", &["ci", "ci-nightly", "zoo"]),
        ] {
            assert_eq!(sorted(subject.names(query).await), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn moments_and_ids_compare_as_such() {
    for subject in Subject::all().await {
        let all = subject.list(ACCOUNTS, "sort_by=created").await.json();
        let of = |number: usize, part: &str| text(&all["items"][number]["body"][part]);
        let (second, fourth) = (of(1, "created"), of(3, "created"));
        for (query, expected) in [
            (format!("created={second}"), &["ci-nightly"][..]),
            (
                format!("created=gt:{second}"),
                &["Deploy", "deploy_50%", "a:b", "zoo"],
            ),
            (
                format!("created=gte:{second}"),
                &["ci-nightly", "Deploy", "deploy_50%", "a:b", "zoo"],
            ),
            (format!("created=lt:{second}"), &["ci"]),
            (format!("created=lte:{second}"), &["ci", "ci-nightly"]),
            (
                format!("created=in:{second},{fourth}"),
                &["ci-nightly", "Deploy", "deploy_50%"],
            ),
            (format!("created=gt:{second}&created=lt:{fourth}"), &["Deploy"]),
        ] {
            assert_eq!(
                subject.names(&format!("{query}&sort_by=created")).await,
                expected,
                "{query}"
            );
        }
        let id = text(&all["items"][2]["id"]);
        let (beginning, end) = id.split_at(13);
        let without = id.replace('-', "");
        for query in [
            format!("id={id}"),
            format!("id=equals:{without}"),
            format!("id=startswith:{beginning}"),
            format!("id=endswith:{end}"),
            format!("id=oneof:[\"{id}\"]"),
        ] {
            assert_eq!(subject.names(&query).await, ["Deploy"], "{query}");
        }
        assert_eq!(subject.names(&format!("id=notequals:{id}")).await.len(), 5);
    }
}

#[tokio::test]
async fn filters_hold_all_or_one_of_them() {
    for subject in Subject::all().await {
        for (query, expected) in [
            (
                "name=startswith:ci&description=endswith:night",
                &["ci-nightly"][..],
            ),
            ("name=startswith:ci&active=false&logical_operator=and", &[]),
            (
                "name=startswith:ci&active=false&logical_operator=or",
                &["ci", "ci-nightly", "deploy_50%", "zoo"],
            ),
            ("logical_operator=or&name=ci&name=zoo", &["ci", "zoo"]),
            ("name=contains:o&name=contains:z", &["zoo"]),
            (
                "logical_operator=or",
                &["Deploy", "a:b", "ci", "ci-nightly", "deploy_50%", "zoo"],
            ),
            // Unknown fields are passed over.
            ("colour=red&name=ci", &["ci"]),
        ] {
            assert_eq!(sorted(subject.names(query).await), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn the_order_is_the_one_that_was_asked_for() {
    for subject in Subject::all().await {
        let as_made: Vec<_> = THERE_ARE.iter().map(|(name, ..)| *name).collect();
        let turned: Vec<_> = as_made.iter().rev().copied().collect();
        for (query, expected) in [
            ("", &as_made),
            ("sort_by=created", &as_made),
            ("sort_by=asc:created", &as_made),
            ("sort_by=desc:created", &turned),
            (
                "sort_by=name",
                &vec!["Deploy", "a:b", "ci", "ci-nightly", "deploy_50%", "zoo"],
            ),
            (
                "sort_by=desc:name",
                &vec!["zoo", "deploy_50%", "ci-nightly", "ci", "a:b", "Deploy"],
            ),
        ] {
            assert_eq!(&subject.names(query).await, expected, "{query}");
        }
        // What is equal in it stays apart: every page once, whatever the order.
        let mut paged = Vec::new();
        for page in 1..=3 {
            paged.extend(
                subject
                    .names(&format!("sort_by=desc:active&size=2&page={page}"))
                    .await,
            );
        }
        assert_eq!(paged, subject.names("sort_by=desc:active").await);
        assert_eq!(sorted(paged).len(), 6);
    }
}

#[tokio::test]
async fn pages_say_how_many_there_are() {
    for subject in Subject::all().await {
        for (query, numbers, expected) in [
            (
                "size=4",
                [1, 4, 2, 6],
                &["ci", "ci-nightly", "Deploy", "deploy_50%"][..],
            ),
            ("size=4&page=2", [2, 4, 2, 6], &["a:b", "zoo"]),
            (
                "size=6",
                [1, 6, 1, 6],
                &["ci", "ci-nightly", "Deploy", "deploy_50%", "a:b", "zoo"],
            ),
            ("size=1&page=2&name=startswith:ci", [2, 1, 2, 2], &["ci-nightly"]),
            ("name=none", [1, 20, 1, 0], &[]),
        ] {
            let answer = subject.list(ACCOUNTS, query).await;
            let page = answer.expect(StatusCode::OK).json();
            let shown =
                ["index", "max_size", "total_pages", "total"].map(|part| page[part].as_u64().unwrap());
            assert_eq!(shown, numbers, "{query}");
            assert_eq!(names(&answer), expected, "{query}");
        }
        for past in ["page=2", "size=4&page=3", "name=ci&page=2", "page=4294967295"] {
            let answer = subject.list(ACCOUNTS, past).await;
            answer.expect(StatusCode::BAD_REQUEST);
            assert_eq!(answer.class(), "ValueError", "{past}");
        }
        let page = subject.list(ACCOUNTS, "name=ci").await.json();
        assert_eq!(page["items"][0]["metadata"], Value::Null);
        let page = subject.list(ACCOUNTS, "name=ci&hydrate=true").await.json();
        assert_eq!(page["items"][0]["metadata"]["description"], "builds");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    for subject in Subject::all().await {
        for (query, field) in [
            ("created=soon", "created"),
            ("created=contains:2026", "created"),
            ("created=in:2026-11-25", "created"),
            ("created=gt:2026-13-01T00:00:00", "created"),
            ("active=maybe", "active"),
            ("active=startswith:t", "active"),
            ("name=gte:ci", "name"),
            ("name=oneof:[\"ci\"", "name"),
            ("name=oneof:[[\"ci\"]]", "name"),
            ("name=isnull:ci", "name"),
            ("id=gt:5", "id"),
            ("sort_by=colour", "sort_by"),
            ("sort_by=up:name", "sort_by"),
            ("size=0", "size"),
            ("size=10001", "size"),
            ("page=0", "page"),
            ("page=two", "page"),
            ("logical_operator=nor", "logical_operator"),
            ("hydrate=perhaps", "hydrate"),
        ] {
            let answer = subject.list(ACCOUNTS, query).await;
            answer.expect(StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.text().contains(field), "{query}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_found_as_such() {
    for subject in Subject::all().await {
        let path = "/api/v1/service_accounts/ci/api_keys";
        let used = subject.server.api_key(&subject.admin, "ci", "used").await;
        subject.server.api_key(&subject.admin, "ci", "fresh").await;
        assert!(subject.server.good(&used).await);
        subject
            .server
            .engine
            .maintenance()
            .flush_all_uses()
            .await
            .unwrap();
        for (query, expected) in [
            ("last_login=isnull:", &["fresh"][..]),
            ("last_login=isnotnull:", &["used"]),
            // A missing value passes no other test, and comes before all others.
            ("last_login=gte:2000-01-01", &["used"]),
            ("last_login=notequals:2000-01-01", &["used"]),
            ("sort_by=last_login", &["fresh", "used"]),
            ("sort_by=desc:last_login", &["used", "fresh"]),
        ] {
            assert_eq!(names(&subject.list(path, query).await), expected, "{query}");
        }
    }
}

#[tokio::test]
async fn people_see_only_theirs() {
    for subject in Subject::all().await {
        let server = &subject.server;
        let (ann, bob) = (server.user("ann").await, server.user("bob").await);
        let (_, anns) = server.connect_device(&ann, LAPTOP, true).await;
        let (_, bobs) = server.connect_device(&bob, LAPTOP, false).await;
        server.connect_device(&bob, PHONE, false).await;
        let list = async |token: &str, path: &str| server.get(path).bearer(token).send().await;
        let ids = |answer: &TestResponse| -> Vec<String> {
            let page = answer.expect(StatusCode::OK).json();
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| text(&item["id"]))
                .collect()
        };

        assert_eq!(names(&list(&ann, "/api/v1/users").await), ["ann"]);
        assert_eq!(names(&list(&ann, "/api/v1/users?name=bob").await), [""; 0]);
        let either = "/api/v1/users?name=ann&name=bob&logical_operator=or";
        assert_eq!(
            names(&list(&ann, either).await),
            ["ann"],
            "or does not lead out of one's own"
        );
        let both = names(&list(&subject.admin, either).await);
        assert_eq!(sorted(both), ["ann", "bob"]);
        let admins = list(&subject.admin, "/api/v1/users?is_admin=true").await;
        assert_eq!(names(&admins), [ADMIN]);

        // Devices are their owner's alone, also before administrators.
        assert_eq!(ids(&list(&ann, "/api/v1/devices").await), [anns.as_str()]);
        assert_eq!(ids(&list(&bob, "/api/v1/devices").await).len(), 2);
        assert_eq!(ids(&list(&subject.admin, "/api/v1/devices").await), [""; 0]);
        let other = format!("/api/v1/devices?id={bobs}&id={anns}&logical_operator=or");
        assert_eq!(ids(&list(&ann, &other).await), [anns.as_str()]);
        let by_client = format!("/api/v1/devices?client_id={LAPTOP}");
        assert_eq!(ids(&list(&bob, &by_client).await), [bobs]);
        assert_eq!(
            ids(&list(&ann, "/api/v1/devices?trusted_device=false").await),
            [""; 0]
        );
        assert_eq!(
            ids(&list(&ann, "/api/v1/devices?hostname=laptop&status=active").await),
            [anns]
        );

        for path in [ACCOUNTS, "/api/v1/service_accounts/ci/api_keys"] {
            list(&ann, path).await.expect(StatusCode::FORBIDDEN);
            list(&subject.admin, path).await.expect(StatusCode::OK);
        }
    }
}

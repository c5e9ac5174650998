//! Filters: every store gives what [`Query::matches`](zenml_auth_model::query::Query::matches) says.

use std::fmt::Debug;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;
use zenml_auth_core::ports::Store;
use zenml_auth_model::Timestamp;
use zenml_auth_model::query::{
    Combine, Comparison, Condition, Direction, Field, FieldKind, MAX_CHOICES, MAX_PAGE_SIZE, Operator,
    PageRequest, Query, Sort, Test, TextMatch, UserField, Value,
};

use super::listing::{Listing, Listings, NAMES};

/// Parts of texts to look for, besides the texts that are there.
const PARTS: &[&str] = &[
    "",
    "c",
    "C",
    "i",
    "ci-",
    "runner",
    "unn",
    "%",
    "_",
    "c%",
    "c_",
    "\\",
    "\\%",
    "'",
    "\"",
    " ",
    "ci ",
    "\n",
    "🚀c",
    "\u{308}",
    "\u{10ffff}",
    "\0",
    "zzz",
    "active",
    "lock",
    "inux",
    "192.0.2.7",
    "user.",
    "*",
    "?",
    "[ci]",
    "^ci$",
];

/// The largest page, for queries that want everything.
fn everything() -> PageRequest {
    PageRequest::new(1, MAX_PAGE_SIZE).unwrap()
}

/// Texts to write in a filter of a field, in the forms that clients write them.
fn filter_texts<F: Field, T: Clone + PartialEq + Debug>(listing: &Listing<F, T>, field: F) -> Vec<String> {
    let values = listing.values(field);
    let mut texts: Vec<String> = match field.kind() {
        FieldKind::Text => PARTS.iter().map(|part| (*part).to_owned()).collect(),
        FieldKind::Id => ["", "-", "x", "8E7", "00000000-0000-0000-0000-000000000000"]
            .map(str::to_owned)
            .to_vec(),
        FieldKind::Time => Vec::new(),
        FieldKind::Bool => ["true", "False", "0", "yes"].map(str::to_owned).to_vec(),
        FieldKind::Number => ["0", "1", "-1"].map(str::to_owned).to_vec(),
    };
    for value in &values {
        match value {
            Value::Text(text) => texts.push(text.clone()),
            Value::Time(time) => {
                texts.push(time.to_string());
                texts.push((*time + Duration::from_micros(1)).to_string().replace('T', " "));
                texts.push(format!("{},{}", *time - Duration::from_micros(4), time));
            }
            Value::Id(_) | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    // Of the many ids a few will do: whole, in capitals, without dashes, the beginning, the end, the middle.
    for value in values.iter().step_by(values.len().div_ceil(3).max(1)) {
        if let Value::Id(id) = value {
            let (long, short) = (id.to_string(), id.simple().to_string());
            texts.extend([
                long.to_uppercase(),
                long[..11].to_owned(),
                long[20..].to_owned(),
                short[..1].to_owned(),
            ]);
            texts.extend([short[3..9].to_uppercase(), format!("{short}0"), long, short]);
        }
    }
    texts
}

async fn every_operator<F: Field, T: Clone + PartialEq + Debug>(listing: &Listing<F, T>) {
    for field in F::ALL {
        let mut asked = 0_usize;
        let texts = filter_texts(listing, *field);
        for operator in Operator::ALL {
            for (number, text) in texts.iter().enumerate() {
                let next = &texts[(number + 1) % texts.len()];
                let values = match operator {
                    Operator::OneOf | Operator::NotOneOf => vec![text.clone(), next.clone(), text.clone()],
                    _ => vec![text.clone()],
                };
                // Not every operator goes with every kind of field, nor every text.
                let Ok(condition) = Condition::new(*field, *operator, &values) else {
                    continue;
                };
                listing
                    .check(&Query {
                        conditions: vec![condition],
                        page: everything(),
                        ..Query::default()
                    })
                    .await;
                asked += 1;
            }
        }
        assert!(asked > 0, "no filter was tried on {field:?}");
    }
}

pub(super) async fn every_operator_on_every_field(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    tokio::join!(
        every_operator(&listings.users),
        every_operator(&listings.devices),
        every_operator(&listings.service_accounts),
        every_operator(&listings.api_keys),
        every_operator(&listings.audit_events),
    );
}

fn wire_condition<F: Field>(texts: Vec<(F, Vec<String>)>) -> impl Strategy<Value = Condition<F>> {
    let field_and_texts = select(texts).prop_flat_map(|(field, texts)| {
        let choices = subsequence(texts.clone(), 0..=texts.len().min(4));
        (Just(field), select(Operator::ALL), select(texts), choices)
    });
    field_and_texts.prop_filter_map(
        "the operator goes with the field",
        |(field, operator, text, choices)| {
            let values = match operator {
                Operator::OneOf | Operator::NotOneOf => choices,
                _ => vec![text],
            };
            Condition::new(field, operator, &values).ok()
        },
    )
}

fn whole_query<F: Field, C: Strategy<Value = Condition<F>>>(condition: C) -> impl Strategy<Value = Query<F>> {
    let conditions = proptest::collection::vec(condition, 0..4);
    let combine = prop_oneof![Just(Combine::And), Just(Combine::Or)];
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    let page = prop_oneof![(1_u32..5, 1_u32..8), (1_u32..3, 15_u32..40)];
    (conditions, combine, select(F::ALL), direction, page).prop_map(
        |(conditions, combine, field, direction, (number, size))| Query {
            conditions,
            combine,
            sort: Sort { field, direction },
            page: PageRequest::new(number, size).unwrap(),
        },
    )
}

/// Asks a listing queries at random, and makes those that go wrong small.
fn ask_at_random<F, T, C>(runtime: &Handle, listing: &Listing<F, T>, cases: u32, condition: C)
where
    F: Field,
    T: Clone + PartialEq + Debug,
    C: Strategy<Value = Condition<F>>,
{
    let config = Config {
        cases,
        failure_persistence: None,
        max_global_rejects: 1_000_000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&whole_query(condition), |query| {
        let answer = runtime.block_on(listing.answer(&query));
        let expected = listing.expected(&query);
        if answer == expected {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!(
                "{} items of {}",
                answer.items.len(),
                answer.total
            )))
        }
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn random_queries<F: Field, T: Clone + PartialEq + Debug>(runtime: &Handle, listing: &Listing<F, T>) {
    let texts = F::ALL
        .iter()
        .map(|field| (*field, filter_texts(listing, *field)))
        .collect();
    ask_at_random(runtime, listing, 200, wire_condition(texts));
}

pub(super) async fn random_queries_match_the_oracle(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    let runtime = Handle::current();
    // Side by side, as they do little but wait for answers.
    block_in_place(|| {
        thread::scope(|scope| {
            scope.spawn(|| random_queries(&runtime, &listings.users));
            scope.spawn(|| random_queries(&runtime, &listings.devices));
            scope.spawn(|| random_queries(&runtime, &listings.service_accounts));
            scope.spawn(|| random_queries(&runtime, &listings.api_keys));
            scope.spawn(|| random_queries(&runtime, &listings.audit_events));
        });
    });
}

/// Any value, whether or not it goes with a field.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(NAMES).prop_map(|text| Value::Text(text.to_owned())),
        any::<u128>().prop_map(|bits| Value::Id(Uuid::from_u128(bits))),
        (-10_i64..10).prop_map(|micros| Value::Time(Timestamp::from_micros(1_795_458_061_987_471 + micros))),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Number),
    ]
}

/// Any test, whether or not a client could ask for it.
fn any_condition<F: Field>() -> impl Strategy<Value = Condition<F>> {
    let comparison = select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
    ]);
    let how = select(vec![
        TextMatch::Contains,
        TextMatch::NotContains,
        TextMatch::StartsWith,
        TextMatch::EndsWith,
    ]);
    let part = prop_oneof![
        select(PARTS).prop_map(str::to_owned),
        "[0-9a-fA-F]{0,3}",
        "[0-9a-f]{31,34}"
    ];
    let moment = || (-10_i64..10).prop_map(|micros| Timestamp::from_micros(1_795_458_061_987_471 + micros));
    let values = || proptest::collection::vec(any_value(), 0..4);
    let test = prop_oneof![
        Just(Test::IsNull),
        Just(Test::IsNotNull),
        Just(Test::Never),
        Just(Test::Always),
        (comparison, any_value()).prop_map(|(comparison, value)| Test::Compare(comparison, value)),
        (how, part).prop_map(|(how, part)| Test::Match(how, part)),
        values().prop_map(Test::OneOf),
        values().prop_map(Test::NotOneOf),
        (moment(), moment()).prop_map(|(from, to)| Test::Between(from, to)),
    ];
    (select(F::ALL), test).prop_map(|(field, test)| Condition { field, test })
}

pub(super) async fn odd_tests_match_the_oracle(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    let runtime = Handle::current();
    block_in_place(|| {
        thread::scope(|scope| {
            scope.spawn(|| ask_at_random(&runtime, &listings.users, 300, any_condition()));
            scope.spawn(|| ask_at_random(&runtime, &listings.devices, 300, any_condition()));
            scope.spawn(|| ask_at_random(&runtime, &listings.audit_events, 300, any_condition()));
        });
    });
}

pub(super) async fn nothing_is_a_wildcard(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    let names = async |operator, text: &str| {
        let condition = Condition::new(UserField::Name, operator, &[text.to_owned()]).unwrap();
        let query = Query {
            conditions: vec![condition],
            page: everything(),
            ..Query::default()
        };
        let page = listings.users.answer(&query).await;
        let mut names: Vec<String> = page.items.iter().map(|user| user.name.to_string()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(Operator::Contains, "%").await, ["ci%runner"]);
    assert_eq!(names(Operator::Contains, "_").await, ["ci_runner"]);
    assert_eq!(names(Operator::Contains, "\\").await, ["ci\\runner"]);
    assert_eq!(names(Operator::StartsWith, "CI").await, ["CI"]);
    assert_eq!(names(Operator::EndsWith, "-ci").await, ["Runner-ci"]);
    assert_eq!(names(Operator::StartsWith, "ci_").await, ["ci_runner"]);
    assert_eq!(names(Operator::Equals, "ci ").await, [""; 0]);
    assert_eq!(names(Operator::Contains, "'").await, ["O'Brien"]);
}

pub(super) async fn long_filters_are_answered(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    // As many conditions with as many values as are accepted, and texts longer than databases like their patterns.
    let mut values: Vec<String> = (1..MAX_CHOICES)
        .map(|number| format!("no such name {number}"))
        .collect();
    values.push(NAMES[0].to_owned());
    let long = "🚀".repeat(100_000);
    let mut conditions: Vec<_> = (0..28)
        .map(|_| Condition::new(UserField::Name, Operator::OneOf, &values).unwrap())
        .collect();
    for operator in [
        Operator::NotContains,
        Operator::StartsWith,
        Operator::EndsWith,
        Operator::NotEquals,
    ] {
        conditions.push(Condition::new(UserField::Name, operator, std::slice::from_ref(&long)).unwrap());
    }
    for combine in [Combine::And, Combine::Or] {
        listings
            .users
            .check(&Query {
                conditions: conditions.clone(),
                combine,
                ..Query::default()
            })
            .await;
    }
}

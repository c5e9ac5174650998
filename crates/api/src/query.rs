//! The query strings of listings: `?name=startswith:ci&sort_by=desc:created&page=2&size=50&hydrate=true`.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use uuid::Uuid;
use zenml_auth_model::query::{
    Combine, Condition, Direction, Field, MAX_CONDITIONS, MAX_PAGE_SIZE, Operator, PageRequest, Query, Sort,
};

use crate::error::{Place, Problem, ValidationErrors, ValidationForm};

/// Whether an answer holds the `metadata` part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hydrate {
    /// No: `metadata` is `null`. What listings do unless told otherwise.
    #[default]
    No,
    /// Yes. What single items do unless told otherwise.
    Yes,
}

impl Hydrate {
    /// The value, if it is wanted.
    #[must_use]
    pub fn then<T>(self, make: impl FnOnce() -> T) -> Option<T> {
        match self {
            Self::No => None,
            Self::Yes => Some(make()),
        }
    }

    /// Reads `hydrate` from the query string of a single item, where it is on unless told otherwise.
    ///
    /// # Errors
    /// [`ValidationErrors`] when it is neither yes nor no.
    pub fn of_item(query: &str) -> Result<Self, ValidationErrors> {
        let mut hydrate = Self::Yes;
        for (name, value) in pairs(query) {
            if name == "hydrate" {
                hydrate = Self::parse(&value)
                    .ok_or_else(|| ValidationErrors::one(Place::Query, "hydrate", NOT_A_BOOL))?;
            }
        }
        Ok(hydrate)
    }

    fn parse(text: &str) -> Option<Self> {
        parse_bool(text).map(|yes| if yes { Self::Yes } else { Self::No })
    }
}

const NOT_A_BOOL: Problem = Problem::WrongType {
    wanted: "true or false",
};
const NOT_A_NUMBER: Problem = Problem::WrongType {
    wanted: "a whole number",
};

/// Yes or no, in any of the ways that ZenML's server reads.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "t" | "on" => Some(true),
        "false" | "0" | "no" | "n" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// The parameters of a query string, in order, with repeated ones, one at a time: a query may have thousands of them.
pub(crate) fn pairs(query: &str) -> form_urlencoded::Parse<'_> {
    // Any text can be read so: what is broken in it is taken as it stands.
    form_urlencoded::parse(query.as_bytes())
}

/// What a listing was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery<F> {
    /// Filters, order and page.
    pub query: Query<F>,
    /// Whether the items come with their metadata.
    pub hydrate: Hydrate,
}

impl<F: Field> ListQuery<F> {
    /// Reads a query string. Parameters that are no field of the listing are ignored, as ZenML's server does.
    ///
    /// # Errors
    /// [`ValidationErrors`], in the form that was recorded: bare for a bad page, size or switch, in detail for a bad filter or order.
    pub fn parse(query: &str) -> Result<Self, ValidationErrors> {
        let mut parsed = Self {
            query: Query::default(),
            hydrate: Hydrate::No,
        };
        let (mut number, mut size) = (PageRequest::default().number(), PageRequest::default().size());
        let mut parameters = ValidationErrors::default();
        let mut filters = ValidationErrors::default().with_form(ValidationForm::Detail);
        for (name, value) in pairs(query) {
            match &*name {
                "page" => read_number(&mut number, u32::MAX, "page", &value, &mut parameters),
                "size" => read_number(&mut size, MAX_PAGE_SIZE, "size", &value, &mut parameters),
                "hydrate" => match Hydrate::parse(&value) {
                    Some(hydrate) => parsed.hydrate = hydrate,
                    None => parameters.push(Place::Query, "hydrate", NOT_A_BOOL),
                },
                "logical_operator" => match &*value {
                    "and" => parsed.query.combine = Combine::And,
                    "or" => parsed.query.combine = Combine::Or,
                    _ => parameters.push(Place::Query, "logical_operator", unsuitable("use `and` or `or`")),
                },
                "sort_by" => match parse_sort(&value) {
                    Some(sort) => parsed.query.sort = sort,
                    None => filters.push(Place::Query, "sort_by", unsuitable(sort_help::<F>())),
                },
                _ => {
                    let Some(field) = F::parse(&name) else { continue };
                    // One more than there may be is enough to refuse them.
                    if parsed.query.conditions.len() > MAX_CONDITIONS {
                        continue;
                    }
                    match parse_condition(field, &value) {
                        Ok(condition) => parsed.query.conditions.push(condition),
                        Err(reason) => filters.push(Place::Query, field.name(), unsuitable(reason)),
                    }
                }
            }
        }
        if parsed.query.conditions.len() > MAX_CONDITIONS {
            filters.push(
                Place::Query,
                "filters",
                unsuitable(format!("there are more than {MAX_CONDITIONS} of them")),
            );
        }
        parameters.into_result(())?;
        filters.into_result(())?;
        parsed.query.page = PageRequest::new(number, size)
            .map_err(|error| ValidationErrors::one(Place::Query, "page", unsuitable(error.to_string())))?;
        Ok(parsed)
    }
}

fn unsuitable(reason: impl Into<String>) -> Problem {
    Problem::Unsuitable {
        reason: reason.into(),
    }
}

fn read_number(slot: &mut u32, max: u32, name: &str, value: &str, errors: &mut ValidationErrors) {
    let problem = match value.trim().parse::<i128>() {
        Err(_) => NOT_A_NUMBER,
        Ok(number) if number < 1 => Problem::TooSmall { min: 1 },
        Ok(number) => match u32::try_from(number) {
            Ok(number) if number <= max => {
                *slot = number;
                return;
            }
            _ => Problem::TooLarge { max: u64::from(max) },
        },
    };
    errors.push(Place::Query, name, problem);
}

fn parse_sort<F: Field>(value: &str) -> Option<Sort<F>> {
    let (direction, name) = match value.split_once(':') {
        None => (Direction::Ascending, value),
        Some(("asc", name)) => (Direction::Ascending, name),
        Some(("desc", name)) => (Direction::Descending, name),
        Some(_) => return None,
    };
    F::parse(name).map(|field| Sort { field, direction })
}

fn sort_help<F: Field>() -> String {
    let names: Vec<_> = F::ALL.iter().map(|field| field.name()).collect();
    format!("use asc: or desc: and one of {}", names.join(", "))
}

/// `operator:value`; a text whose beginning is no operator is compared as a whole, so that `a:b` equals `a:b`.
fn parse_condition<F: Field>(field: F, value: &str) -> Result<Condition<F>, String> {
    let (operator, operand) = match value.split_once(':') {
        Some((name, rest)) => match Operator::parse(name) {
            Some(operator) => (operator, rest),
            None => (Operator::Equals, value),
        },
        None => (Operator::Equals, value),
    };
    let values = match operator {
        Operator::OneOf | Operator::NotOneOf => parse_list(operand)?,
        Operator::IsNull | Operator::IsNotNull if !operand.is_empty() => {
            return Err(format!("`{}` takes no value", operator.as_str()));
        }
        _ => vec![operand.to_owned()],
    };
    Condition::new(field, operator, &values).map_err(|error| error.to_string())
}

/// A JSON list, as the Python client sends it, or one with commas, as people type it.
fn parse_list(text: &str) -> Result<Vec<String>, String> {
    if !text.trim_start().starts_with('[') {
        return Ok(text.split(',').map(|item| item.trim().to_owned()).collect());
    }
    let items: Vec<Item> = serde_json::from_str(text).map_err(|error| {
        let reason = match error.classify() {
            Category::Data => "a list holds texts only",
            Category::Io | Category::Syntax | Category::Eof => "the list is not valid JSON",
        };
        reason.to_owned()
    })?;
    Ok(items.into_iter().map(|item| item.0).collect())
}

/// An item of a list: a text, or what is written as one.
struct Item(String);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl Visitor<'_> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_str<E>(self, value: &str) -> Result<Item, E> {
        Ok(Item(value.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Item, E> {
        Ok(Item(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Item, E> {
        Ok(Item(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Item, E> {
        Ok(Item(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Item, E> {
        // As JSON writes it: `1e30` would be thirty digits otherwise.
        Ok(Item(serde_json::Value::from(value).to_string()))
    }
}

/// What a client asks a listing for; the reverse of [`ListQuery`].
///
/// Filters are passed on as they are typed (`startswith:ci`), so that a server with more fields or operators than
/// this release knows can still be asked for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListRequest {
    filters: Vec<(String, String)>,
    combine: Option<Combine>,
    sort_by: Option<String>,
    page: Option<u32>,
    size: Option<u32>,
    hydrate: bool,
}

impl ListRequest {
    /// Everything, in the server's own order, by pages of the server's own size.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a filter as it is typed: `value` or `operator:value`.
    #[must_use]
    pub fn filter(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.filters.push((field.into(), value.into()));
        self
    }

    /// Adds a filter with an operator, for a value that may begin like one.
    #[must_use]
    pub fn filter_with(self, field: impl Into<String>, operator: Operator, value: &str) -> Self {
        self.filter(field, format!("{}:{value}", operator.as_str()))
    }

    /// How several filters combine.
    #[must_use]
    pub const fn combine(mut self, combine: Combine) -> Self {
        self.combine = Some(combine);
        self
    }

    /// The order, as it is typed: `field`, `asc:field` or `desc:field`.
    #[must_use]
    pub fn sort_by(mut self, order: impl Into<String>) -> Self {
        self.sort_by = Some(order.into());
        self
    }

    /// Which page, counted from 1.
    #[must_use]
    pub const fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// How many items on a page.
    #[must_use]
    pub const fn size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// Asks for the metadata too.
    #[must_use]
    pub const fn hydrate(mut self) -> Self {
        self.hydrate = true;
        self
    }

    /// The page that is asked for.
    #[must_use]
    pub fn page_number(&self) -> u32 {
        self.page.unwrap_or(1)
    }

    /// The query string, without the question mark; empty when nothing is asked for.
    #[must_use]
    pub fn to_query_string(&self) -> String {
        let (page, size) = (
            self.page.map(|page| page.to_string()),
            self.size.map(|size| size.to_string()),
        );
        let mut pairs: Vec<(&str, &str)> = self
            .filters
            .iter()
            .map(|(field, value)| (field.as_str(), value.as_str()))
            .collect();
        if let Some(combine) = self.combine {
            pairs.push((
                "logical_operator",
                if combine == Combine::And { "and" } else { "or" },
            ));
        }
        if let Some(order) = &self.sort_by {
            pairs.push(("sort_by", order));
        }
        if let Some(page) = &page {
            pairs.push(("page", page));
        }
        if let Some(size) = &size {
            pairs.push(("size", size));
        }
        if self.hydrate {
            pairs.push(("hydrate", "true"));
        }
        // Pairs of texts can always be written so.
        serde_urlencoded::to_string(pairs).unwrap_or_default()
    }
}

/// Reads an id from a path.
///
/// # Errors
/// [`ValidationErrors`], as recorded for an id that is none.
pub fn path_id(parameter: &str, text: &str) -> Result<Uuid, ValidationErrors> {
    Uuid::try_parse(text).map_err(|_| ValidationErrors::path_id(parameter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zenml_auth_model::query::{DeviceField, ServiceAccountField, Test, TextMatch, Value};

    use super::*;

    fn accounts(query: &str) -> ListQuery<ServiceAccountField> {
        ListQuery::parse(query).unwrap()
    }

    fn refused(query: &str) -> String {
        let errors = ListQuery::<ServiceAccountField>::parse(query).unwrap_err();
        serde_json::to_string(&errors.to_body()).unwrap()
    }

    fn only_test(query: &str) -> Test {
        let mut conditions = accounts(query).query.conditions;
        assert_eq!(conditions.len(), 1, "{query}");
        conditions.remove(0).test
    }

    #[test]
    fn recorded_queries_are_read() {
        let list = accounts("name=equals:ci-71c157&hydrate=true&logical_operator=and");
        assert_eq!(list.hydrate, Hydrate::Yes);
        assert_eq!(list.query.combine, Combine::And);
        let list = accounts("name=startswith:ci&sort_by=asc:name&size=1&page=1");
        assert_eq!(list.query.page.size(), 1);
        assert_eq!(
            list.query.sort,
            Sort {
                field: ServiceAccountField::Name,
                direction: Direction::Ascending
            }
        );
        let list = accounts("hydrate=False&sort_by=created&logical_operator=and&page=1&size=20");
        assert_eq!(list, accounts(""));
        assert_eq!(accounts("colour=red"), accounts(""));
        let devices =
            ListQuery::<DeviceField>::parse("status=active&sort_by=desc:created&page=1&size=5").unwrap();
        assert_eq!(devices.query.sort.direction, Direction::Descending);
    }

    #[test]
    fn values_are_compared_as_a_whole_unless_they_begin_with_an_operator() {
        let equals = |text: &str| {
            Test::Compare(
                zenml_auth_model::query::Comparison::Equal,
                Value::Text(text.into()),
            )
        };
        assert_eq!(only_test("name=a:b"), equals("a:b"));
        assert_eq!(only_test("name=equals:a:b"), equals("a:b"));
        assert_eq!(only_test("name=equals:equals:x"), equals("equals:x"));
        assert_eq!(only_test("name=isnull"), equals("isnull"));
        assert_eq!(only_test("name="), equals(""));
        assert_eq!(
            only_test("name=startswith%3Aa+b%26"),
            Test::Match(TextMatch::StartsWith, "a b&".into())
        );
        assert_eq!(only_test("description=isnull:"), Test::IsNull);
        assert!(matches!(
            only_test("created=2026-11-23+18:21:01"),
            Test::Compare(..)
        ));
        assert!(matches!(
            only_test("created=gt:2026-11-23+18:21:01"),
            Test::Compare(..)
        ));
        assert!(matches!(
            only_test("created=in:2026-11-23+18:21:01,2026-11-24+18:21:01"),
            Test::Between(..)
        ));
    }

    #[test]
    fn lists_are_json_or_have_commas() {
        let expected = Test::OneOf(vec![Value::Text("a".into()), Value::Text("b".into())]);
        assert_eq!(only_test(r#"name=oneof:["a", "b"]"#), expected);
        assert_eq!(only_test("name=oneof:a, b"), expected);
        assert_eq!(only_test("name=oneof:[]"), Test::OneOf(vec![]));
        assert!(refused(r#"name=oneof:["a"#).contains("valid JSON"));
        assert!(refused("name=oneof:[null]").contains("texts"));
    }

    #[test]
    fn repeated_parameters_all_count() {
        assert_eq!(
            accounts("name=contains:a&name=contains:b").query.conditions.len(),
            2
        );
        assert_eq!(accounts("page=1&page=2").query.page.number(), 2);
    }

    #[test]
    fn errors_have_the_recorded_forms() {
        for query in [
            "size=0",
            "size=10001",
            "page=0",
            "page=-1",
            "page=x",
            "size=1.5",
            "hydrate=maybe",
        ] {
            assert!(
                refused(query).starts_with("[\"ValueError\",\"1 validation error:"),
                "{query}"
            );
        }
        assert!(refused("logical_operator=xor").starts_with("[\"ValueError\","));
        for query in [
            "sort_by=desc:colour",
            "sort_by=up:name",
            "active=maybe",
            "active=contains:x",
            "created=soon",
        ] {
            assert!(
                refused(query).starts_with("{\"detail\":[\"ValueError\","),
                "{query}"
            );
        }
        assert!(refused("name=isnull:x").contains("takes no value"));
        assert!(refused(&"name=a&".repeat(33)).contains("more than 32"));
        assert!(refused("size=0&page=0").contains("2 validation errors"));
    }

    #[test]
    fn single_items_come_with_their_metadata_unless_told_otherwise() {
        assert_eq!(Hydrate::of_item(""), Ok(Hydrate::Yes));
        assert_eq!(Hydrate::of_item("hydrate=False"), Ok(Hydrate::No));
        assert!(Hydrate::of_item("hydrate=x").is_err());
    }

    #[test]
    fn requests_are_written_as_they_are_read() {
        assert_eq!(ListRequest::new().to_query_string(), "");
        let text = ListRequest::new()
            .filter_with("name", Operator::Equals, "a&b:c")
            .combine(Combine::Or)
            .sort_by("desc:created")
            .page(2)
            .size(5)
            .hydrate()
            .to_query_string();
        assert_eq!(
            text,
            "name=equals%3Aa%26b%3Ac&logical_operator=or&sort_by=desc%3Acreated&page=2&size=5&hydrate=true"
        );
        let list = accounts(&text);
        assert_eq!(
            (list.query.page.number(), list.query.combine, list.hydrate),
            (2, Combine::Or, Hydrate::Yes)
        );
    }

    #[test]
    fn a_name_is_looked_up_as_it_was_typed_and_composed() {
        let typed = "re\u{301}ne\u{301}";
        let expected = [typed, "r\u{e9}n\u{e9}"].map(|text| Value::Text(text.into()));
        assert_eq!(only_test(&format!("name={typed}")), Test::OneOf(expected.into()));
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in ".{0,200}") {
            let _ = ListQuery::<DeviceField>::parse(&query);
        }

        #[test]
        fn any_name_can_be_looked_up(name in ".{0,40}") {
            let text = ListRequest::new().filter_with("name", Operator::Equals, &name).to_query_string();
            let composed = zenml_auth_model::text::nfc(&name).into_owned();
            let expected = if composed == name {
                Test::Compare(zenml_auth_model::query::Comparison::Equal, Value::Text(name))
            } else {
                // Names are kept composed, except those of earlier releases.
                Test::OneOf(vec![Value::Text(name), Value::Text(composed)])
            };
            prop_assert_eq!(only_test(&text), expected);
        }
    }
}

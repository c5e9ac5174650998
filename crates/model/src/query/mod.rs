//! Listings: which items, in which order, which page.
//!
//! A query is checked when it is made, so that a store only ever sees conditions that fit their fields.

mod comparison;
mod condition;
mod field;
mod operator;
mod page;

pub use comparison::{Comparison, Test, TextMatch, Value};
pub use condition::{Condition, FilterError, MAX_CHOICES};
pub use field::{
    ApiKeyField, AuditField, DeviceField, Field, FieldKind, NamedField, ServiceAccountField, UserField,
};
pub use operator::Operator;
pub use page::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, PageRequest, PageRequestError};

/// The most conditions one query may have, so that nobody can make the database do arbitrary work.
pub const MAX_CONDITIONS: usize = 32;

/// How several conditions combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Combine {
    /// All have to hold.
    #[default]
    And,
    /// At least one has to hold.
    Or,
}

/// Which way to sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Smallest first; missing values before all others.
    #[default]
    Ascending,
    /// Largest first; missing values after all others.
    Descending,
}

/// What to sort by. Ties are broken by id, in the same direction, so that pages never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort<F> {
    /// The field.
    pub field: F,
    /// The direction.
    pub direction: Direction,
}

/// A whole query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<F> {
    /// What has to hold; everything matches when there are none.
    pub conditions: Vec<Condition<F>>,
    /// How the conditions combine.
    pub combine: Combine,
    /// What to sort by.
    pub sort: Sort<F>,
    /// Which page.
    pub page: PageRequest,
}

impl<F: Field> Default for Query<F> {
    fn default() -> Self {
        Self {
            conditions: Vec::new(),
            combine: Combine::And,
            sort: Sort {
                field: F::created(),
                direction: Direction::Ascending,
            },
            page: PageRequest::default(),
        }
    }
}

impl<F: Field> Query<F> {
    /// Whether an item matches, given a way to read its fields.
    pub fn matches(&self, read: impl Fn(F) -> Option<Value>) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        let mut results = self
            .conditions
            .iter()
            .map(|condition| condition.test.holds(read(condition.field).as_ref()));
        match self.combine {
            Combine::And => results.all(|held| held),
            Combine::Or => results.any(|held| held),
        }
    }
}

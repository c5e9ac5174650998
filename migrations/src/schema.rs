//! The changes that a program knows, as a value.

use sea_orm_migration::sea_orm::DynIden;
use sea_orm_migration::{MigrationTrait, MigratorTrait, MigratorTraitSelf};

use crate::compatibility::Compatibility;
use crate::{EXPANSIONS, Migrator};

/// What a change means for programs of the release before, which may still run while it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only adds what they do not need to know: a table, an index, a column with a default. They go on.
    Expands,
    /// It takes away or changes what they use. They can't run any more.
    Contracts,
}

/// The schema of a program: the changes that it knows, in their order.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    later: Vec<Later>,
}

#[derive(Debug, Clone, Copy)]
struct Later {
    change: fn() -> Box<dyn MigrationTrait>,
    effect: Effect,
}

impl Schema {
    /// That of this program.
    #[must_use]
    pub fn current() -> Self {
        Self::default()
    }

    /// The same with one more change, as a later release would have it.
    #[must_use]
    pub fn and(mut self, change: fn() -> Box<dyn MigrationTrait>, effect: Effect) -> Self {
        self.later.push(Later { change, effect });
        self
    }

    /// The names of the changes, the oldest first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let changes = MigratorTraitSelf::migrations(self);
        changes.iter().map(|change| change.name().to_owned()).collect()
    }

    /// The number of the latest change.
    pub(crate) fn newest(&self) -> i64 {
        self.names()
            .iter()
            .map(|name| number_of(name))
            .max()
            .unwrap_or_default()
    }

    /// What a database says of itself once these changes, all of which are known, were made.
    pub(crate) fn compatibility(&self, applied: &[String]) -> Compatibility {
        let numbers = |names: Vec<&String>| names.into_iter().map(|name| number_of(name)).max();
        let contracting = applied
            .iter()
            .filter(|name| self.effect(name) == Effect::Contracts);
        Compatibility {
            newest: numbers(applied.iter().collect()).unwrap_or_default(),
            oldest: numbers(contracting.collect()).unwrap_or_default(),
        }
    }

    fn effect(&self, name: &str) -> Effect {
        if EXPANSIONS.contains(&name) {
            return Effect::Expands;
        }
        let later = self.later.iter().find(|later| (later.change)().name() == name);
        later.map_or(Effect::Contracts, |later| later.effect)
    }
}

impl MigratorTraitSelf for Schema {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let later = self.later.iter().map(|later| (later.change)());
        <Migrator as MigratorTrait>::migrations()
            .into_iter()
            .chain(later)
            .collect()
    }

    fn migration_table_name(&self) -> DynIden {
        <Migrator as MigratorTrait>::migration_table_name()
    }
}

/// The number in a name such as `m0014_compatibility`.
fn number_of(name: &str) -> i64 {
    name.trim_start_matches('m')
        .split('_')
        .next()
        .and_then(|digits| digits.parse().ok())
        // No change of ours has such a name; in doubt nothing older works with it.
        .unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_changes_have_a_number_and_stand_in_their_order() {
        let names = Schema::current().names();
        let numbers: Vec<i64> = names.iter().map(|name| number_of(name)).collect();
        assert!(
            numbers.is_sorted() && numbers.iter().all(|number| *number < 10_000),
            "{names:?}"
        );
        assert!(
            EXPANSIONS
                .iter()
                .all(|name| names.iter().any(|known| known == name))
        );
    }

    #[test]
    fn the_latest_contraction_says_who_can_run() {
        let schema = Schema::current();
        let names = schema.names();
        let all = schema.compatibility(&names);
        assert_eq!(all.newest, schema.newest());
        assert!(all.oldest <= all.newest);
        assert_eq!(schema.compatibility(&[]), Compatibility { newest: 0, oldest: 0 });
    }
}

//! One kind of row: rows by id, their unique keys, and a journal to take changes back.

use std::collections::HashMap;
use std::hash::Hash;

use uuid::Uuid;
use zenml_auth_model::Version;

use crate::ports::{CommitError, Unique};

/// What a row is the only one of, besides its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A name.
    Name(String),
    /// A name within something.
    NameIn(Uuid, String),
    /// A pair of ids.
    Pair(Uuid, Uuid),
    /// A user code.
    UserCode([u8; 32]),
    /// A cookie.
    Cookie([u8; 32]),
}

/// A row of a table.
pub(super) trait Row: Clone {
    /// What names it.
    type Id: Copy + Eq + Hash;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What it is the only one of, besides its id.
    fn keys(&self) -> Vec<(Unique, Key)>;
}

/// A row that is changed by compare-and-swap.
pub(super) trait Versioned: Row {
    /// The version it has, or was read with.
    fn version(&self) -> Version;

    /// Gives it a version.
    fn set_version(&mut self, version: Version);

    /// Takes over what is noted outside of compare-and-swap from the row it replaces.
    fn keep_notes_of(&mut self, _replaced: &Self) {}
}

/// All rows of one kind.
pub(super) struct Table<R: Row> {
    rows: HashMap<R::Id, R>,
    keys: HashMap<Key, R::Id>,
    /// What the rows were before the changes that are neither kept nor taken back yet, oldest first.
    journal: Vec<(R::Id, Option<R>)>,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            keys: HashMap::new(),
            journal: Vec::new(),
        }
    }
}

impl<R: Row> Table<R> {
    pub(super) fn get(&self, id: R::Id) -> Option<&R> {
        self.rows.get(&id)
    }

    pub(super) fn by_key(&self, key: &Key) -> Option<&R> {
        self.keys.get(key).and_then(|id| self.rows.get(id))
    }

    pub(super) fn contains(&self, id: R::Id) -> bool {
        self.rows.contains_key(&id)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &R> {
        self.rows.values()
    }

    /// Adds a row, unless its id or one of its keys is taken.
    pub(super) fn insert(&mut self, row: R) -> Result<(), CommitError> {
        if self.contains(row.id()) {
            return Err(CommitError::Taken(Unique::Id));
        }
        self.check_keys(&row)?;
        self.put(row.id(), Some(row));
        Ok(())
    }

    /// Removes the rows that a rule applies to, and tells how many.
    pub(super) fn remove_where(&mut self, limit: usize, applies: impl Fn(&R) -> bool) -> usize {
        let doomed: Vec<R::Id> = self
            .rows()
            .filter(|row| applies(row))
            .map(Row::id)
            .take(limit)
            .collect();
        for id in &doomed {
            self.put(*id, None);
        }
        doomed.len()
    }

    /// Changes a row in place, if it is there. The keys must stay as they are.
    pub(super) fn note(&mut self, id: R::Id, change: impl FnOnce(&mut R)) {
        if let Some(row) = self.rows.get_mut(&id) {
            change(row);
        }
    }

    /// Makes the changes since the last call to stay.
    pub(super) fn keep(&mut self) {
        self.journal.clear();
    }

    /// Takes back the changes since the last call.
    pub(super) fn take_back(&mut self) {
        for (id, row) in std::mem::take(&mut self.journal).into_iter().rev() {
            self.replace(id, row);
        }
    }

    fn check_keys(&self, row: &R) -> Result<(), CommitError> {
        for (unique, key) in row.keys() {
            if self.keys.get(&key).is_some_and(|owner| *owner != row.id()) {
                return Err(CommitError::Taken(unique));
            }
        }
        Ok(())
    }

    fn put(&mut self, id: R::Id, row: Option<R>) {
        let before = self.replace(id, row);
        self.journal.push((id, before));
    }

    fn replace(&mut self, id: R::Id, row: Option<R>) -> Option<R> {
        let before = self.rows.remove(&id);
        for (_, key) in before.iter().flat_map(Row::keys) {
            self.keys.remove(&key);
        }
        if let Some(row) = row {
            self.keys.extend(row.keys().into_iter().map(|(_, key)| (key, id)));
            self.rows.insert(id, row);
        }
        before
    }
}

impl<R: Versioned> Table<R> {
    /// Puts a row in the place of the one with the same id and version, with the next version.
    pub(super) fn update(&mut self, mut row: R) -> Result<(), CommitError> {
        let current = self.at_version(row.id(), row.version())?;
        row.keep_notes_of(current);
        self.check_keys(&row)?;
        row.set_version(row.version().next());
        self.put(row.id(), Some(row));
        Ok(())
    }

    /// Removes the row with this id and version.
    pub(super) fn delete(&mut self, id: R::Id, version: Version) -> Result<(), CommitError> {
        self.at_version(id, version)?;
        self.put(id, None);
        Ok(())
    }

    fn at_version(&self, id: R::Id, version: Version) -> Result<&R, CommitError> {
        self.get(id)
            .filter(|row| row.version() == version)
            .ok_or(CommitError::Stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Item {
        id: u32,
        name: &'static str,
        version: Version,
    }

    impl Row for Item {
        type Id = u32;

        fn id(&self) -> u32 {
            self.id
        }

        fn keys(&self) -> Vec<(Unique, Key)> {
            vec![(Unique::UserName, Key::Name(self.name.to_owned()))]
        }
    }

    impl Versioned for Item {
        fn version(&self) -> Version {
            self.version
        }

        fn set_version(&mut self, version: Version) {
            self.version = version;
        }
    }

    fn item(id: u32, name: &'static str) -> Item {
        Item {
            id,
            name,
            version: Version::FIRST,
        }
    }

    #[test]
    fn taking_back_restores_rows_and_keys() {
        let mut table = Table::default();
        table.insert(item(1, "one")).unwrap();
        table.keep();

        table.update(item(1, "uno")).unwrap();
        table.insert(item(2, "one")).unwrap();
        table.delete(2, Version::FIRST).unwrap();
        table.take_back();

        assert_eq!(table.by_key(&Key::Name("one".to_owned())), Some(&item(1, "one")));
        assert_eq!(table.by_key(&Key::Name("uno".to_owned())), None);
        assert_eq!(table.rows().count(), 1);
    }

    #[test]
    fn a_freed_key_can_be_taken_again() {
        let mut table = Table::default();
        table.insert(item(1, "one")).unwrap();
        assert!(matches!(
            table.insert(item(2, "one")),
            Err(CommitError::Taken(Unique::UserName))
        ));
        table.update(item(1, "uno")).unwrap();
        table.insert(item(2, "one")).unwrap();
        assert_eq!(table.by_key(&Key::Name("one".to_owned())).map(Row::id), Some(2));
    }
}

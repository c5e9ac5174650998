//! The version of a stored row, for compare-and-swap.

/// Counts the changes of a stored row.
///
/// An update names the version it was decided on; the store writes the next one, and refuses the update when the
/// row has moved on in the meantime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u32);

impl Version {
    /// The version of a row that was just created.
    pub const FIRST: Self = Self(1);

    /// A version that was read from a store.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number to store.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

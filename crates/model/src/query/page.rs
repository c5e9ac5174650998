//! The pages of a listing.

/// The page size when none is asked for, as on ZenML's wire.
pub const DEFAULT_PAGE_SIZE: u32 = 20;
/// The largest page, as on ZenML's wire.
pub const MAX_PAGE_SIZE: u32 = 10_000;

/// Which page of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    number: u32,
    size: u32,
}

/// Why there is no such page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageRequestError {
    /// Pages are counted from 1.
    #[error("pages are counted from 1")]
    NumberTooSmall,
    /// Nothing fits on an empty page.
    #[error("a page holds at least one item")]
    SizeTooSmall,
    /// More than [`MAX_PAGE_SIZE`].
    #[error("a page holds at most {MAX_PAGE_SIZE} items")]
    SizeTooLarge,
}

impl PageRequest {
    /// Checks a page's number, counted from 1, and its size.
    ///
    /// # Errors
    /// [`PageRequestError`] when there can't be such a page.
    pub const fn new(number: u32, size: u32) -> Result<Self, PageRequestError> {
        if number == 0 {
            return Err(PageRequestError::NumberTooSmall);
        }
        if size == 0 {
            return Err(PageRequestError::SizeTooSmall);
        }
        if size > MAX_PAGE_SIZE {
            return Err(PageRequestError::SizeTooLarge);
        }
        Ok(Self { number, size })
    }

    /// The page's number, counted from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// The most items on it.
    #[must_use]
    pub const fn size(self) -> u32 {
        self.size
    }

    /// How many items come before it.
    #[must_use]
    pub fn offset(self) -> u64 {
        u64::from(self.number.saturating_sub(1)) * u64::from(self.size)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self {
            number: 1,
            size: DEFAULT_PAGE_SIZE,
        }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// How many items match in all.
    pub total: u64,
    /// Which page was asked for.
    pub request: PageRequest,
}

impl<T> Page<T> {
    /// How many pages there are; an empty listing has one empty page.
    #[must_use]
    pub fn total_pages(&self) -> u64 {
        self.total.div_ceil(u64::from(self.request.size())).max(1)
    }

    /// Whether the page that was asked for lies after the last one.
    #[must_use]
    pub fn is_past_the_end(&self) -> bool {
        u64::from(self.request.number()) > self.total_pages()
    }

    /// The same page with other items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            total: self.total,
            request: self.request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_as_on_the_wire() {
        let page = |total, number, size| Page::<()> {
            items: Vec::new(),
            total,
            request: PageRequest::new(number, size).unwrap(),
        };
        assert_eq!(page(0, 1, 20).total_pages(), 1);
        assert_eq!(page(20, 1, 20).total_pages(), 1);
        assert_eq!(page(21, 2, 20).total_pages(), 2);
        assert!(page(1, 99, 20).is_past_the_end());
        assert!(!page(0, 1, 20).is_past_the_end());
        assert_eq!(PageRequest::new(1, 10_001), Err(PageRequestError::SizeTooLarge));
    }
}

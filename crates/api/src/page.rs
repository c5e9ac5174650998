//! The envelope of listings.

use serde::{Deserialize, Serialize};
use zenml_auth_model::query::Page;

/// One page of a listing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageResponse<T> {
    /// Which page, counted from 1.
    pub index: u64,
    /// The most items on a page.
    pub max_size: u64,
    /// How many pages there are; an empty listing has one empty page.
    pub total_pages: u64,
    /// How many items match in all.
    pub total: u64,
    /// The items, in order.
    pub items: Vec<T>,
}

impl<T> PageResponse<T> {
    /// The answer for a page of models, each converted.
    pub fn from_page<M>(page: Page<M>, convert: impl FnMut(M) -> T) -> Self {
        Self {
            index: u64::from(page.request.number()),
            max_size: u64::from(page.request.size()),
            total_pages: page.total_pages(),
            total: page.total,
            items: page.items.into_iter().map(convert).collect(),
        }
    }

    /// The same page with other items.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> PageResponse<U> {
        PageResponse {
            index: self.index,
            max_size: self.max_size,
            total_pages: self.total_pages,
            total: self.total,
            items: self.items.into_iter().map(convert).collect(),
        }
    }

    /// Whether pages follow this one.
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.index < self.total_pages
    }
}

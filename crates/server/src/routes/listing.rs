//! Pages of listings.

use zenml_auth_api::{ErrorCode, PageResponse};
use zenml_auth_model::query::Page;

use crate::errors::ApiError;

/// The answer for a page; a page after the last one is refused, as recorded.
pub(super) fn page_response<M, T>(
    page: Page<M>,
    convert: impl FnMut(M) -> T,
) -> Result<PageResponse<T>, ApiError> {
    if page.is_past_the_end() {
        let message = format!(
            "Invalid page {}: with {} items on a page and {} in all, the last page is {}.",
            page.request.number(),
            page.request.size(),
            page.total,
            page.total_pages()
        );
        return Err(ApiError::new(ErrorCode::PageOutOfRange, message));
    }
    Ok(PageResponse::from_page(page, convert))
}

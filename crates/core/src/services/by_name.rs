//! Finding rows by the name that somebody typed.
//!
//! Names are kept in normalization form C, and people type them in whatever form their keyboard gives. Rows of builds that
//! did not compose names may have one in another form; they are found by that very text, and before any other.

use zenml_auth_model::text::nfc;
use zenml_auth_model::{ApiKey, ServiceAccount, ServiceAccountId, User};

use super::Engine;
use crate::ports::StoreError;

impl Engine {
    /// The user of this name.
    pub(super) async fn user_by_name(&self, typed: &str) -> Result<Option<User>, StoreError> {
        let find = |name: String| async move { self.store().user_by_name(&name).await };
        in_either_form(typed, find).await
    }

    /// The service account of this name.
    pub(super) async fn service_account_by_name(
        &self,
        typed: &str,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        let find = |name: String| async move { self.store().service_account_by_name(&name).await };
        in_either_form(typed, find).await
    }

    /// The API key of this name within its service account.
    pub(super) async fn api_key_by_name(
        &self,
        account: ServiceAccountId,
        typed: &str,
    ) -> Result<Option<ApiKey>, StoreError> {
        let find = |name: String| async move { self.store().api_key_by_name(account, &name).await };
        in_either_form(typed, find).await
    }
}

/// What has the name as it was typed, or else what has it composed. Both are looked for in any case, so that the time it
/// takes does not tell whether there is such a row.
async fn in_either_form<T, F>(typed: &str, find: impl Fn(String) -> F + Send) -> Result<Option<T>, StoreError>
where
    T: Send,
    F: Future<Output = Result<Option<T>, StoreError>> + Send,
{
    let exact = find(typed.to_owned()).await?;
    let composed = nfc(typed);
    if composed == typed {
        return Ok(exact);
    }
    let composed = find(composed.into_owned()).await?;
    Ok(exact.or(composed))
}

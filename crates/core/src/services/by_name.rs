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
        let exact = self.store().user_by_name(typed).await?;
        let composed = nfc(typed);
        // Asked for in any case, so that it takes no longer when there is nobody.
        match composed == typed {
            true => Ok(exact),
            false => Ok(exact.or(self.store().user_by_name(&composed).await?)),
        }
    }

    /// The service account of this name.
    pub(super) async fn service_account_by_name(
        &self,
        typed: &str,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        let exact = self.store().service_account_by_name(typed).await?;
        let composed = nfc(typed);
        match composed == typed {
            true => Ok(exact),
            false => Ok(exact.or(self.store().service_account_by_name(&composed).await?)),
        }
    }

    /// The API key of this name within its service account.
    pub(super) async fn api_key_by_name(
        &self,
        account: ServiceAccountId,
        typed: &str,
    ) -> Result<Option<ApiKey>, StoreError> {
        let exact = self.store().api_key_by_name(account, typed).await?;
        let composed = nfc(typed);
        match composed == typed {
            true => Ok(exact),
            false => Ok(exact.or(self.store().api_key_by_name(account, &composed).await?)),
        }
    }
}

use std::fmt::Display;

use zenml_auth_api::service_account::{ServiceAccountRequest, ServiceAccountResponse, ServiceAccountUpdate};
use zenml_auth_api::{ListRequest, PageResponse, paths};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Call;

impl Client {
    /// A page of the service accounts.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn service_accounts(
        &self,
        request: &ListRequest,
    ) -> Result<PageResponse<ServiceAccountResponse>, ClientError> {
        self.call(Call::get(paths::SERVICE_ACCOUNTS).query(request.to_query_string()))
            .await
    }

    /// A service account.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn service_account(
        &self,
        name_or_id: impl Display,
    ) -> Result<ServiceAccountResponse, ClientError> {
        self.call(Call::get(paths::service_account(name_or_id))).await
    }

    /// Creates a service account.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_service_account(
        &self,
        request: &ServiceAccountRequest,
    ) -> Result<ServiceAccountResponse, ClientError> {
        self.call(Call::post(paths::SERVICE_ACCOUNTS).json(request)?)
            .await
    }

    /// Changes a service account.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_service_account(
        &self,
        name_or_id: impl Display,
        update: &ServiceAccountUpdate,
    ) -> Result<ServiceAccountResponse, ClientError> {
        self.call(Call::put(paths::service_account(name_or_id)).json(update)?)
            .await
    }

    /// Deletes a service account and its keys.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_service_account(&self, name_or_id: impl Display) -> Result<(), ClientError> {
        self.call_for_nothing(Call::delete(paths::service_account(name_or_id)))
            .await
    }
}

use std::fmt::Display;

use uuid::Uuid;
use zenml_auth_api::api_key::{ApiKeyRequest, ApiKeyResponse, ApiKeyRotateRequest, ApiKeyUpdate};
use zenml_auth_api::{ListRequest, PageResponse, paths};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Call;

impl Client {
    /// A page of the keys of a service account.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn api_keys(
        &self,
        service_account: Uuid,
        request: &ListRequest,
    ) -> Result<PageResponse<ApiKeyResponse>, ClientError> {
        self.call(Call::get(paths::api_keys(service_account)).query(request.to_query_string()))
            .await
    }

    /// An API key, without its value.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn api_key(
        &self,
        service_account: Uuid,
        name_or_id: impl Display,
    ) -> Result<ApiKeyResponse, ClientError> {
        self.call(Call::get(paths::api_key(service_account, name_or_id)))
            .await
    }

    /// Creates an API key; the answer holds its value, which is not shown again.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_api_key(
        &self,
        service_account: Uuid,
        request: &ApiKeyRequest,
    ) -> Result<ApiKeyResponse, ClientError> {
        self.call(Call::post(paths::api_keys(service_account)).json(request)?)
            .await
    }

    /// Changes an API key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_api_key(
        &self,
        service_account: Uuid,
        name_or_id: impl Display,
        update: &ApiKeyUpdate,
    ) -> Result<ApiKeyResponse, ClientError> {
        self.call(Call::put(paths::api_key(service_account, name_or_id)).json(update)?)
            .await
    }

    /// Gives an API key a new value; the answer holds it, and it is not shown again.
    ///
    /// # Errors
    /// See [`ClientError`]. After [`ClientError::Timeout`] it is not known whether the key was rotated; look at `last_rotated`.
    pub async fn rotate_api_key(
        &self,
        service_account: Uuid,
        name_or_id: impl Display,
        request: ApiKeyRotateRequest,
    ) -> Result<ApiKeyResponse, ClientError> {
        self.call(Call::put(paths::api_key_rotate(service_account, name_or_id)).json(&request)?)
            .await
    }

    /// Deletes an API key.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_api_key(
        &self,
        service_account: Uuid,
        name_or_id: impl Display,
    ) -> Result<(), ClientError> {
        self.call_for_nothing(Call::delete(paths::api_key(service_account, name_or_id)))
            .await
    }
}

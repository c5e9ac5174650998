use zenml_auth_api::SecretText;
use zenml_auth_api::api_token::ApiTokenQuery;
use zenml_auth_api::device_authorization::{DeviceAuthorizationRequest, DeviceAuthorizationResponse};
use zenml_auth_api::info::InfoResponse;
use zenml_auth_api::login::{LoginRequest, TokenResponse};
use zenml_auth_api::paths;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Call;

impl Client {
    /// What the server is. Asked without credentials.
    ///
    /// # Errors
    /// [`ClientError::NotAZenmlServer`] when something else answers; see [`ClientError`] for the rest.
    pub async fn info(&self) -> Result<InfoResponse, ClientError> {
        match self.call(Call::get(paths::INFO).anonymous()).await {
            Err(ClientError::Api {
                status: status @ (400..=405 | 501),
                ..
            }) => Err(self.not_zenml(format!("it answers {status} when asked what it is"))),
            Err(ClientError::BadResponse { reason, .. }) => {
                Err(self.not_zenml(format!("it does not say what it is: {reason}")))
            }
            outcome => outcome,
        }
    }

    /// Whether the server runs. Asked without credentials.
    ///
    /// # Errors
    /// [`ClientError`] when it does not.
    pub async fn health(&self) -> Result<(), ClientError> {
        self.call_for_text(Call::get(paths::HEALTH).anonymous())
            .await
            .map(drop)
    }

    /// Exchanges a credential for an access token. The client itself goes on with what it was made with.
    ///
    /// # Errors
    /// [`ClientError::Api`] when the credential is not good, [`ClientError::OAuth`] for a device code.
    pub async fn login(&self, request: &LoginRequest) -> Result<TokenResponse, ClientError> {
        self.exchange(request).await
    }

    /// Ends the token in use, on servers that can end tokens.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.call_for_nothing(Call::get(paths::LOGOUT)).await
    }

    /// Asks for device authorization (RFC 8628 §3.1); see [`DeviceFlow`](crate::DeviceFlow) for the whole of it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn device_authorization(
        &self,
        request: DeviceAuthorizationRequest,
    ) -> Result<DeviceAuthorizationResponse, ClientError> {
        let form = Zeroizing::new(request.to_form());
        self.call(Call::post(paths::DEVICE_AUTHORIZATION).form(form).anonymous())
            .await
    }

    /// A token with the same rights.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn api_token(&self, query: ApiTokenQuery) -> Result<SecretText, ClientError> {
        self.call(Call::get(paths::API_TOKEN).query(query.to_query_string()))
            .await
    }
}

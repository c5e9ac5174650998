use uuid::Uuid;
use zenml_auth_api::device::{DeviceResponse, DeviceUpdate, DeviceVerifyRequest};
use zenml_auth_api::{ListRequest, PageResponse, paths};
use zenml_auth_model::Secret;

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Call;

impl Client {
    /// A page of one's devices.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn devices(&self, request: &ListRequest) -> Result<PageResponse<DeviceResponse>, ClientError> {
        self.call(Call::get(paths::DEVICES).query(request.to_query_string()))
            .await
    }

    /// One of one's devices.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn device(&self, id: Uuid) -> Result<DeviceResponse, ClientError> {
        self.call(Call::get(paths::device(id))).await
    }

    /// A device that asks for approval, given the user code that it shows.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn device_with_code(
        &self,
        id: Uuid,
        user_code: &Secret,
    ) -> Result<DeviceResponse, ClientError> {
        let query = ListRequest::new()
            .filter("user_code", user_code.expose())
            .to_query_string();
        self.call(Call::get(paths::device(id)).query(query)).await
    }

    /// Approves a device, given the user code that it shows.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn verify_device(
        &self,
        id: Uuid,
        request: &DeviceVerifyRequest,
    ) -> Result<DeviceResponse, ClientError> {
        self.call(Call::put(paths::device_verify(id)).json(request)?)
            .await
    }

    /// Switches a device off, or on again.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_device(&self, id: Uuid, update: DeviceUpdate) -> Result<DeviceResponse, ClientError> {
        self.call(Call::put(paths::device(id)).json(&update)?).await
    }

    /// Removes a device; its token ends.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_device(&self, id: Uuid) -> Result<(), ClientError> {
        self.call_for_nothing(Call::delete(paths::device(id))).await
    }
}

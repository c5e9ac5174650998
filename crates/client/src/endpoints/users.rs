use std::fmt::Display;

use zenml_auth_api::user::{UserRequest, UserResponse, UserUpdate};
use zenml_auth_api::{ListRequest, PageResponse, paths};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Call;

impl Client {
    /// Who is signed in: a person or a service account.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn current_user(&self) -> Result<UserResponse, ClientError> {
        self.call(Call::get(paths::CURRENT_USER)).await
    }

    /// Changes one's own account.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_current_user(&self, update: &UserUpdate) -> Result<UserResponse, ClientError> {
        self.call(Call::put(paths::CURRENT_USER).json(update)?).await
    }

    /// A page of the users that one may see.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn users(&self, request: &ListRequest) -> Result<PageResponse<UserResponse>, ClientError> {
        self.call(Call::get(paths::USERS).query(request.to_query_string()))
            .await
    }

    /// A user.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn user(&self, name_or_id: impl Display) -> Result<UserResponse, ClientError> {
        self.call(Call::get(paths::user(name_or_id))).await
    }

    /// Creates a user; without a password the answer holds an activation token.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_user(&self, request: &UserRequest) -> Result<UserResponse, ClientError> {
        self.call(Call::post(paths::USERS).json(request)?).await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_user(
        &self,
        name_or_id: impl Display,
        update: &UserUpdate,
    ) -> Result<UserResponse, ClientError> {
        self.call(Call::put(paths::user(name_or_id)).json(update)?).await
    }

    /// Keeps a user out; the answer holds the token with which they get in again.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn deactivate_user(&self, name_or_id: impl Display) -> Result<UserResponse, ClientError> {
        self.call(Call::put(paths::user_deactivate(name_or_id))).await
    }

    /// Activates an invited user, given the activation token and a password. Asked without credentials.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn activate_user(
        &self,
        name_or_id: impl Display,
        update: &UserUpdate,
    ) -> Result<UserResponse, ClientError> {
        self.call(
            Call::put(paths::user_activate(name_or_id))
                .json(update)?
                .anonymous(),
        )
        .await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_user(&self, name_or_id: impl Display) -> Result<(), ClientError> {
        self.call_for_nothing(Call::delete(paths::user(name_or_id))).await
    }
}

use std::fmt::Display;

use uuid::Uuid;
use zenml_auth_api::project::ProjectResponse;
use zenml_auth_api::stack::StackResponse;
use zenml_auth_api::{ListRequest, PageResponse, paths};

use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Call;

impl Client {
    /// A page of the projects; servers before 0.80 have workspaces instead.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn projects(
        &self,
        request: &ListRequest,
    ) -> Result<PageResponse<ProjectResponse>, ClientError> {
        self.call(Call::get(paths::PROJECTS).query(request.to_query_string()))
            .await
    }

    /// A project.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn project(&self, name_or_id: impl Display) -> Result<ProjectResponse, ClientError> {
        self.call(Call::get(paths::project(name_or_id))).await
    }

    /// A workspace, which is what projects were called before 0.80.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn workspace(&self, name_or_id: impl Display) -> Result<ProjectResponse, ClientError> {
        self.call(Call::get(paths::workspace(name_or_id))).await
    }

    /// A page of the stacks.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stacks(&self, request: &ListRequest) -> Result<PageResponse<StackResponse>, ClientError> {
        self.call(Call::get(paths::STACKS).query(request.to_query_string()))
            .await
    }

    /// A stack.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn stack(&self, id: Uuid) -> Result<StackResponse, ClientError> {
        self.call(Call::get(paths::stack(id))).await
    }
}

//! `/api/v1/projects`, and `/api/v1/workspaces` as they were called before 0.80. There is one, and it can only be read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;
use zenml_auth_model::ServerIdentity;

use crate::{Hydrate, WireTime};

/// A project; also answered as a workspace, which is the same with fewer fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectResponse {
    /// The project's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What is always sent.
    pub body: ProjectBody,
    /// What is sent when asked for with `hydrate`, and `null` otherwise.
    #[serde(default)]
    pub metadata: Option<ProjectMetadata>,
    /// Nothing so far.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub resources: Option<Value>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of a project.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectBody {
    /// When it was created.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// The name to show.
    #[serde(default)]
    pub display_name: String,
}

/// What is sent of a project when asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectMetadata {
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What clients keep with it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub project_metadata: Map<String, Value>,
}

impl ProjectResponse {
    /// The name of the one project.
    pub const DEFAULT_NAME: &'static str = "default";

    /// The one project of a server.
    #[must_use]
    pub fn of_server(server: &ServerIdentity, hydrate: Hydrate) -> Self {
        Self {
            id: server.project_id,
            name: Self::DEFAULT_NAME.to_owned(),
            body: ProjectBody {
                created: server.created.into(),
                updated: server.created.into(),
                display_name: Self::DEFAULT_NAME.to_owned(),
            },
            metadata: hydrate.then(|| ProjectMetadata {
                description: String::new(),
                project_metadata: Map::new(),
            }),
            resources: None,
            permission_denied: false,
        }
    }
}

//! `/api/v1/stacks`: what a client runs on. There is one, with the two parts that every release asks for, and it can only be
//! read. (A third part, the `deployer` of newer servers, makes every command of clients before 0.90 fail.)

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;
use zenml_auth_model::ServerIdentity;

use crate::project::ProjectResponse;
use crate::user::UserResponse;
use crate::{Hydrate, WireTime};

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StackResponse {
    /// The stack's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What is always sent.
    pub body: StackBody,
    /// What is sent when asked for with `hydrate`, and `null` otherwise.
    #[serde(default)]
    pub metadata: Option<StackMetadata>,
    /// Whose it is, where releases from 0.80 on look for it.
    #[serde(default)]
    pub resources: Option<StackResources>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StackBody {
    /// When it was created.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// Whose it is, by id; nobody's.
    #[serde(default)]
    pub user_id: Option<Uuid>,
    /// Whose it is; for releases before 0.80; nobody's.
    #[serde(default)]
    pub user: Option<Box<UserResponse>>,
}

/// What is sent of a stack when asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StackMetadata {
    /// The parts, by type.
    #[serde(default)]
    pub components: BTreeMap<String, Vec<ComponentResponse>>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The file it was registered from.
    #[serde(default)]
    pub stack_spec_path: Option<String>,
    /// Variables to set.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Secrets to hand over.
    #[serde(default)]
    pub secrets: Vec<Uuid>,
    /// Labels.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub labels: Option<Map<String, Value>>,
    /// The workspace it belongs to; demanded by releases before 0.80.
    #[serde(default)]
    pub workspace: Option<Box<ProjectResponse>>,
}

/// What belongs to a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StackResources {
    /// Whose it is; nobody's.
    #[serde(default)]
    pub user: Option<Box<UserResponse>>,
}

/// A part of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentResponse {
    /// The part's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What is always sent.
    pub body: ComponentBody,
    /// Never sent within a stack.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Value>,
    /// Never sent within a stack; releases from 0.70 on would look for a flavour in it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub resources: Option<Value>,
    /// Whether the rest was held back; never, here.
    #[serde(default)]
    pub permission_denied: bool,
}

/// What is always sent of a part of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComponentBody {
    /// When it was created.
    pub created: WireTime,
    /// When it was last changed.
    pub updated: WireTime,
    /// Whose it is, by id; nobody's.
    #[serde(default)]
    pub user_id: Option<Uuid>,
    /// Whose it is; for releases before 0.80; nobody's.
    #[serde(default)]
    pub user: Option<Box<UserResponse>>,
    /// `orchestrator`, `artifact_store`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// How it is made; for releases from 0.70 on.
    #[serde(default)]
    pub flavor_name: String,
    /// How it is made; for releases before 0.70.
    #[serde(default)]
    pub flavor: String,
    /// What it comes with.
    #[serde(default)]
    pub integration: Option<String>,
    /// A picture to show.
    #[serde(default)]
    pub logo_url: Option<String>,
}

fn component(id: Uuid, kind: &str, created: WireTime) -> (String, Vec<ComponentResponse>) {
    let component = ComponentResponse {
        id,
        name: ProjectResponse::DEFAULT_NAME.to_owned(),
        body: ComponentBody {
            created,
            updated: created,
            user_id: None,
            user: None,
            kind: kind.to_owned(),
            flavor_name: "local".to_owned(),
            flavor: "local".to_owned(),
            integration: Some("built-in".to_owned()),
            logo_url: None,
        },
        metadata: None,
        resources: None,
        permission_denied: false,
    };
    (kind.to_owned(), vec![component])
}

impl StackResponse {
    /// The one stack of a server.
    #[must_use]
    pub fn of_server(server: &ServerIdentity, hydrate: Hydrate) -> Self {
        let created = WireTime(server.created);
        Self {
            id: server.stack_id,
            name: ProjectResponse::DEFAULT_NAME.to_owned(),
            body: StackBody {
                created,
                updated: created,
                user_id: None,
                user: None,
            },
            metadata: hydrate.then(|| StackMetadata {
                components: BTreeMap::from([
                    component(server.artifact_store_id, "artifact_store", created),
                    component(server.orchestrator_id, "orchestrator", created),
                ]),
                description: Some(String::new()),
                stack_spec_path: None,
                environment: BTreeMap::new(),
                secrets: Vec::new(),
                labels: Some(Map::new()),
                workspace: Some(Box::new(ProjectResponse::of_server(server, Hydrate::No))),
            }),
            resources: Some(StackResources { user: None }),
            permission_denied: false,
        }
    }
}

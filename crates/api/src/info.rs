//! `GET /api/v1/info`: what the server is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zenml_auth_model::ServerId;

use crate::WireTime;

/// What the server is. Clients read it before anything else, without credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InfoResponse {
    /// The installation: issuer and audience of its tokens.
    pub id: Uuid,
    /// A name to show; servers before 0.70 have none.
    #[serde(default)]
    pub name: Option<String>,
    /// The release of ZenML whose API the server speaks.
    pub version: String,
    /// Whether the server was set up; always true once it answers.
    #[serde(default = "yes")]
    pub active: bool,
    /// Whether the server runs in debug mode.
    #[serde(default)]
    pub debug: bool,
    /// How it was deployed: `docker`, `kubernetes`, `other`, …
    #[serde(default = "other")]
    pub deployment_type: String,
    /// `sqlite`, `mysql` or `other`; clients know no more.
    #[serde(default = "other")]
    pub database_type: String,
    /// Where secrets are kept: `sql`, `none`, …
    #[serde(default = "none")]
    pub secrets_store_type: String,
    /// How people sign in.
    #[serde(default)]
    pub auth_scheme: String,
    /// Where clients reach the API, if other than where they asked.
    #[serde(default)]
    pub server_url: String,
    /// Where people reach the pages, if other than the API.
    #[serde(default)]
    pub dashboard_url: String,
    /// Whether the server reports its use to ZenML.
    #[serde(default)]
    pub analytics_enabled: bool,
    /// What else there is to know. Strings only: clients refuse anything else.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// When someone last used the server.
    #[serde(default)]
    pub last_user_activity: Option<WireTime>,
    /// Asked for by releases before 0.60.
    #[serde(default)]
    pub use_legacy_dashboard: bool,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub pro_dashboard_url: Option<String>,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub pro_api_url: Option<String>,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub pro_organization_id: Option<Uuid>,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub pro_organization_name: Option<String>,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub pro_workspace_id: Option<Uuid>,
    /// Only for ZenML Pro.
    #[serde(default)]
    pub pro_workspace_name: Option<String>,
}

fn yes() -> bool {
    true
}

fn other() -> String {
    "other".to_owned()
}

fn none() -> String {
    "none".to_owned()
}

impl InfoResponse {
    /// The key in [`Self::metadata`] under which our server names itself and its own release.
    pub const IMPLEMENTATION: &'static str = "implementation";

    /// The answer of an ordinary server: people sign in with a password, nothing is reported to anyone.
    #[must_use]
    pub fn new(id: ServerId, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            id: id.as_uuid(),
            name: Some(name.into()),
            version: version.into(),
            active: true,
            debug: false,
            deployment_type: other(),
            database_type: other(),
            secrets_store_type: none(),
            auth_scheme: "OAUTH2_PASSWORD_BEARER".to_owned(),
            server_url: String::new(),
            dashboard_url: String::new(),
            analytics_enabled: false,
            metadata: BTreeMap::new(),
            last_user_activity: None,
            use_legacy_dashboard: false,
            pro_dashboard_url: None,
            pro_api_url: None,
            pro_organization_id: None,
            pro_organization_name: None,
            pro_workspace_id: None,
            pro_workspace_name: None,
        }
    }
}

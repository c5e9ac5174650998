//! The one project, which clients before 0.80 call workspace, and the one stack: what clients read on connecting
//! and before every command. There is one of each, read-only.

use axum::Json;
use axum::extract::{RawQuery, State};
use uuid::Uuid;
use zenml_auth_api::project::ProjectResponse;
use zenml_auth_api::stack::StackResponse;
use zenml_auth_api::{Hydrate, ListQuery, PageResponse, ValidationErrors};
use zenml_auth_model::ServerIdentity;
use zenml_auth_model::query::{NamedField, Page, PageRequest, Query, Value};

use super::listing::page_response;
use crate::errors::ApiError;
use crate::extract::{Authenticated, Segments};
use crate::state::App;

/// The listing of one item: there it is, if it matches, on the first page.
fn listing<T>(
    query: &Query<NamedField>,
    server: &ServerIdentity,
    id: Uuid,
    item: impl FnOnce() -> T,
) -> Result<PageResponse<T>, ApiError> {
    let matches = query.matches(|field| {
        Some(match field {
            NamedField::Id => Value::Id(id),
            NamedField::Created | NamedField::Updated => Value::Time(server.created),
            NamedField::Name => Value::Text(ProjectResponse::DEFAULT_NAME.to_owned()),
        })
    });
    let request: PageRequest = query.page;
    let items = if matches && request.number() == 1 {
        vec![item()]
    } else {
        Vec::new()
    };
    page_response(
        Page {
            items,
            total: u64::from(matches),
            request,
        },
        |item| item,
    )
}

fn is_called(which: &str, id: Uuid) -> bool {
    which == ProjectResponse::DEFAULT_NAME || Uuid::try_parse(which).is_ok_and(|asked| asked == id)
}

/// The listing of the one project.
///
/// # Errors
/// 400 for a page after the last, 422 for a filter that makes no sense.
#[utoipa::path(get, path = "/api/v1/projects", tag = "defaults", security(("bearer" = [])),
    responses((status = 200, body = PageResponse<ProjectResponse>), (status = 400), (status = 401), (status = 422)))]
pub async fn projects(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<PageResponse<ProjectResponse>>, ApiError> {
    let asked = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let server = app.engine.server();
    let item = || ProjectResponse::of_server(server, asked.hydrate);
    Ok(Json(listing(&asked.query, server, server.project_id, item)?))
}

/// The same, as releases before 0.80 call it.
///
/// # Errors
/// 400 for a page after the last, 422 for a filter that makes no sense.
#[utoipa::path(get, path = "/api/v1/workspaces", tag = "defaults", security(("bearer" = [])),
    responses((status = 200, body = PageResponse<ProjectResponse>), (status = 400), (status = 401), (status = 422)))]
pub async fn workspaces(
    app: State<App>,
    caller: Authenticated,
    query: RawQuery,
) -> Result<Json<PageResponse<ProjectResponse>>, ApiError> {
    projects(app, caller, query).await
}

fn the_project(app: &App, which: &str, query: Option<&str>, noun: &str) -> Result<ProjectResponse, ApiError> {
    let hydrate = Hydrate::of_item(query.unwrap_or_default())?;
    let server = app.engine.server();
    if is_called(which, server.project_id) {
        Ok(ProjectResponse::of_server(server, hydrate))
    } else {
        Err(ApiError::not_found(format_args!(
            "There is no {noun} with the name or ID '{which}'."
        )))
    }
}

/// The one project, by name or id.
///
/// # Errors
/// 404 for any other.
#[utoipa::path(get, path = "/api/v1/projects/{project_name_or_id}", tag = "defaults", security(("bearer" = [])),
    params(("project_name_or_id" = String, Path)),
    responses((status = 200, body = ProjectResponse), (status = 401), (status = 404)))]
pub async fn project(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    Segments(which): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ProjectResponse>, ApiError> {
    Ok(Json(the_project(&app, &which, query.as_deref(), "project")?))
}

/// The one project, under the name that clients before 0.80 have for it.
///
/// # Errors
/// 404 for any other.
#[utoipa::path(get, path = "/api/v1/workspaces/{workspace_name_or_id}", tag = "defaults",
    security(("bearer" = [])), params(("workspace_name_or_id" = String, Path)),
    responses((status = 200, body = ProjectResponse), (status = 401), (status = 404)))]
pub async fn workspace(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    Segments(which): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ProjectResponse>, ApiError> {
    Ok(Json(the_project(&app, &which, query.as_deref(), "workspace")?))
}

/// The listing of the one stack.
///
/// # Errors
/// 400 for a page after the last, 422 for a filter that makes no sense.
#[utoipa::path(get, path = "/api/v1/stacks", tag = "defaults", security(("bearer" = [])),
    responses((status = 200, body = PageResponse<StackResponse>), (status = 400), (status = 401), (status = 422)))]
pub async fn stacks(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<PageResponse<StackResponse>>, ApiError> {
    let asked = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let server = app.engine.server();
    let item = || StackResponse::of_server(server, asked.hydrate);
    Ok(Json(listing(&asked.query, server, server.stack_id, item)?))
}

/// The one stack, by id.
///
/// # Errors
/// 404 for any other, 422 for a text that is not an id.
#[utoipa::path(get, path = "/api/v1/stacks/{stack_id}", tag = "defaults", security(("bearer" = [])),
    params(("stack_id" = String, Path)),
    responses((status = 200, body = StackResponse), (status = 401), (status = 404), (status = 422)))]
pub async fn stack(
    State(app): State<App>,
    Authenticated(_): Authenticated,
    Segments(which): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<StackResponse>, ApiError> {
    let hydrate = Hydrate::of_item(query.as_deref().unwrap_or_default())?;
    let id = Uuid::try_parse(&which).map_err(|_| ValidationErrors::path_id("stack_id"))?;
    let server = app.engine.server();
    if id != server.stack_id {
        return Err(ApiError::not_found(format_args!(
            "There is no stack with the ID '{id}'."
        )));
    }
    Ok(Json(StackResponse::of_server(server, hydrate)))
}

//! What is said of the API as a whole in its description (OpenAPI 3.1).

use serde_json::json;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{Modify, OpenApi};
use zenml_auth_api::ErrorCode;

/// What the description says of the API as a whole; each handler describes itself.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "zenml-auth",
        description = "Connection and authentication for ZenML: the device flow (RFC 8628), service accounts and \
                       API keys, on the wire that ZenML's clients speak.",
    ),
    modifiers(&BearerScheme),
)]
pub struct ApiDoc;

struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An access token, or an API key itself"))
            .build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Says of all endpoints what answers of failed requests hold, and lists the codes.
#[derive(Debug)]
pub struct Errors;

impl Errors {
    fn codes() -> Schema {
        let about = ErrorCode::ALL.iter().map(|(code, meaning)| {
            json!({
                "code": code.as_str(),
                "status": code.status(),
                "class": code.class().map(|class| class.to_string()),
                "meaning": meaning.trim(),
            })
        });
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "What went wrong, for programs. More may be added; none changes its meaning.",
            ))
            .enum_values(Some(ErrorCode::ALL.iter().map(|(code, _)| code.as_str())))
            .extensions(Some(
                ExtensionsBuilder::new()
                    .add("x-codes", about.collect::<Vec<_>>())
                    .build(),
            ))
            .into()
    }

    fn body() -> Schema {
        let text = |about: &str| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some(about))
        };
        let class_and_message = ArrayBuilder::new()
            .items(ObjectBuilder::new().schema_type(Type::String))
            .description(Some(
                "A class that ZenML's clients know, and a message for people",
            ));
        let detail = OneOfBuilder::new()
            .item(Schema::Array(class_and_message.build()))
            .item(text("A message for people"));
        ObjectBuilder::new()
            .property("detail", detail)
            .property("code", Ref::from_schema_name("ErrorCode"))
            .property("request_id", text("Under which id the server logged the request"))
            .required("detail")
            .into()
    }
}

impl Modify for Errors {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let schemas = &mut openapi.components.get_or_insert_default().schemas;
        schemas.insert("ErrorCode".to_owned(), Self::codes().into());
        schemas.insert("Error".to_owned(), Self::body().into());
        for path in openapi.paths.paths.values_mut() {
            let PathItem {
                get,
                put,
                post,
                delete,
                ..
            } = path;
            for operation in [get, put, post, delete].into_iter().flatten() {
                for (status, response) in &mut operation.responses.responses {
                    let RefOr::T(response) = response else { continue };
                    // A 422 may be a list instead, which has no room for a code.
                    if status.starts_with(['4', '5']) && status != "422" && response.content.is_empty() {
                        let error = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error")));
                        response
                            .content
                            .insert("application/json".to_owned(), error.build().into());
                    }
                }
            }
        }
    }
}

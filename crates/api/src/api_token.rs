//! `GET /api/v1/api_token`: a token for the one who asks. The answer is the token as a JSON string.

use serde::Serialize;

use crate::error::{Place, Problem, ValidationErrors};

/// What kind of token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ApiTokenType {
    /// With the rights of the one who asks, for a limited time.
    Generic,
    /// Bound to a pipeline run. Needs pipelines, which this system does not manage.
    Workload,
}

/// The query of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiTokenQuery {
    /// What kind of token.
    pub token_type: ApiTokenType,
    /// How long it should live, in seconds; the server decides when nothing is asked for.
    pub expires_in: Option<u64>,
    /// Whether the token was asked to be bound to a schedule, a run or a deployment.
    pub scoped: bool,
}

impl ApiTokenQuery {
    /// Reads a query string.
    ///
    /// # Errors
    /// [`ValidationErrors`] when the type is unknown or the lifetime is no positive number of seconds.
    pub fn parse(query: &str) -> Result<Self, ValidationErrors> {
        let mut parsed = Self {
            token_type: ApiTokenType::Generic,
            expires_in: None,
            scoped: false,
        };
        let mut errors = ValidationErrors::default();
        for (name, value) in crate::query::pairs(query) {
            match (&*name, &*value) {
                ("token_type", "generic") => parsed.token_type = ApiTokenType::Generic,
                ("token_type", "workload") => parsed.token_type = ApiTokenType::Workload,
                ("token_type", _) => errors.push(
                    Place::Query,
                    "token_type",
                    Problem::Unsuitable {
                        reason: "use generic or workload".to_owned(),
                    },
                ),
                ("expires_in", value) => match value.parse() {
                    Ok(0) => errors.push(Place::Query, "expires_in", Problem::TooSmall { min: 1 }),
                    Ok(seconds) => parsed.expires_in = Some(seconds),
                    Err(_) => {
                        errors.push(
                            Place::Query,
                            "expires_in",
                            Problem::WrongType {
                                wanted: "a number of seconds",
                            },
                        );
                    }
                },
                ("schedule_id" | "pipeline_run_id" | "deployment_id", _) => parsed.scoped = true,
                _ => {}
            }
        }
        errors.into_result(parsed)
    }

    /// The query string.
    #[must_use]
    pub fn to_query_string(self) -> String {
        let kind = match self.token_type {
            ApiTokenType::Generic => "generic",
            ApiTokenType::Workload => "workload",
        };
        match self.expires_in {
            Some(seconds) => format!("token_type={kind}&expires_in={seconds}"),
            None => format!("token_type={kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_recorded() {
        let query = ApiTokenQuery::parse("token_type=generic&expires_in=60").unwrap();
        assert_eq!(query.expires_in, Some(60));
        assert_eq!(query.to_query_string(), "token_type=generic&expires_in=60");
        assert_eq!(
            ApiTokenQuery::parse("").unwrap().token_type,
            ApiTokenType::Generic
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for query in [
            "token_type=root",
            "expires_in=0",
            "expires_in=-1",
            "expires_in=soon",
        ] {
            assert!(ApiTokenQuery::parse(query).is_err(), "{query}");
        }
    }
}

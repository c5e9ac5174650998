//! How requests fail.
//!
//! Clients decide on the status and on the class name in `{"detail": [class, message]}`. Four forms were observed,
//! and a client has to read them all:
//!
//! | form | when |
//! |---|---|
//! | `{"detail": ["KeyError", "…"]}` | almost always |
//! | `{"detail": "…"}` | a login that lacks something; no credentials at all |
//! | `["ValueError", "1 validation error:\n  {…}"]` | status 422: a body, path or query that can't be read |
//! | `{"error": "slow_down", …}` | the device flow (RFC 6749 §5.2) |
//!
//! Our server adds a [code](crate::ErrorCode) to the first two.

use std::fmt;

use serde::de::Error as _;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::ErrorCode;
use crate::login::OAuthErrorBody;

/// The class of an error, on which clients decide. These are the names that the Python client knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// 401: the credential is not good, or no longer; clients sign in again.
    CredentialsNotValid,
    /// 401: what releases before 0.70 said instead of `CredentialsNotValid` at login.
    AuthorizationException,
    /// 409: the name is taken.
    EntityExistsError,
    /// 404: there is no such thing, or it is not for the one who asks.
    KeyError,
    /// 403: signed in, but not allowed.
    IllegalOperationError,
    /// 400 or 422: the request makes no sense.
    ValueError,
    /// 429: too much at once.
    MaxConcurrentTasksError,
    /// 405: not with this method.
    MethodNotAllowedError,
    /// 501: not offered.
    NotImplementedError,
    /// 500: the server failed.
    RuntimeError,
    /// One that this release does not know.
    Other(String),
}

impl ErrorClass {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::CredentialsNotValid => "CredentialsNotValid",
            Self::AuthorizationException => "AuthorizationException",
            Self::EntityExistsError => "EntityExistsError",
            Self::KeyError => "KeyError",
            Self::IllegalOperationError => "IllegalOperationError",
            Self::ValueError => "ValueError",
            Self::MaxConcurrentTasksError => "MaxConcurrentTasksError",
            Self::MethodNotAllowedError => "MethodNotAllowedError",
            Self::NotImplementedError => "NotImplementedError",
            Self::RuntimeError => "RuntimeError",
            Self::Other(name) => name,
        }
    }

    /// The class that is called so on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "CredentialsNotValid" => Self::CredentialsNotValid,
            "AuthorizationException" => Self::AuthorizationException,
            "EntityExistsError" => Self::EntityExistsError,
            "KeyError" => Self::KeyError,
            "IllegalOperationError" => Self::IllegalOperationError,
            "ValueError" => Self::ValueError,
            "MaxConcurrentTasksError" => Self::MaxConcurrentTasksError,
            "MethodNotAllowedError" => Self::MethodNotAllowedError,
            "NotImplementedError" => Self::NotImplementedError,
            "RuntimeError" => Self::RuntimeError,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The body of an answer that says why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorBody {
    /// `{"detail": [class, message]}`, with the request's id where the server gives one.
    Classed {
        /// The class.
        class: ErrorClass,
        /// What went wrong.
        message: String,
        /// What went wrong, for programs; ours alone.
        code: Option<ErrorCode>,
        /// Under which id the server logged the request; ours alone.
        request_id: Option<String>,
    },
    /// `{"detail": message}`
    Plain {
        /// What went wrong.
        message: String,
        /// What went wrong, for programs; ours alone.
        code: Option<ErrorCode>,
        /// Under which id the server logged the request; ours alone.
        request_id: Option<String>,
    },
    /// `[class, message]`
    Bare {
        /// The class.
        class: ErrorClass,
        /// What went wrong.
        message: String,
    },
    /// The device flow's.
    OAuth(OAuthErrorBody),
}

impl ErrorBody {
    /// `{"detail": [class, message]}`
    #[must_use]
    pub fn classed(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::Classed {
            class,
            message: message.into(),
            code: None,
            request_id: None,
        }
    }

    /// `{"detail": message}`
    #[must_use]
    pub fn plain(message: impl Into<String>) -> Self {
        Self::Plain {
            message: message.into(),
            code: None,
            request_id: None,
        }
    }

    /// What our server answers for a code, but for the form of the device flow.
    #[must_use]
    pub fn coded(code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        let request_id = None;
        match code.class() {
            Some(class) => Self::Classed {
                class,
                message,
                code: Some(code),
                request_id,
            },
            None => Self::Plain {
                message,
                code: Some(code),
                request_id,
            },
        }
    }

    /// What went wrong, for programs, if the server says so and the form has room for it.
    #[must_use]
    pub const fn code(&self) -> Option<&ErrorCode> {
        match self {
            Self::Classed { code, .. } | Self::Plain { code, .. } => code.as_ref(),
            Self::Bare { .. } | Self::OAuth(_) => None,
        }
    }

    /// Adds the id under which the server logged the request, where the form has room for it.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<String>) -> Self {
        if let Self::Classed { request_id, .. } | Self::Plain { request_id, .. } = &mut self {
            *request_id = Some(id.into());
        }
        self
    }

    /// Reads the body of a failed request; `None` when it is in no known form, and so not from a ZenML server.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// The class, if the form has one.
    #[must_use]
    pub const fn class(&self) -> Option<&ErrorClass> {
        match self {
            Self::Classed { class, .. } | Self::Bare { class, .. } => Some(class),
            Self::Plain { .. } | Self::OAuth(_) => None,
        }
    }

    /// What went wrong, for people: without the quotes that Python puts around the message of a `KeyError`.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Classed {
                class: ErrorClass::KeyError,
                message,
                ..
            } => unquoted(message),
            Self::Classed { message, .. } | Self::Plain { message, .. } | Self::Bare { message, .. } => {
                message
            }
            Self::OAuth(error) => error
                .error_description
                .as_deref()
                .unwrap_or_else(|| error.error.as_str()),
        }
    }

    /// What went wrong, in plain words: like [`Self::message`], but with validation errors as a person would put them
    /// (`name: is required`) and not as the structures that servers print.
    #[must_use]
    pub fn plain_words(&self) -> String {
        let message = self.message();
        readable_validation(message).unwrap_or_else(|| message.to_owned())
    }

    /// Under which id the server logged the request, if it says so.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Classed { request_id, .. } | Self::Plain { request_id, .. } => request_id.as_deref(),
            Self::Bare { .. } | Self::OAuth(_) => None,
        }
    }
}

fn unquoted(message: &str) -> &str {
    let inner = |quote| {
        message
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    inner('\'').or_else(|| inner('"')).unwrap_or(message)
}

/// Finds field and message in what the releases print for a value that can't be used: structures with `loc` and `msg`, or
/// `1 validation error for …`, then the field, then `  …, message [type=…]`. `None` when the text is nothing like that.
fn readable_validation(text: &str) -> Option<String> {
    let structures: Vec<_> = text
        .split("'loc': ")
        .skip(1)
        .filter_map(readable_structure)
        .collect();
    if !structures.is_empty() {
        return Some(structures.join("; "));
    }
    let mut lines = text.lines();
    lines.next().filter(|first| first.contains("validation error"))?;
    let mut found = Vec::new();
    let mut field = "";
    for line in lines {
        match line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) {
            Some(problem) => {
                let problem = problem.split(" [type=").next().unwrap_or(problem);
                found.push(about(
                    field,
                    problem.strip_prefix("Value error, ").unwrap_or(problem),
                ));
            }
            None if !line.starts_with(' ') => field = line,
            None => {}
        }
    }
    (!found.is_empty()).then(|| found.join("; "))
}

/// `name: Field required`; what is about the request as a whole, or names the field itself, is left as it is.
fn about(field: &str, problem: &str) -> String {
    match field {
        "" | "__root__" => problem.to_owned(),
        field if problem.contains(&format!("`{field}`")) => problem.to_owned(),
        field => format!("{field}: {problem}"),
    }
}

/// `('body', 'name'), 'msg': 'Field required', …` is `name: Field required`.
fn readable_structure(text: &str) -> Option<String> {
    let (place, rest) = text.split_once(')')?;
    let field = place.rsplit('\'').nth(1)?;
    // Some releases print the message before the place; it is then not for this one.
    let (_, message) = rest.split_once("'msg': ")?;
    Some(about(field, &python_string(message)?))
}

/// The value of a string as Python prints it, up to its closing quote.
fn python_string(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let quote = chars.next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    loop {
        match chars.next()? {
            '\\' => value.push(match chars.next()? {
                'n' | 't' | 'r' => ' ',
                other => other,
            }),
            c if c == quote => return Some(value),
            c => value.push(c),
        }
    }
}

impl Serialize for ErrorBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Classed {
                class,
                message,
                code,
                request_id,
            } => with_detail(serializer, &[class.as_str(), message], code, request_id),
            Self::Plain {
                message,
                code,
                request_id,
            } => with_detail(serializer, message, code, request_id),
            Self::Bare { class, message } => {
                let mut seq = serializer.serialize_seq(Some(2))?;
                seq.serialize_element(class.as_str())?;
                seq.serialize_element(message)?;
                seq.end()
            }
            Self::OAuth(error) => error.serialize(serializer),
        }
    }
}

fn with_detail<S: Serializer>(
    serializer: S,
    detail: &(impl Serialize + ?Sized),
    code: &Option<ErrorCode>,
    request_id: &Option<String>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("detail", detail)?;
    if let Some(code) = code {
        map.serialize_entry("code", code.as_str())?;
    }
    if let Some(id) = request_id {
        map.serialize_entry("request_id", id)?;
    }
    map.end()
}

impl<'de> Deserialize<'de> for ErrorBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match &value {
            Value::Array(items) => match classed(items) {
                Some((class, message)) => Ok(Self::Bare { class, message }),
                None => Err(D::Error::custom("a list that holds no class name")),
            },
            Value::Object(fields) => {
                let text = |name| fields.get(name).and_then(Value::as_str);
                let request_id = text("request_id").map(str::to_owned);
                let code = text("code").map(ErrorCode::parse);
                match fields.get("detail") {
                    Some(Value::String(message)) => Ok(Self::Plain {
                        message: message.clone(),
                        code,
                        request_id,
                    }),
                    Some(Value::Array(items)) => Ok(match classed(items) {
                        Some((class, message)) => Self::Classed {
                            class,
                            message,
                            code,
                            request_id,
                        },
                        None => Self::Plain {
                            message: framework_messages(items),
                            code,
                            request_id,
                        },
                    }),
                    _ => OAuthErrorBody::deserialize(value)
                        .map(Self::OAuth)
                        .map_err(D::Error::custom),
                }
            }
            _ => Err(D::Error::custom("neither an object nor a list")),
        }
    }
}

/// `[class, message, …]`; several messages are joined as the Python client joins them.
fn classed(items: &[Value]) -> Option<(ErrorClass, String)> {
    let (class, rest) = items.split_first()?;
    let message = rest.iter().map(|item| match item {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Some((
        ErrorClass::parse(class.as_str()?),
        message.collect::<Vec<_>>().join(": "),
    ))
}

/// What the web framework of old releases answers by itself: `[{"loc": ["query", "sort_by"], "msg": "…"}]`. Which part of the request
/// the field is in says nothing to people who did not write it.
fn framework_messages(items: &[Value]) -> String {
    let one = |item: &Value| {
        let place = item.get("loc").and_then(Value::as_array).map(|path| {
            path.iter()
                .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
                .enumerate()
                .filter(|(index, step)| !(*index == 0 && matches!(step.as_str(), "query" | "body" | "path")))
                .map(|(_, step)| step)
                .collect::<Vec<_>>()
                .join(".")
        });
        match (place, item.get("msg").and_then(Value::as_str)) {
            (Some(place), Some(message)) => about(&place, message),
            (None, Some(message)) => message.to_owned(),
            _ => item.to_string(),
        }
    };
    items.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Where in a request a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the body.
    Body,
    /// In the path.
    Path,
    /// In the query string.
    Query,
}

impl Place {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Path => "path",
            Self::Query => "query",
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It is of another type.
    WrongType {
        /// What it should be, with an article.
        wanted: &'static str,
    },
    /// It is no UUID.
    NotAnId,
    /// It is too long.
    TooLong {
        /// The most characters.
        max: usize,
    },
    /// It is too small.
    TooSmall {
        /// The least.
        min: u64,
    },
    /// It is too large.
    TooLarge {
        /// The most.
        max: u64,
    },
    /// The body is not JSON at all.
    NotJson {
        /// What the parser says.
        reason: String,
    },
    /// It breaks a rule of its own.
    Unsuitable {
        /// Which.
        reason: String,
    },
}

impl Problem {
    /// The kind, in the words of the library that ZenML's server uses; clients may look for them.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType { .. } => "type_error",
            Self::NotAnId => "uuid_parsing",
            Self::TooLong { .. } => "string_too_long",
            Self::TooSmall { .. } => "greater_than_equal",
            Self::TooLarge { .. } => "less_than_equal",
            Self::NotJson { .. } => "json_invalid",
            Self::Unsuitable { .. } => "value_error",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is required"),
            Self::WrongType { wanted } => write!(f, "has to be {wanted}"),
            Self::NotAnId => f.write_str("has to be a UUID"),
            Self::TooLong { max } => write!(f, "has at most {max} characters"),
            Self::TooSmall { min } => write!(f, "has to be at least {min}"),
            Self::TooLarge { max } => write!(f, "has to be at most {max}"),
            Self::NotJson { reason } => write!(f, "is not valid JSON: {reason}"),
            Self::Unsuitable { reason } => f.write_str(reason),
        }
    }
}

/// One value that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where it stands.
    pub place: Place,
    /// What it is called; `None` for a body as a whole.
    pub field: Option<String>,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Invalid {
    /// As the recordings show it, but without the value itself, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{'type': '{}', 'loc': ('{}',",
            self.problem.kind(),
            self.place.as_str()
        )?;
        if let Some(field) = &self.field {
            write!(f, " '{}'", quotable(field))?;
        }
        write!(f, "), 'msg': '{}'}}", quotable(&self.problem.to_string()))
    }
}

/// What may stand between single quotes without ending them, or the line.
fn quotable(text: &str) -> String {
    text.chars()
        .flat_map(char::escape_debug)
        .collect::<String>()
        .replace("\\\"", "\"")
}

/// Which of the two forms of status 422 is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValidationForm {
    /// `["ValueError", "1 validation error:\n  {…}"]`: bodies, paths, page numbers and sizes.
    #[default]
    Bare,
    /// `{"detail": ["ValueError", "…"]}`: filters and sort orders.
    Detail,
}

/// Values of a request that can't be used; always answered with status 422.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValidationErrors {
    form: ValidationForm,
    errors: Vec<Invalid>,
}

impl ValidationErrors {
    /// The status that goes with them.
    pub const STATUS: u16 = 422;

    /// One value that can't be used.
    #[must_use]
    pub fn one(place: Place, field: &str, problem: Problem) -> Self {
        let mut errors = Self::default();
        errors.push(place, field, problem);
        errors
    }

    /// A body that can't be used as a whole.
    #[must_use]
    pub fn whole_body(problem: Problem) -> Self {
        Self {
            form: ValidationForm::Bare,
            errors: vec![Invalid {
                place: Place::Body,
                field: None,
                problem,
            }],
        }
    }

    /// A field of the body that breaks a rule, in the rule's own words.
    #[must_use]
    pub fn body_field(field: &str, reason: impl fmt::Display) -> Self {
        Self::one(
            Place::Body,
            field,
            Problem::Unsuitable {
                reason: reason.to_string(),
            },
        )
    }

    /// An id in the path that is none.
    #[must_use]
    pub fn path_id(field: &str) -> Self {
        Self::one(Place::Path, field, Problem::NotAnId)
    }

    /// Adds another.
    pub fn push(&mut self, place: Place, field: &str, problem: Problem) {
        self.errors.push(Invalid {
            place,
            field: Some(field.to_owned()),
            problem,
        });
    }

    /// Chooses the form.
    #[must_use]
    pub const fn with_form(mut self, form: ValidationForm) -> Self {
        self.form = form;
        self
    }

    /// All of them.
    #[must_use]
    pub fn errors(&self) -> &[Invalid] {
        &self.errors
    }

    /// The value, if nothing is wrong.
    ///
    /// # Errors
    /// Itself, if something is.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// The body of the answer.
    #[must_use]
    pub fn to_body(&self) -> ErrorBody {
        match self.form {
            ValidationForm::Bare => ErrorBody::Bare {
                class: ErrorClass::ValueError,
                message: self.to_string(),
            },
            ValidationForm::Detail => ErrorBody::coded(ErrorCode::ValidationFailed, self.to_string()),
        }
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.errors.len();
        write!(
            f,
            "{count} validation error{}:",
            if count == 1 { "" } else { "s" }
        )?;
        self.errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ValidationErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_errors_have_the_recorded_shapes() {
        let errors = ValidationErrors::one(Place::Body, "name", Problem::Missing);
        let json = |errors: &ValidationErrors| serde_json::to_string(&errors.to_body()).unwrap();
        let text = r#""ValueError","1 validation error:\n  {'type': 'missing', 'loc': ('body', 'name'), 'msg': 'is required'}""#;
        assert_eq!(json(&errors), format!("[{text}]"));
        assert_eq!(
            json(&errors.with_form(ValidationForm::Detail)),
            format!(r#"{{"detail":[{text}],"code":"validation_failed"}}"#)
        );
    }

    #[test]
    fn a_message_cannot_break_out_of_its_quotes() {
        let error = ValidationErrors::body_field("it's\n", "it's \"so\"").to_string();
        assert_eq!(
            error,
            "1 validation error:\n  {'type': 'value_error', 'loc': ('body', 'it\\'s\\n'), 'msg': 'it\\'s \"so\"'}"
        );
    }

    #[test]
    fn every_form_is_read() {
        let message = |body: &str| ErrorBody::parse(body.as_bytes()).map(|body| body.message().to_owned());
        assert_eq!(
            message(r#"{"detail":["KeyError","\"No 'x'\""]}"#).as_deref(),
            Some("No 'x'")
        );
        assert_eq!(
            message(r#"{"detail":["KeyError","'No x'"]}"#).as_deref(),
            Some("No x")
        );
        assert_eq!(message(r#"{"detail":["A","b","c"]}"#).as_deref(), Some("b: c"));
        assert_eq!(
            message(r#"{"detail":"Not authenticated"}"#).as_deref(),
            Some("Not authenticated")
        );
        assert_eq!(message(r#"["ValueError","bad"]"#).as_deref(), Some("bad"));
        assert_eq!(
            message(r#"{"detail":[{"loc":["query","sort_by"],"msg":"no","type":"value_error"}]}"#).as_deref(),
            Some("sort_by: no")
        );
        assert_eq!(
            message(r#"{"detail":[{"loc":["query","__root__"],"msg":"no such moment"}]}"#).as_deref(),
            Some("no such moment")
        );
        assert_eq!(message(r#"{"error":"slow_down"}"#).as_deref(), Some("slow_down"));
        for other in ["", "<html>", "[]", "{}", "42", "null", r#"{"detail":{}}"#] {
            assert_eq!(message(other), None, "{other}");
        }
    }

    #[test]
    fn validation_errors_are_told_in_plain_words() {
        let mut ours = ValidationErrors::one(Place::Body, "name", Problem::Missing);
        ours.push(
            Place::Query,
            "size",
            Problem::Unsuitable {
                reason: "it's \"odd\"".to_owned(),
            },
        );
        assert_eq!(
            ours.to_body().plain_words(),
            "name: is required; size: it's \"odd\""
        );
        let words = |text: &str| ErrorBody::classed(ErrorClass::ValueError, text).plain_words();
        assert_eq!(
            words(
                "[{'loc': ('query', 'size'), 'msg': 'ensure this value is greater than or equal to 1', 'type': 'x'}]"
            ),
            "size: ensure this value is greater than or equal to 1"
        );
        assert_eq!(
            words(
                "1 validation error for ServiceAccountFilter\nsort_by\n  Value error, You can only sort by valid fields \
                   of this resource [type=value_error, input_value='x', input_type=str]\n    For further information visit y"
            ),
            "sort_by: You can only sort by valid fields of this resource"
        );
        assert_eq!(
            words("1 validation error for DeviceFilter\n  Value error, no such moment [type=value_error]"),
            "no such moment"
        );
        for other in [
            "Invalid page 99.",
            "",
            "1 validation error",
            "'loc': ",
            "'loc': (''), 'msg': 'x",
            "{'msg': 'x'}",
        ] {
            assert_eq!(words(other), other);
        }
    }

    #[test]
    fn the_code_and_the_request_id_travel() {
        for (code, text) in [
            (
                ErrorCode::InternalError,
                r#"{"detail":["RuntimeError","oh"],"code":"internal_error","request_id":"r1"}"#,
            ),
            (
                ErrorCode::NotAuthenticated,
                r#"{"detail":"oh","code":"not_authenticated","request_id":"r1"}"#,
            ),
        ] {
            let body = ErrorBody::coded(code.clone(), "oh").with_request_id("r1");
            assert_eq!(serde_json::to_string(&body).unwrap(), text);
            let read = ErrorBody::parse(text.as_bytes()).unwrap();
            assert_eq!((read.request_id(), read.code()), (Some("r1"), Some(&code)));
            assert_eq!(read, body);
        }
    }
}

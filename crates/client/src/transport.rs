//! Sending a request and reading its answer.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zenml_auth_api::ErrorBody;
use zenml_auth_api::login::{LoginRequest, TokenResponse};
use zenml_auth_api::paths;
use zenml_auth_model::{Secret, Timestamp};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::credentials::IssuedToken;
use crate::error::ClientError;
use crate::mask;
use crate::observe::WireEvent;

/// The largest answer that is read: 10,000 items on a page take some 10 MiB.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// How long to wait before a request is sent again the first time; twice as long each time after.
const FIRST_BACKOFF: Duration = Duration::from_millis(300);
/// The longest that is waited because a server asks for it; beyond that, the error is for the caller to handle.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A request to send.
pub(crate) struct Call {
    method: Method,
    path: String,
    query: String,
    body: Body,
    authenticated: bool,
    repeatable: bool,
}

enum Body {
    None,
    Json(Zeroizing<Vec<u8>>),
    Form(Zeroizing<String>),
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            repeatable: method == Method::GET,
            method,
            path: path.into(),
            query: String::new(),
            body: Body::None,
            authenticated: true,
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub(crate) fn query(mut self, query: String) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, ClientError> {
        let bytes = serde_json::to_vec(body).map_err(|error| ClientError::Setup(error.to_string()))?;
        self.body = Body::Json(Zeroizing::new(bytes));
        Ok(self)
    }

    pub(crate) fn form(mut self, body: Zeroizing<String>) -> Self {
        self.body = Body::Form(body);
        self
    }

    /// Sends no credentials, even if there are some.
    pub(crate) const fn anonymous(mut self) -> Self {
        self.authenticated = false;
        self
    }

    /// It does no harm to send it twice, though it is no `GET`. Most `PUT`s would do none either, but rotating a key would.
    pub(crate) const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }
}

impl Client {
    fn server(&self) -> String {
        self.inner.address.to_string()
    }

    fn observe(&self, event: impl FnOnce() -> WireEvent) {
        if let Some(observer) = &self.inner.observer {
            observer.observe(event());
        }
    }

    /// Sends a request and reads the JSON that comes back.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let answer = self.call_for_answer(&call).await?;
        serde_json::from_slice(&answer.body).map_err(|error| match content_type(&answer.headers) {
            Some(kind) if !kind.contains("json") => self.not_zenml(format!("it answers with {kind}")),
            _ => ClientError::BadResponse {
                server: self.server(),
                reason: error.to_string(),
            },
        })
    }

    /// Sends a request whose answer says nothing but that it went well.
    pub(crate) async fn call_for_nothing(&self, call: Call) -> Result<(), ClientError> {
        self.call_for_answer(&call).await.map(drop)
    }

    /// Sends a request whose answer is a text.
    pub(crate) async fn call_for_text(&self, call: Call) -> Result<String, ClientError> {
        let answer = self.call_for_answer(&call).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Sends a request with a token; gets one first if there is none, and a new one if the server no longer accepts it.
    async fn call_for_answer(&self, call: &Call) -> Result<Answer, ClientError> {
        if !call.authenticated {
            return self.send_repeatedly(call, None).await;
        }
        let token = self.token().await?;
        match self.send_repeatedly(call, token.as_ref()).await {
            Err(refused) if refused.is_unauthenticated() => match self.inner.credentials.login() {
                // A request that was not authenticated was not carried out, and so may be sent again, whatever it is.
                Some(login) if token.is_some() => {
                    let token = self.renew(login, token.as_ref()).await?;
                    self.send_repeatedly(call, Some(&token)).await
                }
                _ if token.is_none() => Err(ClientError::NoCredentials {
                    server: self.server(),
                }),
                _ => Err(refused),
            },
            outcome => outcome,
        }
    }

    /// The token to send; exchanged for the credentials when there is none yet.
    async fn token(&self) -> Result<Option<Secret>, ClientError> {
        let known = self.inner.session.lock().await.token.clone();
        match (known, self.inner.credentials.login()) {
            (Some(token), _) => Ok(Some(token)),
            (None, Some(login)) => self.renew(login, None).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Exchanges the credentials for a new token, unless someone else has done so in the meantime.
    async fn renew(&self, login: &LoginRequest, refused: Option<&Secret>) -> Result<Secret, ClientError> {
        let mut session = self.inner.session.lock().await;
        if let Some(token) = &session.token
            && refused.is_none_or(|refused| refused.expose() != token.expose())
        {
            return Ok(token.clone());
        }
        session.token = None;
        let response = self.exchange(login).await?;
        let token = response.access_token.as_secret().clone();
        session.issued = Some(IssuedToken::from(&response));
        session.token = Some(token.clone());
        Ok(token)
    }

    /// `POST /api/v1/login`
    pub(crate) async fn exchange(&self, login: &LoginRequest) -> Result<TokenResponse, ClientError> {
        let mut call = Call::post(paths::LOGIN).form(login.to_form()).anonymous();
        // It only makes another token, but for a device code, which is good for one.
        if !matches!(login, LoginRequest::DeviceCode { .. }) {
            call = call.repeatable();
        }
        let answer = self.send_repeatedly(&call, None).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.not_zenml(format!("its token can't be read: {error}")))
    }

    async fn send_repeatedly(&self, call: &Call, token: Option<&Secret>) -> Result<Answer, ClientError> {
        let mut backoff = FIRST_BACKOFF;
        let mut left = self.inner.retries;
        loop {
            let error = match self.send_once(call, token).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = match &error {
                // The connection never came about, so that nothing was carried out.
                ClientError::Unreachable { .. } => Some(backoff),
                ClientError::Timeout { .. } | ClientError::Interrupted { .. } if call.repeatable => {
                    Some(backoff)
                }
                ClientError::Api {
                    status: 429 | 502 | 503 | 504,
                    retry_after,
                    ..
                } if call.repeatable => {
                    Some(retry_after.unwrap_or(backoff)).filter(|wait| *wait <= LONGEST_WAIT)
                }
                _ => None,
            };
            match wait {
                Some(wait) if left > 0 => {
                    left -= 1;
                    backoff *= 2;
                    self.observe(|| WireEvent::Retrying { after: wait });
                    self.inner.timer.sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    async fn send_once(&self, call: &Call, token: Option<&Secret>) -> Result<Answer, ClientError> {
        let url = self.inner.address.join(&call.path, &call.query);
        self.observe(|| WireEvent::Sent {
            method: call.method.to_string(),
            url: mask::url(&url),
            authenticated: token.is_some(),
            body: match &call.body {
                Body::None => String::new(),
                Body::Json(bytes) => mask::json(bytes),
                Body::Form(form) => mask::form(form),
            },
        });
        let start = self.inner.timer.elapsed();
        let outcome = self.exchange_bytes(call, url, token).await;
        match outcome {
            Ok(answer) => {
                self.observe(|| WireEvent::Received {
                    status: answer.status.as_u16(),
                    took: self.inner.timer.elapsed().saturating_sub(start),
                    body: mask::json(&answer.body),
                });
                self.accept(answer)
            }
            Err(error) => {
                self.observe(|| WireEvent::Failed {
                    reason: error.to_string(),
                });
                Err(error)
            }
        }
    }

    async fn exchange_bytes(
        &self,
        call: &Call,
        url: String,
        token: Option<&Secret>,
    ) -> Result<Answer, ClientError> {
        let mut request = self
            .inner
            .http
            .request(call.method.clone(), url)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(&bearer).map_err(|_| {
                ClientError::Setup("the credentials hold characters that can't be sent".to_owned())
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match &call.body {
            Body::None => request,
            Body::Json(bytes) => request
                .header(CONTENT_TYPE, "application/json")
                .body(bytes.to_vec()),
            Body::Form(form) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.as_str().to_owned()),
        };
        let mut response = request.send().await.map_err(|error| self.network_error(&error))?;
        if let Some(time) = date(response.headers()) {
            self.inner.server_time.get_or_init(|| time);
        }
        let body = self.read_body(&mut response).await?;
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }

    async fn read_body(&self, response: &mut Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.network_error(&error))?
        {
            if body.len() + chunk.len() > MAX_ANSWER {
                let reason = format!("it is larger than {} MiB", MAX_ANSWER / 1024 / 1024);
                return Err(ClientError::BadResponse {
                    server: self.server(),
                    reason,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Tells an answer from a refusal.
    fn accept(&self, answer: Answer) -> Result<Answer, ClientError> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        if answer.status.is_redirection() {
            let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
            let to = location.unwrap_or("somewhere").to_owned();
            return Err(ClientError::Redirected {
                server: self.server(),
                to,
            });
        }
        let status = answer.status.as_u16();
        let header_id = answer
            .headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok());
        let retry_after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let needs_recent_sign_in = answer
            .headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|challenge| challenge.contains("error=\"insufficient_user_authentication\""));
        match ErrorBody::parse(&answer.body) {
            Some(ErrorBody::OAuth(error)) => Err(ClientError::OAuth(error)),
            Some(body) => Err(ClientError::Api {
                status,
                class: body.class().cloned(),
                code: body.code().cloned(),
                message: body.plain_words(),
                request_id: body.request_id().or(header_id).map(str::to_owned),
                retry_after,
                needs_recent_sign_in,
            }),
            // Something between here and the server answers for it, or the server itself has failed.
            None if matches!(status, 401 | 407 | 413 | 429 | 500..) => Err(ClientError::Api {
                status,
                class: None,
                code: None,
                message: format!("the server answered {}", answer.status),
                request_id: header_id.map(str::to_owned),
                retry_after,
                needs_recent_sign_in,
            }),
            None => Err(self.not_zenml(format!("it answers {}", answer.status))),
        }
    }

    pub(crate) fn not_zenml(&self, reason: String) -> ClientError {
        ClientError::NotAZenmlServer {
            server: self.server(),
            reason,
        }
    }

    fn network_error(&self, error: &reqwest::Error) -> ClientError {
        let server = self.server();
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(source) = cause {
            match tls_error(source) {
                Some(rustls::Error::InvalidCertificate(reason)) => {
                    let fault = reason.into();
                    return ClientError::Certificate { server, fault };
                }
                Some(rustls::Error::InvalidMessage(_)) => {
                    let reason =
                        "it does not speak TLS; its address may begin with http:// instead".to_owned();
                    return ClientError::Unreachable { server, reason };
                }
                _ => causes.push(source.to_string()),
            }
            cause = source.source();
        }
        if error.is_timeout() {
            return ClientError::Timeout { server };
        }
        // The innermost cause says it best; the ones around it say "error sending request" and the like.
        let reason = in_plain_words(causes.pop().unwrap_or_else(|| error.to_string()));
        if error.is_connect() {
            let reason = match &self.inner.proxy {
                Some(proxy) => format!("through the proxy {proxy}: {reason}"),
                None => reason,
            };
            ClientError::Unreachable { server, reason }
        } else {
            ClientError::Interrupted { server, reason }
        }
    }
}

/// Says in other words what the system's library for names says.
fn in_plain_words(reason: String) -> String {
    match reason.strip_prefix("failed to lookup address information") {
        Some(rest) => format!("no address is known for its name{rest}"),
        None => reason,
    }
}

/// The TLS library's error, which comes wrapped in errors of reading and writing, one or several deep.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => tls_error(io.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// When the answer was made, by the server's clock.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let since_1970 = date.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp::UNIX_EPOCH + since_1970)
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or(value)
            .trim()
            .to_ascii_lowercase(),
    )
}

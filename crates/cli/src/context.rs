//! What every command needs: the environment, the files, and a client of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zenml_auth_api::user_agent::UserAgent;
use zenml_auth_client::{Client, ClientBuilder, ClientError, Exposure, ServerAddress, WireEvent, exposure};
use zenml_auth_model::Timestamp;

use crate::clock;
use crate::config_files::{self, ConfigFiles, StoredCredentials, StoredToken, VerifySsl};
use crate::connection::{Connection, Kind, Origin};
use crate::env::{self, Env};
use crate::error::{CliError, Exit, reason_of};
use crate::progress;
use crate::rejection::Rejection;
use crate::ui;

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) env: Env,
    pub(crate) files: ConfigFiles,
    pub(crate) now: Timestamp,
    verbose: bool,
    allow_http: bool,
    has_warned: AtomicBool,
}

impl Context {
    pub(crate) fn new(env: Env, verbose: bool, allow_http: bool) -> Result<Self, CliError> {
        let allow_http = allow_http || env.is_on(env::ALLOW_HTTP);
        let credentials_on_disk = !env.is_on(env::NO_DISK);
        let files = ConfigFiles::new(config_files::config_dir(&env)?, credentials_on_disk);
        Ok(Self {
            env,
            files,
            now: clock::now(),
            verbose,
            allow_http,
            has_warned: AtomicBool::new(false),
        })
    }

    /// Makes sure that credentials may go to a server: where others can read what is sent, they have to be encrypted, unless
    /// it was said that they need not be. It comes before anything is sent.
    pub(crate) fn may_send_to(&self, address: &ServerAddress) -> Result<(), CliError> {
        let Some(exposure) = exposure(address).filter(|_| !self.allow_http) else {
            return Ok(());
        };
        let (readers, remedy) = match &exposure {
            Exposure::Network => ("everybody on the way", "Use https://."),
            Exposure::Proxy(_) => (
                "the proxy, and everybody on the way to it,",
                "Name the server's host in NO_PROXY, or use https://.",
            ),
        };
        let what = format!(
            "{}: {readers} could read the credentials, so nothing was sent",
            unencrypted(address, &exposure)
        );
        Err(CliError::new(Exit::Failed, what).next(format!(
            "{remedy} If nobody else can read what is sent, add --allow-http, or set {}=true.",
            env::ALLOW_HTTP
        )))
    }

    /// Says once that others can read and change what is sent.
    fn warn_of_exposure(&self, address: &ServerAddress) {
        if let Some(exposure) = exposure(address)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            ui::warn(&format!(
                "{}: everybody on the way can read and change what is sent",
                unencrypted(address, &exposure)
            ));
        }
    }

    /// Begins to make a client: with the name of this machine, and with its traffic shown if asked for.
    pub(crate) fn client(&self, address: ServerAddress, verify_ssl: &VerifySsl) -> ClientBuilder {
        self.warn_of_exposure(&address);
        let agent = UserAgent {
            hostname: gethostname::gethostname().to_string_lossy().into_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            os: system_name().to_owned(),
        };
        let builder = Client::at(address).user_agent(agent).trust(verify_ssl.trust());
        let verbose = self.verbose;
        if verbose || ui::can_animate() {
            builder.observer(Arc::new(move |event: WireEvent| {
                progress::note(&event);
                if verbose {
                    show(&event);
                }
            }))
        } else {
            builder
        }
    }

    /// A session with the server this machine is connected to.
    pub(crate) fn session(&self) -> Result<Session<'_>, CliError> {
        let connection = Connection::required(&self.env, &self.files)?;
        Session::open(self, connection, None)
    }
}

/// What makes what is sent to a server readable.
fn unencrypted(address: &ServerAddress, exposure: &Exposure) -> String {
    match exposure {
        Exposure::Network => format!("the connection to {address} is not encrypted"),
        Exposure::Proxy(proxy) => format!(
            "the connection to {address} is not encrypted, and leads through the proxy {}",
            ui::clean(proxy)
        ),
    }
}

/// The operating system, as Python calls it.
fn system_name() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        "windows" => "Windows",
        other => other,
    }
}

fn show(event: &WireEvent) {
    let line = match event {
        WireEvent::Sent {
            method,
            url,
            authenticated,
            body,
        } => {
            let signed = if *authenticated { " (signed in)" } else { "" };
            let body = if body.is_empty() {
                String::new()
            } else {
                format!(" {body}")
            };
            format!("> {method} {url}{signed}{body}")
        }
        WireEvent::Received { status, took, body } => format!("< {status} in {} ms {body}", took.as_millis()),
        WireEvent::Failed { reason } => format!("! {reason}"),
        WireEvent::Retrying { after } => format!("! trying again in {} ms", after.as_millis()),
    };
    ui::note(&ui::clean(&line));
}

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    context: &'a Context,
    pub(crate) connection: Connection,
    pub(crate) client: Client,
}

impl<'a> Session<'a> {
    /// Opens a connection, or goes on with the one of a client that has asked this server before. Nothing is sent yet; what has
    /// plainly ended is refused here.
    pub(crate) fn open(
        context: &'a Context,
        connection: Connection,
        client: Option<&Client>,
    ) -> Result<Self, CliError> {
        let Some(sign_in) = &connection.sign_in else {
            return Err(CliError::new(
                Exit::NotSignedIn,
                format!(
                    "not signed in to {0}; type: zenml connect --url {0}",
                    connection.address
                ),
            ));
        };
        context.may_send_to(&connection.address)?;
        if sign_in.kind == Kind::Token && sign_in.has_ended(context.now) {
            let ended = sign_in
                .ends
                .map(|ends| format!("it ended {}", clock::relative(ends, context.now)));
            return Err(CliError::signed_out(
                connection.address.as_str(),
                ended.as_deref(),
                Rejection::Expired,
            ));
        }
        if connection.verify_ssl == VerifySsl::Check(false) && connection.address.is_https() {
            ui::warn(
                "the server's certificate is not checked, as this connection was made with --no-verify-ssl or by a variable",
            );
        }
        let credentials = sign_in.credentials_at(context.now);
        let client = match client {
            Some(client) => client.with_credentials(credentials),
            None => context
                .client(connection.address.clone(), &connection.verify_ssl)
                .credentials(credentials)
                .build()
                .map_err(|error| CliError::from_client(&error, connection.address.as_str()))?,
        };
        Ok(Self {
            context,
            connection,
            client,
        })
    }

    /// The server's address.
    pub(crate) fn url(&self) -> &str {
        self.connection.address.as_str()
    }

    /// Says why a request failed, and what to do about it.
    pub(crate) fn explain(&self, error: &ClientError) -> CliError {
        if error.is_unauthenticated()
            && let Some(sign_in) = &self.connection.sign_in
            && let Origin::Variable(name) = sign_in.origin
        {
            let reason = reason_of(&error.to_string());
            let what = format!("{} does not accept what is in {name} ({reason})", self.url());
            return CliError::new(
                Exit::NotSignedIn,
                format!("{what}; set {name} to a good one, or unset it"),
            );
        }
        CliError::from_client(error, self.url())
    }

    /// Makes sure that something else could be signed in with from now on.
    pub(crate) fn can_keep_credentials(&self) -> Result<(), CliError> {
        Ok(self.context.files.check_writable()?)
    }

    /// Signs in with something else from now on.
    pub(crate) fn save_credentials(&self, credentials: &StoredCredentials) -> Result<(), CliError> {
        Ok(self
            .context
            .files
            .save_credentials(&self.connection.address, credentials)?)
    }

    /// Takes the answer, or says why there is none; keeps a token that was issued on the way for the next time.
    pub(crate) async fn finish<T>(&self, outcome: Result<T, ClientError>) -> Result<T, CliError> {
        self.keep_issued_token().await;
        outcome.map_err(|error| self.explain(&error))
    }

    async fn keep_issued_token(&self) {
        let from_files = self
            .connection
            .sign_in
            .as_ref()
            .is_some_and(|sign_in| sign_in.origin == Origin::Files);
        if !from_files {
            return;
        }
        if let Some(issued) = self.client.issued_token().await {
            let token = StoredToken {
                access_token: issued.access_token.into_secret(),
                expires_in: issued.expires_in,
                expires_at: config_files::end_of(issued.expires_in, self.context.now),
                device_id: None,
            };
            // Only to save a request the next time; a full disk is no reason to fail now.
            let _ = self.context.files.save_token(&self.connection.address, &token);
        }
    }
}

/// How long a request may take that is only made for courtesy.
pub(crate) const COURTESY: Duration = Duration::from_secs(5);

//! `zenml connect`: connects this machine to a server.

use std::path::PathBuf;

use clap::Args;
use zenml_auth_api::info::InfoResponse;
use zenml_auth_api::key::KeyText;
use zenml_auth_api::login::{LoginRequest, TokenResponse};
use zenml_auth_api::user::UserResponse;
use zenml_auth_client::{
    Client, ClientError, Credentials, DeviceFlow, DeviceFlowError, FlowEvent, ServerAddress,
};
use zenml_auth_model::{DeviceId, Secret};

use crate::ask;
use crate::browser::{self, NoBrowser};
use crate::clock;
use crate::config_files::{self, ServerDetails, StoredCredentials, StoredServer, StoredToken, VerifySsl};
use crate::connection::Connection;
use crate::context::Context;
use crate::env::{STORE_API_KEY, STORE_URL};
use crate::error::{CliError, Exit, reason_of};
use crate::qr;
use crate::spinner::Spinner;
use crate::token::Claims;
use crate::ui;

/// The type that ZenML Pro gives as its way to sign in.
const EXTERNAL: &str = "EXTERNAL";
/// The longest code that anyone would type.
const LONGEST_TYPED_CODE: usize = 12;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Connect through the browser:
    zenml connect --url https://zenml.example.com
  Connect again to the server you were connected to last:
    zenml connect
  Connect with an API key, without leaving it in the shell's history:
    zenml connect --url https://zenml.example.com --api-key < key.txt
  On a machine without a browser, with a QR code for the telephone:
    zenml connect --url https://zenml.example.com --no-browser --qr
  To a server whose certificate your organisation signed, or the server itself:
    zenml connect --url https://zenml.example.com --ca-file ca.pem")]
pub(crate) struct ConnectArgs {
    /// The server's address; the one you are connected to, if left out
    #[arg(value_name = "URL", conflicts_with = "url")]
    server: Option<String>,
    /// The server's address
    #[arg(short, long, value_name = "URL")]
    url: Option<String>,
    /// Connect with an API key; read from the terminal or standard input if left out or given as -
    #[arg(long, value_name = "KEY", num_args = 0..=1, default_missing_value = "-")]
    api_key: Option<String>,
    /// Connect with a user name, and a password that is asked for or read from standard input
    #[arg(long, value_name = "NAME", conflicts_with = "api_key")]
    username: Option<String>,
    /// The password; it stays in the shell's history
    #[arg(long, value_name = "PASSWORD", requires = "username")]
    password: Option<String>,
    /// Sign in again even if the connection is still good
    #[arg(long)]
    refresh: bool,
    /// Don't open a browser
    #[arg(long)]
    no_browser: bool,
    /// Show the link as a QR code
    #[arg(long)]
    qr: bool,
    /// Trust only the certificates in this file, and those that its authorities have signed
    #[arg(
        long,
        alias = "ssl-ca-cert",
        value_name = "FILE",
        conflicts_with = "no_verify_ssl"
    )]
    ca_file: Option<PathBuf>,
    /// Check the server's certificate with what the system trusts, as at first
    #[arg(long, conflicts_with_all = ["ca_file", "no_verify_ssl"])]
    verify_ssl: bool,
    /// Don't check the server's certificate; anyone on the way can listen in
    #[arg(long)]
    no_verify_ssl: bool,
}

impl ConnectArgs {
    /// `zenml login --api-key URL` has the address where the key would be: the Python client's flag takes no value.
    fn untangle(mut self) -> Self {
        let is_address = |text: &String| text.starts_with("http://") || text.starts_with("https://");
        if self.server.is_none() && self.url.is_none() && self.api_key.as_ref().is_some_and(is_address) {
            self.server = self.api_key.replace("-".to_owned());
        }
        self
    }

    fn address(&self, context: &Context) -> Result<ServerAddress, CliError> {
        let given = self.url.as_deref().or(self.server.as_deref());
        if let Some(text) = given {
            return text
                .parse()
                .map_err(|error: zenml_auth_client::ServerAddressError| {
                    CliError::from_client(&ClientError::Address(error), "")
                });
        }
        match Connection::find(&context.env, &context.files)? {
            Some(connection) => Ok(connection.address),
            None => Err(CliError::usage("no server was named")
                .next("Type: zenml connect --url <the server's address>")),
        }
    }

    fn verify_ssl(&self, context: &Context, address: &ServerAddress) -> Result<VerifySsl, CliError> {
        if self.verify_ssl {
            return Ok(VerifySsl::Check(true));
        }
        if self.no_verify_ssl {
            return Ok(VerifySsl::Check(false));
        }
        if let Some(path) = &self.ca_file {
            // Kept for later commands, which may be typed in another folder.
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            return Ok(VerifySsl::Authorities(path.to_string_lossy().into_owned()));
        }
        let stored = context
            .files
            .server()?
            .filter(|stored| stored.address == *address);
        Ok(match stored.map(|stored| stored.verify_ssl) {
            // To stop checking takes saying so each time; a file of authorities is kept.
            Some(VerifySsl::Authorities(text)) => VerifySsl::Authorities(text),
            _ => VerifySsl::Check(true),
        })
    }
}

/// A sign-in that succeeded.
struct SignedIn {
    user: UserResponse,
    credentials: StoredCredentials,
}

pub(crate) async fn run(context: &Context, args: ConnectArgs) -> Result<(), CliError> {
    let args = args.untangle();
    let address = args.address(context)?;
    let verify_ssl = args.verify_ssl(context, &address)?;
    // Whatever comes of it, something that signs in goes over the wire.
    context.may_send_to(&address)?;
    warn_of_risks(&address, &verify_ssl);

    let explain = |error: &ClientError| CliError::from_client(error, address.as_str());
    let client = context
        .client(address.clone(), &verify_ssl)
        .build()
        .map_err(|error| explain(&error))?;
    let info = client.info().await.map_err(|error| explain(&error))?;

    let attempt = Attempt {
        context,
        client: &client,
        address: &address,
    };
    let signed_in = match (&args.api_key, &args.username) {
        (Some(key), _) => attempt.with_api_key(key).await?,
        (None, Some(username)) => attempt.with_password(username, args.password.as_deref()).await?,
        (None, None) => match attempt.with_what_is_kept(args.refresh).await? {
            Some(still_good) => {
                keep(context, &address, &verify_ssl, &still_good.credentials, &info)?;
                ui::talk(&format!(
                    "Already connected to {address} as {}.",
                    described(&still_good.user)
                ));
                ui::note("To sign in again all the same, add --refresh.");
                return Ok(());
            }
            None => attempt.with_browser(&args, &info).await?,
        },
    };
    keep(context, &address, &verify_ssl, &signed_in.credentials, &info)?;
    ui::talk(&format!(
        "Connected to {} as {}{}.",
        ui::bold(address.as_str()),
        described(&signed_in.user),
        until(context, &signed_in)
    ));
    warn_of_variables(context, &address);
    Ok(())
}

fn keep(
    context: &Context,
    address: &ServerAddress,
    verify_ssl: &VerifySsl,
    credentials: &StoredCredentials,
    info: &InfoResponse,
) -> Result<(), CliError> {
    let server = StoredServer {
        address: address.clone(),
        verify_ssl: verify_ssl.clone(),
    };
    Ok(context
        .files
        .save_connection(&server, credentials, &ServerDetails::from(info))?)
}

/// `ann`, or `ci (service account)`.
pub(crate) fn described(user: &UserResponse) -> String {
    let name = ui::bold(&ui::clean(&user.name));
    match (user.body.is_service_account, user.body.is_admin) {
        (true, _) => format!("{name} (service account)"),
        (false, true) => format!("{name} (administrator)"),
        (false, false) => name,
    }
}

/// Until when a person's sign-in is good; a key's is renewed by itself.
fn until(context: &Context, signed_in: &SignedIn) -> String {
    let ends = signed_in
        .credentials
        .token
        .as_ref()
        .and_then(|token| token.expires_at);
    match ends.filter(|_| signed_in.credentials.api_key.is_none()) {
        Some(ends) => format!(", for {}", clock::shown_duration(ends.since(context.now))),
        None => String::new(),
    }
}

fn warn_of_risks(address: &ServerAddress, verify_ssl: &VerifySsl) {
    if *verify_ssl == VerifySsl::Check(false) && address.is_https() {
        ui::warn(
            "the server's certificate is not checked: anyone on the way can listen in and pretend to be the server",
        );
    }
}

fn warn_of_variables(context: &Context, address: &ServerAddress) {
    let other_url = context
        .env
        .get(STORE_URL)
        .filter(|url| url.parse().ok().as_ref() != Some(address));
    let name = if context.env.has(STORE_API_KEY) {
        Some(STORE_API_KEY)
    } else {
        other_url.map(|_| STORE_URL)
    };
    if let Some(name) = name {
        ui::warn(&format!(
            "{name} is set and comes before this connection; unset it to use what you just connected"
        ));
    }
}

fn stored_token(response: &TokenResponse) -> StoredToken {
    let access_token = response.access_token.as_secret().clone();
    let ends = config_files::end_of(response.expires_in, clock::now());
    StoredToken {
        expires_in: response.expires_in,
        expires_at: ends.or_else(|| Claims::of(&access_token).ends()),
        device_id: response.device_id.map(DeviceId::from_uuid),
        access_token,
    }
}

/// One go at signing in.
struct Attempt<'a> {
    context: &'a Context,
    client: &'a Client,
    address: &'a ServerAddress,
}

impl Attempt<'_> {
    fn explain(&self, error: &ClientError) -> CliError {
        CliError::from_client(error, self.address.as_str())
    }

    /// Who a token belongs to.
    async fn user(&self, token: &Secret) -> Result<UserResponse, ClientError> {
        let credentials = Credentials::Token(token.clone());
        self.client.with_credentials(credentials).current_user().await
    }

    async fn signed_in(
        &self,
        response: &TokenResponse,
        api_key: Option<Secret>,
    ) -> Result<SignedIn, CliError> {
        let user = self
            .user(response.access_token.as_secret())
            .await
            .map_err(|error| self.explain(&error))?;
        let token = Some(stored_token(response));
        Ok(SignedIn {
            user,
            credentials: StoredCredentials {
                api_key,
                password: None,
                token,
            },
        })
    }

    async fn with_api_key(&self, given: &str) -> Result<SignedIn, CliError> {
        let key = match given {
            "-" => ask::secret("API key").await?,
            given => {
                if ui::can_ask() {
                    ui::note(
                        "What is typed stays in the shell's history. To be asked for the key instead, leave it out after --api-key.",
                    );
                }
                Secret::new(given)
            }
        };
        let key = Secret::new(key.expose().trim());
        KeyText::parse(key.expose()).map_err(|error| {
            CliError::new(Exit::NotSignedIn, error).next("Copy the whole key, from ZENKEY_ to its end.")
        })?;
        let login = LoginRequest::ApiKey { key: key.clone() };
        let response = self
            .client
            .login(&login)
            .await
            .map_err(|error| self.refused(&error, "the API key", "Check that it is whole and meant for this server, and that it was not rotated, switched off or deleted."))?;
        self.signed_in(&response, Some(key)).await
    }

    async fn with_password(&self, username: &str, given: Option<&str>) -> Result<SignedIn, CliError> {
        let password = if let Some(given) = given {
            ask::warn_of_history();
            Secret::new(given)
        } else {
            ask::secret(&format!("Password of {}", ui::clean(username))).await?
        };
        let login = LoginRequest::Password {
            username: username.to_owned(),
            password,
        };
        let response =
            self.client.login(&login).await.map_err(|error| {
                self.refused(&error, "the password", "Check the user name and the password.")
            })?;
        self.signed_in(&response, None).await
    }

    /// What was typed is not accepted; signing in again would not help.
    fn refused(&self, error: &ClientError, what: &str, next: &str) -> CliError {
        if !error.is_unauthenticated() {
            return self.explain(error);
        }
        let what = format!(
            "{} does not accept {what} ({})",
            self.address,
            reason_of(&error.to_string())
        );
        CliError::new(Exit::NotSignedIn, what).next(next)
    }

    /// Signs in with what is kept for this server, if it is still good.
    async fn with_what_is_kept(&self, refresh: bool) -> Result<Option<SignedIn>, CliError> {
        let Some(kept) = self.context.files.credentials(self.address)?.filter(|_| !refresh) else {
            return Ok(None);
        };
        let Some(token) = &kept.token else {
            return self.with_kept_key(kept).await;
        };
        match self.user(&token.access_token).await {
            Ok(user) => Ok(Some(SignedIn {
                user,
                credentials: kept,
            })),
            Err(error) if error.is_unauthenticated() => self.with_kept_key(kept).await,
            Err(error) => Err(self.explain(&error)),
        }
    }

    async fn with_kept_key(&self, kept: StoredCredentials) -> Result<Option<SignedIn>, CliError> {
        let Some(key) = kept.api_key else { return Ok(None) };
        match self
            .client
            .login(&LoginRequest::ApiKey { key: key.clone() })
            .await
        {
            Ok(response) => self.signed_in(&response, Some(key)).await.map(Some),
            Err(error) if error.is_unauthenticated() => Ok(None),
            Err(error) => Err(self.explain(&error)),
        }
    }

    async fn with_browser(&self, args: &ConnectArgs, info: &InfoResponse) -> Result<SignedIn, CliError> {
        if info.auth_scheme == EXTERNAL {
            return Err(CliError::new(
                Exit::Failed,
                format!("{} signs people in through ZenML Pro", self.address),
            )
            .next("Connect with the API key of a service account: add --api-key."));
        }
        self.context.files.check_writable()?;
        let client_id = self.context.files.client_id()?;
        let before = self
            .context
            .files
            .credentials(self.address)?
            .and_then(|kept| kept.token);
        let device_id = before.and_then(|token| token.device_id);
        let mut flow = DeviceFlow::start(self.client, client_id, device_id)
            .await
            .map_err(|error| self.explain(&error))?;
        show_link(&self.context.env, &flow, args);
        let response = wait(&mut flow).await.map_err(|error| self.not_let_in(&error))?;
        self.signed_in(&response, None).await
    }

    fn not_let_in(&self, error: &DeviceFlowError) -> CliError {
        let again = format!("zenml connect --url {}", self.address);
        match error {
            DeviceFlowError::Denied { .. } => CliError::new(Exit::Forbidden, "the connection was denied")
                .next(format!("If that was a mistake, type: {again}")),
            DeviceFlowError::Expired => CliError::new(Exit::NotSignedIn, "nobody confirmed the code in time")
                .next(format!("Type: {again}")),
            DeviceFlowError::Client(error) => self.explain(error),
        }
    }
}

fn show_link(env: &crate::env::Env, flow: &DeviceFlow, args: &ConnectArgs) {
    let opened = if args.no_browser {
        Err(NoBrowser::Unwanted)
    } else {
        browser::available(env).and_then(|()| browser::open(env, flow.link()))
    };
    ui::talk(match opened {
        Ok(()) => "Your browser opens to confirm this connection. If it does not, open this link:",
        Err(NoBrowser::Failed) => "The browser did not open. To confirm this connection, open this link:",
        Err(_) => "To confirm this connection, open this link in a browser, on any machine:",
    });
    ui::talk(&format!("\n    {}\n", ui::bold(flow.link())));
    if args.qr
        && let Some(picture) = qr::picture(flow.link())
    {
        let needed = qr::width(&picture);
        if ui::room().is_some_and(|room| room < needed) {
            ui::note(&format!(
                "For the QR code, make this terminal {needed} columns wide.\n"
            ));
        } else {
            ui::talk(&picture);
        }
    }
    let code = ui::clean(flow.user_code());
    ui::talk(&format!("and check that it shows the code {}.", ui::bold(&code)));
    // ZenML's own codes are nothing to be typed.
    if code.chars().count() <= LONGEST_TYPED_CODE {
        ui::note(&format!("Or open {} and type the code.", flow.short_link()));
    }
    ui::talk("");
}

async fn wait(flow: &mut DeviceFlow) -> Result<TokenResponse, DeviceFlowError> {
    let total = flow.lifetime();
    let started = tokio::time::Instant::now();
    let spinner = Spinner::start(&format!(
        "Waiting for you to confirm it, for up to {}…",
        clock::shown_duration(total)
    ));
    let text = || {
        let seconds = total.saturating_sub(started.elapsed()).as_secs();
        format!(
            "Waiting for you to confirm it… {}:{:02} left, Ctrl-C to give up",
            seconds / 60,
            seconds % 60
        )
    };
    tokio::select! {
        outcome = flow.wait(|event| {
            if let FlowEvent::Interrupted { error, next_poll } = event {
                let pause = clock::shown_duration(next_poll);
                spinner.say(&format!("{}; trying again in {pause}", ui::clean(&error.to_string())));
            }
        }) => outcome,
        never = spinner.spin(text) => match never {},
    }
}

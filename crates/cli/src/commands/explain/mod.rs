//! `zenml auth explain`: why a credential works or does not, step by step.

mod environment;

use std::cell::RefCell;
use std::time::Duration;

use clap::Args;
use zenml_auth_api::info::InfoResponse;
use zenml_auth_api::key::KeyText;
use zenml_auth_api::login::LoginRequest;
use zenml_auth_client::{Client, ClientError, Credentials};
use zenml_auth_model::Timestamp;

use crate::clock;
use crate::connection::{Connection, Kind, Origin, SignIn};
use crate::context::Context;
use crate::credential_status::{LocalStatus, RemoteStatus};
use crate::env::{STORE_API_KEY, STORE_API_TOKEN, STORE_URL};
use crate::error::{CliError, Exit, reason_of};
use crate::output::{self, Format, OutputArgs, Record};
use crate::rejection::Rejection;
use crate::token::Claims;
use crate::ui;

/// Clocks that differ by less are good enough.
const TOLERANCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
#[command(after_help = "\
Looks at what a command would use, in this order: the environment variables, the stored connection, the way to the \
server, the clocks, the credential. The steps go to standard output. The one that fails goes to standard error, with \
what to do about it; the exit code is the one that other commands end with for it.

With --output json, each step is one line of JSON, the last of them with the outcome; yaml, csv and tsv come at the end.

Examples:
  A job in CI can't sign in:
    zenml auth explain
  See each request, too:
    zenml auth explain --verbose")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// What programs are told of each step, and of the outcome.
const COLUMNS: &[&str] = &["step", "text", "outcome", "exit_code", "next"];

/// Tells of each step, to people or to programs.
struct Teller {
    format: Format,
    /// What is told at the end, where it is told as a whole.
    kept: RefCell<Vec<Record>>,
}

impl Teller {
    /// Of one that went well. The one that did not is told as the error it is.
    fn good(&self, text: &str) -> Result<(), CliError> {
        self.step("good", "✓", text)
    }

    /// Of something that is neither good nor bad.
    fn note(&self, text: &str) -> Result<(), CliError> {
        self.step("note", "·", text)
    }

    fn step(&self, outcome: &str, sign: &str, text: &str) -> Result<(), CliError> {
        if self.format == Format::Table {
            return output::write(&format!("{sign} {text}"));
        }
        let plain = anstream::adapter::strip_str(text).to_string();
        self.tell(Record::new().with("step", outcome).with("text", plain))
    }

    fn tell(&self, record: Record) -> Result<(), CliError> {
        if self.format == Format::Json {
            return output::line(&record);
        }
        self.kept.borrow_mut().push(record);
        Ok(())
    }

    /// Of how it ended, to programs.
    fn end(&self, ended: &Result<(), CliError>) -> Result<(), CliError> {
        if self.format == Format::Table {
            return Ok(());
        }
        let record = match ended {
            Ok(()) => Record::new().with("outcome", "works").with("exit_code", 0_i64),
            Err(error) => Record::new()
                .with("outcome", "fails")
                .with("exit_code", i64::from(error.exit as u8))
                .with("text", error.what.as_str())
                .with("next", error.next.clone()),
        };
        self.tell(record)?;
        match self.format {
            Format::Table | Format::Json => Ok(()),
            format => output::several(COLUMNS, &self.kept.borrow(), format),
        }
    }
}

pub(crate) async fn run(context: &Context, args: ExplainArgs) -> Result<(), CliError> {
    let teller = Teller {
        format: args.output.output,
        kept: RefCell::default(),
    };
    let ended = explain(context, &teller).await;
    teller.end(&ended)?;
    ended
}

async fn explain(context: &Context, teller: &Teller) -> Result<(), CliError> {
    let stored = context.files.server()?;
    let stored = stored.as_ref().map(|stored| stored.address.as_str());
    for remark in environment::remarks(&context.env, stored) {
        teller.note(&remark)?;
    }
    let connection = find_connection(context, teller)?;
    let url = connection.address.as_str();
    let (client, info) = reach(context, &connection, teller).await?;
    let server_time = look_at_clock(context, &client, teller)?;
    let sign_in = connection
        .sign_in
        .as_ref()
        .ok_or_else(|| nothing_to_sign_in_with(&connection, stored))?;
    let facts = Facts {
        context,
        teller,
        sign_in,
        info: &info,
        server_time,
        connect: format!("zenml connect --url {url}"),
    };
    facts.look_at_server(&connection)?;
    let login = facts.look_at_credential()?;
    context.may_send_to(&connection.address)?;
    let token = match login {
        None => sign_in.token.clone(),
        Some(login) => match client.login(&login).await {
            Ok(response) => {
                teller.good("The server accepts it, and issued a token for it.")?;
                Some(response.access_token.into_secret())
            }
            Err(error) => return Err(facts.why_not(&error, url)),
        },
    };
    let credentials = token.map_or(Credentials::None, Credentials::Token);
    let client = client.with_credentials(credentials);
    let user = client.current_user().await;
    let user = user.map_err(|error| facts.why_not(&error, url))?;
    teller.good(&format!(
        "The token is good: you are {}.",
        super::connect::described(&user)
    ))?;
    let told = RemoteStatus::by(&client, &LocalStatus::by(sign_in), user.id).await;
    if let Some(warning) = told.warning(context.now) {
        teller.note(&format!("But {warning}."))?;
    }
    teller.good("All is well: commands work with this.")
}

/// Which server it is about.
fn find_connection(context: &Context, teller: &Teller) -> Result<Connection, CliError> {
    let Some(connection) = Connection::find(&context.env, &context.files)? else {
        let key = [STORE_API_KEY, STORE_API_TOKEN]
            .into_iter()
            .find(|name| context.env.has(name));
        return Err(match key {
            Some(name) => CliError::new(
                Exit::NotSignedIn,
                format!("{name} is set, but not for which server"),
            )
            .next(format!("Set {STORE_URL} to the server's address, too.")),
            None => CliError::not_connected(),
        });
    };
    let from = match connection.origin {
        Origin::Files => format!("the files in {}", context.files.dir().display()),
        Origin::Variable(name) => name.to_owned(),
    };
    teller.good(&format!("The server is {}, from {from}.", connection.address))?;
    Ok(connection)
}

/// The way to the server.
async fn reach(
    context: &Context,
    connection: &Connection,
    teller: &Teller,
) -> Result<(Client, InfoResponse), CliError> {
    let url = connection.address.as_str();
    let client = context
        .client(connection.address.clone(), &connection.verify_ssl)
        .build()
        .map_err(|error| CliError::from_client(&error, url))?;
    if let Some(proxy) = client.proxy() {
        teller.note(&format!(
            "The way to it leads through the proxy {}, as the environment says (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY).",
            ui::clean(proxy)
        ))?;
    }
    let info = client
        .info()
        .await
        .map_err(|error| CliError::from_client(&error, url))?;
    teller.good(&format!(
        "It answers, and speaks the API of ZenML {}.",
        ui::clean(&info.version)
    ))?;
    Ok((client, info))
}

/// Compares the clocks; gives the server's time, if it told.
fn look_at_clock(context: &Context, client: &Client, teller: &Teller) -> Result<Option<Timestamp>, CliError> {
    let server_time = client.server_time();
    if let Some(theirs) = server_time {
        let (apart, how) = if theirs > context.now {
            (theirs.since(context.now), "behind")
        } else {
            (context.now.since(theirs), "ahead of")
        };
        if apart > TOLERANCE {
            teller.note(&format!(
                "This machine's clock is {} {how} the server's. Set it right: what ends is told by clocks.",
                clock::shown_duration(apart)
            ))?;
        }
    }
    Ok(server_time)
}

fn nothing_to_sign_in_with(connection: &Connection, stored: Option<&str>) -> CliError {
    let url = connection.address.as_str();
    match connection.origin {
        Origin::Variable(name) => {
            let instead = stored
                .filter(|stored| *stored != url)
                .map(|stored| format!(", or unset {name} to use the stored connection to {stored}"))
                .unwrap_or_default();
            CliError::new(
                Exit::NotSignedIn,
                format!("{name} names a server, but there is nothing to sign in to it with"),
            )
            .next(format!(
                "Set {STORE_API_KEY}, or type: zenml connect --url {url}{instead}"
            ))
        }
        Origin::Files => CliError::new(
            Exit::NotSignedIn,
            format!("nothing is stored to sign in to {url} with; type: zenml connect --url {url}"),
        ),
    }
}

/// What is known when the credential is looked at.
struct Facts<'a> {
    context: &'a Context,
    teller: &'a Teller,
    sign_in: &'a SignIn,
    info: &'a InfoResponse,
    server_time: Option<Timestamp>,
    connect: String,
}

impl Facts<'_> {
    fn from(&self) -> &'static str {
        match self.sign_in.origin {
            Origin::Files => "what is stored",
            Origin::Variable(name) => name,
        }
    }

    /// Whether it is the server that the credential is for, as far as that can be seen.
    fn look_at_server(&self, connection: &Connection) -> Result<(), CliError> {
        if self.sign_in.origin == Origin::Files
            && let Some(known) = self.context.files.known_server_id(&connection.address)?
            && known != self.info.id.to_string()
        {
            self.teller.note(&format!(
                "Another server answers at this address than the one that this machine connected to: its id is {}, and was {}.",
                self.info.id,
                ui::clean(&known)
            ))?;
        }
        let issuer = self
            .sign_in
            .token
            .as_ref()
            .and_then(|token| Claims::of(token).issuer());
        match issuer {
            Some(issuer) if issuer != self.info.id && self.sign_in.kind == Kind::Token => Err(CliError::new(
                Exit::NotSignedIn,
                format!(
                    "the token in {} is one of another server: {issuer} issued it, and this is {}",
                    self.from(),
                    self.info.id
                ),
            )
            .next(format!(
                "Check the server's address, or connect again: {}",
                self.connect
            ))),
            _ => Ok(()),
        }
    }

    /// What can be seen of the credential without asking anyone. Gives what has to be exchanged, if it is no token.
    fn look_at_credential(&self) -> Result<Option<LoginRequest>, CliError> {
        let from = self.from();
        let Credentials::Exchanged { login, .. } = &self.sign_in.credentials else {
            self.look_at_token()?;
            return Ok(None);
        };
        if let LoginRequest::ApiKey { key } = login {
            let read = KeyText::parse(key.expose()).map_err(|error| {
                CliError::new(
                    Exit::NotSignedIn,
                    format!("what is in {from} is no API key: {error}"),
                )
                .next(environment::form_of_key(key.expose()))
            })?;
            self.teller.good(&format!(
                "It is an API key, from {from}, whole, with the id {}.",
                read.id
            ))?;
        } else {
            self.teller
                .note(&format!("It is a user name and a password, from {from}."))?;
        }
        Ok(Some(login.clone()))
    }

    fn look_at_token(&self) -> Result<(), CliError> {
        let claims = self.sign_in.token.as_ref().map(Claims::of).unwrap_or_default();
        let whose = match (claims.device_id, claims.api_key_id) {
            (Some(id), _) => format!(" of the device {id}"),
            (None, Some(id)) => format!(" that was made from the API key {id}"),
            (None, None) => String::new(),
        };
        self.teller
            .note(&format!("It is a token{whose}, from {}.", self.from()))?;
        // What the token says itself is by the server's clock.
        let Some(ends) = claims.ends().or(self.sign_in.ends) else {
            return self.teller.note("It does not say when it ends.");
        };
        // The server's clock decides; this machine's only if there is no other.
        let now = self.server_time.unwrap_or(self.context.now);
        if ends > now && self.sign_in.has_ended(self.context.now) {
            return Err(CliError::new(
                Exit::NotSignedIn,
                format!(
                    "the token is good until {}, but this machine's clock says that this has passed",
                    clock::shown(ends)
                ),
            )
            .next("Set this machine's clock right."));
        }
        let when = clock::relative(ends, now);
        if ends <= now {
            return Err(CliError::new(
                Exit::NotSignedIn,
                format!("the token ended {when}, on {}", clock::shown(ends)),
            )
            .next(format!("Connect again: {}", self.connect)));
        }
        self.teller
            .good(&format!("It ends {when}, on {}.", clock::shown(ends)))
    }

    /// Why the server does not accept the credential, and what to do.
    fn why_not(&self, error: &ClientError, url: &str) -> CliError {
        if !error.is_unauthenticated() {
            return CliError::from_client(error, url);
        }
        let said = reason_of(&error.to_string());
        CliError::new(
            Exit::NotSignedIn,
            format!("the server does not accept it: {said}"),
        )
        .next(Rejection::of(error).remedy(self.sign_in.kind, &self.connect))
    }
}

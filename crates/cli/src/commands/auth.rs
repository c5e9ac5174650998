//! `zenml auth explain`: why a credential does not work, step by step.

use clap::{Args, Subcommand};
use zenml_auth_api::key::KeyText;
use zenml_auth_api::login::LoginRequest;
use zenml_auth_client::{ClientError, Credentials};

use crate::clock;
use crate::connection::{Connection, Kind, Origin, SignIn};
use crate::context::Context;
use crate::env::{
    STORE_API_KEY, STORE_API_TOKEN, STORE_PASSWORD, STORE_URL, STORE_USERNAME, STORE_VERIFY_SSL,
};
use crate::error::{CliError, Exit, reason_of};
use crate::token::Claims;
use crate::ui;

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Say why a credential works or does not
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Looks at what a command would use, in this order: the environment variables, the stored connection, the server, the credential.

Examples:
  A job in CI can't sign in:
    zenml auth explain")]
pub(crate) struct ExplainArgs {}

pub(crate) async fn run(context: &Context, command: AuthCommand) -> Result<(), CliError> {
    let AuthCommand::Explain(ExplainArgs {}) = command;
    explain(context).await?;
    good("All is well: commands work with this.");
    Ok(())
}

/// Tells of a step that went well. The one that did not is told as the error it is.
fn good(text: &str) {
    ui::talk(&format!("✓ {text}"));
}

/// Tells of something that is neither good nor bad.
fn note(text: &str) {
    ui::talk(&format!("· {text}"));
}

async fn explain(context: &Context) -> Result<(), CliError> {
    let variables = [
        STORE_URL,
        STORE_API_KEY,
        STORE_API_TOKEN,
        STORE_USERNAME,
        STORE_PASSWORD,
        STORE_VERIFY_SSL,
    ];
    let set: Vec<_> = variables
        .into_iter()
        .filter(|name| context.env.has(name))
        .collect();
    if set.is_empty() {
        note("No environment variable changes the connection.");
    } else {
        note(&format!(
            "Set in the environment, and used before what is stored: {}.",
            set.join(", ")
        ));
    }
    let connection = Connection::required(&context.env, &context.store)?;
    let from = match connection.origin {
        Origin::Files => format!("the files in {}", context.store.dir().display()),
        Origin::Variable(name) => name.to_owned(),
    };
    good(&format!("The server is {}, from {from}.", connection.address));

    let url = connection.address.to_string();
    let plain = context
        .client(connection.address.clone(), &connection.verify_ssl)
        .build()
        .map_err(|error| CliError::from_client(&error, &url))?;
    let info = plain
        .info()
        .await
        .map_err(|error| CliError::from_client(&error, &url))?;
    good(&format!(
        "It answers, and speaks the API of ZenML {}.",
        ui::clean(&info.version)
    ));

    let Some(sign_in) = &connection.sign_in else {
        return Err(CliError::new(
            Exit::NotSignedIn,
            format!("nothing is stored to sign in to {url} with; type: zenml connect --url {url}"),
        ));
    };
    let login = look_at_credential(context, sign_in)?;
    let token = match login {
        None => sign_in.token.clone(),
        Some(login) => match plain.login(&login).await {
            Ok(response) => {
                good("The server accepts it, and issued a token for it.");
                Some(response.access_token.into_secret())
            }
            Err(error) => return Err(why_not(&error, sign_in, &url)),
        },
    };
    let credentials = token.map_or(Credentials::None, Credentials::Token);
    let client = context
        .client(connection.address.clone(), &connection.verify_ssl)
        .credentials(credentials)
        .build();
    let user = match client {
        Ok(client) => client.current_user().await,
        Err(error) => Err(error),
    };
    let user = user.map_err(|error| why_not(&error, sign_in, &url))?;
    good(&format!(
        "The token is good: you are {}.",
        super::connect::described(&user)
    ));
    Ok(())
}

/// What can be seen of the credential without asking anyone. Gives what has to be exchanged, if it is no token.
fn look_at_credential(context: &Context, sign_in: &SignIn) -> Result<Option<LoginRequest>, CliError> {
    let from = match sign_in.origin {
        Origin::Files => "what is stored".to_owned(),
        Origin::Variable(name) => name.to_owned(),
    };
    let Credentials::Exchanged { login, .. } = &sign_in.credentials else {
        let claims = sign_in.token.as_ref().map(Claims::of).unwrap_or_default();
        let device = claims
            .device_id
            .map(|id| format!(" of the device {id}"))
            .unwrap_or_default();
        note(&format!("It is a token{device}, from {from}."));
        match sign_in.ends {
            Some(ends) if sign_in.has_ended(context.now) => {
                let when = clock::relative(ends, context.now);
                return Err(CliError::new(
                    Exit::NotSignedIn,
                    format!(
                        "the token ended {when}, on {}; connect again, or set this machine's clock right",
                        clock::shown(ends)
                    ),
                ));
            }
            Some(ends) => {
                good(&format!(
                    "By this machine's clock it ends {}.",
                    clock::relative(ends, context.now)
                ));
            }
            None => note("It does not say when it ends."),
        }
        return Ok(None);
    };
    if let LoginRequest::ApiKey { key } = login {
        let read = KeyText::parse(key.expose()).map_err(|error| {
            CliError::new(
                Exit::NotSignedIn,
                format!("what is in {from} is no API key: {error}"),
            )
            .next("Copy the whole key, from ZENKEY_ to its end.")
        })?;
        good(&format!(
            "It is an API key, from {from}, whole, with the id {}.",
            read.id
        ));
    } else {
        note(&format!("It is a user name and a password, from {from}."));
    }
    Ok(Some(login.clone()))
}

/// Why the server does not accept the credential, and what to do.
fn why_not(error: &ClientError, sign_in: &SignIn, url: &str) -> CliError {
    if !error.is_unauthenticated() {
        return CliError::from_client(error, url);
    }
    let said = reason_of(&error.to_string());
    let next = match sign_in.kind {
        Kind::ApiKey => {
            "A key is refused when it was rotated away, switched off, deleted or expired, when its service account was switched off, or \
             when it belongs to another server. Ask an administrator, or look with: zenml service-account api-key <account> describe <key>"
        }
        Kind::Token => {
            "A token is refused when it ended, when the device was locked or removed, when you signed out or changed your password, or when \
             it belongs to another server. Type: zenml connect"
        }
        Kind::Password => "Check the user name and the password; the account may have been deactivated.",
    };
    CliError::new(
        Exit::NotSignedIn,
        format!("the server does not accept it: {said}"),
    )
    .next(next)
}

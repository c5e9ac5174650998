//! `zenml disconnect`: ends the connection, on the server if it can do that, and here in any case.

use clap::Args;
use zenml_auth_client::{ClientError, Credentials, ServerAddress};

use crate::config_files::VerifySsl;
use crate::connection::{Connection, Origin};
use crate::context::{COURTESY, Context};
use crate::env::{STORE_API_KEY, STORE_API_TOKEN, STORE_URL};
use crate::error::CliError;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Disconnect from the server you are connected to:
    zenml disconnect
  Forget the credentials of another server:
    zenml disconnect https://zenml.example.com")]
pub(crate) struct DisconnectArgs {
    /// The server's address; the one you are connected to, if left out
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// Taken for the Python client's sake; credentials are always removed
    #[arg(long, hide = true)]
    clear: bool,
}

pub(crate) async fn run(context: &Context, args: DisconnectArgs) -> Result<(), CliError> {
    // What is stored is ended, whatever the variables say.
    let stored = context.files.server()?;
    let address: ServerAddress = match (&args.server, &stored) {
        (Some(text), _) => text
            .parse()
            .map_err(|error: zenml_auth_client::ServerAddressError| {
                CliError::from_client(&ClientError::Address(error), "")
            })?,
        (None, Some(stored)) => stored.address.clone(),
        (None, None) => {
            ui::talk("Not connected to a ZenML server.");
            remind_of_variables(context);
            return Ok(());
        }
    };
    let connected = stored.as_ref().filter(|stored| stored.address == address);
    let verify_ssl = connected.map_or(VerifySsl::Check(true), |stored| stored.verify_ssl.clone());
    let kept = context.files.credentials(&address)?;
    let known = connected.is_some() || kept.is_some();
    let token = kept.and_then(|kept| kept.token);
    let refused = context.may_send_to(&address).err().filter(|_| token.is_some());
    if let Some(refused) = &refused {
        // The token goes from here all the same.
        ui::warn(&format!("the server was not told ({})", refused.what));
    }
    if let Some(token) = token.filter(|_| refused.is_none()) {
        let builder = context
            .client(address.clone(), &verify_ssl)
            .timeout(COURTESY)
            .retries(0);
        let client = builder
            .credentials(Credentials::Token(token.access_token))
            .build();
        let outcome = match client {
            Ok(client) => client.logout().await,
            Err(error) => Err(error),
        };
        // It is gone from here in any case, and a token that is no longer accepted is as good as ended.
        if let Err(error) = outcome
            .as_ref()
            .map_err(|error| (!error.is_unauthenticated()).then_some(error))
            && let Some(error) = error
        {
            ui::warn(&format!(
                "the server was not told ({})",
                ui::clean(&error.to_string())
            ));
        }
    }
    context.files.forget_server(&address)?;
    ui::talk(&if known {
        format!("Disconnected from {}.", ui::bold(address.as_str()))
    } else {
        format!("Not connected to {address}.")
    });
    remind_of_variables(context);
    Ok(())
}

fn remind_of_variables(context: &Context) {
    let found = Connection::find(&context.env, &context.files);
    let signed_in_by_variable = matches!(&found, Ok(Some(connection)) if connection.sign_in.as_ref().is_some_and(|it| it.origin != Origin::Files));
    if signed_in_by_variable {
        let names: Vec<_> = [STORE_URL, STORE_API_KEY, STORE_API_TOKEN]
            .into_iter()
            .filter(|name| context.env.has(name))
            .collect();
        ui::warn(&format!(
            "{} still connects every command; unset it to be disconnected",
            names.join(" and ")
        ));
    }
}

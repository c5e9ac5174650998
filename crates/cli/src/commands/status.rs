//! `zenml status`: who, where, by what, until when, and what to do.

use clap::Args;
use zenml_auth_api::info::InfoResponse;

use crate::clock;
use crate::config_files::VerifySsl;
use crate::connection::{Connection, Kind, Origin, SignIn};
use crate::context::{Context, Session};
use crate::credential_status::{LocalStatus, RemoteStatus};
use crate::error::{CliError, Exit};
use crate::output::{self, Cell, Format, OutputArgs, Record};
use crate::token::Claims;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  See whether this machine is connected, and as whom:
    zenml status
  In a script; the exit code is 0 when all is well, 3 when not signed in, 7 when the server can't be reached:
    zenml status --output json")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// All that is told, in this order; programs get all of it, whatever is known.
const COLUMNS: &[&str] = &[
    "status",
    "reason",
    "next",
    "server",
    "server_from",
    "server_name",
    "server_version",
    "server_software",
    "user",
    "account",
    "signed_in_with",
    "device_id",
    "trusted",
    "api_key_id",
    "api_key",
    "api_key_value",
    "expires",
    "expires_in",
    "certificates",
    "config_dir",
];

/// What was found out, and what is wrong, if anything is.
struct Known {
    record: Record,
    failure: Option<CliError>,
    warning: Option<String>,
}

pub(crate) async fn run(context: &Context, args: StatusArgs) -> Result<(), CliError> {
    let Known {
        record,
        failure,
        warning,
    } = match Connection::find(&context.env, &context.files)? {
        Some(connection) => ask(context, connection).await,
        None => not_connected(context),
    };
    let record = record.only(COLUMNS);
    let record = if args.output.output == Format::Table {
        for_people(&record)
    } else {
        record
    };
    output::one(&record, args.output.output)?;
    if let Some(warning) = warning {
        ui::warn(&warning);
    }
    failure.map_or(Ok(()), Err)
}

fn not_connected(context: &Context) -> Known {
    let failure = CliError::not_connected();
    Known {
        record: Record::new()
            .with("status", "not connected")
            .with("reason", failure.what.as_str())
            .with("next", failure.next.clone())
            .with("config_dir", context.files.dir().display().to_string()),
        failure: Some(failure),
        warning: None,
    }
}

/// What people are told in other words, as an error or as a warning.
const FOR_PROGRAMS: [&str; 3] = ["reason", "next", "api_key_value"];

/// People need not read what is not there.
fn for_people(record: &Record) -> Record {
    let columns: Vec<_> = record
        .iter()
        .filter(|(column, cell)| **cell != Cell::Nothing && !FOR_PROGRAMS.contains(column))
        .map(|(column, _)| column)
        .collect();
    record.only(&columns)
}

async fn ask(context: &Context, connection: Connection) -> Known {
    let now = context.now;
    let address = connection.address.clone();
    let sign_in_words = connection.sign_in.as_ref().map(words);
    let named = connection
        .sign_in
        .as_ref()
        .map(LocalStatus::by)
        .unwrap_or_default();
    let address_origin = origin_words(connection.origin);
    let certificates = match &connection.verify_ssl {
        VerifySsl::Check(true) => None,
        VerifySsl::Check(false) => Some("not checked".to_owned()),
        VerifySsl::Authorities(path) => Some(format!("authorities in {path}")),
    };

    let anonymous = context.client(address.clone(), &connection.verify_ssl).build();
    let asked = match anonymous {
        Ok(client) => client.info().await.map(|info| (client, info)),
        Err(error) => Err(error),
    };
    let mut failure = None;
    let mut user = None;
    let mut told = RemoteStatus::default();
    match &asked {
        Err(error) => failure = Some(CliError::from_client(error, address.as_str())),
        Ok((client, _)) => match Session::open(context, connection, Some(client)) {
            Err(error) => failure = Some(error),
            Ok(session) => match session.finish(session.client.current_user().await).await {
                Ok(found) => {
                    told = RemoteStatus::by(&session.client, &named, found.id).await;
                    user = Some(found);
                }
                Err(error) => failure = Some(error),
            },
        },
    }
    let status = match failure.as_ref().map(|failure| failure.exit) {
        None => "connected",
        Some(Exit::NotSignedIn) => "signed out",
        Some(Exit::Unreachable) => "unreachable",
        Some(_) => "failing",
    };
    let account = user
        .as_ref()
        .map(|user| match (user.body.is_service_account, user.body.is_admin) {
            (true, _) => "service account",
            (false, true) => "administrator",
            (false, false) => "user",
        });
    let info = asked.ok().map(|(_, info)| info);
    // Of a key, when it ends; the tokens that are made from it are renewed.
    let ends = named.token_ends.or(told.value_ends).or(told.ends);
    let record = Record::new()
        .with("status", status)
        .with("reason", failure.as_ref().map(|failure| failure.what.clone()))
        .with("next", failure.as_ref().and_then(|failure| failure.next.clone()))
        .with("server", address.as_str())
        .with("server_from", address_origin)
        .with("server_name", info.as_ref().and_then(|info| info.name.clone()))
        .with("server_version", info.as_ref().map(|info| info.version.clone()))
        .with(
            "server_software",
            info.as_ref()
                .and_then(|info| info.metadata.get(InfoResponse::IMPLEMENTATION)),
        )
        .with("user", user.as_ref().map(|user| user.name.clone()))
        .with("account", account)
        .with("signed_in_with", sign_in_words)
        .with("device_id", named.device)
        .with("trusted", told.trusted)
        .with("api_key_id", named.api_key)
        .with("api_key", told.key_name.clone())
        .with("api_key_value", told.value)
        .with("expires", ends)
        .with(
            "expires_in",
            ends.filter(|ends| *ends > now)
                .map(|ends| clock::shown_duration(ends.since(now))),
        )
        .with("certificates", certificates)
        .with("config_dir", context.files.dir().display().to_string());
    Known {
        record,
        failure,
        warning: told.warning(now),
    }
}

fn origin_words(origin: Origin) -> String {
    match origin {
        Origin::Files => "zenml connect".to_owned(),
        Origin::Variable(name) => format!("the variable {name}"),
    }
}

fn words(sign_in: &SignIn) -> String {
    let of_a_device = sign_in
        .token
        .as_ref()
        .is_some_and(|token| Claims::of(token).device_id.is_some());
    let what = match sign_in.kind {
        Kind::ApiKey => "an API key",
        Kind::Password => "a password",
        Kind::Token if of_a_device => "the token of this device",
        Kind::Token => "a token",
    };
    match sign_in.origin {
        Origin::Files => what.to_owned(),
        Origin::Variable(name) => format!("{what} from the variable {name}"),
    }
}

/// The id of the device that this machine is signed in as, if it is one.
pub(crate) fn own_device(session: &Session<'_>) -> Option<uuid::Uuid> {
    let token = session.connection.sign_in.as_ref()?.token.as_ref()?;
    Claims::of(token).device_id
}

/// Tells that the machine one sits at is meant.
pub(crate) fn note_own_device() {
    ui::note("This is the machine you are on.");
}

//! `zenml service-account`: accounts of workloads.

use clap::{Args, Subcommand};
use zenml_auth_api::api_key::ApiKeyRequest;
use zenml_auth_api::service_account::{ServiceAccountRequest, ServiceAccountResponse, ServiceAccountUpdate};
use zenml_auth_model::{Name, Text};

use crate::ask;
use crate::commands::api_key::{self, ApiKeyArgs};
use crate::commands::issued_key::{self, IssuedKeyArgs, Last};
use crate::commands::one_name;
use crate::context::{Context, Session};
use crate::error::CliError;
use crate::interrupt;
use crate::list_args::ListArgs;
use crate::output::{self, Listed, OutputArgs, Record};
use crate::ui;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  zenml service-account create ci
  zenml service-account list --active true
  zenml service-account api-key ci list")]
pub(crate) enum ServiceAccountCommand {
    /// Create a service account, and a first API key for it
    Create(CreateArgs),
    /// List the service accounts
    #[command(visible_alias = "ls")]
    List(Box<AccountListArgs>),
    /// Show a service account
    Describe(DescribeArgs),
    /// Rename a service account, describe it anew, switch it off or on
    Update(UpdateArgs),
    /// Delete a service account and its API keys
    Delete(DeleteArgs),
    /// The API keys of a service account
    ApiKey(ApiKeyArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The key goes to standard output, everything else to standard error.

Examples:
  An account for CI with its first key:
    zenml service-account create ci --description \"builds and tests\"
  Into a file that only you can read:
    zenml service-account create ci --output-file ci.key
  Without a key:
    zenml service-account create ci --create-api-key false")]
pub(crate) struct CreateArgs {
    /// The account's name
    #[arg(value_name = "NAME")]
    position: Option<String>,
    /// The account's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The name to show
    #[arg(long, alias = "full_name", value_name = "TEXT")]
    full_name: Option<String>,
    /// What it is for
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether to make a first API key, called default
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new(), hide_possible_values = true)]
    create_api_key: bool,
    #[command(flatten)]
    key: IssuedKeyArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Filters are compared as a whole, unless an operator comes before them, as in contains:ci. Operators: equals, \
notequals, contains, notcontains, startswith, endswith, oneof, notoneof, gt, gte, lt, lte, in, isnull, isnotnull.

Examples:
  Those whose names begin with ci:
    zenml service-account list --name startswith:ci
  Those that are switched off, for a script:
    zenml service-account list --active false --output json")]
pub(crate) struct AccountListArgs {
    /// By id, or a part of it
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    id: Vec<String>,
    /// By name
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    name: Vec<String>,
    /// By description
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    description: Vec<String>,
    /// true or false
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    active: Vec<String>,
    /// By when it was created (gt:2026-11-23)
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    created: Vec<String>,
    /// By when it was last changed
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    updated: Vec<String>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  By name:
    zenml service-account describe ci
  By the beginning of its id, for a script:
    zenml service-account describe 4dd6 --output json")]
pub(crate) struct DescribeArgs {
    /// The account's name, its id, or the beginning of the id
    #[arg(value_name = "ACCOUNT")]
    position: Option<String>,
    /// The account's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Switch an account off, and all of its keys with it, at once:
    zenml service-account update ci --active false
  Rename it:
    zenml service-account update ci --name builds")]
pub(crate) struct UpdateArgs {
    /// The account's name, its id, or the beginning of the id
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// The new name
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// The new name to show
    #[arg(long, alias = "full_name", value_name = "TEXT")]
    full_name: Option<String>,
    /// What it is for now
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it may be used
    #[arg(long, value_name = "BOOL", value_parser = clap::builder::BoolishValueParser::new(), hide_possible_values = true)]
    active: Option<bool>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  With a question first:
    zenml service-account delete ci
  In a script:
    zenml service-account delete ci --yes")]
pub(crate) struct DeleteArgs {
    /// The account's name, its id, or the beginning of the id
    #[arg(value_name = "ACCOUNT")]
    position: Option<String>,
    /// The account's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

impl Listed for ServiceAccountResponse {
    const PLURAL: &'static str = "service accounts";
    const DEFAULT_COLUMNS: &'static [&'static str] = &["id", "name", "active", "description", "created"];
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "full_name",
        "active",
        "description",
        "created",
        "updated",
        "avatar_url",
    ];

    fn record(&self) -> Record {
        Record::new()
            .with("id", self.id)
            .with("name", &self.name)
            .with("full_name", &self.body.full_name)
            .with("active", self.body.active)
            .with(
                "description",
                self.metadata
                    .as_ref()
                    .map(|metadata| metadata.description.clone()),
            )
            .with("created", self.body.created)
            .with("updated", self.body.updated)
            .with("avatar_url", self.body.avatar_url.clone())
    }
}

/// A name that was typed.
pub(crate) fn name(text: &str) -> Result<Name, CliError> {
    Name::new(text).map_err(CliError::usage)
}

/// A text that was typed.
pub(crate) fn text(text: Option<&String>) -> Result<Option<Text>, CliError> {
    text.map(|text| Text::new(text.as_str()).map_err(CliError::usage))
        .transpose()
}

pub(crate) async fn run(context: &Context, command: ServiceAccountCommand) -> Result<(), CliError> {
    let session = context.session()?;
    match command {
        ServiceAccountCommand::Create(args) => create(&session, &args).await,
        ServiceAccountCommand::List(args) => list(&session, &args).await,
        ServiceAccountCommand::Describe(args) => {
            let wanted = one_name(args.position.as_deref(), args.name.as_deref())?;
            output::one(&find(&session, wanted).await?.record(), args.output.output)
        }
        ServiceAccountCommand::Update(args) => update(&session, &args).await,
        ServiceAccountCommand::Delete(args) => delete(&session, &args).await,
        ServiceAccountCommand::ApiKey(args) => api_key::run(&session, args).await,
    }
}

/// Finds an account as it was typed.
pub(crate) async fn find(session: &Session<'_>, wanted: &str) -> Result<ServiceAccountResponse, CliError> {
    session
        .finish(session.client.find_service_account(wanted).await)
        .await
}

async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), CliError> {
    args.key.check(session)?;
    let request = ServiceAccountRequest {
        full_name: text(args.full_name.as_ref())?,
        description: text(args.description.as_ref())?,
        ..ServiceAccountRequest::named(name(one_name(args.position.as_deref(), args.name.as_deref())?)?)
    };
    interrupt::held_off(create_now(session, args, &request)).await
}

async fn create_now(
    session: &Session<'_>,
    args: &CreateArgs,
    request: &ServiceAccountRequest,
) -> Result<(), CliError> {
    let account = session
        .finish(session.client.create_service_account(request).await)
        .await?;
    ui::talk(&format!(
        "Created service account {}.",
        ui::bold(&ui::clean(&account.name))
    ));
    warn_of_full_name(args.full_name.as_ref(), &account);
    if !args.create_api_key {
        return output::changed(&account.record(), args.key.output.output);
    }
    let request = ApiKeyRequest {
        name: name("default")?,
        description: None,
        expires_in: None,
    };
    let key = session
        .finish(session.client.create_api_key(account.id, &request).await)
        .await
        .map_err(|error| {
            let name = ui::clean(&account.name);
            error.next(format!(
                "The account is there, without a key. To make one: zenml service-account api-key {name} create default"
            ))
        })?;
    issued_key::hand_over(session, &key, &args.key, Last::Yes)
}

async fn list(session: &Session<'_>, args: &AccountListArgs) -> Result<(), CliError> {
    let request = args
        .list
        .request(
            session,
            [
                ("id", &args.id),
                ("name", &args.name),
                ("description", &args.description),
                ("active", &args.active),
                ("created", &args.created),
                ("updated", &args.updated),
            ],
        )
        .await?;
    let page = session
        .finish(session.client.service_accounts(&request).await)
        .await?;
    output::list(&page, &args.list.output)
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), CliError> {
    let update = ServiceAccountUpdate {
        name: args.name.as_deref().map(name).transpose()?,
        full_name: text(args.full_name.as_ref())?,
        description: text(args.description.as_ref())?,
        active: args.active,
        ..ServiceAccountUpdate::default()
    };
    if update.name.is_none()
        && update.full_name.is_none()
        && update.description.is_none()
        && update.active.is_none()
    {
        return Err(
            CliError::usage("nothing to change").next("Add --name, --full-name, --description or --active.")
        );
    }
    let account = find(session, &args.account).await?;
    let account = session
        .finish(session.client.update_service_account(account.id, &update).await)
        .await?;
    let state = match args.active {
        Some(true) => "; it may be used",
        Some(false) => "; it may no longer be used, nor may its keys",
        None => "",
    };
    ui::talk(&format!(
        "Updated service account {}{state}.",
        ui::bold(&ui::clean(&account.name))
    ));
    warn_of_full_name(args.full_name.as_ref(), &account);
    output::changed(&account.record(), args.output.output)
}

/// Older releases of ZenML's server take no notice of it.
fn warn_of_full_name(wanted: Option<&String>, account: &ServiceAccountResponse) {
    if wanted.is_some_and(|wanted| !wanted.trim().is_empty()) && account.body.full_name.is_empty() {
        ui::warn("this server does not keep a name to show for service accounts");
    }
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), CliError> {
    let account = find(session, one_name(args.position.as_deref(), args.name.as_deref())?).await?;
    let called = ui::clean(&account.name);
    ask::confirm(
        &format!("Delete service account {called} and all of its API keys?"),
        args.yes,
    )
    .await?;
    session
        .finish(session.client.delete_service_account(account.id).await)
        .await?;
    ui::talk(&format!("Deleted service account {}.", ui::bold(&called)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_value() {
        let time = "2026-11-23T18:51:37.454712";
        let id = "4dd61a55-b8c9-4214-b613-292d167af1bc";
        let body = serde_json::json!({"created": time, "updated": time, "active": true});
        let account: ServiceAccountResponse =
            serde_json::from_value(serde_json::json!({"id": id, "name": "ci", "body": body})).unwrap();
        assert_eq!(account.record().columns(), ServiceAccountResponse::COLUMNS);
    }
}

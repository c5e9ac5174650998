//! `zenml service-account api-key ACCOUNT …`: keys of workloads.

use std::time::Duration;

use clap::{Args, Subcommand};
use uuid::Uuid;
use zenml_auth_api::api_key::{
    ApiKeyMetadata, ApiKeyRecentUse, ApiKeyRequest, ApiKeyResponse, ApiKeyRotateRequest, ApiKeyUpdate,
    KeyValue,
};
use zenml_auth_api::service_account::ServiceAccountResponse;
use zenml_auth_client::ClientError;

use crate::ask;
use crate::clock;
use crate::commands::issued_key::{self, IssuedKeyArgs, Last};
use crate::commands::one_name;
use crate::commands::rotation_wait::{self, WaitArgs};
use crate::commands::service_account::{self, name, text};
use crate::context::Session;
use crate::error::CliError;
use crate::interrupt;
use crate::list_args::ListArgs;
use crate::output::{self, Format, Listed, OutputArgs, Record};
use crate::span;
use crate::ui;

#[derive(Debug, Args)]
pub(crate) struct ApiKeyArgs {
    /// The service account's name, its id, or the beginning of the id
    #[arg(value_name = "ACCOUNT")]
    account: String,
    #[command(subcommand)]
    command: ApiKeyCommand,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  zenml service-account api-key ci create nightly
  zenml service-account api-key ci rotate nightly --retain 60 --wait
  zenml service-account api-key ci update nightly --active false")]
pub(crate) enum ApiKeyCommand {
    /// Create an API key and show it, once
    Create(CreateArgs),
    /// List the API keys
    #[command(visible_alias = "ls")]
    List(Box<KeyListArgs>),
    /// Show what is known of an API key, but not its value
    Describe(DescribeArgs),
    /// Rename an API key, describe it anew, switch it off or on
    Update(UpdateArgs),
    /// Give an API key a new value and show it, once
    Rotate(RotateArgs),
    /// Delete an API key: it is refused from then on
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The key goes to standard output, everything else to standard error.

Examples:
  A key for the nightly build:
    zenml service-account api-key ci create nightly
  Straight into a secret store:
    zenml service-account api-key ci create nightly | gh secret set ZENML_STORE_API_KEY
  One that ends by itself after 90 days (zenml-auth-server only):
    zenml service-account api-key ci create nightly --expires-in-days 90")]
pub(crate) struct CreateArgs {
    /// The key's name
    #[arg(value_name = "NAME")]
    position: Option<String>,
    /// The key's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it is for
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// After how many days it ends by itself; ZenML's own server takes no notice of it
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    expires_in_days: Option<u64>,
    #[command(flatten)]
    key: IssuedKeyArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Filters are compared as a whole, unless an operator comes before them, as in contains:ci. Operators: equals, \
notequals, contains, notcontains, startswith, endswith, oneof, notoneof, gt, gte, lt, lte, in, isnull, isnotnull.

Examples:
  Those that were not used since November:
    zenml service-account api-key ci list --last-login lt:2026-11-01
  Those that were never rotated, for a script:
    zenml service-account api-key ci list --last-rotated isnull: --output json")]
pub(crate) struct KeyListArgs {
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
    /// By when it was last used
    #[arg(long, alias = "last_login", value_name = "FILTER", help_heading = "Filters")]
    last_login: Vec<String>,
    /// By when it was last rotated
    #[arg(long, alias = "last_rotated", value_name = "FILTER", help_heading = "Filters")]
    last_rotated: Vec<String>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  When it was last used and rotated, and who uses it:
    zenml service-account api-key ci describe nightly")]
pub(crate) struct DescribeArgs {
    /// The key's name, its id, or the beginning of the id
    #[arg(value_name = "KEY")]
    position: Option<String>,
    /// The key's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Switch a key off at once:
    zenml service-account api-key ci update nightly --active false
  Rename it:
    zenml service-account api-key ci update nightly --name weekly")]
pub(crate) struct UpdateArgs {
    /// The key's name, its id, or the beginning of the id
    #[arg(value_name = "KEY")]
    key: String,
    /// The new name
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
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
The new key goes to standard output, everything else to standard error.

With --wait, the key is shown or written first. Then it is shown who still uses the old key: when, from which \
address, with which program. It ends with 0 when nobody has for as long as --quiet-for says, with 9 when the old key \
has ended before that, and with 10 on a server that does not tell who uses a key, as ZenML's own. Ctrl-C ends nothing \
but the waiting. With --output json, each thing that happens is one line of JSON.

Examples:
  With an hour in which the old key is still good:
    zenml service-account api-key ci rotate nightly --retain 60
  The same, and wait until everybody has the new one:
    zenml service-account api-key ci rotate nightly --retain 60 --output-file nightly.key --wait --quiet-for 15m
  At once, as the key has leaked:
    zenml service-account api-key ci rotate nightly")]
pub(crate) struct RotateArgs {
    /// The key's name, its id, or the beginning of the id
    #[arg(value_name = "KEY")]
    position: Option<String>,
    /// The key's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// For how many minutes the old key is still good
    #[arg(long, value_name = "MINUTES", default_value_t = 0, value_parser = span::minutes)]
    retain: u32,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    key: IssuedKeyArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  With a question first:
    zenml service-account api-key ci delete nightly
  In a script:
    zenml service-account api-key ci delete nightly --yes")]
pub(crate) struct DeleteArgs {
    /// The key's name, its id, or the beginning of the id
    #[arg(value_name = "KEY")]
    position: Option<String>,
    /// The key's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

impl Listed for ApiKeyResponse {
    const PLURAL: &'static str = "API keys";
    const DEFAULT_COLUMNS: &'static [&'static str] =
        &["id", "name", "active", "last_login", "last_rotated", "created"];
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "active",
        "description",
        "service_account",
        "last_login",
        "last_ip_address",
        "last_user_agent",
        "last_rotated",
        "retain_period_minutes",
        "retained_until",
        "expires",
        "created",
        "updated",
    ];

    fn record(&self) -> Record {
        let metadata = self.metadata.as_ref();
        Record::new()
            .with("id", self.id)
            .with("name", &self.name)
            .with("active", self.body.active)
            .with(
                "description",
                metadata.map(|metadata| metadata.description.clone()),
            )
            .with("service_account", &self.body.service_account.name)
            .with("last_login", metadata.and_then(|metadata| metadata.last_login))
            .with(
                "last_ip_address",
                metadata.and_then(|metadata| metadata.last_ip_address.clone()),
            )
            .with(
                "last_user_agent",
                metadata.and_then(|metadata| metadata.last_user_agent.clone()),
            )
            .with(
                "last_rotated",
                metadata.and_then(|metadata| metadata.last_rotated),
            )
            .with(
                "retain_period_minutes",
                metadata.map(|metadata| metadata.retain_period_minutes),
            )
            .with(
                "retained_until",
                metadata.and_then(|metadata| metadata.retained_until),
            )
            .with("expires", metadata.and_then(|metadata| metadata.expires))
            .with("created", self.body.created)
            .with("updated", self.body.updated)
    }
}

pub(crate) async fn run(session: &Session<'_>, args: ApiKeyArgs) -> Result<(), CliError> {
    let keys = Keys {
        session,
        account: service_account::find(session, &args.account).await?,
    };
    match args.command {
        ApiKeyCommand::Create(args) => keys.create(&args).await,
        ApiKeyCommand::List(args) => keys.list(&args).await,
        ApiKeyCommand::Describe(args) => {
            let wanted = one_name(args.position.as_deref(), args.name.as_deref())?;
            keys.describe(wanted, args.output.output).await
        }
        ApiKeyCommand::Update(args) => keys.update(&args).await,
        ApiKeyCommand::Rotate(args) => keys.rotate(&args).await,
        ApiKeyCommand::Delete(args) => keys.delete(&args).await,
    }
}

/// The keys of one account.
struct Keys<'a> {
    session: &'a Session<'a>,
    account: ServiceAccountResponse,
}

impl Keys<'_> {
    async fn find(&self, wanted: &str) -> Result<ApiKeyResponse, CliError> {
        self.session
            .finish(self.session.client.find_api_key(self.account.id, wanted).await)
            .await
    }

    async fn describe(&self, wanted: &str, format: Format) -> Result<(), CliError> {
        let found = self.find(wanted).await?;
        // Lists leave out who uses a key.
        let whole = self.session.client.api_key(self.account.id, found.id).await;
        let key = self.session.finish(whole).await?;
        let uses = key.metadata.as_ref().and_then(ApiKeyMetadata::told_uses);
        let shown = |user: &ApiKeyRecentUse| {
            let value = match user.value {
                KeyValue::Current => "current",
                KeyValue::Previous => "previous",
                KeyValue::Unknown => "unknown",
            };
            Record::new()
                .with("last_used", user.last_login)
                .with("ip_address", user.ip_address.clone())
                .with("user_agent", user.user_agent.clone())
                .with("value", value)
        };
        let record = match uses {
            Some(uses) => key
                .record()
                .with("recent_uses", uses.iter().map(shown).collect::<Vec<_>>()),
            None => key.record(),
        };
        output::one(&record, format)
    }

    /// `API key nightly of ci`
    fn called(&self, key: &str) -> String {
        format!(
            "API key {} of {}",
            ui::bold(&ui::clean(key)),
            ui::clean(&self.account.name)
        )
    }

    async fn create(&self, args: &CreateArgs) -> Result<(), CliError> {
        args.key.check(self.session)?;
        let request = ApiKeyRequest {
            name: name(one_name(args.position.as_deref(), args.name.as_deref())?)?,
            description: text(args.description.as_ref())?,
            expires_in: args.expires_in_days.map(|days| days * 86_400),
        };
        interrupt::held_off(self.create_now(args, &request)).await
    }

    async fn create_now(&self, args: &CreateArgs, request: &ApiKeyRequest) -> Result<(), CliError> {
        let created = self.session.client.create_api_key(self.account.id, request).await;
        let key = self.session.finish(created).await?;
        ui::talk(&format!("Created {}.", self.called(&key.name)));
        if args.expires_in_days.is_some()
            && key
                .metadata
                .as_ref()
                .is_none_or(|metadata| metadata.expires.is_none())
        {
            ui::warn("this server does not let keys end by themselves: the key is good until it is deleted");
        }
        issued_key::hand_over(self.session, &key, &args.key, Last::Yes)
    }

    async fn list(&self, args: &KeyListArgs) -> Result<(), CliError> {
        let request = args
            .list
            .request(
                self.session,
                [
                    ("id", &args.id),
                    ("name", &args.name),
                    ("description", &args.description),
                    ("active", &args.active),
                    ("created", &args.created),
                    ("updated", &args.updated),
                    ("last_login", &args.last_login),
                    ("last_rotated", &args.last_rotated),
                ],
            )
            .await?;
        let page = self
            .session
            .finish(self.session.client.api_keys(self.account.id, &request).await)
            .await?;
        output::list(&page, &args.list.output)
    }

    async fn update(&self, args: &UpdateArgs) -> Result<(), CliError> {
        let update = ApiKeyUpdate {
            name: args.name.as_deref().map(name).transpose()?,
            description: text(args.description.as_ref())?,
            active: args.active,
        };
        if update.name.is_none() && update.description.is_none() && update.active.is_none() {
            return Err(CliError::usage("nothing to change").next("Add --name, --description or --active."));
        }
        let key = self.find(&args.key).await?;
        let updated = self
            .session
            .client
            .update_api_key(self.account.id, key.id, &update)
            .await;
        let key = self.session.finish(updated).await?;
        let state = match args.active {
            Some(true) => "; it may be used",
            Some(false) => "; it may no longer be used",
            None => "",
        };
        ui::talk(&format!("Updated {}{state}.", self.called(&key.name)));
        output::changed(&key.record(), args.output.output)
    }

    async fn rotate(&self, args: &RotateArgs) -> Result<(), CliError> {
        args.key.check(self.session)?;
        let retention = Duration::from_secs(u64::from(args.retain) * 60);
        let quiet_for = args.wait.quiet(retention)?;
        let key = self
            .find(one_name(args.position.as_deref(), args.name.as_deref())?)
            .await?;
        // From here until it is handed over, the new key would be lost with the command.
        let key = interrupt::held_off(self.rotate_now(key.id, args, retention)).await?;
        match quiet_for {
            Some(quiet_for) => {
                let format = args.key.output.output;
                rotation_wait::wait(self.session, &key, retention, quiet_for, format).await
            }
            None => Ok(()),
        }
    }

    async fn rotate_now(
        &self,
        id: Uuid,
        args: &RotateArgs,
        retention: Duration,
    ) -> Result<ApiKeyResponse, CliError> {
        let request = ApiKeyRotateRequest {
            retain_period_minutes: args.retain,
        };
        let rotated = self
            .session
            .client
            .rotate_api_key(self.account.id, id, request)
            .await;
        let in_doubt = matches!(
            rotated,
            Err(ClientError::Timeout { .. } | ClientError::Interrupted { .. })
        );
        let key = self.session.finish(rotated).await.map_err(|error| {
            if in_doubt {
                error.next(
                    "It may have been rotated all the same: see last_rotated with `describe`. If so, rotate it again.",
                )
            } else {
                error
            }
        })?;
        ui::talk(&format!("Rotated {}.", self.called(&key.name)));
        if retention.is_zero() {
            ui::talk("The old key is no longer good.");
        } else {
            let until = clock::shown(clock::now() + retention);
            ui::talk(&format!(
                "The old key is still good for {}, until {until}.",
                clock::shown_duration(retention)
            ));
        }
        let last = if args.wait.wait { Last::No } else { Last::Yes };
        issued_key::hand_over(self.session, &key, &args.key, last)?;
        Ok(key)
    }

    async fn delete(&self, args: &DeleteArgs) -> Result<(), CliError> {
        let key = self
            .find(one_name(args.position.as_deref(), args.name.as_deref())?)
            .await?;
        ask::confirm(&format!("Delete {}?", self.called(&key.name)), args.yes).await?;
        self.session
            .finish(self.session.client.delete_api_key(self.account.id, key.id).await)
            .await?;
        ui::talk(&format!("Deleted {}.", self.called(&key.name)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_value() {
        let time = "2026-11-23T18:51:37.454712";
        let id = "4dd61a55-b8c9-4214-b613-292d167af1bc";
        let dates = serde_json::json!({"created": time, "updated": time});
        let account = serde_json::json!({"id": id, "name": "ci", "body": dates});
        let body = serde_json::json!({"created": time, "updated": time, "service_account": account});
        let key: ApiKeyResponse =
            serde_json::from_value(serde_json::json!({"id": id, "name": "default", "body": body})).unwrap();
        assert_eq!(key.record().columns(), ApiKeyResponse::COLUMNS);
    }
}

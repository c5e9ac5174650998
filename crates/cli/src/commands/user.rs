//! `zenml user`: people.

use clap::{Args, Subcommand};
use zenml_auth_api::user::{UserRequest, UserResponse, UserUpdate};
use zenml_auth_api::{Change, SecretText};
use zenml_auth_client::ClientError;
use zenml_auth_model::Secret;

use crate::ask;
use crate::commands::one_name;
use crate::commands::service_account::{name, text};
use crate::context::{Context, Session};
use crate::error::{CliError, Exit};
use crate::list_args::ListArgs;
use crate::output::{self, Format, Listed, OutputArgs, Record};
use crate::ui;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  zenml user create ann
  zenml user list --name startswith:a
  zenml user deactivate ann")]
pub(crate) enum UserCommand {
    /// List the users that you may see
    #[command(visible_alias = "ls")]
    List(Box<UserListArgs>),
    /// Create a user, or invite one
    Create(CreateArgs),
    /// Show a user; yourself, if nobody is named
    Describe(DescribeArgs),
    /// Change a user
    Update(UpdateArgs),
    /// Change your password
    ChangePassword(PasswordArgs),
    /// Keep a user out until they are activated again
    Deactivate(DeactivateArgs),
    /// Delete a user
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Filters are compared as a whole, unless an operator comes before them, as in contains:ci. Operators: equals, \
notequals, contains, notcontains, startswith, endswith, oneof, notoneof, gt, gte, lt, lte, in, isnull, isnotnull.

Examples:
  All users, the newest first:
    zenml user list
  Those who are kept out, for a script:
    zenml user list --active false --output json")]
pub(crate) struct UserListArgs {
    /// By id, or a part of it
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    id: Vec<String>,
    /// By name
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    name: Vec<String>,
    /// By the name to show
    #[arg(long, alias = "full_name", value_name = "FILTER", help_heading = "Filters")]
    full_name: Vec<String>,
    /// By e-mail address
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    email: Vec<String>,
    /// true or false
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    active: Vec<String>,
    /// true or false
    #[arg(
        long,
        alias = "email_opted_in",
        value_name = "FILTER",
        help_heading = "Filters"
    )]
    email_opted_in: Vec<String>,
    /// By when the account was created (gt:2026-11-23)
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
The password is asked for, or read from standard input when that is not a terminal. With an empty one the user is invited: the activation token \
goes to standard output, and is not shown again.

Examples:
  Create a user:
    zenml user create ann
  Invite one:
    zenml user create ann --invite
  In a script:
    zenml user create ann < password.txt")]
pub(crate) struct CreateArgs {
    /// The sign-in name
    #[arg(value_name = "NAME")]
    position: Option<String>,
    /// The sign-in name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The name to show
    #[arg(short, long, alias = "full_name", value_name = "TEXT")]
    full_name: Option<String>,
    /// The password; it stays in the shell's history
    #[arg(long, value_name = "PASSWORD", conflicts_with = "invite")]
    password: Option<String>,
    /// Make an activation token instead of asking for a password
    #[arg(long)]
    invite: bool,
    /// Make the user an administrator
    #[arg(long, alias = "is_admin")]
    is_admin: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Yourself:
    zenml user describe
  Someone else, for a script:
    zenml user describe ann --output json")]
pub(crate) struct DescribeArgs {
    /// The user's name, their id, or the beginning of the id
    #[arg(value_name = "USER")]
    position: Option<String>,
    /// The user's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Make someone an administrator:
    zenml user update ann --admin
  Take that back:
    zenml user update ann --user")]
pub(crate) struct UpdateArgs {
    /// The user's name, their id, or the beginning of the id
    #[arg(value_name = "USER")]
    target: String,
    /// The new sign-in name
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// The new name to show
    #[arg(short, long, alias = "full_name", value_name = "TEXT")]
    full_name: Option<String>,
    /// The new e-mail address
    #[arg(short, long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Make the user an administrator
    #[arg(short, long, conflicts_with = "user")]
    admin: bool,
    /// Make the user an ordinary one
    #[arg(short, long)]
    user: bool,
    /// Whether the user may sign in
    #[arg(long, value_name = "BOOL", value_parser = clap::builder::BoolishValueParser::new(), hide_possible_values = true)]
    active: Option<bool>,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The passwords are asked for; without a terminal the old and the new one are read from standard input, a line each.

Examples:
  Change your password:
    zenml user change-password")]
pub(crate) struct PasswordArgs {
    /// The new password; it stays in the shell's history
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// The current password; it stays in the shell's history
    #[arg(long, alias = "old_password", value_name = "PASSWORD")]
    old_password: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The activation token, with which the user gets in again and chooses a new password, goes to standard output.

Examples:
  Keep someone out, or reset their password:
    zenml user deactivate ann")]
pub(crate) struct DeactivateArgs {
    /// The user's name, their id, or the beginning of the id
    #[arg(value_name = "USER")]
    position: Option<String>,
    /// The user's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  With a question first:
    zenml user delete ann
  In a script:
    zenml user delete ann --yes")]
pub(crate) struct DeleteArgs {
    /// The user's name, their id, or the beginning of the id
    #[arg(value_name = "USER")]
    position: Option<String>,
    /// The user's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

impl Listed for UserResponse {
    const PLURAL: &'static str = "users";
    const DEFAULT_COLUMNS: &'static [&'static str] =
        &["id", "name", "full_name", "active", "is_admin", "created"];
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "name",
        "full_name",
        "active",
        "is_admin",
        "is_service_account",
        "email",
        "email_opted_in",
        "password_changed_at",
        "created",
        "updated",
    ];

    fn record(&self) -> Record {
        let metadata = self.metadata.as_ref();
        Record::new()
            .with("id", self.id)
            .with("name", &self.name)
            .with("full_name", &self.body.full_name)
            .with("active", self.body.active)
            .with("is_admin", self.body.is_admin)
            .with("is_service_account", self.body.is_service_account)
            .with("email", metadata.and_then(|metadata| metadata.email.clone()))
            .with("email_opted_in", self.body.email_opted_in)
            .with(
                "password_changed_at",
                metadata.and_then(|metadata| metadata.password_changed_at),
            )
            .with("created", self.body.created)
            .with("updated", self.body.updated)
    }
}

pub(crate) async fn run(context: &Context, command: UserCommand) -> Result<(), CliError> {
    let session = context.session()?;
    match command {
        UserCommand::List(args) => list(&session, &args).await,
        UserCommand::Create(args) => create(&session, &args).await,
        UserCommand::Describe(args) => describe(&session, &args).await,
        UserCommand::Update(args) => update(&session, &args).await,
        UserCommand::ChangePassword(args) => change_password(&session, args).await,
        UserCommand::Deactivate(args) => deactivate(&session, &args).await,
        UserCommand::Delete(args) => delete(&session, &args).await,
    }
}

async fn find(session: &Session<'_>, wanted: &str) -> Result<UserResponse, CliError> {
    session.finish(session.client.find_user(wanted).await).await
}

fn called(user: &UserResponse) -> String {
    format!("user {}", ui::bold(&ui::clean(&user.name)))
}

async fn list(session: &Session<'_>, args: &UserListArgs) -> Result<(), CliError> {
    let request = args
        .list
        .request(
            session,
            [
                ("id", &args.id),
                ("name", &args.name),
                ("full_name", &args.full_name),
                ("email", &args.email),
                ("active", &args.active),
                ("email_opted_in", &args.email_opted_in),
                ("created", &args.created),
                ("updated", &args.updated),
            ],
        )
        .await?;
    let page = session.finish(session.client.users(&request).await).await?;
    output::list(&page, &args.list.output)
}

async fn create(session: &Session<'_>, args: &CreateArgs) -> Result<(), CliError> {
    let sign_in_name = name(one_name(args.position.as_deref(), args.name.as_deref())?)?;
    let password = match (&args.password, args.invite) {
        (Some(password), _) => {
            ask::warn_of_history();
            Secret::new(password.as_str())
        }
        (None, true) => Secret::new(""),
        (None, false) => ask::new_password(&format!("Password of {sign_in_name} (empty to invite)")).await?,
    };
    let invited = password.expose().is_empty();
    let request = UserRequest {
        full_name: text(args.full_name.as_ref())?,
        password: (!invited).then(|| SecretText::from(&password)),
        is_admin: args.is_admin,
        active: !invited,
        ..UserRequest::invitation(sign_in_name)
    };
    let user = session.finish(session.client.create_user(&request).await).await?;
    ui::talk(&format!(
        "{} {}.",
        if invited { "Invited" } else { "Created" },
        called(&user)
    ));
    hand_over_activation(session, &user, args.output.output)
}

/// Shows the token with which a user gets in, if there is one.
fn hand_over_activation(session: &Session<'_>, user: &UserResponse, format: Format) -> Result<(), CliError> {
    let token = user.body.activation_token.as_ref().map(SecretText::expose);
    if format != Format::Table {
        let text = output::one_text(&user.record().with("activation_token", token), format);
        return match token {
            Some(_) => output::secret(&text).map_err(|error| lost_token(&error, user)),
            None => output::write(&text),
        };
    }
    let Some(token) = token else { return Ok(()) };
    output::secret(token).map_err(|error| lost_token(&error, user))?;
    let query = zenml_auth_api::ListRequest::new()
        .filter("user", user.id.to_string())
        .filter("username", user.name.as_str());
    ui::note(
        "This is the activation token; it is not shown again. To choose a password with it, the user opens:",
    );
    // What goes to standard error may end up in a log.
    let link = format!("{}/activate-user?{}", session.url(), query.to_query_string());
    ui::talk(&if ui::is_watched() {
        format!("  {link}&token={token}")
    } else {
        format!("  {link}&token=<the token>")
    });
    Ok(())
}

/// Nobody has the token with which the user gets in.
fn lost_token(error: &CliError, user: &UserResponse) -> CliError {
    let name = ui::clean(&user.name);
    CliError::new(
        Exit::Failed,
        format!("the activation token of {name} is lost: {error}"),
    )
    .next(format!("Make another: zenml user deactivate {name}"))
}

async fn describe(session: &Session<'_>, args: &DescribeArgs) -> Result<(), CliError> {
    let user = match (&args.position, &args.name) {
        (None, None) => session.finish(session.client.current_user().await).await?,
        (position, flag) => find(session, one_name(position.as_deref(), flag.as_deref())?).await?,
    };
    output::one(&user.record(), args.output.output)
}

async fn update(session: &Session<'_>, args: &UpdateArgs) -> Result<(), CliError> {
    let update = UserUpdate {
        name: args.name.as_deref().map(name).transpose()?,
        full_name: text(args.full_name.as_ref())?,
        email: text(args.email.as_ref())?.map_or(Change::Keep, Change::Set),
        is_admin: if args.admin {
            Some(true)
        } else {
            args.user.then_some(false)
        },
        active: args.active,
        ..UserUpdate::default()
    };
    let changes = [
        update.name.is_some(),
        update.full_name.is_some(),
        !update.email.is_keep(),
        update.is_admin.is_some(),
        update.active.is_some(),
    ];
    if !changes.contains(&true) {
        let flags = "Add --name, --full-name, --email, --admin, --user or --active.";
        return Err(CliError::usage("nothing to change").next(flags));
    }
    let user = find(session, &args.target).await?;
    if user.body.is_admin && args.user {
        let question = format!("Make {} an ordinary user?", ui::clean(&user.name));
        ask::confirm(&question, args.yes).await?;
    }
    let outcome = session.client.update_user(user.id, &update).await;
    let broke = matches!(outcome, Err(ClientError::Api { status: 500, .. }));
    let user = match (session.finish(outcome).await, args.active) {
        // ZenML's server 0.58 fails so, or answers with the user as they were.
        (Err(error), Some(_)) if broke => return Err(error.next(not_switched(&user))),
        (Ok(updated), Some(active)) if updated.body.active != active => {
            let what = format!(
                "{} did not change whether {} may sign in",
                session.url(),
                user.name
            );
            return Err(CliError::new(Exit::Failed, what).next(not_switched(&user)));
        }
        (updated, _) => updated?,
    };
    ui::talk(&format!("Updated {}.", called(&user)));
    output::changed(&user.record(), args.output.output)
}

/// What to do where a server can't switch users off or on.
fn not_switched(user: &UserResponse) -> String {
    format!(
        "Some releases of ZenML's server can't do that. To deactivate the user, or to get a new activation token for them, type: zenml user deactivate {}",
        ui::clean(&user.name)
    )
}

async fn change_password(session: &Session<'_>, args: PasswordArgs) -> Result<(), CliError> {
    if args.password.is_some() || args.old_password.is_some() {
        ask::warn_of_history();
    }
    let old = match args.old_password {
        Some(old) => Secret::new(old),
        None => ask::secret("Current password").await?,
    };
    let new = match args.password {
        Some(new) => Secret::new(new),
        None => ask::new_password("New password").await?,
    };
    if new.expose().is_empty() {
        return Err(CliError::usage("the new password is empty"));
    }
    let update = UserUpdate {
        password: Some(new.into()),
        old_password: Some(old.into()),
        ..UserUpdate::default()
    };
    let outcome = session.client.update_current_user(&update).await;
    // Where another sign-in is needed, the same again is refused again.
    let is_worth_another_try = !outcome.as_ref().is_err_and(ClientError::needs_recent_sign_in);
    session.finish(outcome).await.map_err(|error| match error.exit {
        Exit::Forbidden if is_worth_another_try => error.next("Nothing was changed; try again."),
        _ => error,
    })?;
    ui::talk("Changed your password.");
    if session
        .client
        .current_user()
        .await
        .is_err_and(|error| error.is_unauthenticated())
    {
        ui::note(&format!(
            "That ended your sign-ins. To go on, type: zenml connect --url {}",
            session.url()
        ));
    }
    Ok(())
}

async fn deactivate(session: &Session<'_>, args: &DeactivateArgs) -> Result<(), CliError> {
    let user = find(session, one_name(args.position.as_deref(), args.name.as_deref())?).await?;
    let user = session
        .finish(session.client.deactivate_user(user.id).await)
        .await?;
    ui::talk(&format!("Deactivated {}.", called(&user)));
    hand_over_activation(session, &user, args.output.output)
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), CliError> {
    let user = find(session, one_name(args.position.as_deref(), args.name.as_deref())?).await?;
    ask::confirm(&format!("Delete {}?", called(&user)), args.yes).await?;
    session.finish(session.client.delete_user(user.id).await).await?;
    ui::talk(&format!("Deleted {}.", called(&user)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_value() {
        let time = "2026-11-23T18:51:37.454712";
        let id = "4dd61a55-b8c9-4214-b613-292d167af1bc";
        let body = serde_json::json!({"created": time, "updated": time, "is_service_account": false, "is_admin": true});
        let user: UserResponse =
            serde_json::from_value(serde_json::json!({"id": id, "name": "ann", "body": body})).unwrap();
        assert_eq!(user.record().columns(), UserResponse::COLUMNS);
    }
}

//! `admin create-user | reset-password | deactivate-user | activate-user | list-users`

use std::io::Read as _;

use clap::{Args, Subcommand};
use zenml_auth_api::SecretText;
use zenml_auth_model::text::on_one_line;

use super::CommandError;
use super::print::line;
use crate::config::Config;
use crate::operators::executor::Executor;
use crate::operators::operation::{Listed, State};
use crate::operators::{Done, Operation};

#[derive(Debug, Args)]
pub(super) struct AdminArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Create a user; their password is made and shown once, unless it comes from standard input
    CreateUser {
        /// The user's name
        name: String,
        /// Make them an administrator
        #[arg(long)]
        admin: bool,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a new password for a user, and switch them on; everything they were signed in with ends
    ResetPassword {
        /// The user's name
        name: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep a user out; everything they were signed in with ends for good
    DeactivateUser {
        /// The user's name
        name: String,
    },
    /// Switch a user who was deactivated on again, with the password they had
    ActivateUser {
        /// The user's name
        name: String,
    },
    /// List the users
    ListUsers,
}

pub(super) async fn run(args: AdminArgs, config: &Config) -> Result<(), CommandError> {
    // Others are not kept from the database while a password is typed.
    let operation = operation(args.task)?;
    let mut executor = Executor::open(config).await?;
    let done = carry_out(&mut executor, operation).await;
    executor.close().await?;
    done
}

fn operation(task: Task) -> Result<Operation, CommandError> {
    Ok(match task {
        Task::CreateUser {
            name,
            admin,
            password_stdin,
        } => Operation::CreateUser {
            name,
            is_admin: admin,
            password: password(password_stdin)?,
        },
        Task::ResetPassword { name, password_stdin } => Operation::ResetPassword {
            name,
            password: password(password_stdin)?,
        },
        Task::DeactivateUser { name } => Operation::DeactivateUser { name },
        Task::ActivateUser { name } => Operation::ActivateUser { name },
        Task::ListUsers => Operation::ListUsers { page: 1 },
    })
}

async fn carry_out(executor: &mut Executor, operation: Operation) -> Result<(), CommandError> {
    let mut next = Some(operation);
    while let Some(operation) = next.take() {
        let page = match &operation {
            Operation::ListUsers { page } => *page,
            _ => 1,
        };
        let done = executor.perform(operation).await?;
        if matches!(done, Done::Users { more: true, .. }) {
            next = Some(Operation::ListUsers { page: page + 1 });
        }
        tell(done);
    }
    Ok(())
}

fn tell(done: Done) {
    match done {
        Done::UserCreated { name, made_password } => {
            line(&format!("Created the user {name}."));
            show(made_password.as_ref());
        }
        Done::PasswordReset { name, made_password } => {
            line(&format!(
                "The user {name} has a new password, and is signed out everywhere."
            ));
            show(made_password.as_ref());
        }
        Done::UserDeactivated {
            name,
            activation_token,
        } => {
            line(&format!(
                "The user {name} is deactivated, and signed out everywhere."
            ));
            line(&format!(
                "To switch them on again: zenml-auth-server admin activate-user, or they choose a new password at \
                 /activate-user with this token, shown this once: {}",
                activation_token.expose()
            ));
        }
        Done::UserActivated { name } => {
            line(&format!(
                "The user {name} may sign in, with the password they had."
            ));
        }
        Done::Users { users, .. } => users.iter().for_each(list),
        // Nothing that is asked for here is answered so.
        Done::Encryption(_) | Done::EncryptionRotated { .. } => {}
    }
}

fn list(user: &Listed) {
    let state = match user.state {
        State::Active => "active",
        State::Invited => "invited",
        State::Inactive => "deactivated",
    };
    let role = if user.is_admin { "administrator" } else { "" };
    line(&on_one_line(&format!(
        "{}  {state:<11}  {}  {role}",
        user.id, user.name
    )));
}

/// The password from standard input, if it is there.
fn password(from_stdin: bool) -> Result<Option<SecretText>, CommandError> {
    if !from_stdin {
        return Ok(None);
    }
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    Ok(Some(SecretText::new(text.trim_end_matches(['\r', '\n']))))
}

fn show(made_password: Option<&SecretText>) {
    if let Some(password) = made_password {
        line(&format!("Their password, shown this once: {}", password.expose()));
    }
}

//! `admin create-user | reset-password | list-users`

use std::io::Read as _;
use std::sync::Arc;

use clap::{Args, Subcommand};
use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::{Engine, NewUser};
use zenml_auth_model::query::{PageRequest, Query};
use zenml_auth_model::{Name, Secret, Text};

use super::CommandError;
use super::print::line;
use crate::compose::{IfMissing, connect, ports};
use crate::config::Config;

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
    /// Set a new password for a user, and let them in again; everything they were signed in with ends
    ResetPassword {
        /// The user's name
        name: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the users
    ListUsers,
}

pub(super) async fn run(args: AdminArgs, config: &Config) -> Result<(), CommandError> {
    let store = Arc::new(connect(&config.storage, IfMissing::Refuse).await?);
    store.check_schema().await?;
    let engine = Engine::open(ports(store.clone()), config.settings, config.hashing).await?;
    let done = task(args.task, &engine).await;
    drop(engine);
    store.close().await?;
    done
}

async fn task(task: Task, engine: &Engine) -> Result<(), CommandError> {
    let operator = Caller::operator();
    match task {
        Task::CreateUser {
            name,
            admin,
            password_stdin,
        } => {
            let password = Password::get(password_stdin, engine)?;
            let new = NewUser {
                name: Name::new(name)?,
                full_name: Text::default(),
                email: None,
                email_opted_in: None,
                password: Some(password.value.clone()),
                is_admin: admin,
                metadata: None,
                avatar_url: None,
            };
            let (user, _) = engine.users().create(&operator, new).await?;
            line(&format!("Created the user {}.", user.name));
            password.show();
        }
        Task::ResetPassword { name, password_stdin } => {
            let password = Password::get(password_stdin, engine)?;
            let user = engine
                .users()
                .reset_password(&name, password.value.clone())
                .await?;
            line(&format!(
                "The user {} has a new password, and is signed out everywhere.",
                user.name
            ));
            password.show();
        }
        Task::ListUsers => list(engine, &operator).await?,
    }
    Ok(())
}

async fn list(engine: &Engine, operator: &Caller) -> Result<(), CommandError> {
    for number in 1.. {
        let query = Query {
            page: PageRequest::new(number, 1000)?,
            ..Query::default()
        };
        let page = engine.users().list(operator, &query).await?;
        for user in &page.items {
            let state = match (user.active, user.activation.is_some()) {
                (true, _) => "active",
                (false, true) => "invited",
                (false, false) => "inactive",
            };
            let role = if user.is_admin { "administrator" } else { "" };
            line(format!("{}  {state:<8}  {}  {role}", user.id, user.name).trim_end());
        }
        if u64::from(number) >= page.total_pages() {
            break;
        }
    }
    Ok(())
}

/// A password, and whether somebody has to be told.
struct Password {
    value: Secret,
    made: bool,
}

impl Password {
    fn get(from_stdin: bool, engine: &Engine) -> Result<Self, CommandError> {
        if !from_stdin {
            return Ok(Self {
                value: engine.users().suggest_password(),
                made: true,
            });
        }
        let mut text = String::new();
        std::io::stdin().take(4096).read_to_string(&mut text)?;
        Ok(Self {
            value: Secret::new(text.trim_end_matches(['\r', '\n'])),
            made: false,
        })
    }

    fn show(&self) {
        if self.made {
            line(&format!(
                "Their password, shown this once: {}",
                self.value.expose()
            ));
        }
    }
}

//! `audit`

use std::net::IpAddr;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;
use uuid::Uuid;
use zenml_auth_core::audit_details;
use zenml_auth_core::caller::Caller;
use zenml_auth_core::sealing::EncryptionKeys;
use zenml_auth_core::services::Engine;
use zenml_auth_model::query::{AuditField, Condition, Direction, Operator, PageRequest, Query, Sort};
use zenml_auth_model::text::{Quoted, on_one_line};
use zenml_auth_model::{Actor, AuditEvent, Timestamp};

use super::CommandError;
use super::print::{json, line};
use crate::compose::{IfMissing, connect, ports};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// Only what this user or service account did, by its name at the time or its id
    #[arg(long, value_name = "NAME_OR_ID")]
    actor: Option<String>,
    /// Only what the account of this id did, whatever it was called
    #[arg(long, value_name = "ID")]
    actor_id: Option<Uuid>,
    /// Only what was done to this thing, by its name at the time or its id
    #[arg(long, value_name = "NAME_OR_ID")]
    target: Option<String>,
    /// Only what was done to the thing of this id, whatever it was called
    #[arg(long, value_name = "ID")]
    target_id: Option<Uuid>,
    /// Only this kind of event, such as device.approved, or all that begin alike, such as api_key
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what came from this address
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// Only since this time, in UTC, such as 2026-11-23T18:00:00
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// How many events, the latest ones
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    /// One line an event, for people
    Table,
    /// One JSON object a line, for machines
    Json,
}

pub(super) async fn run(args: &AuditArgs, config: &Config) -> Result<(), CommandError> {
    let store = Arc::new(connect(&config.database, IfMissing::Refuse).await?);
    store.check_schema().await?;
    let engine = Engine::open_without_signing_keys(
        ports(store.clone(), Arc::new(EncryptionKeys::none())),
        config.settings,
        config.hashing,
    )
    .await?;
    let page = engine.audit().list(&Caller::operator(), &query(args)?).await?;
    // The latest were asked for; they read better in the order in which they happened.
    for event in page.items.iter().rev() {
        match args.output {
            Output::Table => line(&table(event)),
            Output::Json => json(&serde_json::to_string(&Entry::from(event))?),
        }
    }
    drop(engine);
    store.close().await?;
    Ok(())
}

fn query(args: &AuditArgs) -> Result<Query<AuditField>, CommandError> {
    let mut conditions = Vec::new();
    let mut add = |field, operator, text: &str| -> Result<(), CommandError> {
        conditions.push(Condition::new(field, operator, &[text.to_owned()])?);
        Ok(())
    };
    // No name has the form of an id.
    if let Some(actor) = &args.actor {
        let field = if Uuid::try_parse(actor).is_ok() {
            AuditField::ActorId
        } else {
            AuditField::ActorName
        };
        add(field, Operator::Equals, actor)?;
    }
    if let Some(id) = &args.actor_id {
        add(AuditField::ActorId, Operator::Equals, &id.to_string())?;
    }
    if let Some(target) = &args.target {
        let field = if Uuid::try_parse(target).is_ok() {
            AuditField::TargetId
        } else {
            AuditField::TargetName
        };
        add(field, Operator::Equals, target)?;
    }
    if let Some(id) = &args.target_id {
        add(AuditField::TargetId, Operator::Equals, &id.to_string())?;
    }
    if let Some(action) = &args.action {
        add(AuditField::Action, Operator::StartsWith, action)?;
    }
    if let Some(address) = &args.address {
        // As it is kept, however it was typed.
        let address = address.to_canonical().to_string();
        add(AuditField::Address, Operator::Equals, &address)?;
    }
    if let Some(since) = &args.since {
        add(AuditField::Created, Operator::Gte, &since.to_string())?;
    }
    Ok(Query {
        conditions,
        sort: Sort {
            field: AuditField::Created,
            direction: Direction::Descending,
        },
        page: PageRequest::new(1, args.limit)?,
        ..Query::default()
    })
}

/// An event as a machine reads it.
#[derive(Serialize)]
struct Entry {
    id: String,
    at: String,
    actor_kind: &'static str,
    actor_id: Option<String>,
    actor_name: Option<String>,
    credential: Option<String>,
    action: &'static str,
    target_kind: &'static str,
    target_id: String,
    target_name: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
    user_agent: Option<String>,
    details: Option<serde_json::Value>,
}

impl From<&AuditEvent> for Entry {
    fn from(event: &AuditEvent) -> Self {
        let (actor_id, actor_name) = match &event.actor {
            Actor::User { id, name } => (Some(id.to_string()), Some(name.to_string())),
            Actor::ServiceAccount { id, name } => (Some(id.to_string()), Some(name.to_string())),
            Actor::Anonymous | Actor::Operator | Actor::Server => (None, None),
        };
        Self {
            id: event.id.to_string(),
            at: event.at.to_string(),
            actor_kind: event.actor.kind().as_str(),
            actor_id,
            actor_name,
            credential: event.credential.as_ref().map(ToString::to_string),
            action: event.action.as_str(),
            target_kind: event.target.kind.as_str(),
            target_id: event.target.id.to_string(),
            target_name: event.target.name.as_ref().map(ToString::to_string),
            address: event.origin.address.map(|address| address.to_string()),
            request_id: event.origin.request_id.as_ref().map(ToString::to_string),
            user_agent: event.origin.user_agent.as_ref().map(ToString::to_string),
            details: event.details.as_ref().map(audit_details::to_json),
        }
    }
}

/// An event on one line. Everything that people and machines chose stands in quotes, so that it can't pass for
/// something else.
fn table(event: &AuditEvent) -> String {
    let mut text = format!(
        "{}  {}  {}  {}",
        event.at,
        event.actor,
        event.action.as_str(),
        event.target
    );
    if let Some(details) = &event.details {
        text.push_str(&format!("  ({details})"));
    }
    if let Some(credential) = &event.credential {
        text.push_str(&format!("  with {credential}"));
    }
    if let Some(address) = &event.origin.address {
        text.push_str(&format!("  from {address}"));
    }
    if let Some(request) = &event.origin.request_id {
        text.push_str(&format!("  request {}", harmless(request.as_str())));
    }
    // One event has one line, whatever is in it.
    on_one_line(&text)
}

/// A request's id, which is harmless unless somebody else wrote to the database.
fn harmless(id: &str) -> String {
    if id.chars().all(|c| c.is_ascii_graphic()) {
        id.to_owned()
    } else {
        Quoted(id).to_string()
    }
}

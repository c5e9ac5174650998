//! `zenml authorized-device`: the machines one has connected.

use std::time::Duration;

use clap::{Args, Subcommand};
use uuid::Uuid;
use zenml_auth_api::device::{DeviceResponse, DeviceStatus, DeviceUpdate};
use zenml_auth_api::info::InfoResponse;

use crate::ask;
use crate::browser::{self, NoBrowser};
use crate::clock;
use crate::commands::status::{note_own_device, own_device};
use crate::context::{Context, Session};
use crate::error::{CliError, Exit};
use crate::list_args::ListArgs;
use crate::output::{self, Listed, OutputArgs, Record};
use crate::spinner::Spinner;
use crate::ui;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  zenml device list --status active
  zenml device lock 2efa")]
pub(crate) enum DeviceCommand {
    /// List your devices
    #[command(visible_alias = "ls")]
    List(Box<DeviceListArgs>),
    /// Show a device
    Describe(DescribeArgs),
    /// Switch a device off: its token is refused until it is unlocked
    Lock(LockArgs),
    /// Switch a device on again
    Unlock(UnlockArgs),
    /// Remove a device: it has to be connected again
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Filters are compared as a whole, unless an operator comes before them, as in contains:ci. Operators: equals, \
notequals, contains, notcontains, startswith, endswith, oneof, notoneof, gt, gte, lt, lte, in, isnull, isnotnull.

Examples:
  The devices that are switched off:
    zenml device list --status locked
  The ids of all devices called ci-something, for a script:
    zenml device list --hostname startswith:ci- --columns id --output csv")]
pub(crate) struct DeviceListArgs {
    /// By id, or a part of it (startswith:2efa)
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    id: Vec<String>,
    /// active or locked
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    status: Vec<String>,
    /// By the machine's name (zenml-auth-server only)
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    hostname: Vec<String>,
    /// By the operating system (zenml-auth-server only)
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    os: Vec<String>,
    /// By the network address (zenml-auth-server only)
    #[arg(long, alias = "ip_address", value_name = "FILTER", help_heading = "Filters")]
    ip_address: Vec<String>,
    /// true or false
    #[arg(
        long,
        alias = "trusted_device",
        value_name = "FILTER",
        help_heading = "Filters"
    )]
    trusted_device: Vec<String>,
    /// By the client installation
    #[arg(long, alias = "client_id", value_name = "FILTER", help_heading = "Filters")]
    client_id: Vec<String>,
    /// By when it first connected (gt:2026-11-23)
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    created: Vec<String>,
    /// By when it was last changed
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    updated: Vec<String>,
    /// By when it expires
    #[arg(long, value_name = "FILTER", help_heading = "Filters")]
    expires: Vec<String>,
    /// By when it was last used
    #[arg(long, alias = "last_login", value_name = "FILTER", help_heading = "Filters")]
    last_login: Vec<String>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  By the beginning of its id:
    zenml device describe 2efa
  For a script:
    zenml device describe 2efa1441-60a3-462a-9644-ac74f84d8518 --output json")]
pub(crate) struct DescribeArgs {
    /// The device's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Asks before it locks the machine you are on, which can't be unlocked from here with its own connection.

Examples:
  A laptop was stolen:
    zenml device lock 2efa
  It was found again:
    zenml device unlock 2efa")]
pub(crate) struct LockArgs {
    #[command(flatten)]
    which: IdArgs,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A zenml-auth server lets nobody but a person unlock a device. Where this machine's connection is not enough, the page of \
the device opens in your browser, and the command waits until you have unlocked it there.

Examples:
  A laptop was found again:
    zenml device unlock 2efa
  In a script, with a password:
    zenml connect --url https://zenml.example.com --username ann
    zenml device unlock 2efa")]
pub(crate) struct UnlockArgs {
    #[command(flatten)]
    which: IdArgs,
    /// Show the link, and open no browser
    #[arg(long)]
    no_browser: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The device's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  With a question first:
    zenml device delete 2efa
  In a script:
    zenml device delete 2efa1441-60a3-462a-9644-ac74f84d8518 --yes")]
pub(crate) struct DeleteArgs {
    /// The device's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

/// For how long it is waited until a person has unlocked a device in the browser; as long as a request of a machine stands.
const UNLOCK_WITHIN: Duration = Duration::from_secs(5 * 60);
/// How often it is looked whether they have.
const UNLOCK_PACE: Duration = Duration::from_secs(2);

/// The statuses of devices; the first two are of requests, which are listed by ZenML's own server only.
const STATUSES: [&str; 4] = [
    DeviceStatus::Pending.as_str(),
    DeviceStatus::Verified.as_str(),
    DeviceStatus::Active.as_str(),
    DeviceStatus::Locked.as_str(),
];

/// A device, and whether it is the one this machine is signed in as.
struct Shown<'a> {
    device: &'a DeviceResponse,
    own: Option<Uuid>,
}

/// A device of a list; lists are converted whole.
struct ListedDevice(Record);

const COLUMNS: &[&str] = &[
    "id",
    "status",
    "trusted_device",
    "this_machine",
    "hostname",
    "os",
    "ip_address",
    "expires",
    "last_login",
    "last_ip_address",
    "last_user_agent",
    "created",
    "updated",
    "client_id",
    "user_id",
    "user",
    "zenml_version",
    "python_version",
    "failed_auth_attempts",
];

impl Listed for ListedDevice {
    const PLURAL: &'static str = "devices";
    const DEFAULT_COLUMNS: &'static [&'static str] = &[
        "id",
        "status",
        "trusted_device",
        "this_machine",
        "hostname",
        "os",
        "expires",
        "last_login",
    ];
    const COLUMNS: &'static [&'static str] = COLUMNS;

    fn record(&self) -> Record {
        self.0.clone()
    }
}

impl Shown<'_> {
    fn record(&self) -> Record {
        let (device, body) = (self.device, &self.device.body);
        let metadata = device.metadata.as_ref();
        let owner = device.owner();
        Record::new()
            .with("id", device.id)
            .with("status", body.status.as_str())
            .with("trusted_device", body.trusted_device)
            .with("this_machine", self.own == Some(device.id))
            .with("hostname", body.hostname.clone())
            .with("os", body.os.clone())
            .with("ip_address", body.ip_address.clone())
            .with("expires", body.expires)
            .with("last_login", metadata.and_then(|metadata| metadata.last_login))
            .with(
                "last_ip_address",
                metadata.and_then(|metadata| metadata.last_ip_address.clone()),
            )
            .with(
                "last_user_agent",
                metadata.and_then(|metadata| metadata.last_user_agent.clone()),
            )
            .with("created", body.created)
            .with("updated", body.updated)
            .with("client_id", body.client_id)
            .with("user_id", body.user_id.or(owner.map(|user| user.id)))
            .with("user", owner.map(|user| user.name.clone()))
            .with(
                "zenml_version",
                metadata.and_then(|metadata| metadata.zenml_version.clone()),
            )
            .with(
                "python_version",
                metadata.and_then(|metadata| metadata.python_version.clone()),
            )
            .with(
                "failed_auth_attempts",
                metadata.map(|metadata| i64::from(metadata.failed_auth_attempts)),
            )
    }
}

pub(crate) async fn run(context: &Context, command: DeviceCommand) -> Result<(), CliError> {
    let session = context.session()?;
    match command {
        DeviceCommand::List(args) => list(&session, &args).await,
        DeviceCommand::Describe(args) => {
            let device = find(&session, &args.id).await?;
            output::one(
                &Shown {
                    device: &device,
                    own: own_device(&session),
                }
                .record(),
                args.output.output,
            )
        }
        DeviceCommand::Lock(args) => {
            let device = find(&session, &args.which.id).await?;
            if own_device(&session) == Some(device.id) {
                let question = format!("Lock {}? It is the machine you are on.", called(&device));
                ask::confirm(&question, args.yes).await?;
            }
            set_locked(&session, &device, &args.which.output, true).await
        }
        DeviceCommand::Unlock(args) => {
            let device = find(&session, &args.which.id).await?;
            unlock(context, &session, &device, &args).await
        }
        DeviceCommand::Delete(args) => delete(&session, &args).await,
    }
}

/// Finding nothing would be the answer to what was never meant.
fn check_statuses(filters: &[String]) -> Result<(), CliError> {
    for filter in filters {
        let (operator, value) = filter.split_once(':').unwrap_or(("equals", filter));
        let values: Vec<&str> = match operator {
            "equals" | "notequals" => vec![value],
            "oneof" | "notoneof" => value.split(',').collect(),
            _ => Vec::new(),
        };
        // A list may also come as JSON.
        let typed = |text: &str| text.trim_matches(['[', ']', '"', ' ']).to_owned();
        if let Some(unknown) = values
            .into_iter()
            .map(typed)
            .find(|value| !STATUSES.contains(&value.as_str()))
        {
            return Err(CliError::usage(format!("there is no status {unknown:?}"))
                .next(format!("Use one of {}.", STATUSES.join(", "))));
        }
    }
    Ok(())
}

async fn list(session: &Session<'_>, args: &DeviceListArgs) -> Result<(), CliError> {
    check_statuses(&args.status)?;
    let request = args
        .list
        .request(
            session,
            [
                ("id", &args.id),
                ("status", &args.status),
                ("hostname", &args.hostname),
                ("os", &args.os),
                ("ip_address", &args.ip_address),
                ("trusted_device", &args.trusted_device),
                ("client_id", &args.client_id),
                ("created", &args.created),
                ("updated", &args.updated),
                ("expires", &args.expires),
                ("last_login", &args.last_login),
            ],
        )
        .await?;
    check_filters(session, args).await?;
    let page = session.finish(session.client.devices(&request).await).await?;
    let own = own_device(session);
    let page = page.map(|device| ListedDevice(Shown { device: &device, own }.record()));
    output::list(&page, &args.list.output)
}

/// ZenML's own server ignores filters that it does not know, and would list all devices: not what anyone who filters
/// can go on with.
async fn check_filters(session: &Session<'_>, args: &DeviceListArgs) -> Result<(), CliError> {
    let beyond_zenml = [
        ("hostname", &args.hostname),
        ("os", &args.os),
        ("ip-address", &args.ip_address),
    ];
    let Some((flag, _)) = beyond_zenml.into_iter().find(|(_, values)| !values.is_empty()) else {
        return Ok(());
    };
    let info = session.finish(session.client.info().await).await?;
    if info.metadata.contains_key(InfoResponse::IMPLEMENTATION) {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Failed,
        format!("{} can't filter devices by --{flag}", session.url()),
    )
    .next("Leave the filter out, and look through the list: zenml device list --output json"))
}

async fn find(session: &Session<'_>, id: &str) -> Result<DeviceResponse, CliError> {
    session.finish(session.client.find_device(id).await).await
}

/// `2efa1441 (laptop)`
fn called(device: &DeviceResponse) -> String {
    match &device.body.hostname {
        Some(hostname) => format!("device {} ({})", device.id, ui::clean(hostname)),
        None => format!("device {}", device.id),
    }
}

async fn set_locked(
    session: &Session<'_>,
    device: &DeviceResponse,
    shown_as: &OutputArgs,
    locked: bool,
) -> Result<(), CliError> {
    let update = DeviceUpdate { locked: Some(locked) };
    let device = session
        .finish(session.client.update_device(device.id, update).await)
        .await?;
    show_changed(session, &device, shown_as, locked)
}

/// Unlocks a device, in the browser where this connection is not enough.
async fn unlock(
    context: &Context,
    session: &Session<'_>,
    device: &DeviceResponse,
    args: &UnlockArgs,
) -> Result<(), CliError> {
    let update = DeviceUpdate { locked: Some(false) };
    let shown_as = &args.which.output;
    match session.client.update_device(device.id, update).await {
        Err(error) if error.needs_recent_sign_in() => {
            // The machine at hand can't see whether it was unlocked with a connection that is refused.
            let device = unlock_in_browser(context, session, device, args.no_browser).await?;
            show_changed(session, &device, shown_as, false)
        }
        answer => {
            let device = session.finish(answer).await?;
            show_changed(session, &device, shown_as, false)
        }
    }
}

/// Sends the person to the device's page, and waits until the device is unlocked.
async fn unlock_in_browser(
    context: &Context,
    session: &Session<'_>,
    device: &DeviceResponse,
    no_browser: bool,
) -> Result<DeviceResponse, CliError> {
    let link = format!("{}/devices/{}", session.url().trim_end_matches('/'), device.id);
    let opened = if no_browser {
        Err(NoBrowser::Unwanted)
    } else {
        browser::available(&context.env).and_then(|()| browser::open(&context.env, &link))
    };
    ui::talk(match opened {
        Ok(()) => "Only you can unlock a device. Your browser opens for it. If it does not, open this link:",
        Err(_) => "Only you can unlock a device. Sign in and unlock it there, in a browser on any machine:",
    });
    ui::talk(&format!("\n    {}\n", ui::bold(&link)));
    let spinner = Spinner::start(&format!(
        "Waiting for you to unlock it, for up to {}…",
        clock::shown_duration(UNLOCK_WITHIN)
    ));
    let until_unlocked = async {
        loop {
            tokio::time::sleep(UNLOCK_PACE).await;
            match session.client.device(device.id).await {
                Ok(found) if found.body.status == DeviceStatus::Locked => {}
                Err(error) if error.is_transient() => {}
                answer => return session.finish(answer).await,
            }
        }
    };
    let text = || "Waiting for you to unlock it… Ctrl-C to give up".to_owned();
    tokio::select! {
        outcome = tokio::time::timeout(UNLOCK_WITHIN, until_unlocked) => {
            outcome.unwrap_or_else(|_| {
                Err(CliError::new(
                    Exit::Forbidden,
                    format!("{} was not unlocked in time, and is still locked", called(device)),
                )
                .next(format!("Open {link} in a browser, sign in and unlock it there.")))
            })
        }
        never = spinner.spin(text) => match never {},
    }
}

fn show_changed(
    session: &Session<'_>,
    device: &DeviceResponse,
    shown_as: &OutputArgs,
    locked: bool,
) -> Result<(), CliError> {
    ui::talk(&format!(
        "{} {}.",
        if locked { "Locked" } else { "Unlocked" },
        called(device)
    ));
    let own = own_device(session);
    if own == Some(device.id) {
        note_own_device();
    }
    let shown = Shown { device, own };
    output::changed(&shown.record(), shown_as.output)
}

async fn delete(session: &Session<'_>, args: &DeleteArgs) -> Result<(), CliError> {
    let device = find(session, &args.id).await?;
    let own = own_device(session) == Some(device.id);
    let question = if own {
        format!("Delete {}? It is the machine you are on.", called(&device))
    } else {
        format!("Delete {}?", called(&device))
    };
    ask::confirm(&question, args.yes).await?;
    session
        .finish(session.client.delete_device(device.id).await)
        .await?;
    ui::talk(&format!("Deleted {}.", called(&device)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_that_are_none_are_refused() {
        let check = |filter: &str| check_statuses(&[filter.to_owned()]).is_ok();
        for good in [
            "active",
            "notequals:locked",
            "oneof:active,locked",
            r#"oneof:["active"]"#,
            "contains:act",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in ["activ", "equals:Active!", "oneof:active,lokced", ""] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn every_column_has_its_value() {
        let time = "2026-11-23T18:51:37.454712";
        let id = "2efa1441-60a3-462a-9644-ac74f84d8518";
        let body = serde_json::json!({"created": time, "updated": time, "client_id": id, "status": "active"});
        let device: DeviceResponse =
            serde_json::from_value(serde_json::json!({"id": id, "body": body})).unwrap();
        assert_eq!(
            Shown {
                device: &device,
                own: None
            }
            .record()
            .columns(),
            COLUMNS
        );
    }
}

//! `cargo xtask demo`: the whole mission with the real binaries, each step as a person would see it.

mod browser;
mod server;
mod terminal;

use std::path::Path;

use crate::TaskError;
use crate::run::{build_programs, target_dir};

use browser::Browser;
use server::Server;
use terminal::Terminal;

/// The administrator's password on the demo's server.
const PASSWORD: &str = "demo-Passw0rd";

pub(crate) fn run() -> Result<(), TaskError> {
    let binaries = build_programs()?;
    let folder = target_dir().join("demo");
    // What an earlier run left.
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let played = play(&binaries, &folder);
    std::fs::remove_dir_all(&folder)?;
    played
}

fn act(number: u32, title: &str) {
    println!("\n\x1b[1m{number}. {title}\x1b[0m");
}

fn play(binaries: &Path, folder: &Path) -> Result<(), TaskError> {
    act(1, "An operator starts a server on an empty folder");
    let server = Server::start(&binaries.join("zenml-auth-server"), &folder.join("server"))?;
    let url = server.url.clone();
    let zenml = binaries.join("zenml");

    act(2, "Anna connects her laptop through the browser, and trusts it");
    let laptop = Terminal::new(&zenml, &folder.join("laptop"));
    let mut browser = Browser::new(&server.address);
    laptop.connect_with_browser(&url, &mut browser, true)?;
    laptop.run(&["status"])?;

    act(3, "She connects a borrowed machine too, without trusting it");
    let borrowed = Terminal::new(&zenml, &folder.join("borrowed"));
    borrowed.connect_with_browser(&url, &mut browser, false)?;
    laptop.run(&["authorized-device", "list"])?;

    act(4, "She locks the borrowed machine: its token is refused at once");
    let borrowed_id = borrowed.device_id()?;
    laptop.run(&["authorized-device", "lock", &borrowed_id])?;
    borrowed.fails(&["device", "list"])?;
    laptop.unlock_with_browser(&borrowed_id, &mut browser)?;
    borrowed.run(&["device", "list"])?;
    laptop.run(&["authorized-device", "delete", &borrowed_id, "--yes"])?;
    borrowed.fails(&["device", "list"])?;

    act(5, "She makes a service account for CI; its key is shown once");
    let first = laptop.key(&[
        "service-account",
        "create",
        "ci",
        "--description",
        "nightly builds",
    ])?;
    let ci = Terminal::new(&zenml, &folder.join("ci")).with_key(&url, &first);
    ci.run(&["status"])?;

    act(
        6,
        "She rotates the key, and keeps the old one for an hour: both work",
    );
    let second = laptop.key(&[
        "service-account",
        "api-key",
        "ci",
        "rotate",
        "default",
        "--retain",
        "60",
    ])?;
    let renewed = Terminal::new(&zenml, &folder.join("renewed")).with_key(&url, &second);
    ci.run(&["status"])?;
    renewed.run(&["status"])?;

    act(7, "A second rotation, without retention, ends both");
    let third = laptop.key(&["service-account", "api-key", "ci", "rotate", "default"])?;
    ci.fails(&["status"])?;
    renewed.fails(&["status"])?;
    let latest = Terminal::new(&zenml, &folder.join("latest")).with_key(&url, &third);
    latest.run(&["status"])?;

    act(
        8,
        "She switches the account off: every workload that uses it stops at once",
    );
    laptop.run(&["service-account", "update", "ci", "--active", "false"])?;
    latest.fails(&["status"])?;
    laptop.run(&["service-account", "update", "ci", "--active", "true"])?;
    latest.run(&["status"])?;

    act(9, "She disconnects her laptop");
    laptop.run(&["disconnect"])?;
    laptop.fails(&["device", "list"])?;

    act(10, "The operator reads who did what");
    server.audit()?;
    server.stop()?;
    println!("\nThat was all of it.");
    Ok(())
}

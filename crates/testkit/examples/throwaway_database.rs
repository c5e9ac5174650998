//! A throwaway database server for benchmarks: `throwaway_database postgres|mysql` prints the URL of an empty database,
//! and goes on until its standard input ends. It prints nothing when the server is not installed.

#![allow(
    clippy::print_stdout,
    reason = "it hands the URL to the program that started it"
)]

use std::io::Read as _;

use zenml_auth_testkit::databases::{Kind, own_server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kind = match std::env::args().nth(1).as_deref() {
        Some("postgres") => Kind::Postgres,
        Some("mysql") => Kind::MySql,
        _ => return Err("usage: throwaway_database postgres|mysql".into()),
    };
    if let Some(server) = own_server(kind).await {
        let database = server.fresh().await;
        println!("{}", database.url());
        std::io::stdin().read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

//! Addresses of this machine that are not loopback addresses for a server.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many addresses there are at a time.
const ADDRESSES: u32 = 16;
/// 198.18.0.0/15, which is for tests of network devices (RFC 2544), so that nobody uses it for anything else.
const NETWORK: u32 = 0xC612_0000;
/// How many times as many there are in it.
const BLOCKS: u32 = (1 << 17) / ADDRESSES;
/// How many of them one process of tests may need.
const PER_PROCESS: u32 = 8;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Some addresses that lead to this machine for as long as this is there.
pub struct Addresses {
    first: u32,
}

impl Addresses {
    /// Needs the right to change routes. Without it, says so; where all tests have to run, that is a failure.
    pub fn take() -> Option<Self> {
        let number = process::id() * PER_PROCESS + TAKEN.fetch_add(1, Ordering::SeqCst) % PER_PROCESS;
        let addresses = Self {
            first: NETWORK + number % BLOCKS * ADDRESSES,
        };
        let routed = addresses.route("replace");
        if routed.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(addresses);
        }
        std::mem::forget(addresses);
        assert!(
            std::env::var("TEST_DATABASES").as_deref() != Ok("all"),
            "can't add addresses: {routed:?}"
        );
        eprintln!("NOT TESTED: clients at other addresses, as this user can't add any: {routed:?}");
        None
    }

    /// One of them, by its number below 16.
    pub fn get(&self, number: u32) -> IpAddr {
        assert!(number < ADDRESSES);
        Ipv4Addr::from_bits(self.first + number).into()
    }

    fn route(&self, action: &str) -> std::io::Result<Output> {
        let network = format!("{}/28", Ipv4Addr::from_bits(self.first));
        Command::new("ip")
            .args(["route", action, "local", &network, "dev", "lo"])
            .output()
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        let _ = self.route("del");
    }
}

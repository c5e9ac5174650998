//! A credential that others use all the time while it is revoked and let in again, on any server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Client, Server};

/// What a request with the credential has to come to, if nothing changes until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Live,
    Revoked,
    /// It is being revoked or let in again at the moment.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    token: String,
    known: Known,
    /// How often this was changed.
    moves: u64,
}

/// A credential, and what is known of it.
pub struct Watch(Mutex<State>);

impl Watch {
    pub fn new() -> Self {
        Self(Mutex::new(State {
            token: String::new(),
            known: Known::Unknown,
            moves: 0,
        }))
    }

    fn state(&self) -> State {
        self.0.lock().unwrap().clone()
    }

    fn now(&self, token: &str, known: Known) {
        let mut state = self.0.lock().unwrap();
        state.token = token.to_owned();
        state.known = known;
        state.moves += 1;
    }

    /// Revokes a live credential. Once that is acknowledged, nobody may be let in with it.
    pub fn revoking<T>(&self, token: &str, revoke: impl FnOnce() -> T) -> T {
        self.now(token, Known::Live);
        self.now(token, Known::Unknown);
        let done = revoke();
        self.now(token, Known::Revoked);
        done
    }

    /// Lets a revoked credential in again. Once that is acknowledged, nobody may be refused with it.
    pub fn restoring<T>(&self, token: &str, restore: impl FnOnce() -> T) -> T {
        self.now(token, Known::Unknown);
        let done = restore();
        self.now(token, Known::Live);
        done
    }

    /// Of what comes next nothing is known.
    pub fn forget(&self) {
        self.now("", Known::Unknown);
    }

    /// Sends a request with it, and checks what came of it.
    fn strike(&self, client: &Client) -> Option<u16> {
        let before = self.state();
        if before.token.is_empty() {
            return None;
        }
        let status = client.with(&before.token).status();
        let wrong = match before.known {
            Known::Live => status != 200,
            Known::Revoked => status != 401,
            Known::Unknown => ![200, 401].contains(&status),
        };
        assert!(
            !wrong || self.state() != before,
            "a credential was {:?} and got {status}",
            before.known
        );
        Some(status)
    }
}

/// Uses all of them on a server until told to stop. Tells how often they were let in, and how often refused.
pub fn strike_all(watches: &[Watch], server: &Server, done: &AtomicBool) -> (u64, u64) {
    let client = server.client();
    let (mut let_in, mut refused) = (0, 0);
    while !done.load(Ordering::SeqCst) {
        let mut struck = false;
        for watch in watches {
            match watch.strike(&client) {
                Some(200) => let_in += 1,
                Some(_) => refused += 1,
                None => continue,
            }
            struck = true;
        }
        if !struck {
            std::thread::yield_now();
        }
    }
    (let_in, refused)
}

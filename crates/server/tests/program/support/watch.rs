//! A credential that others use all the time on both servers, while it is revoked and given back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::{Client, Server};

/// For how long a server may have nobody who uses a credential; a measure of what is broken, not of what is slow.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What a request with the credential has to come to, if nothing changes until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Live,
    Revoked,
    /// It is being revoked or given back at the moment.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    token: String,
    known: Known,
    /// How often this was changed.
    moves: u64,
    /// Which of the servers it was used on since.
    used: [bool; 2],
}

/// A credential, and what is known of it.
pub struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

impl Watch {
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                token: String::new(),
                known: Known::Unknown,
                moves: 0,
                used: [false; 2],
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> State {
        self.state.lock().unwrap().clone()
    }

    fn now(&self, token: &str, known: Known) {
        let mut state = self.state.lock().unwrap();
        *state = State {
            token: token.to_owned(),
            known,
            moves: state.moves + 1,
            used: [false; 2],
        };
        self.changed.notify_all();
    }

    /// Waits until it was used on both servers since something changed, and so is in the memory of both.
    fn until_used(&self) {
        let state = self.state.lock().unwrap();
        let unused = |state: &mut State| state.used != [true; 2];
        let (state, waited) = self.changed.wait_timeout_while(state, TIMEOUT, unused).unwrap();
        drop(state);
        assert!(!waited.timed_out(), "nobody uses a credential");
    }

    /// Waits until something changed, though not for long, as that may have happened before.
    fn until_changed(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_timeout(state, Duration::from_millis(1))
                .unwrap(),
        );
    }

    /// Revokes a live credential that both servers know, while it is used on both. Once that is acknowledged, nobody
    /// may be authenticated with it.
    pub fn revoking<T>(&self, token: &str, revoke: impl FnOnce() -> T) -> T {
        self.now(token, Known::Live);
        self.until_used();
        self.now(token, Known::Unknown);
        let done = revoke();
        self.now(token, Known::Revoked);
        done
    }

    /// Gives a revoked credential back. Once that is acknowledged, nobody may be refused with it.
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

    /// Sends a request with it to one of the servers, and checks what came of it.
    fn strike(&self, client: &Client, server: usize) -> Option<u16> {
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
        let mut state = self.state.lock().unwrap();
        if state.moves == before.moves {
            assert!(!wrong, "a credential was {:?} and got {status}", before.known);
            state.used[server] = true;
            self.changed.notify_all();
        }
        Some(status)
    }

    /// Uses it on one of the servers until told to stop. Tells how often it was good, and how often refused.
    pub fn strike_on(&self, servers: [&Server; 2], server: usize, done: &AtomicBool) -> (u64, u64) {
        let client = servers[server].client();
        let (mut let_in, mut refused) = (0, 0);
        while !done.load(Ordering::SeqCst) {
            match self.strike(&client, server) {
                Some(200) => let_in += 1,
                Some(_) => refused += 1,
                None => self.until_changed(),
            }
        }
        (let_in, refused)
    }
}

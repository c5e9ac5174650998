//! How long things last and how much is allowed. A program fills these in.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// The connection of a device that its owner trusts. Default: 30 days.
    pub trusted_device: Duration,
    /// The connection of any other device. Default: 24 hours.
    pub untrusted_device: Duration,
    /// An access token made from an API key or a password. Default: 1 hour.
    pub access_token: Duration,
    /// The longest that a token for use by hand may be asked for. Default: 7 days.
    pub max_api_token: Duration,
    /// A sign-in on the server's own pages. Default: 12 hours.
    pub browser_session: Duration,
    /// How long a sign-in on the server's own pages may stay unused before it ends. Default: 2 hours.
    pub browser_idle: Duration,
    /// For how long after signing in a person may approve, trust and unlock devices, change their password and give
    /// administrator rights. Default: 1 hour.
    pub recent_sign_in: Duration,
    /// A machine's request for approval. Default: 5 minutes.
    pub device_grant: Duration,
    /// The least time between two polls of a machine (RFC 8628 §3.2). Default: 5 seconds.
    pub polling_interval: Duration,
    /// How long one signing key signs. Default: 90 days.
    pub signing_key: Duration,
    /// An activation token. Default: 72 hours.
    pub invitation: Duration,
    /// How long finished requests and sessions are kept, so that late polls get a true answer. Default: 1 hour.
    pub keep_finished: Duration,
    /// How long entries of the audit trail are kept; without a value, for ever. Default: 365 days.
    pub keep_audit: Option<Duration>,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            trusted_device: 30 * DAY,
            untrusted_device: DAY,
            access_token: HOUR,
            max_api_token: 7 * DAY,
            browser_session: 12 * HOUR,
            browser_idle: 2 * HOUR,
            recent_sign_in: HOUR,
            device_grant: 5 * MINUTE,
            polling_interval: Duration::from_secs(5),
            signing_key: 90 * DAY,
            invitation: 3 * DAY,
            keep_finished: HOUR,
            keep_audit: Some(365 * DAY),
        }
    }
}

impl Lifetimes {
    /// The connection of a device, trusted or not.
    #[must_use]
    pub const fn device(&self, trusted: bool) -> Duration {
        if trusted {
            self.trusted_device
        } else {
            self.untrusted_device
        }
    }

    /// The longest that any token made now can be good for; a signing key has to be kept for that long.
    #[must_use]
    pub fn longest_token(&self) -> Duration {
        self.trusted_device
            .max(self.untrusted_device)
            .max(self.access_token)
            .max(self.max_api_token)
            .max(self.browser_session)
    }
}

/// At most so many in such a time, replenished evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once, and within each `per`.
    pub burst: u32,
    /// The time in which a used-up rate is whole again.
    pub per: Duration,
}

/// How many rows of a kind are kept in memory unless told otherwise.
pub const REMEMBERED: u32 = 16_384;

/// How much guessing and flooding is allowed, and how much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whether [`Rate`]s apply at all. Off for load tests only.
    pub enabled: bool,
    /// Failed sign-ins on one account: so many cost nothing. Each one after them doubles the wait for the next one, which
    /// begins at a second, up to the time given here. Default: 10, and 15 minutes.
    pub sign_in_per_account: Rate,
    /// Failed sign-ins from one address, and eight times as many from a /48. Default: 50 in 15 minutes.
    pub sign_in_per_address: Rate,
    /// Failed sign-ins from all addresses together that the accounts are not known to use. Default: 1000 in 15 minutes.
    pub sign_in_total: Rate,
    /// Wrong user codes by one person. Default: 10 in 15 minutes.
    pub user_code_per_person: Rate,
    /// Wrong user codes from one address. Default: 50 in 15 minutes.
    pub user_code_per_address: Rate,
    /// Requests of machines from one address, and eight times as many from a /48. Default: 60 in a minute.
    pub device_authorization_per_address: Rate,
    /// Requests from all addresses together of machines that were not connected before. Default: 600 in a minute.
    pub device_authorization_total: Rate,
    /// Wrong user codes that end a machine's request. Default: 3.
    pub user_code_attempts: u32,
    /// The fewest characters of a new password. Default: 12.
    pub password_min_length: u32,
    /// How many users, devices, keys, accounts and sessions are kept in memory, each for itself, and how many verified
    /// tokens. A row takes about half a KiB. Default: 16,384.
    pub remembered: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let quarter = 15 * MINUTE;
        Self {
            enabled: true,
            sign_in_per_account: Rate {
                burst: 10,
                per: quarter,
            },
            sign_in_per_address: Rate {
                burst: 50,
                per: quarter,
            },
            sign_in_total: Rate {
                burst: 1000,
                per: quarter,
            },
            user_code_per_person: Rate {
                burst: 10,
                per: quarter,
            },
            user_code_per_address: Rate {
                burst: 50,
                per: quarter,
            },
            device_authorization_per_address: Rate {
                burst: 60,
                per: MINUTE,
            },
            device_authorization_total: Rate {
                burst: 600,
                per: MINUTE,
            },
            user_code_attempts: 3,
            password_min_length: 12,
            remembered: REMEMBERED,
        }
    }
}

/// Everything that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// How much is allowed.
    pub limits: Limits,
}

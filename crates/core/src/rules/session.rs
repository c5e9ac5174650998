//! Sessions: how long they last.

use std::time::Duration;

use zenml_auth_model::{Session, SessionPurpose, Timestamp};

/// Whether a session goes on: its time is not over, and a browser's was used within the last `idle`.
#[must_use]
pub fn is_alive(session: &Session, idle: Duration, now: Timestamp) -> bool {
    let is_idle = match session.purpose {
        SessionPurpose::Browser { .. } => now >= session.last_active + idle,
        // Programs hold a token that ends soon.
        SessionPurpose::Api => false,
    };
    now < session.expires && !is_idle
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::{SecretHash, SessionId, UserId, Version};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const IDLE: Duration = Duration::from_secs(60);

    #[test]
    fn a_session_ends_at_its_time_or_when_it_is_idle() {
        let browser = Session {
            id: SessionId::from_random([1; 16]),
            user_id: UserId::from_random([2; 16]),
            purpose: SessionPurpose::Browser {
                cookie: SecretHash::from_bytes([3; 32]),
            },
            credentials_gen: 1,
            created: NOW,
            authenticated: NOW,
            last_active: NOW + IDLE,
            expires: NOW + IDLE * 3,
            version: Version::FIRST,
        };
        let micro = Duration::from_micros(1);
        assert!(is_alive(&browser, IDLE, NOW + IDLE * 2 - micro));
        assert!(!is_alive(&browser, IDLE, NOW + IDLE * 2));
        let used = Session {
            last_active: NOW + IDLE * 3 - micro,
            ..browser.clone()
        };
        assert!(is_alive(&used, IDLE, NOW + IDLE * 3 - micro));
        assert!(!is_alive(&used, IDLE, NOW + IDLE * 3));
        let api = Session {
            purpose: SessionPurpose::Api,
            ..browser
        };
        assert!(is_alive(&api, IDLE, NOW + IDLE * 3 - micro));
        assert!(!is_alive(&api, IDLE, NOW + IDLE * 3));
    }
}

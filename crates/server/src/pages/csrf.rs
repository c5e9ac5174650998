//! Tokens that keep other sites from sending our forms.
//!
//! A browser that opens a form gets a random cookie, and the form a token: the MAC, under the server's secret, of
//! that cookie and of the sign-in. Another site can make a browser send the cookie, but can't know the token; and a
//! token from before a sign-in is none after it, so that nobody can be signed in to a stranger's account unseen. Besides, what
//! browsers say of where a form comes from is heeded (see `own_site.rs`).

use axum::response::Response;
use http::{HeaderMap, header};
use zenml_auth_core::ports::SystemEntropy;
use zenml_auth_core::secrets;
use zenml_auth_model::{Secret, SecretHash};

use super::form::Fields;
use super::session::{cookie_name, presented, read_cookie, set_cookie};
use crate::state::App;

const COOKIE: &str = "zenml-auth-csrf";

/// What people are told whose form was not ours.
pub(super) const NOT_OURS: &str = "This form was open for too long. Please try again.";

const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

/// A token for the forms of one page, and the cookie it goes with.
pub(super) struct Csrf {
    cookie: Secret,
    is_new: bool,
    /// What the forms carry.
    pub(super) token: String,
}

impl Csrf {
    pub(super) fn for_page(app: &App, headers: &HeaderMap) -> Self {
        let known = read_cookie(headers, &cookie_name(app, COOKIE))
            .filter(|value| value.len() == 64)
            .map(Secret::new);
        let is_new = known.is_none();
        let cookie = known.unwrap_or_else(|| secrets::random_secret(&SystemEntropy));
        let token = hex(&expected(app, headers, &cookie));
        Self {
            cookie,
            is_new,
            token,
        }
    }

    /// Gives the browser the cookie, if it has none.
    pub(super) fn attach(&self, app: &App, response: &mut Response) {
        if self.is_new {
            let cookie = set_cookie(
                app,
                &cookie_name(app, COOKIE),
                self.cookie.expose(),
                LIFETIME_SECONDS,
            );
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Whether a form came from a page of ours.
pub(super) fn is_ours(app: &App, headers: &HeaderMap, fields: &Fields) -> bool {
    let Some(cookie) = read_cookie(headers, &cookie_name(app, COOKIE)).map(Secret::new) else {
        return false;
    };
    let Some(sent) = unhex(fields.get("csrf")) else {
        return false;
    };
    secrets::same(&sent, &expected(app, headers, &cookie))
}

fn expected(app: &App, headers: &HeaderMap, cookie: &Secret) -> SecretHash {
    let session = presented(app, headers);
    let session = session.as_ref().map_or("", Secret::expose);
    let text = format!("{}\0{session}", cookie.expose());
    secrets::mac(app.engine.server_secret(), "zenml-auth csrf", &text)
}

fn hex(hash: &SecretHash) -> String {
    hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<SecretHash> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(SecretHash::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back() {
        let hash = SecretHash::from_bytes([0xa7; 32]);
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        for text in ["", "a7", &"g".repeat(64), &"ä".repeat(32)] {
            assert_eq!(unhex(text), None);
        }
    }
}

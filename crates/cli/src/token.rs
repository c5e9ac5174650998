//! What an access token says of itself. Only for showing it: nothing is checked, and nothing relies on it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use uuid::Uuid;
use zenml_auth_model::{Secret, Timestamp};

/// The claims of a token that are worth showing.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    /// The device it was made for.
    #[serde(default)]
    pub(crate) device_id: Option<Uuid>,
    /// The API key it was made from.
    #[serde(default)]
    pub(crate) api_key_id: Option<Uuid>,
    /// Who issued it: the id of a server.
    #[serde(default)]
    iss: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(default)]
    exp: Option<serde_json::Number>,
}

impl Claims {
    /// Reads a token; a text that is not a JWT says nothing.
    pub(crate) fn of(token: &Secret) -> Self {
        let read = || {
            let payload = token.expose().split('.').nth(1)?;
            let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
            serde_json::from_slice(&json).ok()
        };
        read().unwrap_or_default()
    }

    /// The id of the server that issued it, if it says so.
    pub(crate) fn issuer(&self) -> Option<Uuid> {
        self.iss.as_deref()?.parse().ok()
    }

    /// When it ends, if it does by itself.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        let exp = self.exp.as_ref()?;
        let seconds = exp
            .as_i64()
            .or_else(|| format!("{:.0}", exp.as_f64()?).parse().ok())?;
        Some(Timestamp::from_secs(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        Claims::of(&Secret::new(format!("head.{}.sig", URL_SAFE_NO_PAD.encode(json))))
    }

    #[test]
    fn tokens_are_read() {
        let read =
            claims(r#"{"device_id":"2efa1441-60a3-462a-9644-ac74f84d8518","exp":1795463511,"iat":1.5}"#);
        assert!(read.device_id.is_some() && read.api_key_id.is_none() && read.issuer().is_none());
        let issued = claims(r#"{"iss":"2efa1441-60a3-462a-9644-ac74f84d8518"}"#);
        assert_eq!(issued.issuer(), read.device_id);
        assert_eq!(read.ends().unwrap().as_secs(), 1_795_463_511);
        assert_eq!(
            claims(r#"{"exp":1795463511.5}"#).ends().unwrap().as_secs(),
            1_795_463_512
        );
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        for text in ["", "a", "a.b", "a.!!.c", "..", "ZENKEY_abc"] {
            assert_eq!(Claims::of(&Secret::new(text)), Claims::default(), "{text}");
        }
        assert_eq!(claims(r#"{"exp":"soon"}"#), Claims::default());
    }
}

//! Where the endpoints are.
//!
//! Constants in braces are route patterns for servers; the functions build the paths that clients ask for, with
//! names percent-encoded.

use std::fmt::Display;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What every API path begins with.
pub const PREFIX: &str = "/api/v1";

/// `GET`: answers `ok` while the process runs.
pub const HEALTH: &str = "/health";
/// `GET`: answers once the database can be reached.
pub const READY: &str = "/ready";

/// `GET`: what the server is.
pub const INFO: &str = "/api/v1/info";
/// `POST` a form: exchanges a credential for an access token.
pub const LOGIN: &str = "/api/v1/login";
/// `GET` or `POST`: ends the token that is sent with it.
pub const LOGOUT: &str = "/api/v1/logout";
/// `POST` a form: begins the device flow (RFC 8628 §3.1).
pub const DEVICE_AUTHORIZATION: &str = "/api/v1/device_authorization";
/// `GET`: a token for the one who asks.
pub const API_TOKEN: &str = "/api/v1/api_token";
/// `GET`, `PUT`: who is signed in.
pub const CURRENT_USER: &str = "/api/v1/current-user";

/// `GET`: one's devices.
pub const DEVICES: &str = "/api/v1/devices";
/// `GET`, `PUT`, `DELETE`: a device.
pub const DEVICE: &str = "/api/v1/devices/{device_id}";
/// `PUT`: approves a device, given its user code.
pub const DEVICE_VERIFY: &str = "/api/v1/devices/{device_id}/verify";
/// The page for people who enter a code; not under the API prefix.
pub const DEVICE_VERIFY_PAGE: &str = "/devices/verify";

/// `GET`, `POST`: users.
pub const USERS: &str = "/api/v1/users";
/// `GET`, `PUT`, `DELETE`: a user, by name or id.
pub const USER: &str = "/api/v1/users/{user_name_or_id}";
/// `PUT`: activates an invited user.
pub const USER_ACTIVATE: &str = "/api/v1/users/{user_name_or_id}/activate";
/// `PUT`: keeps a user out until activated again.
pub const USER_DEACTIVATE: &str = "/api/v1/users/{user_name_or_id}/deactivate";
/// `PUT`: whether one shares one's e-mail address.
pub const USER_EMAIL_OPT_IN: &str = "/api/v1/users/{user_name_or_id}/email-opt-in";

/// `GET`, `POST`: service accounts.
pub const SERVICE_ACCOUNTS: &str = "/api/v1/service_accounts";
/// `GET`, `PUT`, `DELETE`: a service account, by name or id.
pub const SERVICE_ACCOUNT: &str = "/api/v1/service_accounts/{service_account_name_or_id}";
/// `GET`, `POST`: the API keys of a service account.
pub const API_KEYS: &str = "/api/v1/service_accounts/{service_account_id}/api_keys";
/// `GET`, `PUT`, `DELETE`: an API key, by name or id.
pub const API_KEY: &str = "/api/v1/service_accounts/{service_account_id}/api_keys/{api_key_name_or_id}";
/// `PUT`: gives an API key a new value.
pub const API_KEY_ROTATE: &str =
    "/api/v1/service_accounts/{service_account_id}/api_keys/{api_key_name_or_id}/rotate";

/// `GET`: projects; asked for by clients from 0.80 on.
pub const PROJECTS: &str = "/api/v1/projects";
/// `GET`: a project, by name or id.
pub const PROJECT: &str = "/api/v1/projects/{project_name_or_id}";
/// `GET`: workspaces, which is what projects were called before 0.80.
pub const WORKSPACES: &str = "/api/v1/workspaces";
/// `GET`: a workspace, by name or id.
pub const WORKSPACE: &str = "/api/v1/workspaces/{workspace_name_or_id}";
/// `GET`: stacks.
pub const STACKS: &str = "/api/v1/stacks";
/// `GET`: a stack, by id.
pub const STACK: &str = "/api/v1/stacks/{stack_id}";

/// What need not be encoded in a path segment (RFC 3986 §2.3, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn below(collection: &str, name_or_id: impl Display) -> String {
    let text = name_or_id.to_string();
    // `.` and `..` would be taken for steps in the path, however they are encoded; no name can be looked up so.
    let segment = match text.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        other => utf8_percent_encode(other, SEGMENT).to_string(),
    };
    format!("{collection}/{segment}")
}

/// The path of a device.
#[must_use]
pub fn device(id: impl Display) -> String {
    below(DEVICES, id)
}

/// The path that approves a device.
#[must_use]
pub fn device_verify(id: impl Display) -> String {
    below(DEVICES, id) + "/verify"
}

/// The path of a user.
#[must_use]
pub fn user(name_or_id: impl Display) -> String {
    below(USERS, name_or_id)
}

/// The path that activates an invited user.
#[must_use]
pub fn user_activate(name_or_id: impl Display) -> String {
    below(USERS, name_or_id) + "/activate"
}

/// The path that keeps a user out.
#[must_use]
pub fn user_deactivate(name_or_id: impl Display) -> String {
    below(USERS, name_or_id) + "/deactivate"
}

/// The path of a service account.
#[must_use]
pub fn service_account(name_or_id: impl Display) -> String {
    below(SERVICE_ACCOUNTS, name_or_id)
}

/// The path of a service account's keys. ZenML's server wants the account's id here, not its name.
#[must_use]
pub fn api_keys(service_account_id: impl Display) -> String {
    service_account(service_account_id) + "/api_keys"
}

/// The path of an API key.
#[must_use]
pub fn api_key(service_account_id: impl Display, name_or_id: impl Display) -> String {
    below(&api_keys(service_account_id), name_or_id)
}

/// The path that gives an API key a new value.
#[must_use]
pub fn api_key_rotate(service_account_id: impl Display, name_or_id: impl Display) -> String {
    api_key(service_account_id, name_or_id) + "/rotate"
}

/// The path of a project.
#[must_use]
pub fn project(name_or_id: impl Display) -> String {
    below(PROJECTS, name_or_id)
}

/// The path of a workspace.
#[must_use]
pub fn workspace(name_or_id: impl Display) -> String {
    below(WORKSPACES, name_or_id)
}

/// The path of a stack.
#[must_use]
pub fn stack(id: impl Display) -> String {
    below(STACKS, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_segment() {
        assert_eq!(user("ann"), "/api/v1/users/ann");
        assert_eq!(user("a/../b?c#d e%"), "/api/v1/users/a%2F..%2Fb%3Fc%23d%20e%25");
        assert_eq!(user(".."), "/api/v1/users/%2E%2E");
        assert_eq!(
            api_key_rotate("x", "ü"),
            "/api/v1/service_accounts/x/api_keys/%C3%BC/rotate"
        );
    }

    #[test]
    fn every_api_path_has_the_prefix() {
        for path in [
            INFO,
            LOGIN,
            LOGOUT,
            DEVICE_AUTHORIZATION,
            API_TOKEN,
            CURRENT_USER,
            DEVICES,
            USERS,
            STACKS,
        ] {
            assert!(path.starts_with(PREFIX), "{path}");
        }
    }
}

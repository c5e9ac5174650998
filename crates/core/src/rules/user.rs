//! Users: passwords, activation, deactivation.

use zenml_auth_model::{PasswordHash, SecretHash, Timestamp, User};

/// Sets a new password; everything that was signed in with the old one ends.
#[must_use]
pub fn change_password(user: User, password: PasswordHash, now: Timestamp) -> User {
    User {
        password: Some(password),
        password_changed: Some(now),
        credentials_gen: user.credentials_gen.wrapping_add(1),
        updated: now,
        ..user
    }
}

/// Takes the right to sign in; everything that was signed in ends for good. With a token, whoever holds it may set
/// a new password and come back.
#[must_use]
pub fn deactivate(user: User, activation: Option<SecretHash>, now: Timestamp) -> User {
    User {
        active: false,
        activation: activation.or(user.activation),
        credentials_gen: user.credentials_gen.wrapping_add(1),
        updated: now,
        ..user
    }
}

/// Gives the right to sign in, with the password that was set before.
#[must_use]
pub fn reactivate(user: User, now: Timestamp) -> User {
    User {
        active: true,
        activation: None,
        updated: now,
        ..user
    }
}

/// Redeems an activation token: a new password, and the token is spent.
#[must_use]
pub fn activate(user: User, password: PasswordHash, now: Timestamp) -> User {
    let user = change_password(user, password, now);
    User {
        active: true,
        activation: None,
        ..user
    }
}

/// Whether the user counts as an administrator who can act: active, and with a password to sign in.
#[must_use]
pub const fn can_administer(user: &User) -> bool {
    user.is_admin && user.active && user.password.is_some()
}

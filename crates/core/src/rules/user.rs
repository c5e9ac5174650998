//! Users: passwords, activation, deactivation.

use zenml_auth_model::{Invitation, PasswordHash, SecretHash, Timestamp, User};

use crate::secrets;

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

/// Takes the right to sign in; everything that was signed in ends for good, and so does an invitation. With a new one,
/// the person may set a new password and come back.
#[must_use]
pub fn deactivate(user: User, invitation: Option<Invitation>, now: Timestamp) -> User {
    User {
        active: false,
        invitation,
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
        invitation: None,
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
        invitation: None,
        ..user
    }
}

/// Whether the user can sign in: active, and with a password.
#[must_use]
pub const fn can_sign_in(user: &User) -> bool {
    user.active && user.password.is_some()
}

/// Whether the user counts as an administrator who can act.
#[must_use]
pub const fn can_administer(user: &User) -> bool {
    user.is_admin && can_sign_in(user)
}

/// Why what a user once signed in with, or approved, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The user is switched off.
    #[error("the account is not active")]
    Inactive,
    /// The password was changed, or the user was deactivated, since.
    #[error("the password was changed since")]
    CredentialsChanged,
}

/// Admits what was made when the user's credentials had this count.
///
/// # Errors
/// [`Refusal`] says why it is refused.
pub const fn admit(user: &User, credentials_gen: u32) -> Result<(), Refusal> {
    if !user.active {
        return Err(Refusal::Inactive);
    }
    if user.credentials_gen != credentials_gen {
        return Err(Refusal::CredentialsChanged);
    }
    Ok(())
}

/// Why an activation token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRedeemable {
    /// No token is out, or it is another one.
    WrongToken,
    /// It was the right one, and has ended.
    Ended,
}

/// Whether an activation token, given by its hash, lets the user set a password.
///
/// # Errors
/// [`NotRedeemable`] says why not. Strangers are not told.
pub fn redeemable(user: &User, presented: &SecretHash, now: Timestamp) -> Result<(), NotRedeemable> {
    match user.invitation {
        Some(invitation) if secrets::same(&invitation.token, presented) => {
            if now < invitation.expires {
                Ok(())
            } else {
                Err(NotRedeemable::Ended)
            }
        }
        Some(_) | None => Err(NotRedeemable::WrongToken),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zenml_auth_model::{Name, Text, UserId, Version};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const TOKEN: SecretHash = SecretHash::from_bytes([1; 32]);
    const OTHER: SecretHash = SecretHash::from_bytes([2; 32]);

    fn invitation(token: SecretHash) -> Invitation {
        Invitation {
            token,
            expires: NOW + Duration::from_secs(60),
        }
    }

    fn invited() -> User {
        User {
            id: UserId::from_random([1; 16]),
            name: Name::from_stored("ann".to_owned()),
            full_name: Text::default(),
            email: None,
            email_opted_in: None,
            active: false,
            is_admin: false,
            password: None,
            password_changed: None,
            invitation: Some(invitation(TOKEN)),
            credentials_gen: 1,
            metadata: None,
            default_project_id: None,
            avatar_url: None,
            created: NOW,
            updated: NOW,
            version: Version::FIRST,
        }
    }

    #[test]
    fn what_was_made_before_a_change_of_credentials_is_refused() {
        let hash = || PasswordHash::from_phc(String::new());
        let user = activate(invited(), hash(), NOW);
        let count = user.credentials_gen;
        assert_eq!(admit(&user, count), Ok(()));
        assert!(can_sign_in(&user) && !can_administer(&user));
        let changed = change_password(user.clone(), hash(), NOW);
        assert_eq!(admit(&changed, count), Err(Refusal::CredentialsChanged));
        let off = deactivate(user, None, NOW);
        assert_eq!(admit(&off, count), Err(Refusal::Inactive));
        assert_eq!(admit(&off, off.credentials_gen), Err(Refusal::Inactive));
        let back = reactivate(off, NOW);
        assert_eq!(admit(&back, count), Err(Refusal::CredentialsChanged));
        for user in [&invited(), &back] {
            let administrator = User {
                is_admin: true,
                ..user.clone()
            };
            assert_eq!(can_administer(&administrator), can_sign_in(user));
        }
        assert!(!can_sign_in(&invited()) && can_sign_in(&back));
    }

    #[test]
    fn an_invitation_is_good_until_it_ends() {
        let (user, end) = (invited(), invitation(TOKEN).expires);
        let before = end - Duration::from_micros(1);
        assert_eq!(redeemable(&user, &TOKEN, before), Ok(()));
        assert_eq!(redeemable(&user, &TOKEN, end), Err(NotRedeemable::Ended));
        assert_eq!(redeemable(&user, &OTHER, before), Err(NotRedeemable::WrongToken));
        assert_eq!(redeemable(&user, &OTHER, end), Err(NotRedeemable::WrongToken));
    }

    #[test]
    fn whatever_settles_the_account_ends_the_invitation() {
        let hash = || PasswordHash::from_phc(String::new());
        for settled in [
            deactivate(invited(), None, NOW),
            deactivate(invited(), Some(invitation(OTHER)), NOW),
            reactivate(invited(), NOW),
            activate(invited(), hash(), NOW),
        ] {
            assert_eq!(redeemable(&settled, &TOKEN, NOW), Err(NotRedeemable::WrongToken));
        }
        let again = deactivate(invited(), Some(invitation(OTHER)), NOW);
        assert_eq!(redeemable(&again, &OTHER, NOW), Ok(()));
    }
}

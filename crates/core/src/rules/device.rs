//! Devices: connect, lock, unlock, sign out.

use zenml_auth_model::{Device, DeviceGrant, DeviceState, Origin, Timestamp, UsedFrom, UserId, Version};

use crate::settings::Lifetimes;

/// What can be tried on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Its owner approves it again.
    Connect,
    /// Its owner locks it.
    Lock,
    /// Its owner lifts the lock.
    Unlock,
}

/// A transition that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device that is {from:?} can't take the step {attempted:?}")]
pub struct TransitionError {
    /// The state it was in.
    pub from: DeviceState,
    /// What was tried.
    pub attempted: Transition,
}

/// Why a device's token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Its owner locked it.
    #[error("the device is locked")]
    Locked,
    /// Its time is over.
    #[error("the device's connection has expired")]
    Expired,
    /// It has connected again since, or signed out.
    #[error("the device has signed out or connected again since")]
    Superseded,
}

/// Makes a device of an approved request.
#[must_use]
pub fn first_connection(
    grant: &DeviceGrant,
    owner: UserId,
    trusted: bool,
    lifetimes: &Lifetimes,
    (now, origin): (Timestamp, &Origin),
) -> Device {
    Device {
        id: grant.id.into_device_id(),
        user_id: owner,
        client_id: grant.client_id,
        state: DeviceState::Active,
        trusted,
        expires: now + lifetimes.device(trusted),
        traits: grant.traits.clone(),
        token_gen: 1,
        last_login: Some(now),
        last_used_from: UsedFrom::from(origin),
        created: now,
        updated: now,
        version: Version::FIRST,
    }
}

/// Connects a known device again: it keeps its id, and the token of the connection before ends.
///
/// # Errors
/// When the device is locked: the lock stays until it is lifted.
#[allow(
    clippy::needless_pass_by_value,
    reason = "a transition consumes the state before it"
)]
pub fn reconnect(
    device: Device,
    grant: &DeviceGrant,
    trusted: bool,
    lifetimes: &Lifetimes,
    (now, origin): (Timestamp, &Origin),
) -> Result<Device, TransitionError> {
    match device.state {
        DeviceState::Locked => Err(TransitionError {
            from: DeviceState::Locked,
            attempted: Transition::Connect,
        }),
        DeviceState::Active => Ok(Device {
            trusted,
            expires: now + lifetimes.device(trusted),
            traits: grant.traits.clone(),
            token_gen: device.token_gen.wrapping_add(1),
            last_login: Some(now),
            last_used_from: UsedFrom::from(origin),
            updated: now,
            ..device
        }),
    }
}

/// Switches the device off; its token is refused from then on.
///
/// # Errors
/// When it is locked already.
pub fn lock(device: Device, now: Timestamp) -> Result<Device, TransitionError> {
    match device.state {
        DeviceState::Active => Ok(Device {
            state: DeviceState::Locked,
            updated: now,
            ..device
        }),
        DeviceState::Locked => Err(TransitionError {
            from: DeviceState::Locked,
            attempted: Transition::Lock,
        }),
    }
}

/// Lifts the lock; the device's token is good again until the device expires.
///
/// # Errors
/// When it is not locked.
pub fn unlock(device: Device, now: Timestamp) -> Result<Device, TransitionError> {
    match device.state {
        DeviceState::Locked => Ok(Device {
            state: DeviceState::Active,
            updated: now,
            ..device
        }),
        DeviceState::Active => Err(TransitionError {
            from: DeviceState::Active,
            attempted: Transition::Unlock,
        }),
    }
}

/// Ends the device's token. The device itself stays, locked or not, and may connect again.
#[must_use]
pub fn sign_out(device: Device, now: Timestamp) -> Device {
    Device {
        token_gen: device.token_gen.wrapping_add(1),
        // So that the list shows that it has ended.
        expires: device.expires.min(now),
        updated: now,
        ..device
    }
}

/// Whether a token of the device, made under `token_gen`, is good.
///
/// # Errors
/// [`Refusal`] says why not.
pub fn admit(device: &Device, token_gen: u32, now: Timestamp) -> Result<(), Refusal> {
    match device.state {
        DeviceState::Locked => Err(Refusal::Locked),
        DeviceState::Active if device.token_gen != token_gen => Err(Refusal::Superseded),
        DeviceState::Active if now >= device.expires => Err(Refusal::Expired),
        DeviceState::Active => Ok(()),
    }
}

//! Connected machines, for the people whose they are.

use zenml_auth_model::query::{DeviceField, Page, Query};
use zenml_auth_model::{Action, Device, DeviceGrant, DeviceId, GrantId};

use super::device_flow::{LookUpError, UserCode};
use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::{Caller, NotWithThis};
use crate::ports::Change;
use crate::rules::device;
use crate::throttle::TooMany;

/// Why a device can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FindDeviceError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// There is none, or it is somebody else's.
    #[error("no such device")]
    NotFound,
    /// Too many wrong user codes.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// What goes by a device's id: the device, or the request that may become it.
#[derive(Debug, Clone)]
pub enum FoundDevice {
    /// A device.
    Device(Device),
    /// A request that the caller knows the code of, or has approved.
    Grant(DeviceGrant),
}

/// Manages connected machines.
#[derive(Clone, Copy)]
pub struct Devices<'a>(pub(super) &'a Engine);

impl Devices<'_> {
    /// A page of the caller's devices. A workload has none.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn list(self, caller: &Caller, query: &Query<DeviceField>) -> Result<Page<Device>, Internal> {
        match caller.user_id() {
            Some(owner) => {
                let mut page = self.0.store().list_devices(query, owner).await?;
                page.items
                    .iter_mut()
                    .for_each(|device| self.0.uses.show_device(device));
                Ok(page)
            }
            None => Ok(Page {
                items: Vec::new(),
                total: 0,
                request: query.page,
            }),
        }
    }

    /// One of the caller's devices, or a request that goes by the same id.
    ///
    /// # Errors
    /// [`FindDeviceError`]
    pub async fn find(
        self,
        caller: &Caller,
        id: DeviceId,
        code: Option<&UserCode>,
    ) -> Result<FoundDevice, FindDeviceError> {
        match self.own(caller, id).await {
            Ok(device) => Ok(FoundDevice::Device(device)),
            Err(FindDeviceError::NotFound) => {
                match self
                    .0
                    .device_flow()
                    .look_up(caller, GrantId::from(id), code)
                    .await
                {
                    Ok(grant) => Ok(FoundDevice::Grant(grant)),
                    Err(LookUpError::NotFound | LookUpError::NotAllowed(_)) => Err(FindDeviceError::NotFound),
                    Err(LookUpError::TooMany(error)) => Err(error.into()),
                    Err(LookUpError::Internal(error)) => Err(error.into()),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Locks or unlocks one of the caller's devices. Doing it twice changes nothing more. Locking only takes away, so any
    /// credential of the owner will do; unlocking needs a recent sign-in.
    ///
    /// # Errors
    /// [`FindDeviceError`]
    pub async fn set_locked(
        self,
        caller: &Caller,
        id: DeviceId,
        locked: bool,
    ) -> Result<Device, FindDeviceError> {
        let engine = self.0;
        engine
            .transact("lock or unlock a device", |now| async move {
                let found = self.own(caller, id).await?;
                if !locked {
                    engine.recent_person(caller, "unlock a device", now)?;
                }
                let (changed, action) = if locked {
                    (device::lock(found.clone(), now), Action::DeviceLocked)
                } else {
                    (device::unlock(found.clone(), now), Action::DeviceUnlocked)
                };
                // It is as it should be already.
                let Ok(changed) = changed else {
                    return Ok(Decision::answer(found));
                };
                let target = audit_target::device(&changed);
                Ok(Decision::update(changed).audit(&AuditWriter::of(caller), action, target))
            })
            .await
    }

    /// Deletes one of the caller's devices; its token ends with it.
    ///
    /// # Errors
    /// [`FindDeviceError`]
    pub async fn delete(self, caller: &Caller, id: DeviceId) -> Result<(), FindDeviceError> {
        self.0
            .transact("delete a device", |_| async move {
                let found = self.own(caller, id).await?;
                Ok(Decision::answer(())
                    .audit(
                        &AuditWriter::of(caller),
                        Action::DeviceDeleted,
                        audit_target::device(&found),
                    )
                    .change(Change::DeleteDevice(found.id, found.version)))
            })
            .await
    }

    /// One of the caller's devices, and nothing else.
    ///
    /// # Errors
    /// [`FindDeviceError`]
    pub async fn own(self, caller: &Caller, id: DeviceId) -> Result<Device, FindDeviceError> {
        let owner = caller.user_id().ok_or(FindDeviceError::NotFound)?;
        let found = self.0.store().device(id).await.map_err(Internal::from)?;
        let mut device = found
            .filter(|device| device.user_id == owner)
            .ok_or(FindDeviceError::NotFound)?;
        self.0.uses.show_device(&mut device);
        Ok(device)
    }
}

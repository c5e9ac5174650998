//! Waiting, after a rotation, until nobody uses the replaced value of an API key any more.

use std::time::Duration;

use uuid::Uuid;
use zenml_auth_api::WireTime;
use zenml_auth_api::api_key::{ApiKeyMetadata, ApiKeyRecentUse, ApiKeyResponse, KeyValue};

use crate::client::Client;
use crate::error::ClientError;

/// How often the server is asked at most and at least.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often it is asked while the quiet lasts.
const POLLS_PER_QUIET: u32 = 20;

/// A wait for the users of a replaced value to move to the new one.
///
/// Times that the server tells are compared with each other only, and spans are measured by the client's own timer. So it
/// does not matter whether the two clocks agree.
#[derive(Debug)]
pub struct RetentionWatch {
    client: Client,
    account: Uuid,
    key: Uuid,
    rotated: Option<WireTime>,
    quiet_for: Duration,
    quiet_since: Duration,
    ends: Duration,
    users: Vec<OldValueUser>,
}

/// Somebody who uses, or used, the replaced value: one address with one user agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldValueUser {
    /// The latest use of the replaced value.
    pub latest: ApiKeyRecentUse,
    /// Whether that was after the rotation.
    pub since_rotation: bool,
    /// Whether they have used the new value, too.
    pub moved: bool,
}

/// Something that came up while waiting; for showing it.
#[derive(Debug)]
pub enum RetentionEvent<'a> {
    /// Somebody used the value before it was replaced, and has not since.
    Known(&'a OldValueUser),
    /// Somebody uses the replaced value. It has to be quiet for the whole span again.
    Used {
        /// Who.
        user: &'a OldValueUser,
        /// Whether they did so before, since the rotation.
        again: bool,
    },
    /// Somebody who used the replaced value uses the new one now.
    Moved(&'a OldValueUser),
    /// The server could not be asked; it is tried again.
    Interrupted {
        /// Why not.
        error: &'a ClientError,
        /// When it is asked again.
        next_poll: Duration,
    },
}

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionOutcome {
    /// Nobody has used the replaced value for as long as it was asked for.
    Quiet,
    /// The replaced value has ended before it was quiet for so long.
    WindowEnded,
    /// The key was rotated again in the meantime, so the value that was waited for has ended.
    RotatedAgain,
    /// This server does not tell who uses which value; ZenML's own does not.
    NotTold,
}

impl RetentionWatch {
    /// Starts to wait. `rotated` is the answer to the rotation, and `retention` for how long it keeps the replaced value.
    #[must_use]
    pub fn start(
        client: &Client,
        rotated: &ApiKeyResponse,
        retention: Duration,
        quiet_for: Duration,
    ) -> Self {
        let now = client.inner.timer.elapsed();
        Self {
            client: client.clone(),
            account: rotated.body.service_account.id,
            key: rotated.id,
            rotated: rotated
                .metadata
                .as_ref()
                .and_then(|metadata| metadata.last_rotated),
            quiet_for,
            quiet_since: now,
            ends: now.saturating_add(retention),
            users: Vec::new(),
        }
    }

    /// Who uses, or used, the replaced value, as far as it is known by now; the latest comes first.
    #[must_use]
    pub fn users(&self) -> &[OldValueUser] {
        &self.users
    }

    /// Asks until the replaced value was quiet for long enough, or has ended. Network faults are waited out; what happened
    /// meanwhile is told by the next answer.
    ///
    /// # Errors
    /// [`ClientError`] when the server refuses to tell, for example because the key was deleted.
    pub async fn wait(
        &mut self,
        mut on_event: impl FnMut(RetentionEvent<'_>),
    ) -> Result<RetentionOutcome, ClientError> {
        let usual = (self.quiet_for / POLLS_PER_QUIET).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut faults: u32 = 0;
        loop {
            let asked = self.client.inner.timer.elapsed();
            let pause = match self.client.api_key(self.account, self.key).await {
                Ok(key) => {
                    faults = 0;
                    let metadata = key.metadata.as_ref();
                    let rotated = metadata.and_then(|metadata| metadata.last_rotated);
                    if self.rotated.is_some() && rotated != self.rotated {
                        return Ok(RetentionOutcome::RotatedAgain);
                    }
                    self.rotated = rotated;
                    let Some(uses) = metadata.and_then(ApiKeyMetadata::told_uses) else {
                        return Ok(RetentionOutcome::NotTold);
                    };
                    self.learn(uses, asked, &mut on_event);
                    let quiet_at = self.quiet_since.saturating_add(self.quiet_for);
                    if asked >= quiet_at {
                        return Ok(RetentionOutcome::Quiet);
                    }
                    usual.min(quiet_at.saturating_sub(asked))
                }
                Err(error) if error.is_transient() => {
                    faults = faults.saturating_add(1);
                    let next_poll = SHORTEST_PAUSE
                        .saturating_mul(2_u32.saturating_pow(faults.min(10)))
                        .clamp(usual, LONGEST_PAUSE);
                    on_event(RetentionEvent::Interrupted {
                        error: &error,
                        next_poll,
                    });
                    next_poll
                }
                Err(error) => return Err(error),
            };
            let left = self.ends.saturating_sub(self.client.inner.timer.elapsed());
            if left.is_zero() {
                return Ok(RetentionOutcome::WindowEnded);
            }
            self.client.inner.timer.sleep(pause.min(left)).await;
        }
    }

    /// Takes in what the server tells. `asked` is when it was asked, so that a use is never taken for older than it is.
    fn learn(
        &mut self,
        uses: &[ApiKeyRecentUse],
        asked: Duration,
        on_event: &mut impl FnMut(RetentionEvent<'_>),
    ) {
        let of = |value| uses.iter().filter(move |told| told.value == value);
        // Oldest first, in the order in which it happened.
        for told in of(KeyValue::Previous).collect::<Vec<_>>().into_iter().rev() {
            let known = self.users.iter().position(|user| is_same(&user.latest, told));
            let before = known.map(|index| self.users.remove(index));
            let is_new = before
                .as_ref()
                .is_none_or(|before| before.latest.last_login < told.last_login);
            let again = before.as_ref().is_some_and(|before| before.since_rotation);
            let user = OldValueUser {
                since_rotation: self.rotated.is_none_or(|rotated| told.last_login >= rotated),
                moved: before.as_ref().is_some_and(|before| before.moved),
                latest: told.clone(),
            };
            if is_new && user.since_rotation {
                self.quiet_since = asked;
                on_event(RetentionEvent::Used { user: &user, again });
            } else if before.is_none() {
                on_event(RetentionEvent::Known(&user));
            }
            self.users.push(user);
        }
        for user in &mut self.users {
            if !user.moved && of(KeyValue::Current).any(|told| is_same(&user.latest, told)) {
                user.moved = true;
                on_event(RetentionEvent::Moved(user));
            }
        }
        self.users
            .sort_by_key(|user| std::cmp::Reverse(user.latest.last_login));
    }
}

fn is_same(one: &ApiKeyRecentUse, other: &ApiKeyRecentUse) -> bool {
    one.ip_address == other.ip_address && one.user_agent == other.user_agent
}

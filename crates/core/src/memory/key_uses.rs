//! Who used which key of late.

use std::collections::HashMap;

use zenml_auth_model::{ApiKeyId, KeyUse};

use crate::ports::{ApiKeyUse, KEY_USERS_KEPT};

/// The latest users of each value of each key, the latest first.
#[derive(Default)]
pub(super) struct KeyUses(HashMap<ApiKeyId, Vec<KeyUse>>);

impl KeyUses {
    pub(super) fn of(&self, key: ApiKeyId) -> Vec<KeyUse> {
        self.0.get(&key).cloned().unwrap_or_default()
    }

    /// Notes uses.
    pub(super) fn note(&mut self, uses: &[ApiKeyUse]) {
        for ApiKeyUse { id, latest } in uses {
            let kept = self.0.entry(*id).or_default();
            let same =
                |known: &&mut KeyUse| known.generation == latest.generation && known.from == latest.from;
            match kept.iter_mut().find(same) {
                Some(known) => known.at = known.at.max(latest.at),
                None => kept.push(latest.clone()),
            }
            kept.sort_by_key(|user| std::cmp::Reverse(user.at));
            trim(kept, latest.generation);
        }
    }

    /// Forgets keys that are not there any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(ApiKeyId) -> bool) {
        self.0.retain(|id, _| is_there(*id));
    }
}

/// Keeps the latest users of this value of a key, and none of a value that was replaced twice.
fn trim(kept: &mut Vec<KeyUse>, generation: u32) {
    let mut of_value = 0;
    kept.retain(|user| {
        if user.generation == generation {
            of_value += 1;
            of_value <= KEY_USERS_KEPT
        } else {
            user.generation.saturating_add(1) >= generation
        }
    });
}

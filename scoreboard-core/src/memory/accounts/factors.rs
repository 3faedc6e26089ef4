//! Second factors, and the logins that wait for one.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use async_trait::async_trait;
use uuid::Uuid;

use super::{MemoryAccountStore, refused};
use crate::accounts::{Factor, FactorStore, LoginChallenge, TokenHash};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::UserId;

#[derive(Default)]
pub(super) struct Factors {
    of_user: BTreeMap<UserId, Factor>,
    challenges: HashMap<TokenHash, LoginChallenge>,
}

#[async_trait]
impl FactorStore for MemoryAccountStore {
    async fn factor(&self, user: UserId) -> Result<Option<Factor>, BackendError> {
        Ok(self.factors.lock().of_user.get(&user).cloned())
    }

    async fn replace_factor(
        &self,
        user: UserId,
        from: Option<Uuid>,
        to: Option<&Factor>,
    ) -> Result<bool, BackendError> {
        if to.is_some_and(|to| to.user_id != user) {
            return Err(refused("replace factor", "it is another user's"));
        }
        let mut factors = self.factors.lock();
        if factors.of_user.get(&user).map(|factor| factor.stamp) != from {
            return Ok(false);
        }
        match to {
            Some(to) => factors.of_user.insert(user, to.clone()),
            None => factors.of_user.remove(&user),
        };
        Ok(true)
    }

    async fn factors(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Factor>, BackendError> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        Ok(self.factors.lock().of_user.range(behind).take(limit).map(|(_, factor)| factor.clone()).collect())
    }

    async fn begin_challenge(&self, challenge: &LoginChallenge) -> Result<(), BackendError> {
        match self.factors.lock().challenges.entry(challenge.id) {
            Entry::Occupied(_) => Err(refused("begin challenge", "the id names another login")),
            Entry::Vacant(vacant) => {
                vacant.insert(challenge.clone());
                Ok(())
            }
        }
    }

    async fn try_challenge(
        &self,
        id: TokenHash,
        max_tries: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError> {
        let mut factors = self.factors.lock();
        let open = factors.challenges.get_mut(&id).filter(|waits| now < waits.expires_at && waits.tries < max_tries);
        Ok(open.map(|waits| {
            waits.tries += 1;
            waits.clone()
        }))
    }

    async fn set_challenge_code(
        &self,
        id: TokenHash,
        code: TokenHash,
        max_sent: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError> {
        let mut factors = self.factors.lock();
        let open = factors.challenges.get_mut(&id).filter(|waits| now < waits.expires_at && waits.sent < max_sent);
        Ok(open.map(|waits| {
            waits.sent += 1;
            waits.code = Some(code);
            waits.clone()
        }))
    }

    async fn end_challenge(&self, id: TokenHash) -> Result<bool, BackendError> {
        Ok(self.factors.lock().challenges.remove(&id).is_some())
    }

    async fn forget_challenges(&self, before: Timestamp) -> Result<u64, BackendError> {
        let mut factors = self.factors.lock();
        let count = factors.challenges.len();
        factors.challenges.retain(|_, waits| waits.expires_at >= before);
        Ok((count - factors.challenges.len()) as u64)
    }
}

//! Defects of stores of second factors.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use super::defects;
use crate::accounts::{Factor, FactorStore, LoginChallenge, TokenHash};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::UserId;

type Result<T> = std::result::Result<T, BackendError>;

defects! {
    /// A factor is replaced, whatever it was.
    Overwritten: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::Overwritten);
    /// A factor is taken away, whatever it was.
    TakenAway: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::TakenAway);
    /// Whether it is the old one is looked up before it is replaced.
    CheckThenReplace: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::CheckThenReplace);
    /// The last step is not kept.
    StepForgotten: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::StepForgotten);
    /// Wrong codes are not kept.
    WrongForgotten: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::WrongForgotten);
    /// A login is tried without end.
    TriesIgnored: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::TriesIgnored);
    /// Whether there is a try left is looked up before it is counted.
    CheckThenTry: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::CheckThenTry);
    /// A login waits for ever.
    NeverExpires: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::NeverExpires);
    /// A second code does not take the place of the first.
    FirstCodeStays: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::FirstCodeStays);
    /// A login ends for all who end it.
    EndsForAll: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::EndsForAll);
    /// What is over at the moment itself is forgotten.
    ForgetsTooSoon: |store: dyn FactorStore| factor_store = Altered::new(store, Alteration::ForgetsTooSoon);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    Overwritten,
    TakenAway,
    CheckThenReplace,
    StepForgotten,
    WrongForgotten,
    TriesIgnored,
    CheckThenTry,
    NeverExpires,
    FirstCodeStays,
    EndsForAll,
    ForgetsTooSoon,
}

struct Altered {
    store: Arc<dyn FactorStore>,
    alteration: Alteration,
    /// The first code of each login.
    first: Mutex<HashMap<TokenHash, TokenHash>>,
    tried: Mutex<HashMap<TokenHash, u32>>,
}

impl fmt::Debug for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Altered").field(&self.alteration).finish()
    }
}

impl Altered {
    fn new(store: Arc<dyn FactorStore>, alteration: Alteration) -> Self {
        Self { store, alteration, first: Mutex::default(), tried: Mutex::default() }
    }

    fn is(&self, alteration: Alteration) -> bool {
        self.alteration == alteration
    }

    fn time(&self, now: Timestamp) -> Timestamp {
        if self.is(Alteration::NeverExpires) { Timestamp::from_millis(0) } else { now }
    }
}

#[async_trait]
impl FactorStore for Altered {
    async fn factor(&self, user: UserId) -> Result<Option<Factor>> {
        self.store.factor(user).await
    }

    async fn replace_factor(&self, user: UserId, from: Option<Uuid>, to: Option<&Factor>) -> Result<bool> {
        let there = self.store.factor(user).await?.map(|factor| factor.stamp);
        let mut to = to.cloned();
        let from = match (self.alteration, &mut to) {
            (Alteration::Overwritten, Some(_)) | (Alteration::TakenAway, None) => there,
            (Alteration::CheckThenReplace, _) => {
                tokio::task::yield_now().await;
                tokio::time::sleep(Duration::from_millis(2)).await;
                if there == from { self.store.factor(user).await?.map(|factor| factor.stamp) } else { from }
            }
            (Alteration::StepForgotten, Some(to)) => {
                to.last_step = None;
                from
            }
            (Alteration::WrongForgotten, Some(to)) => {
                to.wrong_at.clear();
                from
            }
            _ => from,
        };
        self.store.replace_factor(user, from, to.as_ref()).await
    }

    async fn factors(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Factor>> {
        self.store.factors(after, limit).await
    }

    async fn begin_challenge(&self, challenge: &LoginChallenge) -> Result<()> {
        self.store.begin_challenge(challenge).await
    }

    async fn try_challenge(&self, id: TokenHash, max_tries: u32, now: Timestamp) -> Result<Option<LoginChallenge>> {
        let max_tries = if self.is(Alteration::TriesIgnored) { u32::MAX } else { max_tries };
        if self.is(Alteration::CheckThenTry) {
            let tried = self.tried.lock().get(&id).copied().unwrap_or(0);
            if tried >= max_tries {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            *self.tried.lock().entry(id).or_default() += 1;
            return self.store.try_challenge(id, u32::MAX, now).await;
        }
        self.store.try_challenge(id, max_tries, self.time(now)).await
    }

    async fn set_challenge_code(
        &self,
        id: TokenHash,
        code: TokenHash,
        max_sent: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>> {
        let first = *self.first.lock().entry(id).or_insert(code);
        let code = if self.is(Alteration::FirstCodeStays) { first } else { code };
        self.store.set_challenge_code(id, code, max_sent, self.time(now)).await
    }

    async fn end_challenge(&self, id: TokenHash) -> Result<bool> {
        let ended = self.store.end_challenge(id).await?;
        Ok(ended || self.is(Alteration::EndsForAll))
    }

    async fn forget_challenges(&self, before: Timestamp) -> Result<u64> {
        let later = u64::from(self.is(Alteration::ForgetsTooSoon));
        self.store.forget_challenges(before.plus(Duration::from_millis(later))).await
    }
}

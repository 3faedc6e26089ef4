//! Defects of counts of actions under way.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::defects;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::fraud::{OutstandingAction, OutstandingActions, Started};
use crate::ids::{ActionId, UserId};

defects! {
    /// One more may be under way.
    OneTooManyUnderWay: |intact: dyn OutstandingActions| outstanding_actions = Altered { intact, alteration: Alteration::OneTooMany };
    /// All users are one.
    UsersMixed: |intact: dyn OutstandingActions| outstanding_actions = Altered { intact, alteration: Alteration::UsersMixed };
    /// What is finished stays under way.
    NeverFinished: |intact: dyn OutstandingActions| outstanding_actions = Altered { intact, alteration: Alteration::NeverFinished };
    /// Whatever is finished, something that is under way leaves.
    AnyIsFinished: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::AnyIsFinished);
    /// What is not finished stays under way for ever.
    NeverOver: |intact: dyn OutstandingActions| outstanding_actions = Altered { intact, alteration: Alteration::NeverOver };
    /// It is over a millisecond too soon.
    OverTooSoon: |intact: dyn OutstandingActions| outstanding_actions = Altered { intact, alteration: Alteration::OverTooSoon };
    /// What is under way is told in the order in which it began.
    ToldAsBegun: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::ToldAsBegun);
    /// All of a user's are over with the one that began last.
    OneTimeForAll: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::OneTimeForAll);
    /// What is refused takes a place.
    RefusedUnderWay: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::RefusedUnderWay);
    /// What is started again takes another place.
    RepeatUnderWayTwice: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::RepeatUnderWayTwice);
    /// It is looked whether there is a place, and taken later.
    LookThenStart: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::LookThenStart);
    /// It is full only when exactly so many are under way.
    FullAtTheNumberAlone: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::FullAtTheNumberAlone);
    /// In a crowd, everybody's are forgotten.
    ForgottenInACrowd: |_intact: dyn OutstandingActions| outstanding_actions = Naive::new(NaiveDefect::ForgottenInACrowd);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    OneTooMany,
    UsersMixed,
    NeverFinished,
    NeverOver,
    OverTooSoon,
}

#[derive(Debug)]
struct Altered {
    intact: Arc<dyn OutstandingActions>,
    alteration: Alteration,
}

impl Altered {
    fn user(&self, user: UserId) -> UserId {
        if self.alteration == Alteration::UsersMixed { UserId::from_bytes([0; 16]) } else { user }
    }
}

#[async_trait]
impl OutstandingActions for Altered {
    async fn start(
        &self,
        user: UserId,
        mut action: OutstandingAction,
        mut max: NonZeroU32,
        now: Timestamp,
    ) -> Result<Started, BackendError> {
        match self.alteration {
            Alteration::OneTooMany => max = max.saturating_add(1),
            Alteration::NeverOver => action.expires_in *= 1000,
            Alteration::OverTooSoon => action.expires_in -= Duration::from_millis(1),
            Alteration::UsersMixed | Alteration::NeverFinished => {}
        }
        self.intact.start(self.user(user), action, max, now).await
    }

    fn finish(&self, user: UserId, action: ActionId) {
        if self.alteration != Alteration::NeverFinished {
            self.intact.finish(self.user(user), action);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum NaiveDefect {
    AnyIsFinished,
    ToldAsBegun,
    OneTimeForAll,
    RefusedUnderWay,
    RepeatUnderWayTwice,
    LookThenStart,
    FullAtTheNumberAlone,
    ForgottenInACrowd,
}

/// A list for each user.
struct Naive {
    defect: NaiveDefect,
    users: Mutex<HashMap<UserId, Vec<(ActionId, Timestamp)>>>,
}

impl Naive {
    fn new(defect: NaiveDefect) -> Self {
        Self { defect, users: Mutex::default() }
    }

    /// Whether there is a place; else what is under way.
    fn look(&self, user: UserId, action: ActionId, max: NonZeroU32, now: Timestamp) -> Started {
        let mut users = self.users.lock();
        if self.defect == NaiveDefect::ForgottenInACrowd && users.len() >= 1000 {
            users.clear();
        }
        let actions = users.entry(user).or_default();
        actions.retain(|(_, until)| *until > now);
        let max = max.get() as usize;
        let is_full = match self.defect {
            NaiveDefect::FullAtTheNumberAlone => actions.len() == max,
            _ => actions.len() >= max,
        };
        let repeats = self.defect != NaiveDefect::RepeatUnderWayTwice && actions.iter().any(|(id, _)| *id == action);
        if !is_full || repeats {
            return Started::Counted;
        }
        let mut told = actions.clone();
        if self.defect != NaiveDefect::ToldAsBegun {
            told.sort_by_key(|(id, until)| (*until, *id));
        }
        let left = |(id, until): (ActionId, Timestamp)| OutstandingAction { id, expires_in: until.since(now) };
        Started::Full(told.into_iter().map(left).collect())
    }

    fn keep(&self, user: UserId, action: OutstandingAction, now: Timestamp) {
        let mut users = self.users.lock();
        let actions = users.entry(user).or_default();
        let until = now.plus(action.expires_in);
        if self.defect != NaiveDefect::RepeatUnderWayTwice {
            actions.retain(|(id, _)| *id != action.id);
        }
        actions.push((action.id, until));
        if self.defect == NaiveDefect::OneTimeForAll {
            actions.iter_mut().for_each(|(_, until_of)| *until_of = until);
        }
    }
}

impl fmt::Debug for Naive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.defect.fmt(f)
    }
}

#[async_trait]
impl OutstandingActions for Naive {
    async fn start(
        &self,
        user: UserId,
        action: OutstandingAction,
        max: NonZeroU32,
        now: Timestamp,
    ) -> Result<Started, BackendError> {
        let started = self.look(user, action.id, max, now);
        if self.defect == NaiveDefect::LookThenStart {
            tokio::task::yield_now().await;
        }
        if started == Started::Counted || self.defect == NaiveDefect::RefusedUnderWay {
            self.keep(user, action, now);
        }
        Ok(started)
    }

    fn finish(&self, user: UserId, action: ActionId) {
        let mut users = self.users.lock();
        let Some(actions) = users.get_mut(&user) else { return };
        match self.defect {
            NaiveDefect::AnyIsFinished => drop(actions.pop()),
            _ => actions.retain(|(id, _)| *id != action),
        }
    }
}

//! Who is remembered: a bounded number of users, those who played last.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::fraud::statistical::{History, Stance};
use crate::ids::UserId;

/// What is remembered of a user.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) history: History,
    /// What was told of the user, and on which day. As many as there are rules, at most: of each the last.
    told: Vec<(&'static str, Stance, Timestamp)>,
    /// When the user was last looked at, in looks.
    seen: u64,
}

impl From<History> for Known {
    fn from(history: History) -> Self {
        Self { history, ..Self::default() }
    }
}

impl Known {
    /// Whether this was told of the user on this day already.
    pub(super) fn was_told(&self, rule: &'static str, stance: Stance, day: Timestamp) -> bool {
        self.told.contains(&(rule, stance, day))
    }

    pub(super) fn tell(&mut self, rule: &'static str, stance: Stance, day: Timestamp) {
        self.told.retain(|(known, was, _)| (*known, *was) != (rule, stance));
        self.told.push((rule, stance, day));
    }
}

/// The users of a board who are remembered.
#[derive(Debug)]
pub(super) struct Acquaintances {
    users: HashMap<UserId, Known>,
    max: usize,
    looks: u64,
}

impl Acquaintances {
    pub(super) fn new(max: usize) -> Self {
        Self { users: HashMap::new(), max: max.max(2), looks: 0 }
    }

    /// Who is remembered, and is looked at now.
    pub(super) fn look_at(&mut self, user: UserId) -> Option<&mut Known> {
        let known = self.users.get_mut(&user)?;
        self.looks += 1;
        known.seen = self.looks;
        Some(known)
    }

    pub(super) fn take(&mut self, user: UserId) -> Option<Known> {
        self.users.remove(&user)
    }

    pub(super) fn put(&mut self, user: UserId, known: Known) -> &mut Known {
        if self.users.len() >= self.max {
            self.forget_half();
        }
        self.looks += 1;
        let known = Known { seen: self.looks, ..known };
        self.users.entry(user).insert_entry(known).into_mut()
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        self.users.clear();
    }

    /// Forgets those who were looked at longest ago. Half of them, so that it costs each who is put there next to nothing.
    fn forget_half(&mut self) {
        let mut seen: Vec<u64> = self.users.values().map(|known| known.seen).collect();
        let middle = seen.len() / 2;
        let middle = *seen.select_nth_unstable(middle).1;
        self.users.retain(|_, known| known.seen >= middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_played_last_are_remembered_and_no_more() {
        let user = |number: u64| UserId::from_bytes(u128::from(number).to_be_bytes());
        let mut users = Acquaintances::new(100);
        for number in 0..10_000 {
            let regular = users.take(user(0)).unwrap_or_default();
            users.put(user(0), regular);
            users.put(user(number), Known::default());
            assert!(users.users.len() <= 100);
        }
        assert!(users.users.len() >= 50);
        assert!(users.take(user(9_999)).is_some() && users.take(user(0)).is_some() && users.take(user(1)).is_none());
    }
}

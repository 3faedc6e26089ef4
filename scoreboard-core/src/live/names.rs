//! Names to show of those who are watched, asked for once and not with each reading.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::ids::UserId;

/// For how long a name is shown before it is asked for again: so late a new one is seen by who watches, and only once the board moves.
const KEPT: Duration = Duration::from_secs(60);

/// How many are kept: some twenty megabytes. There are two halves: what is used is in the newer one, and when that is full, the older one goes. So
/// those who are watched stay, as long as they are no more than half of it.
const MAX: usize = 200_000;

/// What all windows know of names: a window that reads its board twenty times a second asks for those of newcomers alone, and not even
/// for them where another window has. That somebody has no name is known as well.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Halves>);

type Known = HashMap<UserId, (Option<String>, Instant)>;

#[derive(Debug, Default)]
struct Halves {
    newer: Known,
    older: Known,
}

impl Halves {
    fn get(&mut self, user: UserId) -> Option<&(Option<String>, Instant)> {
        if let Some(known) = self.older.remove(&user) {
            self.keep(user, known);
        }
        self.newer.get(&user)
    }

    fn keep(&mut self, user: UserId, known: (Option<String>, Instant)) {
        if self.newer.len() >= MAX / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(user, known);
    }
}

impl Names {
    /// The names of these users, as far as they are known, and those who have to be asked for.
    pub(crate) fn of(&self, users: impl Iterator<Item = UserId>) -> (HashMap<UserId, String>, Vec<UserId>) {
        let (mut known, now) = (self.0.lock(), Instant::now());
        let (mut names, mut unknown) = (HashMap::new(), Vec::new());
        for user in users {
            match known.get(user) {
                Some((name, until)) if now < *until => names.extend(name.clone().map(|name| (user, name))),
                Some(_) | None => unknown.push(user),
            }
        }
        (names, unknown)
    }

    /// Learns what was answered to who asked for these.
    pub(crate) fn learn(&self, asked: Vec<UserId>, answered: &HashMap<UserId, String>) {
        let (mut known, now) = (self.0.lock(), Instant::now());
        for user in asked {
            known.older.remove(&user);
            known.keep(user, (answered.get(&user).cloned(), now + KEPT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        UserId::for_name("test", &number.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_asked_for_again_after_a_minute() {
        let names = Names::default();
        let users = || [user(1), user(2)].into_iter();
        let called = |name: &str| HashMap::from([(user(1), name.to_owned())]);
        assert_eq!(names.of(users()), (HashMap::new(), vec![user(1), user(2)]));
        names.learn(vec![user(1), user(2)], &called("ada"));
        tokio::time::advance(KEPT - Duration::from_millis(1)).await;
        assert_eq!(names.of(users()), (called("ada"), vec![]));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(names.of(users()), (HashMap::new(), vec![user(1), user(2)]));
        names.learn(vec![user(1)], &called("countess"));
        assert_eq!(names.of(users()), (called("countess"), vec![user(2)]));
    }

    #[test]
    fn their_number_is_bounded() {
        let names = Names::default();
        for number in 0..MAX + 50 {
            names.learn(vec![user(number)], &HashMap::new());
            let halves = names.0.lock();
            assert!(halves.newer.len() + halves.older.len() <= MAX);
        }
        assert!(names.of([user(MAX + 49)].into_iter()).1.is_empty());
    }

    /// Else each look at a window would ask for all names again, once there are too many.
    #[test]
    fn those_who_are_looked_at_stay_whoever_comes() {
        let names = Names::default();
        let watched = || (0..1_000).map(user);
        names.learn(watched().collect(), &HashMap::new());
        for number in 0..2 * MAX {
            names.learn(vec![user(1_000 + number)], &HashMap::new());
            if number % 10_000 == 0 {
                assert!(names.of(watched()).1.is_empty());
            }
        }
    }
}

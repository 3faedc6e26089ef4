//! Names to show of those who are watched, asked for once and not with each reading.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::ids::UserId;

/// For how long a name is shown before it is asked for again: so late a new one is seen by who watches, and only once the board moves.
const KEPT: Duration = Duration::from_secs(60);

/// How many are kept: some megabytes. Beyond, those whose time is over go, and if there are none, all.
const MAX: usize = 20_000;

/// What all windows know of names: a window that reads its board twenty times a second asks for those of newcomers alone, and not even
/// for them where another window has. That somebody has no name is known as well.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<HashMap<UserId, (Option<String>, Instant)>>);

impl Names {
    /// The names of these users, as far as they are known, and those who have to be asked for.
    pub(crate) fn of(&self, users: impl Iterator<Item = UserId>) -> (HashMap<UserId, String>, Vec<UserId>) {
        let (known, now) = (self.0.lock(), Instant::now());
        let (mut names, mut unknown) = (HashMap::new(), Vec::new());
        for user in users {
            match known.get(&user) {
                Some((name, until)) if now < *until => names.extend(name.clone().map(|name| (user, name))),
                Some(_) | None => unknown.push(user),
            }
        }
        (names, unknown)
    }

    /// Learns what was answered to who asked for these.
    pub(crate) fn learn(&self, asked: Vec<UserId>, answered: &HashMap<UserId, String>) {
        let (mut known, now) = (self.0.lock(), Instant::now());
        if known.len() + asked.len() > MAX {
            known.retain(|_, (_, until)| now < *until);
        }
        if known.len() + asked.len() > MAX {
            known.clear();
        }
        known.extend(asked.into_iter().map(|user| (user, (answered.get(&user).cloned(), now + KEPT))));
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
            assert!(names.0.lock().len() <= MAX);
        }
        assert!(names.of([user(MAX + 49)].into_iter()).1.is_empty());
    }
}

//! From where users play: what no log holds, kept for a day, in this process alone.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::BuildHasher;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::ids::UserId;

/// For how long it is remembered that somebody was somewhere.
const LIFETIME: Duration = Duration::from_secs(86_400);
/// So many users are told apart at one place.
const MAX_USERS: usize = 256;
/// So many places of one user are kept, those where they were last: whoever has a network of addresses takes no room that others need.
const MAX_PLACES: usize = 16;
/// So many sightings are kept in all, some 60 bytes each.
const MAX_SIGHTINGS: usize = 200_000;

/// Which users were seen at one address lately. An address is kept as a number that only this process can make of it, and that nothing can
/// be made of.
///
/// Bounded: where there is no room, who is new is not seen.
pub struct Sightings {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Who was at a place, and when last.
    places: HashMap<u64, Vec<(UserId, Timestamp)>>,
    /// Where a user was, where they were last at the end.
    users: HashMap<UserId, VecDeque<u64>>,
    /// How many there are at all places.
    count: usize,
    /// There is nothing to be forgotten before this moment.
    sweep_at: Option<Timestamp>,
}

impl Default for Sightings {
    fn default() -> Self {
        Self { hasher: RandomState::new(), seen: Mutex::default() }
    }
}

impl fmt::Debug for Sightings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sightings").finish_non_exhaustive()
    }
}

impl Sightings {
    /// This user has just played from this address.
    pub fn saw(&self, user: UserId, address: &str, now: Timestamp) {
        let place = self.hasher.hash_one(address);
        let seen = &mut *self.seen.lock();
        if seen.count >= MAX_SIGHTINGS && seen.sweep_at.is_none_or(|at| at <= now) {
            seen.sweep(now);
        }
        let has_room =
            seen.count < MAX_SIGHTINGS || seen.users.get(&user).is_some_and(|places| places.len() >= MAX_PLACES);
        let there = seen.places.entry(place).or_default();
        if let Some((_, last)) = there.iter_mut().find(|(known, _)| *known == user) {
            *last = now;
        } else if has_room && there.len() < MAX_USERS {
            there.push((user, now));
            seen.count += 1;
        } else {
            if there.is_empty() {
                seen.places.remove(&place);
            }
            return;
        }
        seen.is_at(user, place);
    }

    /// Who was seen within a day where this user was seen last, the user among them, sorted; nobody, if the user was not seen.
    #[must_use]
    pub fn neighbours(&self, user: UserId, now: Timestamp) -> Vec<UserId> {
        let seen = self.seen.lock();
        let there = seen.users.get(&user).and_then(|places| seen.places.get(places.back()?));
        let mut there: Vec<_> =
            there.into_iter().flatten().filter(|(_, last)| is_fresh(*last, now)).map(|(user, _)| *user).collect();
        there.sort_unstable();
        there
    }
}

fn is_fresh(last: Timestamp, now: Timestamp) -> bool {
    now.since(last) < LIFETIME
}

impl Seen {
    /// This user is at a place where they were seen, and not any more at the one where they were longest ago, if there are too many.
    fn is_at(&mut self, user: UserId, place: u64) {
        let places = self.users.entry(user).or_default();
        places.retain(|known| *known != place);
        places.push_back(place);
        if places.len() <= MAX_PLACES {
            return;
        }
        let Some(left) = places.pop_front() else { return };
        if let Some(there) = self.places.get_mut(&left) {
            let before = there.len();
            there.retain(|(known, _)| *known != user);
            self.count -= before - there.len();
            if there.is_empty() {
                self.places.remove(&left);
            }
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        let mut oldest = now;
        self.places.retain(|_, there| {
            there.retain(|(_, last)| is_fresh(*last, now));
            oldest = there.iter().map(|(_, last)| *last).min().map_or(oldest, |least| least.min(oldest));
            !there.is_empty()
        });
        self.count = self.places.values().map(Vec::len).sum();
        let places = &self.places;
        self.users.retain(|user, were| {
            were.retain(|place| places.get(place).is_some_and(|there| there.iter().any(|(known, _)| known == user)));
            !were.is_empty()
        });
        // Not again before something may go: what is full stays full until then. At most once a minute, for the oldest may come back.
        self.sweep_at = Some(oldest.plus(LIFETIME).max(now.plus(Duration::from_secs(60))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: usize) -> UserId {
        UserId::from_bytes((number as u128).to_be_bytes())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn who_played_from_one_address_within_a_day_are_neighbours() {
        let sightings = Sightings::default();
        sightings.saw(user(2), "192.0.2.1", at(0));
        sightings.saw(user(1), "192.0.2.1", at(50_000));
        sightings.saw(user(3), "192.0.2.2", at(50_000));
        assert_eq!(sightings.neighbours(user(1), at(50_001)), [user(1), user(2)]);
        assert_eq!(sightings.neighbours(user(3), at(50_001)), [user(3)]);
        assert!(sightings.neighbours(user(9), at(50_001)).is_empty(), "was never seen");
        assert_eq!(sightings.neighbours(user(1), at(86_400)), [user(1)], "the other was there a day ago");
        sightings.saw(user(3), "192.0.2.1", at(90_000));
        assert_eq!(sightings.neighbours(user(3), at(90_000)), [user(1), user(3)], "who moves is where they are");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let sightings = Sightings::default();
        for number in 0..MAX_USERS + 10 {
            sightings.saw(user(number), "192.0.2.1", at(0));
        }
        assert_eq!(sightings.neighbours(user(0), at(1)).len(), MAX_USERS);
        for number in 0..MAX_SIGHTINGS + 10 {
            sightings.saw(user(number), &number.to_string(), at(1));
        }
        let count = |sightings: &Sightings| {
            let seen = sightings.seen.lock();
            assert_eq!(seen.count, seen.places.values().map(Vec::len).sum::<usize>());
            assert!(seen.users.len() <= MAX_SIGHTINGS);
            seen.count
        };
        assert_eq!(count(&sightings), MAX_SIGHTINGS);
        sightings.saw(user(1_000_000), "192.0.2.9", at(2));
        assert!(sightings.neighbours(user(1_000_000), at(2)).is_empty(), "there is no room");
        sightings.saw(user(1_000_000), "192.0.2.9", at(86_402));
        assert_eq!(sightings.neighbours(user(1_000_000), at(86_402)), [user(1_000_000)], "the others were forgotten");
        assert_eq!(count(&sightings), 1);
    }

    #[test]
    fn who_has_many_addresses_takes_no_room_from_others() {
        let sightings = Sightings::default();
        for number in 0..MAX_SIGHTINGS + 10 {
            sightings.saw(user(number % 14), &number.to_string(), at(0));
        }
        assert_eq!(sightings.seen.lock().count, 14 * MAX_PLACES);
        for honest in [100, 101] {
            sightings.saw(user(honest), "192.0.2.1", at(1));
        }
        assert_eq!(sightings.neighbours(user(100), at(2)), [user(100), user(101)]);
        let newest = (MAX_SIGHTINGS + 9) % 14;
        assert_eq!(sightings.neighbours(user(newest), at(2)), [user(newest)], "where they were last");
        // Who goes back and forth is at two places.
        for number in 0..100 {
            sightings.saw(user(200), ["home", "school"][number % 2], at(3));
        }
        let seen = sightings.seen.lock();
        assert_eq!(seen.users[&user(200)].len(), 2);
        assert_eq!(seen.count, seen.places.values().map(Vec::len).sum::<usize>());
    }
}

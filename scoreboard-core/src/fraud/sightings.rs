//! From where and on what users play: what no log holds, kept for a day, in this process alone.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::BuildHasher;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::fraud::DeviceId;
use crate::fraud::statistical::Neighbours;
use crate::ids::UserId;

/// For how long it is remembered that somebody was somewhere.
const LIFETIME: Duration = Duration::from_secs(86_400);
/// So many users are told apart at one source.
const MAX_USERS: usize = 256;
/// So many addresses of one user are kept, and so many devices, those where they were last: whoever has a network of addresses, or makes up
/// devices, takes no room that others need.
const MAX_ADDRESSES: usize = 12;
const MAX_DEVICES: usize = 4;
/// So many sightings of either kind are kept in all, some 60 bytes each.
const MAX_SIGHTINGS: usize = 200_000;

/// Which users were seen at one address, and on one device, lately. Either is kept as a number that only this process can make of it, and that
/// nothing can be made of.
///
/// Bounded: where there is no room, who is new is not seen. Devices have a room of their own, for a client makes them up as it likes.
pub struct Sightings {
    hasher: RandomState,
    addresses: Mutex<Seen<MAX_ADDRESSES>>,
    devices: Mutex<Seen<MAX_DEVICES>>,
}

/// Who was at which sources of one kind, of which so many are kept of a user.
#[derive(Default)]
struct Seen<const MAX: usize> {
    /// Who was at a source, sorted, and when last.
    sources: HashMap<u64, Vec<(UserId, Timestamp)>>,
    /// Where a user was, where they were last at the end.
    users: HashMap<UserId, VecDeque<u64>>,
    /// How many there are at all sources.
    count: usize,
    /// There is nothing to be forgotten before this moment.
    sweep_at: Option<Timestamp>,
}

impl Default for Sightings {
    fn default() -> Self {
        Self { hasher: RandomState::new(), addresses: Mutex::default(), devices: Mutex::default() }
    }
}

impl fmt::Debug for Sightings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sightings").finish_non_exhaustive()
    }
}

impl Sightings {
    /// This user has just played from this address, and on this device, if their client has told of one.
    pub fn saw(&self, user: UserId, address: &str, device: Option<&DeviceId>, now: Timestamp) {
        self.addresses.lock().saw(user, self.hasher.hash_one(address), now);
        if let Some(device) = device {
            self.devices.lock().saw(user, self.hasher.hash_one(device), now);
        }
    }

    /// Who was seen within a day where this user was seen last, and on the device that they told of last, the user among them; nobody, if the
    /// user was not seen.
    #[must_use]
    pub fn neighbours(&self, user: UserId, now: Timestamp) -> Neighbours<'_> {
        Neighbours::seen(self, user, now)
    }

    pub(super) fn at_address(&self, user: UserId, now: Timestamp) -> Vec<UserId> {
        self.addresses.lock().neighbours(user, now)
    }

    pub(super) fn on_device(&self, user: UserId, now: Timestamp) -> Vec<UserId> {
        self.devices.lock().neighbours(user, now)
    }
}

fn is_fresh(last: Timestamp, now: Timestamp) -> bool {
    now.since(last) < LIFETIME
}

impl<const MAX: usize> Seen<MAX> {
    fn saw(&mut self, user: UserId, source: u64, now: Timestamp) {
        if self.count >= MAX_SIGHTINGS && self.sweep_at.is_none_or(|at| at <= now) {
            self.sweep(now);
        }
        let has_room = self.count < MAX_SIGHTINGS || self.users.get(&user).is_some_and(|sources| sources.len() >= MAX);
        let there = self.sources.entry(source).or_default();
        match there.binary_search_by_key(&user, |(known, _)| *known) {
            Ok(place) => there[place].1 = now,
            Err(place) if has_room && there.len() < MAX_USERS => {
                there.insert(place, (user, now));
                self.count += 1;
            }
            Err(_) => {
                if there.is_empty() {
                    self.sources.remove(&source);
                }
                return;
            }
        }
        self.is_at(user, source);
    }

    fn neighbours(&self, user: UserId, now: Timestamp) -> Vec<UserId> {
        let there = self.users.get(&user).and_then(|sources| self.sources.get(sources.back()?));
        let fresh = there.into_iter().flatten().filter(|(_, last)| is_fresh(*last, now));
        let mut there: Vec<_> = fresh.map(|(user, _)| *user).collect();
        // Who was seen so long ago was seen nowhere, be others still there.
        if there.binary_search(&user).is_err() {
            there.clear();
        }
        there
    }

    /// This user is at a source where they were seen, and not any more at the one where they were longest ago, if there are too many.
    fn is_at(&mut self, user: UserId, source: u64) {
        let sources = self.users.entry(user).or_default();
        sources.retain(|known| *known != source);
        sources.push_back(source);
        if sources.len() <= MAX {
            return;
        }
        let Some(left) = sources.pop_front() else { return };
        if let Some(there) = self.sources.get_mut(&left) {
            let before = there.len();
            there.retain(|(known, _)| *known != user);
            self.count -= before - there.len();
            if there.is_empty() {
                self.sources.remove(&left);
            }
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        let mut oldest = now;
        self.sources.retain(|_, there| {
            there.retain(|(_, last)| is_fresh(*last, now));
            oldest = there.iter().map(|(_, last)| *last).min().map_or(oldest, |least| least.min(oldest));
            !there.is_empty()
        });
        self.count = self.sources.values().map(Vec::len).sum();
        let sources = &self.sources;
        self.users.retain(|user, were| {
            were.retain(|source| {
                sources.get(source).is_some_and(|there| there.binary_search_by_key(user, |(known, _)| *known).is_ok())
            });
            !were.is_empty()
        });
        // Not again before something may go: what is full stays full until then. At most once a minute, for the oldest may come back.
        self.sweep_at = Some(oldest.plus(LIFETIME).max(now.plus(Duration::from_secs(60))));
    }
}

#[cfg(test)]
#[path = "sightings_test.rs"]
mod tests;

//! Defects of caches.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::defects;
use crate::cache::{BoardCache, CacheKey, Cached, Hit, Lease};
use crate::clock::Timestamp;
use crate::ids::BoardId;
use crate::version::{Epoch, Position};

defects! {
    /// The floor is not looked at.
    NoFloor: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::NoFloor);
    /// Raising the floor throws out what is old, but lets old fills in that land later.
    FloorOnlyEvicts: |cache: dyn BoardCache| board_cache = Evicting { put: Mutex::default(), intact: cache };
    /// Answers live for ever.
    NeverExpires: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::NeverExpires);
    /// Answers live a millisecond too long.
    ExpiresLate: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::ExpiresLate);
    /// Versions are compared without their epochs.
    EpochIgnored: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::EpochIgnored);
    /// Boards share their views and floors.
    BoardsMixed: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::BoardsMixed);
    /// Every hit is said to be fresh for a whole life.
    LifeStaysWhole: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::LifeStaysWhole);
    /// Who has loaded an answer keeps the leave to load it.
    LeaseOutlivesAnswer: |cache: dyn BoardCache| board_cache = Altered::new(cache, Alteration::LeaseOutlivesAnswer);
    /// The last answer that is put wins, be it older.
    LastPutWins: |cache: dyn BoardCache| board_cache = LastPut { puts: Mutex::default(), floors: cache };
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    NoFloor,
    NeverExpires,
    ExpiresLate,
    EpochIgnored,
    BoardsMixed,
    LifeStaysWhole,
    LeaseOutlivesAnswer,
}

/// What [`Alteration::LifeStaysWhole`] says is left.
const LIFE: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Altered {
    cache: Arc<dyn BoardCache>,
    alteration: Alteration,
    leased: Mutex<HashSet<CacheKey>>,
}

impl Altered {
    fn new(cache: Arc<dyn BoardCache>, alteration: Alteration) -> Self {
        Self { cache, alteration, leased: Mutex::default() }
    }

    fn board(&self, board: BoardId) -> BoardId {
        if self.alteration == Alteration::BoardsMixed { BoardId::main() } else { board }
    }

    fn position(&self, position: Position) -> Position {
        let epoch = if self.alteration == Alteration::EpochIgnored { Epoch::new(1) } else { position.epoch };
        Position { epoch, ..position }
    }
}

#[async_trait]
impl BoardCache for Altered {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        let key = CacheKey { board: self.board(key.board.clone()), ..key.clone() };
        let hit = self.cache.get(&key, now).await?;
        let aged = if self.alteration == Alteration::LifeStaysWhole { LIFE } else { hit.fresh_for };
        Some(Hit { fresh_for: aged, ..hit })
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        if self.alteration == Alteration::LeaseOutlivesAnswer && !self.leased.lock().insert(key.clone()) {
            return Lease::Held;
        }
        self.cache.lease(key, now, patience).await
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        let lifetime = match self.alteration {
            Alteration::NeverExpires => Duration::from_secs(1_000_000),
            Alteration::ExpiresLate => lifetime + Duration::from_millis(1),
            Alteration::NoFloor
            | Alteration::EpochIgnored
            | Alteration::BoardsMixed
            | Alteration::LifeStaysWhole
            | Alteration::LeaseOutlivesAnswer => lifetime,
        };
        let key = CacheKey { board: self.board(key.board), ..key };
        let answer = Cached { position: self.position(answer.position), ..answer };
        self.cache.put(key, answer, now, lifetime).await;
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        if self.alteration != Alteration::NoFloor {
            self.cache.raise_floor(&self.board(board.clone()), self.position(floor)).await;
        }
    }
}

/// Keeps the last answer of each key.
type Puts = Mutex<Vec<(CacheKey, Cached)>>;

fn replace(puts: &Puts, key: CacheKey, answer: Cached) {
    let mut puts = puts.lock();
    puts.retain(|(other, _)| *other != key);
    puts.push((key, answer));
}

fn find(puts: &Puts, key: &CacheKey) -> Option<Cached> {
    puts.lock().iter().find(|(other, _)| other == key).map(|(_, answer)| answer.clone())
}

fn hit(puts: &Puts, key: &CacheKey) -> Option<Hit> {
    find(puts, key).map(|answer| Hit { answer, fresh_for: Duration::ZERO })
}

struct Evicting {
    put: Puts,
    intact: Arc<dyn BoardCache>,
}

impl fmt::Debug for Evicting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.intact.fmt(f)
    }
}

#[async_trait]
impl BoardCache for Evicting {
    async fn get(&self, key: &CacheKey, _now: Timestamp) -> Option<Hit> {
        hit(&self.put, key)
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        self.intact.lease(key, now, patience).await
    }

    async fn put(&self, key: CacheKey, answer: Cached, _now: Timestamp, _lifetime: Duration) {
        if find(&self.put, &key).is_none_or(|there| there.position <= answer.position) {
            replace(&self.put, key, answer);
        }
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        self.put.lock().retain(|(key, answer)| key.board != *board || answer.position >= floor);
    }
}

struct LastPut {
    puts: Puts,
    floors: Arc<dyn BoardCache>,
}

impl fmt::Debug for LastPut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.floors.fmt(f)
    }
}

#[async_trait]
impl BoardCache for LastPut {
    async fn get(&self, key: &CacheKey, _now: Timestamp) -> Option<Hit> {
        hit(&self.puts, key)
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        self.floors.lease(key, now, patience).await
    }

    async fn put(&self, key: CacheKey, answer: Cached, _now: Timestamp, _lifetime: Duration) {
        replace(&self.puts, key, answer);
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        self.floors.raise_floor(board, floor).await;
    }
}

//! The order of one season of one board, in memory: every rank is exact and costs about a microsecond, at ten million users too.
//!
//! A pure data structure: no locks, no I/O, no clock. [`RankIndexed`](crate::RankIndexed) keeps one true beside a store.
//!
//! # How it is made
//!
//! Three parts, about 46 bytes a user in all, ids included:
//!
//! - **records** (`users.rs`): 26 bytes for each user under a number that stays: the id, and version and time at which the score was
//!   reached. So every answer is whole from memory. The time costs 5 bytes a user, less than a question to the store for each page.
//! - **a table** (`ids.rs`) from an id to the record's number and its leaf: an extendible hash table, keyed at random.
//! - **a tree** (`tree.rs`): leaves of up to 128 users with their scores; above them inner nodes, and a root, that know how many users are below
//!   each child, and how many distinct scores begin there. So the three [`RankStyle`]s come from the same tree, each in logarithmic time.
//!
//! A rank needs two loads from memory that wait for each other: the table's entry, then the leaf that it names. All else is near.
//!
//! Nothing grows in one piece: the most that a single change costs is a part of the table (512 entries) and a leaf split in two.
//!
//! The order is that of [`Order::key`]: ties are settled by the stored version, never by who came to the index first, so that a score
//! which comes back with the version of long ago stands where it stood.

use crate::ids::UserId;
#[cfg(doc)]
use crate::ranking::RankStyle;
use crate::ranking::{Order, OrderKey};
use crate::store::Reached;
use crate::version::Version;

mod arena;
mod ids;
mod reads;
mod score_key;
mod tree;
mod users;

pub use reads::{IndexPage, Percentile};
use score_key::score_of;
use tree::{Place, Tree};
use users::Users;

/// The users of one season of one board in their order.
///
/// The two numbers are how many users a leaf holds, and how many leaves an inner node: the defaults are what measures best, small ones are for
/// tests of the edges.
///
/// ```
/// use scoreboard_core::{Order, RankIndex, RankStyle, Reached, Score, Timestamp, UserId, Version};
/// let mut index = RankIndex::<128, 128>::new(Order::default());
/// for (version, (name, score)) in [("ada", 50), ("bob", 50), ("cyd", 30)].into_iter().enumerate() {
///     let version = Version::new(version as u64 + 1);
///     let reached = Reached { score: Score::new(score)?, version, at: Timestamp::from_millis(1_700_000_000_000) };
///     index.set(UserId::for_name("game", name), reached);
/// }
/// let rank = |name, style| index.rank(UserId::for_name("game", name), style);
/// assert_eq!(rank("bob", RankStyle::Ordinal), Some(2));
/// assert_eq!(rank("bob", RankStyle::Competition), Some(1));
/// assert_eq!(rank("cyd", RankStyle::Competition), Some(3));
/// assert_eq!(rank("cyd", RankStyle::Dense), Some(2));
/// assert_eq!(rank("dan", RankStyle::Dense), None);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug)]
pub struct RankIndex<const LEAF: usize = 128, const FAN: usize = 128> {
    order: Order,
    users: Users,
    tree: Tree<LEAF, FAN>,
    /// No user has reached a score at a later version.
    newest: Version,
}

impl<const LEAF: usize, const FAN: usize> RankIndex<LEAF, FAN> {
    /// How many users an index takes: its numbers of leaves have 24 bits.
    pub const MAX_USERS: usize = 200_000_000;

    /// Nobody.
    #[must_use]
    pub fn new(order: Order) -> Self {
        Self { order, users: Users::default(), tree: Tree::default(), newest: Version::ZERO }
    }

    /// All these users, each once, in any order: for ten million some three seconds, and twice the memory meanwhile.
    #[must_use]
    pub fn load(order: Order, mut scores: Vec<(UserId, Reached)>) -> Self {
        scores.sort_unstable_by_key(|(_, reached)| order.key(reached.score, reached.version));
        let mut users = Users::for_ids(scores.iter().map(|(user, _)| user));
        let mut newest = Version::ZERO;
        let placed = scores.iter().map(|(user, reached)| {
            newest = newest.max(reached.version);
            (users.add_record(*user, reached.version, reached.at), order.score_key(reached.score))
        });
        let mut leaves = Vec::with_capacity(scores.len());
        // Records are numbered as they come, and so are their leaves told.
        let tree = Tree::load(placed, |_, leaf| leaves.push(leaf));
        drop(scores);
        for (slot, leaf) in leaves.into_iter().enumerate() {
            users.enter(u32::try_from(slot).expect("bounded far below 2^32 users"), leaf);
        }
        Self { order, users, tree, newest }
    }

    /// How the users are ordered.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// How many users there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.tree.total().entries
    }

    /// How many distinct scores they have.
    #[must_use]
    pub fn distinct_scores(&self) -> u64 {
        self.tree.total().scores
    }

    /// The bytes that it has allocated, without what the allocator adds. Looks at each chunk, and at each part of the table: not for every update.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.users.bytes() + self.tree.bytes()
    }

    /// What this user has.
    #[must_use]
    pub fn get(&self, user: UserId) -> Option<Reached> {
        let (place, slot) = self.locate(user)?;
        Some(self.reached(slot, self.tree.entry(place)?.1))
    }

    /// Puts a user where this score belongs, and answers what the user had before. Its version may be older than others', and than what the user had:
    /// a score can come back.
    ///
    /// # Panics
    ///
    /// Beyond 2^24 leaves, which [`MAX_USERS`](Self::MAX_USERS) do not reach.
    pub fn set(&mut self, user: UserId, reached: Reached) -> Option<Reached> {
        let score = self.order.score_key(reached.score);
        let (slot, previous) = match self.users.find(user) {
            Some(found) => {
                let place = self.tree.locate(found.leaf, found.slot);
                let (_, had) = self.tree.entry(place).expect("a user is where the tree found them");
                let previous = self.reached(found.slot, had);
                if had == score && previous.version == reached.version {
                    self.users.set(found.slot, reached.version, reached.at);
                    return Some(previous);
                }
                self.tree.remove(place);
                self.tell_moved();
                self.users.set(found.slot, reached.version, reached.at);
                (found.slot, Some(previous))
            }
            None => (self.users.add(user, reached.version, reached.at), None),
        };
        let key = self.order.key(reached.score, reached.version);
        // Whatever is newer than all stands at one end of its equals, which needs no look at their versions.
        let key = if reached.version > self.newest {
            self.newest = reached.version;
            OrderKey { tie: if key.tie < 0 { i64::MIN } else { i64::MAX }, ..key }
        } else {
            key
        };
        let leaf = loop {
            let place = self.seek(key);
            let inserted = self.tree.insert(place, slot, score);
            self.tell_moved();
            if let Some(leaf) = inserted {
                break leaf;
            }
        };
        self.users.moved(slot, leaf);
        previous
    }

    /// Takes a user out, and answers what the user had.
    pub fn remove(&mut self, user: UserId) -> Option<Reached> {
        let (place, slot) = self.locate(user)?;
        let reached = self.reached(slot, self.tree.entry(place)?.1);
        self.tree.remove(place);
        self.tell_moved();
        self.users.remove(slot);
        Some(reached)
    }

    fn tell_moved(&mut self) {
        if !self.tree.moved.is_empty() {
            self.users.all_moved(&self.tree.moved);
            self.tree.moved.clear();
        }
    }

    fn locate(&self, user: UserId) -> Option<(Place, u32)> {
        let found = self.users.find(user)?;
        Some((self.tree.locate(found.leaf, found.slot), found.slot))
    }

    fn seek(&self, key: OrderKey) -> Option<Place> {
        self.tree.seek(key, |slot| self.tie(slot))
    }

    /// The second part of a record's key.
    fn tie(&self, slot: u32) -> i64 {
        self.order.key(crate::score::Score::ZERO, self.users.records.version(slot)).tie
    }

    fn reached(&self, slot: u32, score: i64) -> Reached {
        let (version, at) = self.users.records.reached(slot);
        Reached { score: score_of(self.order, score), version, at }
    }

    /// Asserts that all of it agrees: the records, the table, the tree at every level.
    ///
    /// # Panics
    ///
    /// If anything does not.
    #[cfg(any(test, feature = "testing"))]
    pub fn check(&self) {
        let entries = self.tree.check(|slot| self.tie(slot));
        assert_eq!(entries.len(), self.users.len(), "as many records as entries");
        for (slot, leaf) in entries {
            let user = UserId::from_bytes(*self.users.records.id(slot));
            let found = self.users.find(user).expect("who sorts is found by id");
            assert_eq!((found.slot, found.leaf), (slot, leaf), "the table knows the record and the leaf");
            assert!(self.users.records.version(slot) <= self.newest, "nothing is newer than the newest");
        }
    }
}

#[cfg(test)]
#[path = "rank_index_test.rs"]
mod tests;

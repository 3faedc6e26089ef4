//! A counted tree of three levels: leaves of entries, inner nodes of leaves, one root of inner nodes.
//!
//! Every level knows how many entries lie below each of its children, and how many of these are the first with their score, so that an entry's
//! rank in any style is two short sums and a look into its leaf. Leaves know their inner node, and inner nodes their place in the root:
//! from a user's leaf a rank is found upwards, without comparing keys (as in Redis and Valkey today; Dragonfly and
//! `fbtree` keep subtree counts likewise).

use crate::rank_index::arena::Arena;
use crate::ranking::OrderKey;

mod edit;
mod inner;
mod leaf;

pub(in crate::rank_index) use inner::Sum;
use inner::{Inner, Root};
use leaf::Leaf;
pub(in crate::rank_index) use leaf::Placed;

/// Where an entry is, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    root: usize,
    child: usize,
    pub(super) leaf: u32,
    at: usize,
}

#[derive(Debug)]
pub(super) struct Tree<const LEAF: usize, const FAN: usize> {
    leaves: Arena<Leaf<LEAF>, 6>,
    inners: Arena<Inner<FAN>, 4>,
    root: Root,
    /// What leaves have allocated besides their place.
    wide: usize,
    /// Entries that came to lie in another leaf, with that leaf: whoever edits the tree takes them.
    pub(super) moved: Vec<(u32, u32)>,
}

impl<const LEAF: usize, const FAN: usize> Default for Tree<LEAF, FAN> {
    fn default() -> Self {
        const { assert!(LEAF >= 4 && LEAF < 256 && FAN >= 4, "counts of a leaf are kept in a byte") };
        Self { leaves: Arena::default(), inners: Arena::default(), root: Root::default(), wide: 0, moved: Vec::new() }
    }
}

/// The first of `len` for which this does not hold; it holds for all before.
fn partition(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl<const LEAF: usize, const FAN: usize> Tree<LEAF, FAN> {
    pub(super) fn total(&self) -> Sum {
        self.root.total()
    }

    fn inner_at(&self, root: usize) -> &Inner<FAN> {
        self.inners.get(self.root.inner(root))
    }

    fn place(&self, root: usize, child: usize, at: usize) -> Place {
        Place { root, child, leaf: self.inner_at(root).leaf(child), at }
    }

    /// Where the entry of this record is, of which one knows the leaf.
    #[inline]
    pub(super) fn locate(&self, leaf: u32, slot: u32) -> Place {
        let found = self.leaves.get(leaf);
        let inner = self.inners.get(found.inner);
        let at = found.position_of(slot).expect("a user is in the leaf that the table names");
        Place { root: inner.place as usize, child: inner.child_of(leaf), leaf, at }
    }

    /// The record and the score key at a place; `None` behind the end of its leaf.
    #[inline]
    pub(super) fn entry(&self, place: Place) -> Option<Placed> {
        let leaf = self.leaves.get(place.leaf);
        (place.at < leaf.len()).then(|| (leaf.slot(place.at), leaf.score(place.at)))
    }

    /// How many entries are before this place.
    #[inline]
    pub(super) fn number(&self, place: Place) -> u64 {
        self.root.before(place.root).entries + self.inner_at(place.root).entries_before(place.child) + place.at as u64
    }

    /// How many entries are before this place, and how many of them are the first with their score.
    pub(super) fn before(&self, place: Place) -> Sum {
        let Place { root, child, at, .. } = place;
        let mut before = self.root.before(root);
        before += self.inner_at(root).before(child);
        let begun = if at == 0 { 0 } else { self.changes_to(root, child, at) };
        before += Sum { entries: at as u64, scores: begun as u64 };
        before
    }

    /// How many of a leaf's first `to` entries, at least one, are the first with their score.
    fn changes_to(&self, root: usize, child: usize, to: usize) -> usize {
        let inner = self.inner_at(root);
        let leaf = self.leaves.get(inner.leaf(child));
        let opens = inner.scores(child) - leaf.changes(1, leaf.len());
        opens + leaf.changes(1, to)
    }

    /// The place of the first entry with this score, given the place of one.
    pub(super) fn first_of_equals(&self, place: Place, score: i64) -> Place {
        let leaf = self.leaves.get(place.leaf);
        let at = leaf.below(score);
        if at > 0 {
            return Place { at, ..place };
        }
        self.seek(OrderKey { score, tie: i64::MIN }, |_| i64::MIN).expect("there is one")
    }

    /// The place of the first entry whose key is not below `key`, or behind the last; `None` on an empty board. It may be the end of a leaf instead
    /// of the start of the next. `tie` tells the second part of a record's key: it is asked only among equals.
    pub(super) fn seek(&self, key: OrderKey, tie: impl Fn(u32) -> i64) -> Option<Place> {
        if self.root.len() == 0 {
            return None;
        }
        let tie_is_below = |slot: u32| match key.tie {
            i64::MIN => false,
            i64::MAX => true,
            wanted => tie(slot) < wanted,
        };
        // Not below what is the very first: there would be nothing in front of it to step back to.
        let leaf_begins_below = |inner: &Inner<FAN>, child: usize| {
            inner.first(child) < key.score
                || inner.first(child) == key.score && tie_is_below(self.leaves.get(inner.leaf(child)).slot(0))
        };
        let root = partition(self.root.len(), |place| {
            self.root.first(place) < key.score
                || self.root.first(place) == key.score && leaf_begins_below(self.inner_at(place), 0)
        });
        let root = root.saturating_sub(1);
        let inner = self.inner_at(root);
        let child = partition(inner.len(), |child| leaf_begins_below(inner, child)).saturating_sub(1);
        let leaf = self.leaves.get(inner.leaf(child));
        let from = leaf.below(key.score);
        let at = match key.tie {
            i64::MIN => from,
            _ => {
                let to = key.score.checked_add(1).map_or(leaf.len(), |next| leaf.below(next));
                match key.tie {
                    i64::MAX => to,
                    _ => from + partition(to - from, |at| tie_is_below(leaf.slot(from + at))),
                }
            }
        };
        Some(self.place(root, child, at))
    }

    /// The entry with this number, counted from 0.
    pub(super) fn nth(&self, n: u64) -> Option<Place> {
        let (root, n) = self.root.nth(n)?;
        let (child, at) = self.inner_at(root).nth(n);
        Some(self.place(root, child, at))
    }

    /// Entries from a place on.
    pub(super) fn from(&self, place: Option<Place>) -> impl Iterator<Item = Placed> {
        let mut next = place;
        std::iter::from_fn(move || {
            loop {
                let place = next?;
                if let Some(entry) = self.entry(place) {
                    next = Some(Place { at: place.at + 1, ..place });
                    return Some(entry);
                }
                next = self.next_leaf(place.root, place.child).map(|(root, child)| self.place(root, child, 0));
            }
        })
    }

    fn next_leaf(&self, root: usize, child: usize) -> Option<(usize, usize)> {
        if child + 1 < self.inner_at(root).len() {
            Some((root, child + 1))
        } else {
            (root + 1 < self.root.len()).then_some((root + 1, 0))
        }
    }

    fn previous_leaf(&self, root: usize, child: usize) -> Option<(usize, usize)> {
        if child > 0 {
            return Some((root, child - 1));
        }
        let root = root.checked_sub(1)?;
        Some((root, self.inner_at(root).len() - 1))
    }

    /// What it has allocated.
    pub(super) fn bytes(&self) -> usize {
        self.leaves.bytes() + self.inners.bytes() + self.root.bytes() + self.wide + self.moved.capacity() * 8
    }
}

#[cfg(any(test, feature = "testing"))]
mod check;

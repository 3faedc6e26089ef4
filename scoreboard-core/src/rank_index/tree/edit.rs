//! Changes of the tree. A full leaf gives to a neighbour before there is one more, and two that together are not full become one, so that leaves
//! stay more than three quarters full.

use super::inner::{Counted, Inner, Sum};
use super::leaf::{Leaf, Placed};
use super::{Place, Tree};

impl<const LEAF: usize, const FAN: usize> Tree<LEAF, FAN> {
    /// A neighbour takes something only if both then have this much room on average.
    const SLACK: usize = if LEAF / 32 > 1 { LEAF / 32 } else { 1 };
    /// Two leaves with no more than this become one.
    const MERGE: usize = LEAF - Self::SLACK;
    /// How full leaves are made when a board is loaded.
    const LOADED: usize = LEAF - LEAF / 8;

    /// Makes the tree of entries in order. Who is in which leaf is told in `moved`.
    pub(in crate::rank_index) fn load(entries: impl Iterator<Item = Placed>, mut moved: impl FnMut(u32, u32)) -> Self {
        let mut tree = Self::default();
        let mut entries = entries.peekable();
        let mut last = None;
        let mut children: Vec<Counted> = Vec::with_capacity(FAN);
        while entries.peek().is_some() {
            let stretch: Vec<Placed> = entries.by_ref().take(Self::LOADED).collect();
            let mut leaf = Leaf::new(0);
            leaf.fill(&stretch);
            let opens = usize::from(last != leaf.first());
            let counted = Counted {
                leaf: 0,
                first: stretch[0].1,
                entries: stretch.len() as u8,
                scores: (opens + leaf.changes(1, leaf.len())) as u8,
            };
            last = leaf.last();
            tree.wide += leaf.bytes();
            let number = tree.leaves.add(leaf);
            stretch.iter().for_each(|(slot, _)| moved(*slot, number));
            children.push(Counted { leaf: number, ..counted });
            if children.len() == FAN - FAN / 8 {
                tree.push_inner(&children);
                children.clear();
            }
        }
        if !children.is_empty() {
            tree.push_inner(&children);
        }
        tree.root.add_up();
        tree
    }

    fn push_inner(&mut self, children: &[Counted]) {
        let inner = Inner::new(self.root.len() as u32, children);
        let sum = inner.total();
        let number = self.inners.add(inner);
        children.iter().for_each(|child| self.leaves.get_mut(child.leaf).inner = number);
        self.root.push(number, children[0].first, sum);
    }

    /// Puts an entry in at a place that [`seek`](Self::seek) gave for its key, where there is room; answers in which leaf it is.
    ///
    /// `None` if there was no room: some has been made, and the key must be sought again.
    pub(in crate::rank_index) fn insert(&mut self, place: Option<Place>, slot: u32, score: i64) -> Option<u32> {
        let Some(Place { root, child, leaf, at }) = place else {
            let mut first = Leaf::new(0);
            first.fill(&[(slot, score)]);
            let leaf = self.leaves.add(first);
            let child = Counted { leaf, first: score, entries: 1, scores: 1 };
            self.push_inner(&[child]);
            self.root.add_up();
            return Some(leaf);
        };
        if self.leaves.get(leaf).is_full() {
            self.make_room(root, child);
            return None;
        }
        let (left, right) = self.around(root, child, at);
        let len = self.leaves.get(leaf).len();
        self.edit(leaf, |leaf| leaf.insert(at, slot, score));
        let opens = i32::from(left != Some(score));
        // Whether the entry behind it still is the first with its score.
        let right = right.map_or(0, |right| i32::from(right != score) - i32::from(left != Some(right)));
        if at == len {
            self.count(root, child, 1, opens);
            if let Some((root, child)) = self.next_leaf(root, child)
                && right != 0
            {
                self.count(root, child, 0, right);
            }
        } else {
            self.count(root, child, 1, opens + right);
        }
        Some(leaf)
    }

    fn edit(&mut self, leaf: u32, edit: impl FnOnce(&mut Leaf<LEAF>)) {
        let leaf = self.leaves.get_mut(leaf);
        self.wide -= leaf.bytes();
        edit(leaf);
        self.wide += leaf.bytes();
    }

    /// Takes an entry out.
    pub(in crate::rank_index) fn remove(&mut self, place: Place) {
        let Place { root, child, leaf, at } = place;
        let score = self.leaves.get(leaf).score(at);
        self.leaves.get_mut(leaf).remove(at);
        let (left, right) = self.around(root, child, at);
        let opened = i32::from(left != Some(score));
        let right = right.map_or(0, |right| i32::from(left != Some(right)) - i32::from(right != score));
        let len = self.leaves.get(leaf).len();
        if at == len {
            // First the leaf behind, for this one may be gone then.
            if let Some((root, child)) = self.next_leaf(root, child)
                && right != 0
            {
                self.count(root, child, 0, right);
            }
            self.count(root, child, -1, -opened);
        } else {
            self.count(root, child, -1, right - opened);
        }
        if len == 0 {
            self.remove_leaf(root, child);
        } else {
            self.merge(root, child);
        }
    }

    /// The scores in front of a place and at it.
    fn around(&self, root: usize, child: usize, at: usize) -> (Option<i64>, Option<i64>) {
        let leaf = self.leaves.get(self.inner_at(root).leaf(child));
        let left = match at {
            0 => self.last_before(root, child),
            _ => Some(leaf.score(at - 1)),
        };
        let right = if at < leaf.len() {
            Some(leaf.score(at))
        } else {
            self.next_leaf(root, child).map(|(root, child)| self.inner_at(root).first(child))
        };
        (left, right)
    }

    fn last_before(&self, root: usize, child: usize) -> Option<i64> {
        let (root, child) = self.previous_leaf(root, child)?;
        self.leaves.get(self.inner_at(root).leaf(child)).last()
    }

    /// A leaf has so many entries and firsts of their scores more.
    fn count(&mut self, root: usize, child: usize, entries: i32, scores: i32) {
        let counted = self.inner_at(root).counted(child);
        let first = self.leaves.get(counted.leaf).first().unwrap_or(counted.first);
        let add = |count: u8, more: i32| u8::try_from(i32::from(count) + more).expect("a leaf has less than 256");
        let counted =
            Counted { first, entries: add(counted.entries, entries), scores: add(counted.scores, scores), ..counted };
        self.inners.get_mut(self.root.inner(root)).set(child, counted);
        let Sum { entries: had, scores: had_scores } = self.root.sum(root);
        let sum = Sum {
            entries: had.wrapping_add_signed(entries.into()),
            scores: had_scores.wrapping_add_signed(scores.into()),
        };
        let first = self.inner_at(root).first(0);
        self.root.set(root, first, sum);
    }

    /// Counts a leaf anew, whose entries were exchanged with a neighbour's. Those before it must be counted.
    fn recount(&mut self, root: usize, child: usize) {
        let leaf = self.leaves.get(self.inner_at(root).leaf(child));
        let opens = usize::from(self.last_before(root, child) != leaf.first());
        let (entries, scores) = (leaf.len(), opens + leaf.changes(1, leaf.len()));
        let counted = self.inner_at(root).counted(child);
        self.count(root, child, entries as i32 - i32::from(counted.entries), scores as i32 - i32::from(counted.scores));
    }

    /// Makes room in a full leaf: a neighbour on the same inner node takes some of it, or three leaves become four, as far as there are three (as
    /// in a B*-tree: Knuth, The Art of Computer Programming 3, 6.2.4).
    fn make_room(&mut self, root: usize, child: usize) {
        let inner = self.inner_at(root);
        let takes = |other: usize| inner.entries(child) + inner.entries(other) <= 2 * (LEAF - Self::SLACK);
        if child + 1 < inner.len() && takes(child + 1) {
            self.share(root, child, 2);
        } else if child > 0 && takes(child - 1) {
            self.share(root, child - 1, 2);
        } else if inner.is_full() {
            self.split_inner(root);
        } else {
            // Between its neighbours, so that each keeps what it can.
            let new = child.max(1);
            let first = inner.first(child);
            let leaf = self.leaves.add(Leaf::new(self.root.inner(root)));
            assert!(leaf < crate::rank_index::ids::LEAVES, "an index is bounded below 2^24 leaves");
            let counted = Counted { leaf, first, entries: 0, scores: 0 };
            self.inners.get_mut(self.root.inner(root)).insert(new, counted);
            let from = new.saturating_sub(2);
            let count = (self.inner_at(root).len() - from).min(4);
            self.share(root, from, count);
        }
    }

    /// Shares the entries of some leaves next to each other evenly between them.
    fn share(&mut self, root: usize, child: usize, count: usize) {
        let inner = self.inner_at(root);
        let numbers: Vec<u32> = (child..child + count).map(|child| inner.leaf(child)).collect();
        let mut entries: Vec<Placed> = Vec::with_capacity(count * LEAF);
        let mut were = Vec::with_capacity(count * LEAF);
        for number in &numbers {
            entries.extend(self.leaves.get(*number).entries());
            were.resize(entries.len(), *number);
        }
        let part = |i: usize| entries.len() * i / count;
        for (i, number) in numbers.iter().enumerate() {
            let stretch = part(i)..part(i + 1);
            self.edit(*number, |leaf| leaf.fill(&entries[stretch.clone()]));
            let came = entries[stretch.clone()].iter().zip(&were[stretch]).filter(|(_, was)| **was != *number);
            self.moved.extend(came.map(|((slot, _), _)| (*slot, *number)));
        }
        (child..child + count).for_each(|child| self.recount(root, child));
    }

    /// Makes one leaf of this and a neighbour if they are small.
    fn merge(&mut self, root: usize, child: usize) {
        let inner = self.inner_at(root);
        let fits = |other: usize| inner.entries(child) + inner.entries(other) <= Self::MERGE;
        let left = if child + 1 < inner.len() && fits(child + 1) {
            child
        } else if child > 0 && fits(child - 1) {
            child - 1
        } else {
            return;
        };
        let numbers = [inner.leaf(left), inner.leaf(left + 1)];
        let mut entries: Vec<Placed> = self.leaves.get(numbers[0]).entries().collect();
        let had = entries.len();
        entries.extend(self.leaves.get(numbers[1]).entries());
        self.edit(numbers[0], |leaf| leaf.fill(&entries));
        self.moved.extend(entries[had..].iter().map(|(slot, _)| (*slot, numbers[0])));
        self.edit(numbers[1], |leaf| leaf.fill(&[]));
        self.recount(root, left);
        // Nothing is counted of it any more.
        let gone = self.inner_at(root).counted(left + 1);
        self.count(root, left + 1, -i32::from(gone.entries), -i32::from(gone.scores));
        self.remove_leaf(root, left + 1);
    }

    /// Takes an empty leaf away, and its inner node if that was the last one there.
    fn remove_leaf(&mut self, root: usize, child: usize) {
        let number = self.root.inner(root);
        let inner = self.inners.get_mut(number);
        let leaf = inner.leaf(child);
        inner.remove(child);
        self.edit(leaf, |leaf| leaf.fill(&[]));
        self.leaves.free(leaf);
        if self.inner_at(root).len() == 0 {
            self.inners.free(number);
            self.root.remove(root);
            self.renumber(root);
            return;
        }
        let (first, sum) = (self.inner_at(root).first(0), self.root.sum(root));
        self.root.set(root, first, sum);
        let len = self.inner_at(root).len();
        if len < FAN / 2 && root + 1 < self.root.len() && len + self.inner_at(root + 1).len() <= FAN - FAN / 4 {
            self.merge_inners(root);
        } else if len < FAN / 2 && root > 0 && len + self.inner_at(root - 1).len() <= FAN - FAN / 4 {
            self.merge_inners(root - 1);
        }
    }

    fn split_inner(&mut self, root: usize) {
        let number = self.root.inner(root);
        let children = self.inner_at(root).children();
        let (left, right) = children.split_at(children.len() / 2);
        let (left, right) = (Inner::new(root as u32, left), Inner::new(root as u32 + 1, right));
        let (first, sums) = (right.first(0), [left.total(), right.total()]);
        *self.inners.get_mut(number) = left;
        let new = self.inners.add(right);
        self.adopt(new);
        self.root.set(root, children[0].first, sums[0]);
        self.root.insert(root + 1, new, first, sums[1]);
        self.renumber(root + 1);
    }

    fn merge_inners(&mut self, root: usize) {
        let numbers = [self.root.inner(root), self.root.inner(root + 1)];
        let mut children = self.inner_at(root).children();
        children.extend(self.inner_at(root + 1).children());
        let merged = Inner::new(root as u32, &children);
        let sum = merged.total();
        *self.inners.get_mut(numbers[0]) = merged;
        self.adopt(numbers[0]);
        self.inners.free(numbers[1]);
        self.root.remove(root + 1);
        self.root.set(root, children[0].first, sum);
        self.renumber(root + 1);
    }

    /// The leaves of this inner node learn that they are its own.
    fn adopt(&mut self, inner: u32) {
        for child in self.inners.get(inner).children() {
            self.leaves.get_mut(child.leaf).inner = inner;
        }
    }

    /// The inner nodes from a place on learn where they are.
    fn renumber(&mut self, from: usize) {
        for place in from..self.root.len() {
            self.inners.get_mut(self.root.inner(place)).place = place as u32;
        }
    }
}

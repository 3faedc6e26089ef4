//! The two levels above the leaves, which hold what is counted of them.

/// How many inner nodes are added up in one sum of the root.
const STRETCH: usize = 32;

/// Up to `N` leaves next to each other.
#[derive(Debug)]
pub(super) struct Inner<const N: usize> {
    /// Where the root has it.
    pub(super) place: u32,
    len: u32,
    leaves: [u32; N],
    /// The score key of each leaf's first entry.
    first: [i64; N],
    /// How many entries each leaf has.
    entries: [u8; N],
    /// How many of them are the first with their score on the whole board.
    scores: [u8; N],
}

/// What is counted of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) leaf: u32,
    pub(super) first: i64,
    pub(super) entries: u8,
    pub(super) scores: u8,
}

/// Entries, and distinct scores among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::rank_index) struct Sum {
    pub(in crate::rank_index) entries: u64,
    pub(in crate::rank_index) scores: u64,
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.scores += other.scores;
    }
}

fn sum(counts: &[u8]) -> u64 {
    u64::from(counts.iter().map(|count| u32::from(*count)).sum::<u32>())
}

impl<const N: usize> Inner<N> {
    pub(super) fn new(place: u32, children: &[Counted]) -> Self {
        let mut inner = Self { place, len: 0, leaves: [0; N], first: [0; N], entries: [0; N], scores: [0; N] };
        for child in children {
            inner.insert(inner.len(), *child);
        }
        inner
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len() == N
    }

    #[inline]
    pub(super) const fn leaf(&self, child: usize) -> u32 {
        self.leaves[child]
    }

    #[inline]
    pub(super) const fn first(&self, child: usize) -> i64 {
        self.first[child]
    }

    #[inline]
    pub(super) const fn entries(&self, child: usize) -> usize {
        self.entries[child] as usize
    }

    #[inline]
    pub(super) const fn scores(&self, child: usize) -> usize {
        self.scores[child] as usize
    }

    /// Which child this leaf is.
    #[inline]
    pub(super) fn child_of(&self, leaf: u32) -> usize {
        let leaves = &self.leaves[..self.len()];
        let mut start = 0;
        for chunk in leaves.chunks(16) {
            if chunk.iter().fold(false, |found, other| found | (*other == leaf)) {
                break;
            }
            start += 16;
        }
        let at = leaves.get(start..).and_then(|rest| rest.iter().position(|other| *other == leaf));
        start + at.expect("a leaf hangs on the inner node that it names")
    }

    /// How many entries the children before this one have.
    #[inline]
    pub(super) fn entries_before(&self, child: usize) -> u64 {
        sum(&self.entries[..child])
    }

    /// What the children before this one have.
    pub(super) fn before(&self, child: usize) -> Sum {
        Sum { entries: sum(&self.entries[..child]), scores: sum(&self.scores[..child]) }
    }

    pub(super) fn total(&self) -> Sum {
        self.before(self.len())
    }

    /// In which child the entry with this number is, and which one there.
    pub(super) fn nth(&self, mut n: u64) -> (usize, usize) {
        for (child, count) in self.entries[..self.len()].iter().enumerate() {
            match n.checked_sub(u64::from(*count)) {
                Some(rest) => n = rest,
                None => return (child, n as usize),
            }
        }
        unreachable!("an inner node has as many entries as the root says")
    }

    pub(super) fn counted(&self, child: usize) -> Counted {
        Counted {
            leaf: self.leaves[child],
            first: self.first[child],
            entries: self.entries[child],
            scores: self.scores[child],
        }
    }

    pub(super) fn set(&mut self, child: usize, counted: Counted) {
        self.leaves[child] = counted.leaf;
        self.first[child] = counted.first;
        self.entries[child] = counted.entries;
        self.scores[child] = counted.scores;
    }

    pub(super) fn insert(&mut self, child: usize, counted: Counted) {
        let len = self.len();
        self.leaves.copy_within(child..len, child + 1);
        self.first.copy_within(child..len, child + 1);
        self.entries.copy_within(child..len, child + 1);
        self.scores.copy_within(child..len, child + 1);
        self.len += 1;
        self.set(child, counted);
    }

    pub(super) fn remove(&mut self, child: usize) {
        let len = self.len();
        self.leaves.copy_within(child + 1..len, child);
        self.first.copy_within(child + 1..len, child);
        self.entries.copy_within(child + 1..len, child);
        self.scores.copy_within(child + 1..len, child);
        self.len -= 1;
    }

    pub(super) fn children(&self) -> Vec<Counted> {
        (0..self.len()).map(|child| self.counted(child)).collect()
    }
}

/// All inner nodes in order, with sums over stretches of them: the whole board in arrays that stay near.
#[derive(Debug, Default)]
pub(super) struct Root {
    inners: Vec<u32>,
    first: Vec<i64>,
    sums: Vec<Sum>,
    stretches: Vec<Sum>,
}

impl Root {
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.inners.len()
    }

    #[inline]
    pub(super) fn inner(&self, place: usize) -> u32 {
        self.inners[place]
    }

    #[inline]
    pub(super) fn first(&self, place: usize) -> i64 {
        self.first[place]
    }

    pub(super) fn sum(&self, place: usize) -> Sum {
        self.sums[place]
    }

    /// What the inner nodes before this one have.
    #[inline]
    pub(super) fn before(&self, place: usize) -> Sum {
        let stretch = place / STRETCH;
        let mut before = Sum::default();
        for sum in self.stretches[..stretch].iter().chain(&self.sums[stretch * STRETCH..place]) {
            before += *sum;
        }
        before
    }

    pub(super) fn total(&self) -> Sum {
        self.before(self.len())
    }

    /// In which inner node the entry with this number is, and which one there; `None` behind the last.
    pub(super) fn nth(&self, mut n: u64) -> Option<(usize, u64)> {
        let mut place = 0;
        for stretch in &self.stretches {
            match n.checked_sub(stretch.entries) {
                Some(rest) => n = rest,
                None => break,
            }
            place += STRETCH;
        }
        for (place, sum) in self.sums.iter().enumerate().skip(place) {
            match n.checked_sub(sum.entries) {
                Some(rest) => n = rest,
                None => return Some((place, n)),
            }
        }
        None
    }

    pub(super) fn set(&mut self, place: usize, first: i64, sum: Sum) {
        let old = std::mem::replace(&mut self.sums[place], sum);
        self.first[place] = first;
        let stretch = &mut self.stretches[place / STRETCH];
        stretch.entries = stretch.entries - old.entries + sum.entries;
        stretch.scores = stretch.scores - old.scores + sum.scores;
    }

    /// Puts an inner node in; those behind it have other places now.
    pub(super) fn insert(&mut self, place: usize, inner: u32, first: i64, sum: Sum) {
        self.inners.insert(place, inner);
        self.first.insert(place, first);
        self.sums.insert(place, sum);
        self.add_up();
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.inners.remove(place);
        self.first.remove(place);
        self.sums.remove(place);
        self.add_up();
    }

    /// Puts one at the end; [`add_up`](Self::add_up) is due afterwards.
    pub(super) fn push(&mut self, inner: u32, first: i64, sum: Sum) {
        self.inners.push(inner);
        self.first.push(first);
        self.sums.push(sum);
    }

    pub(super) fn add_up(&mut self) {
        let add = |stretch: &[Sum]| {
            let mut all = Sum::default();
            stretch.iter().for_each(|sum| all += *sum);
            all
        };
        self.stretches = self.sums.chunks(STRETCH).map(add).collect();
    }

    pub(super) fn bytes(&self) -> usize {
        self.inners.capacity() * size_of::<u32>()
            + self.first.capacity() * size_of::<i64>()
            + (self.sums.capacity() + self.stretches.capacity()) * size_of::<Sum>()
    }
}

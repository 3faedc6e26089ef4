//! A stretch of the board: who sorts next to each other, with their scores.

/// At most `N` users in order. Scores are kept as what they exceed a base by, in four bytes; only a leaf whose scores lie further apart
/// has four more for each.
#[derive(Debug)]
pub(super) struct Leaf<const N: usize> {
    base: i64,
    /// The inner node that this leaf hangs on.
    pub(super) inner: u32,
    len: u32,
    slots: [u32; N],
    low: [u32; N],
    high: Option<Box<[u32; N]>>,
}

/// A record's number and its score key.
pub(in crate::rank_index) type Placed = (u32, i64);

impl<const N: usize> Leaf<N> {
    pub(super) fn new(inner: u32) -> Self {
        Self { base: 0, inner, len: 0, slots: [0; N], low: [0; N], high: None }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) const fn slot(&self, at: usize) -> u32 {
        self.slots[at]
    }

    #[inline]
    pub(super) fn score(&self, at: usize) -> i64 {
        let high = self.high.as_ref().map_or(0, |high| i64::from(high[at]) << 32);
        self.base + high + i64::from(self.low[at])
    }

    pub(super) fn first(&self) -> Option<i64> {
        (self.len > 0).then(|| self.score(0))
    }

    pub(super) fn last(&self) -> Option<i64> {
        (self.len > 0).then(|| self.score(self.len() - 1))
    }

    /// Where the record with this number is. All of them are compared, sixteen at once: the leaf is not in any cache, and so all of its lines
    /// are fetched at the same time.
    #[inline]
    pub(super) fn position_of(&self, slot: u32) -> Option<usize> {
        let slots = &self.slots[..self.len()];
        let mut start = 0;
        for chunk in slots.chunks(16) {
            if chunk.iter().fold(false, |found, other| found | (*other == slot)) {
                return chunk.iter().position(|other| *other == slot).map(|at| start + at);
            }
            start += 16;
        }
        None
    }

    /// How many have a score below this one.
    #[inline]
    pub(super) fn below(&self, score: i64) -> usize {
        // Scores lie within ±2^53, and so do bases; keys at the ends of i64 are below or above all of them.
        let offset = i128::from(score) - i128::from(self.base);
        let Ok(offset) = u64::try_from(offset) else { return 0 };
        match &self.high {
            None => match u32::try_from(offset) {
                Ok(offset) => self.low[..self.len()].iter().map(|low| u32::from(*low < offset)).sum::<u32>() as usize,
                Err(_) => self.len(),
            },
            Some(high) => {
                let scores = high[..self.len()].iter().zip(&self.low[..self.len()]);
                scores.filter(|(high, low)| (u64::from(**high) << 32 | u64::from(**low)) < offset).count()
            }
        }
    }

    /// How many of the entries `from..to` have another score than the one in front of them; `from` is at least 1.
    pub(super) fn changes(&self, from: usize, to: usize) -> usize {
        let changes = |values: &[u32]| -> usize {
            values.windows(2).map(|pair| u32::from(pair[0] != pair[1])).sum::<u32>() as usize
        };
        match &self.high {
            None if from < to => changes(&self.low[from - 1..to]),
            None => 0,
            Some(_) => (from..to).filter(|at| self.score(*at) != self.score(at - 1)).count(),
        }
    }

    /// Puts an entry at a place that keeps the order. There must be room.
    pub(super) fn insert(&mut self, at: usize, slot: u32, score: i64) {
        self.reach(score);
        let len = self.len();
        self.slots.copy_within(at..len, at + 1);
        self.low.copy_within(at..len, at + 1);
        if let Some(high) = &mut self.high {
            high.copy_within(at..len, at + 1);
        }
        self.len += 1;
        self.write(at, slot, score);
    }

    pub(super) fn remove(&mut self, at: usize) {
        let len = self.len();
        self.slots.copy_within(at + 1..len, at);
        self.low.copy_within(at + 1..len, at);
        if let Some(high) = &mut self.high {
            high.copy_within(at + 1..len, at);
        }
        self.len -= 1;
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = Placed> {
        (0..self.len()).map(|at| (self.slots[at], self.score(at)))
    }

    /// Replaces all entries by these, at most `N`, in order.
    pub(super) fn fill(&mut self, entries: &[Placed]) {
        let (first, last) =
            (entries.first().map_or(0, |(_, score)| *score), entries.last().map_or(0, |(_, score)| *score));
        self.base = first;
        self.high = u32::try_from(last - first).is_err().then(|| Box::new([0; N]));
        self.len = u32::try_from(entries.len()).expect("at most 255");
        for (at, (slot, score)) in entries.iter().enumerate() {
            self.write(at, *slot, *score);
        }
    }

    fn write(&mut self, at: usize, slot: u32, score: i64) {
        let offset = (score - self.base) as u64;
        self.slots[at] = slot;
        self.low[at] = offset as u32;
        if let Some(high) = &mut self.high {
            high[at] = (offset >> 32) as u32;
        }
    }

    /// Makes sure that this score can be written.
    fn reach(&mut self, score: i64) {
        let span = if self.high.is_some() { i64::MAX } else { i64::from(u32::MAX) };
        if self.len == 0 {
            self.base = score;
            self.high = None;
        } else if score < self.base || score - self.base > span {
            let entries: Vec<Placed> = self.entries().collect();
            let (first, last) = (entries[0].1.min(score), entries[entries.len() - 1].1.max(score));
            self.base = first;
            self.high = u32::try_from(last - first).is_err().then(|| Box::new([0; N]));
            for (at, (slot, score)) in entries.into_iter().enumerate() {
                self.write(at, slot, score);
            }
        }
    }

    /// What it has allocated besides itself.
    pub(super) fn bytes(&self) -> usize {
        self.high.as_ref().map_or(0, |_| size_of::<[u32; N]>())
    }

    pub(super) const fn is_full(&self) -> bool {
        self.len() == N
    }
}

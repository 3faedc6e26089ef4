//! From an id to a record: an extendible hash table of small parts, so that growing never touches more than one of them.
//!
//! The directory is indexed by the first bits of an id's hash, each part is an array probed one by one from the place that other
//! bits say. A part grows a little when it is nine tenths full and is split in two at [`PART`] entries (Fagin, Nievergelt, Pippenger,
//! Strong: *Extendible hashing*, 1979). A table of one piece that doubles would be half empty at times, and stop all for a second at ten
//! million.
//!
//! An entry is eight bytes and holds the number of the leaf besides that of the record, so that a rank needs not wait for the record:
//! both are fetched at once. Ids are hashed with a random key (`SipHash`, as std does it), so that nobody can choose ids that collide.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use crate::rank_index::users::Records;

/// The most entries of a part.
const PART: usize = 512;

/// No entry: no record has this number.
const EMPTY: u64 = u64::MAX;

/// How many leaves an entry can tell apart.
pub(super) const LEAVES: u32 = 1 << 24;

/// From the top: 8 bits of the hash, 24 of the leaf, 32 of the record.
fn entry(hash: u64, slot: u32, leaf: u32) -> u64 {
    debug_assert!(leaf < LEAVES);
    (hash << 56) | (u64::from(leaf) << 32) | u64::from(slot)
}

const fn slot_of(entry: u64) -> u32 {
    (entry & 0xFFFF_FFFF) as u32
}

const fn leaf_of(entry: u64) -> u32 {
    (entry >> 32) as u32 & (LEAVES - 1)
}

/// An entry that was found, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) slot: u32,
    pub(super) leaf: u32,
    part: u32,
    at: usize,
}

#[derive(Debug)]
pub(super) struct IdTable {
    key: RandomState,
    /// How many bits of the hash the directory looks at.
    depth: u32,
    /// 2^depth numbers of parts.
    directory: Vec<u32>,
    /// Parts by number. Their sizes are kept apart: reading needs only the entries.
    parts: Vec<Box<[u64]>>,
    sizes: Vec<Size>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// How many bits all entries of this part have in common.
    depth: u32,
    len: u32,
}

impl Default for IdTable {
    fn default() -> Self {
        Self {
            key: RandomState::new(),
            depth: 0,
            directory: vec![0],
            parts: vec![room_for(0)],
            sizes: vec![Size::default()],
        }
    }
}

/// An empty part in which so many entries take seven eighths.
fn room_for(len: usize) -> Box<[u64]> {
    vec![EMPTY; len + len / 7 + 8].into_boxed_slice()
}

/// Where in a part of `room` places probing begins: by bits that neither the directory nor the tag looks at, scaled.
#[inline]
const fn home(hash: u64, room: usize) -> usize {
    ((((hash >> 8) & 0xFFFF_FFFF) * room as u64) >> 32) as usize
}

/// Puts an entry into the first empty place from its home on.
fn put(part: &mut [u64], home: usize, entry: u64) {
    let mut at = home;
    while part[at] != EMPTY {
        at = if at + 1 == part.len() { 0 } else { at + 1 };
    }
    part[at] = entry;
}

impl IdTable {
    /// A table whose parts fit these ids; it does not hold them yet.
    pub(super) fn for_ids<'a>(ids: impl Iterator<Item = &'a [u8; 16]> + Clone) -> Self {
        let (key, count) = (RandomState::new(), ids.clone().count());
        let depth = (count / (PART * 3 / 4)).next_power_of_two().trailing_zeros();
        let mut lens = vec![0_u32; 1 << depth];
        for id in ids {
            lens[first_bits(key.hash_one(id), depth)] += 1;
        }
        Self {
            key,
            depth,
            directory: (0..u32::try_from(lens.len()).expect("few parts")).collect(),
            parts: lens.iter().map(|len| room_for(*len as usize)).collect(),
            sizes: vec![Size { depth, len: 0 }; lens.len()],
        }
    }

    #[inline]
    fn hash(&self, id: &[u8; 16]) -> u64 {
        self.key.hash_one(id)
    }

    #[inline]
    fn part_of(&self, hash: u64) -> u32 {
        self.directory[first_bits(hash, self.depth)]
    }

    /// The first entry from the hash's home on that `is` the one looked for.
    #[inline]
    fn probe(&self, hash: u64, is: impl Fn(u64) -> bool) -> Option<Found> {
        let number = self.part_of(hash);
        let part = &self.parts[number as usize];
        let mut at = home(hash, part.len());
        loop {
            let entry = part[at];
            if entry == EMPTY {
                return None;
            }
            if is(entry) {
                return Some(Found { slot: slot_of(entry), leaf: leaf_of(entry), part: number, at });
            }
            at = if at + 1 == part.len() { 0 } else { at + 1 };
        }
    }

    #[inline]
    pub(super) fn find(&self, id: &[u8; 16], records: &Records) -> Option<Found> {
        let hash = self.hash(id);
        let tag = hash << 56;
        self.probe(hash, |entry| entry & (0xFF << 56) == tag && records.id(slot_of(entry)) == id)
    }

    fn find_slot(&self, slot: u32, records: &Records) -> Found {
        let found = self.probe(self.hash(records.id(slot)), |entry| slot_of(entry) == slot);
        found.expect("every record has its entry")
    }

    #[inline]
    pub(super) fn set_leaf(&mut self, slot: u32, leaf: u32, records: &Records) {
        self.set_leaf_of(self.hash(records.id(slot)), slot, leaf);
    }

    fn set_leaf_of(&mut self, hash: u64, slot: u32, leaf: u32) {
        let found = self.probe(hash, |entry| slot_of(entry) == slot).expect("every record has its entry");
        self.parts[found.part as usize][found.at] = entry(hash, slot, leaf);
    }

    /// [`set_leaf`](Self::set_leaf) for many. Neither their records nor their entries are in any cache: each is looked at once before it is
    /// needed, so that they are fetched at the same time. Readers wait meanwhile.
    pub(super) fn set_leaves(&mut self, moved: &[(u32, u32)], records: &Records) {
        black_box(moved.iter().fold(0, |seen, (slot, _)| seen ^ records.id(*slot)[0]));
        let hashes: Vec<u64> = moved.iter().map(|(slot, _)| self.hash(records.id(*slot))).collect();
        black_box(hashes.iter().fold(0, |seen, hash| {
            let part = &self.parts[self.part_of(*hash) as usize];
            seen ^ part[home(*hash, part.len())]
        }));
        for ((slot, leaf), hash) in moved.iter().zip(hashes) {
            self.set_leaf_of(hash, *slot, *leaf);
        }
    }

    /// Enters a record; its id must not be there yet.
    pub(super) fn insert(&mut self, slot: u32, leaf: u32, records: &Records) {
        let hash = self.hash(records.id(slot));
        while self.sizes[self.part_of(hash) as usize].len as usize >= PART {
            self.split(self.part_of(hash), records);
        }
        let number = self.part_of(hash) as usize;
        if (self.sizes[number].len as usize + 1) * 10 > self.parts[number].len() * 9 {
            self.grow(number, records);
        }
        let home = home(hash, self.parts[number].len());
        put(&mut self.parts[number], home, entry(hash, slot, leaf));
        self.sizes[number].len += 1;
    }

    fn grow(&mut self, number: usize, records: &Records) {
        let len = self.sizes[number].len as usize;
        let old = std::mem::replace(&mut self.parts[number], room_for(len + 1));
        for entry in old.into_iter().filter(|entry| *entry != EMPTY) {
            let hash = self.hash(records.id(slot_of(entry)));
            let room = self.parts[number].len();
            put(&mut self.parts[number], home(hash, room), entry);
        }
    }

    fn split(&mut self, number: u32, records: &Records) {
        let Size { depth, .. } = self.sizes[number as usize];
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|part| [*part, *part]).collect();
            self.depth += 1;
        }
        let old = std::mem::take(&mut self.parts[number as usize]);
        let mut halves: [Vec<(u64, u64)>; 2] = [Vec::with_capacity(PART), Vec::with_capacity(PART)];
        let mut prefix = 0;
        for entry in old.into_iter().filter(|entry| *entry != EMPTY) {
            let hash = self.hash(records.id(slot_of(entry)));
            prefix = hash;
            halves[(hash >> (63 - depth) & 1) as usize].push((hash, entry));
        }
        let depth = depth + 1;
        let other = u32::try_from(self.parts.len()).expect("few parts");
        for (half, place) in halves.iter().zip([Some(number), None]) {
            let mut part = room_for(half.len());
            let room = part.len();
            for (hash, entry) in half {
                put(&mut part, home(*hash, room), *entry);
            }
            let size = Size { depth, len: u32::try_from(half.len()).expect("few entries") };
            match place {
                Some(number) => (self.parts[number as usize], self.sizes[number as usize]) = (part, size),
                None => {
                    self.parts.push(part);
                    self.sizes.push(size);
                }
            }
        }
        // The directory's places that begin as the old part did, and go on with a one.
        let ones = (first_bits(prefix, depth) | 1) << (self.depth - depth);
        self.directory[ones..ones + (1 << (self.depth - depth))].fill(other);
    }

    /// Takes a record's entry out, and moves those that probed past it.
    pub(super) fn remove(&mut self, slot: u32, records: &Records) {
        let Found { part: number, mut at, .. } = self.find_slot(slot, records);
        let number = number as usize;
        let room = self.parts[number].len();
        let mut next = at;
        loop {
            next = if next + 1 == room { 0 } else { next + 1 };
            let entry = self.parts[number][next];
            if entry == EMPTY {
                break;
            }
            let home = home(self.hash(records.id(slot_of(entry))), room);
            // Whoever would be found from `at` on as well as from where it is.
            if (next + room - home) % room >= (next + room - at) % room {
                self.parts[number][at] = entry;
                at = next;
            }
        }
        self.parts[number][at] = EMPTY;
        self.sizes[number].len -= 1;
    }

    /// What it has allocated.
    pub(super) fn bytes(&self) -> usize {
        let entries: usize = self.parts.iter().map(|part| size_of_val::<[u64]>(part)).sum();
        entries
            + self.parts.capacity() * size_of::<Box<[u64]>>()
            + self.sizes.capacity() * size_of::<Size>()
            + self.directory.capacity() * size_of::<u32>()
    }
}

/// The first `depth` bits.
#[inline]
fn first_bits(hash: u64, depth: u32) -> usize {
    // A shift by 64 is not defined.
    ((hash >> 1) >> (63 - depth)) as usize
}

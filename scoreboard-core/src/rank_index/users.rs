//! Who is on the board: a record for each user under a number that stays, and the way from an id to it.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::ids::UserId;
use crate::rank_index::arena::Arena;
use crate::rank_index::ids::{Found, IdTable};
use crate::version::Version;

/// What five bytes hold.
const NARROW: u64 = 1 << 40;

/// Where a record's time begins: 2020-01-01. Five bytes of milliseconds from there last until 2054.
const FIRST_MOMENT: u64 = 1_577_836_800_000;

/// 26 bytes, without padding. The score is not here but where the user sorts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    id: [u8; 16],
    version: [u8; 5],
    at: [u8; 5],
}

fn narrow(value: Option<u64>) -> Option<[u8; 5]> {
    let bytes = value.filter(|value| *value < NARROW)?.to_le_bytes();
    Some([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]])
}

fn widen(b: [u8; 5]) -> u64 {
    u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], 0, 0, 0])
}

/// Two halves that do not fit a record, told by a version that no narrow record has: a score is reached at 1 at the earliest.
const ELSEWHERE: [u8; 5] = [0; 5];

/// Records by number.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: Arena<Record, 12>,
    /// Of those that do not fit: versions from 2^40 on, and moments outside of 2020 to 2054.
    wide: HashMap<u32, (Version, Timestamp)>,
}

impl Records {
    #[inline]
    pub(super) fn id(&self, slot: u32) -> &[u8; 16] {
        &self.records.get(slot).id
    }

    #[inline]
    pub(super) fn version(&self, slot: u32) -> Version {
        match self.records.get(slot).version {
            ELSEWHERE => self.elsewhere(slot).0,
            version => Version::new(widen(version)),
        }
    }

    pub(super) fn reached(&self, slot: u32) -> (Version, Timestamp) {
        let record = self.records.get(slot);
        match record.version {
            ELSEWHERE => self.elsewhere(slot),
            version => {
                let millis = FIRST_MOMENT + widen(record.at);
                let at = Timestamp::from_millis(i64::try_from(millis).expect("41 bits"));
                (Version::new(widen(version)), at)
            }
        }
    }

    fn elsewhere(&self, slot: u32) -> (Version, Timestamp) {
        *self.wide.get(&slot).expect("a record says that it is elsewhere only if it is")
    }

    fn add(&mut self, id: UserId) -> u32 {
        self.records.add(Record { id: *id.as_bytes(), version: ELSEWHERE, at: ELSEWHERE })
    }

    fn set(&mut self, slot: u32, version: Version, at: Timestamp) {
        let since = u64::try_from(at.as_millis()).ok().and_then(|millis| millis.checked_sub(FIRST_MOMENT));
        let record = self.records.get_mut(slot);
        match (narrow(Some(version.get()).filter(|version| *version > 0)), narrow(since)) {
            (Some(version), Some(at)) => {
                if record.version == ELSEWHERE {
                    self.wide.remove(&slot);
                }
                (record.version, record.at) = (version, at);
            }
            _ => {
                record.version = ELSEWHERE;
                self.wide.insert(slot, (version, at));
            }
        }
    }

    fn free(&mut self, slot: u32) {
        self.wide.remove(&slot);
        self.records.free(slot);
    }
}

/// A user who was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    /// The number of the record.
    pub(super) slot: u32,
    /// The leaf in which the user sorts.
    pub(super) leaf: u32,
}

/// Records, and the table that finds them.
#[derive(Debug, Default)]
pub(super) struct Users {
    pub(super) records: Records,
    ids: IdTable,
}

impl Users {
    /// Room for so many that it need not grow while they come; their ids are told first, so that each part gets what it needs.
    pub(super) fn for_ids<'a>(ids: impl Iterator<Item = &'a UserId> + Clone) -> Self {
        Self { records: Records::default(), ids: IdTable::for_ids(ids.map(UserId::as_bytes)) }
    }

    #[inline]
    pub(super) fn find(&self, id: UserId) -> Option<User> {
        let Found { slot, leaf, .. } = self.ids.find(id.as_bytes(), &self.records)?;
        Some(User { slot, leaf })
    }

    /// A record for a new user, who is not in any leaf yet: [`moved`](Self::moved) says in which.
    pub(super) fn add(&mut self, id: UserId, version: Version, at: Timestamp) -> u32 {
        let slot = self.add_record(id, version, at);
        self.enter(slot, 0);
        slot
    }

    /// A record that the table does not know yet: [`enter`](Self::enter) is due.
    pub(super) fn add_record(&mut self, id: UserId, version: Version, at: Timestamp) -> u32 {
        let slot = self.records.add(id);
        self.records.set(slot, version, at);
        slot
    }

    /// The table learns of a record, and of its leaf.
    pub(super) fn enter(&mut self, slot: u32, leaf: u32) {
        self.ids.insert(slot, leaf, &self.records);
    }

    pub(super) fn set(&mut self, slot: u32, version: Version, at: Timestamp) {
        self.records.set(slot, version, at);
    }

    /// The user with this record sorts in another leaf now.
    #[inline]
    pub(super) fn moved(&mut self, slot: u32, leaf: u32) {
        self.ids.set_leaf(slot, leaf, &self.records);
    }

    /// Users sort in other leaves now.
    pub(super) fn all_moved(&mut self, moved: &[(u32, u32)]) {
        self.ids.set_leaves(moved, &self.records);
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.ids.remove(slot, &self.records);
        self.records.free(slot);
    }

    /// How many there are.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn len(&self) -> usize {
        self.records.records.len()
    }

    /// What it has allocated.
    pub(super) fn bytes(&self) -> usize {
        const WIDE: usize = size_of::<(u32, (Version, Timestamp))>() + 1;
        self.records.records.bytes() + self.records.wide.capacity() * WIDE * 8 / 7 + self.ids.bytes()
    }
}

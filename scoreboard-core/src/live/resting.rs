//! The windows that nobody watches, and are remembered for who may come again.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many windows that nobody watches, other than of a top, may be remembered. Beyond, they end at once.
const MAX: usize = 4_096;
/// How many of them may be one guest's: so that nobody takes all of them by coming and going.
const MAX_OF_ONE: usize = MAX / 8;

/// Counts them. A clone shares the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Resting(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Who is none of these has none.
    by_guest: HashMap<NonZeroU64, usize>,
}

/// A place among them; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Rest {
    resting: Resting,
    guest: Option<NonZeroU64>,
}

impl Resting {
    /// A place for a window that this guest came to last; `None` if there are enough.
    pub(super) fn place(&self, guest: Option<NonZeroU64>) -> Option<Rest> {
        let mut counts = self.0.lock();
        let of_guest = guest.and_then(|guest| counts.by_guest.get(&guest)).copied().unwrap_or_default();
        if counts.total >= MAX || of_guest >= MAX_OF_ONE {
            return None;
        }
        counts.total += 1;
        if let Some(guest) = guest {
            counts.by_guest.insert(guest, of_guest + 1);
        }
        Some(Rest { resting: self.clone(), guest })
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let mut counts = self.resting.0.lock();
        counts.total -= 1;
        let Some(guest) = self.guest else { return };
        if let Some(of_guest) = counts.by_guest.get_mut(&guest) {
            *of_guest -= 1;
            if *of_guest == 0 {
                counts.by_guest.remove(&guest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places_and_each_is_given_back() {
        let (resting, guest) = (Resting::default(), NonZeroU64::new);
        let take = |guest, count: usize| (0..count).map_while(|_| resting.place(guest)).collect::<Vec<_>>();
        let first = take(guest(1), MAX);
        assert_eq!(first.len(), MAX_OF_ONE);
        let others: Vec<_> = (2..9).flat_map(|n| take(guest(n), MAX)).collect();
        assert_eq!(first.len() + others.len(), MAX);
        assert!(resting.place(guest(9)).is_none() && resting.place(None).is_none(), "there are enough");
        drop(others);
        assert!(resting.place(guest(1)).is_none());
        let unnamed = take(None, MAX);
        assert_eq!(unnamed.len(), MAX - MAX_OF_ONE, "who is not named is bounded by all places alone");
        drop((first, unnamed));
        let counts = resting.0.lock();
        assert!(counts.total == 0 && counts.by_guest.is_empty());
    }
}

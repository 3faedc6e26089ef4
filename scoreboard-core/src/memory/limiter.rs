//! Quotas counted in memory.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::error::{BackendError, ErrorKind};
use crate::limiter::{Cell, Decision, RateLimiter, Usage};

mod cells;
mod count;
mod gcra;
mod sliding_log;

use cells::{Cells, Place};
use count::Count;

/// A [`RateLimiter`] for one process: the exact sliding log, and the generic cell rate algorithm.
///
/// - It keeps at most [`with_max_subjects`](Self::with_max_subjects) counts, and forgets those that count no more. While there
///   is no room, subjects that it does not know share 8,192 counts a policy, each always the same one; those that it knows notice nothing.
/// - An exact quota takes 8 bytes for each cell of its limit that was used; a large one is better counted with
///   [`Quota::gcra`](crate::Quota::gcra).
/// - A clock that is set back by less than a period and a minute, or ten seconds, changes no verdict for the worse; one that is set back
///   further shuts nobody out for longer than two periods, or a period and ten seconds.
///
/// One lock covers all counts, so that several cells are taken as one: a call holds it for about a microsecond.
///
/// ```
/// use scoreboard_core::memory::MemoryRateLimiter;
/// use scoreboard_core::{Cell, Decision, RateLimiter, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = MemoryRateLimiter::default();
/// let cells = [Cell { policy: "update", subject: "alice", quota: "10/min".parse()? }];
/// let now = Timestamp::from_millis(0);
/// for _ in 0..10 {
///     assert!(matches!(limiter.take(&cells, now).await?, Decision::Allowed(_)));
/// }
/// let Decision::Limited(usage) = limiter.take(&cells, now).await? else { panic!("ten were taken") };
/// assert_eq!(usage.retry_after.as_secs(), 60);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryRateLimiter {
    cells: Arc<Mutex<Cells>>,
}

/// About 20 MB of quotas such as 10 a minute.
const DEFAULT_MAX_SUBJECTS: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

impl MemoryRateLimiter {
    /// A limiter that tells 100 000 subjects apart.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_subjects(DEFAULT_MAX_SUBJECTS)
    }

    /// A limiter that tells so many subjects apart, counted once for each policy.
    #[must_use]
    pub fn with_max_subjects(max: NonZeroUsize) -> Self {
        Self { cells: Arc::new(Mutex::new(Cells::new(max.get()))) }
    }
}

impl Default for MemoryRateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryRateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRateLimiter").field("subjects", &self.cells.lock().len()).finish()
    }
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        let decision = take(&mut self.cells.lock(), cells, now.as_millis());
        decision.ok_or_else(|| BackendError::new(ErrorKind::Refused, "memory", "take").because("no cells were named"))
    }
}

/// First finds whether all cells have room, then takes from all.
fn take(counts: &mut Cells, cells: &[Cell<'_>], now: i64) -> Option<Decision> {
    counts.sweep(now);
    let mut places = Vec::with_capacity(cells.len());
    let mut longest: Option<(i64, Usage)> = None;
    for cell in cells {
        let place = counts.place(cell, &places, now);
        places.push(place);
        // Cells that are counted together have to fit together.
        let demand = places.iter().filter(|other| **other == place).count();
        let demand = u32::try_from(demand).unwrap_or(u32::MAX);
        let unused = Count::new(cell.quota.algorithm);
        let count = counts.count(place, cell).unwrap_or(&unused);
        let wait = count.wait(&cell.quota, demand, now);
        if wait > 0 && longest.is_none_or(|(longest, _)| wait > longest) {
            longest = Some((wait, usage(cell, count, 0, wait, now)));
        }
    }
    if let Some((_, usage)) = longest {
        return Some(Decision::Limited(usage));
    }
    let taken = cells.iter().zip(places).map(|(cell, place)| taken(counts, cell, place, now));
    // The last of two on one count says what both left.
    taken.reduce(|least, usage| if usage.remaining < least.remaining { usage } else { least }).map(Decision::Allowed)
}

fn taken(counts: &mut Cells, cell: &Cell<'_>, place: Place, now: i64) -> Usage {
    let count = counts.take(place, cell, now);
    let remaining = count.remaining(&cell.quota, now);
    let wait = if remaining > 0 { 0 } else { count.wait(&cell.quota, 1, now) };
    usage(cell, count, remaining, wait, now)
}

fn usage(cell: &Cell<'_>, count: &Count, remaining: u32, wait: i64, now: i64) -> Usage {
    let millis = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let free_at = count.free_at(cell.quota.period_millis());
    Usage {
        policy: cell.policy,
        quota: cell.quota,
        at: Timestamp::from_millis(now),
        remaining,
        retry_after: millis(wait),
        reset_after: millis(free_at.saturating_sub(now)),
    }
}

#[cfg(test)]
#[path = "limiter_test.rs"]
mod tests;

//! When a user's latest updates on a board were admitted: by this a store holds an exact quota, whatever the limiter in front of it has forgotten.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::limiter::{Algorithm, Quota};

/// The exact quota under which a change was admitted, and when: by the limiter's clock, which need not be that of [`Change::at`](crate::Change::at).
///
/// ```
/// use scoreboard_core::{Admitted, Quota, Timestamp};
///
/// let now = Timestamp::from_millis(1_700_000_000_000);
/// assert!(Admitted::under("10/min".parse()?, now).is_some());
/// assert!(Admitted::under("1000/s".parse()?, now).is_none(), "no rule of a game");
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    at: Timestamp,
    quota: Quota,
}

impl Admitted {
    /// Up to this limit a quota is held by stores. What is larger keeps the peace, and is no rule of a game: it is not worth the room.
    pub const MAX_LIMIT: u32 = 64;
    /// Up to this period, four weeks: what is kept of it fits into 32 bits of milliseconds.
    pub const MAX_PERIOD: Duration = Duration::from_hours(28 * 24);

    /// Admitted at this moment; `None` if the quota is one that stores do not hold.
    #[must_use]
    pub fn under(quota: Quota, at: Timestamp) -> Option<Self> {
        let is_held = quota.algorithm == Algorithm::SlidingLog
            && quota.limit.get() <= Self::MAX_LIMIT
            && quota.period <= Self::MAX_PERIOD;
        is_held.then_some(Self { at, quota })
    }

    /// When it was admitted.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// Under what.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }
}

/// So many milliseconds after another that was admitted later a change may come: who is admitted may take their time to say what they have done.
const LATE: i64 = 30_000;
const MAX_KEPT: usize = 2 * Admitted::MAX_LIMIT as usize;

/// When those of a user's changes on a board were admitted that count and may still matter to their quota: rising, a few.
///
/// [`Batch::decide`](crate::Batch::decide) asks and adds; a store keeps the bytes.
///
/// ```
/// use scoreboard_core::{Admissions, Admitted, Timestamp};
///
/// let at = |millis| Admitted::under("2/s".parse().ok()?, Timestamp::from_millis(millis));
/// let mut admissions = Admissions::default();
/// for millis in [0, 400] {
///     admissions.add(&at(millis).ok_or("a quota that stores hold")?);
/// }
/// let third = at(900).ok_or("the same")?;
/// assert_eq!(admissions.room_for(&third).map_err(|wait| wait.as_millis()), Err(100));
/// let kept = admissions.to_bytes().ok_or("there are some")?;
/// assert_eq!(Admissions::from_bytes(&kept), Some(admissions));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admissions(Vec<Timestamp>);

impl Admissions {
    /// Whether there is room for one more: then no window of the quota's period, closed at its start and open at its end, holds more than its limit.
    ///
    /// Changes need not come in the order in which they were admitted.
    ///
    /// # Errors
    ///
    /// How long after it was admitted there is.
    pub fn room_for(&self, admitted: &Admitted) -> Result<(), Duration> {
        let (limit, period) = (admitted.quota.limit.get() as usize, admitted.quota.period_millis());
        let here = self.0.partition_point(|at| *at <= admitted.at);
        let with_it = |place: usize| match place {
            place if place < here => self.0[place],
            place if place == here => admitted.at,
            place => self.0[place - 1],
        };
        // Each stretch of one more than the limit in which it would be.
        let stretches = here.saturating_sub(limit)..=here.min(self.0.len().saturating_sub(limit));
        let is_over = self.0.len() >= limit
            && stretches
                .into_iter()
                .any(|first| with_it(first + limit).as_millis() - with_it(first).as_millis() < period);
        if !is_over {
            return Ok(());
        }
        let free_at = self.0[self.0.len() - limit].plus(Duration::from_millis(period.unsigned_abs()));
        Err(free_at.since(admitted.at).max(Duration::from_millis(1)))
    }

    /// One more counts. What lies further from it than a period and half a minute is forgotten: before it, for nothing comes that late; behind it, for
    /// then the clock was set back, and what it showed before shall not shut anybody out when it shows that again.
    pub fn add(&mut self, admitted: &Admitted) {
        let reach = admitted.quota.period_millis() + LATE;
        self.0.retain(|at| (at.as_millis() - admitted.at.as_millis()).abs() < reach);
        let here = self.0.partition_point(|at| *at <= admitted.at);
        self.0.insert(here, admitted.at);
        self.0.drain(..self.0.len().saturating_sub(MAX_KEPT));
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a store keeps them: the newest in 8 bytes, of the others in 4 each by how many milliseconds they lie before it. Nothing, if there are none.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let (newest, others) = self.0.split_last()?;
        let mut bytes = Vec::with_capacity(8 + 4 * others.len());
        bytes.extend(newest.as_millis().to_be_bytes());
        for at in others.iter().rev() {
            let before = u32::try_from(newest.as_millis() - at.as_millis()).unwrap_or(u32::MAX);
            bytes.extend(before.to_be_bytes());
        }
        Some(bytes)
    }

    /// What was kept so; `None` if it was not.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (newest, others) = bytes.split_first_chunk()?;
        let newest = i64::from_be_bytes(*newest);
        let (others, rest) = others.as_chunks();
        let befores = others.iter().map(|before| i64::from(u32::from_be_bytes(*before)));
        let millis: Vec<i64> = std::iter::once(0).chain(befores).map(|before| newest.saturating_sub(before)).collect();
        let is_falling = millis.is_sorted_by(|later, earlier| later >= earlier);
        let times = millis.iter().rev().map(|millis| Timestamp::from_millis(*millis)).collect();
        (rest.is_empty() && is_falling).then_some(Self(times))
    }
}

#[cfg(test)]
#[path = "admissions_test.rs"]
mod tests;

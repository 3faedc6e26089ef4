//! Quotas: who may do something how often.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{BackendError, InvalidValue};

mod denials;

pub(crate) use denials::Denials;

/// So many in so long.
///
/// ```
/// use scoreboard_core::Quota;
/// let quota: Quota = "10/min".parse()?;
/// assert_eq!((quota.limit.get(), quota.period.as_secs()), (10, 60));
/// assert!("0/min".parse::<Quota>().is_err());
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// How many.
    pub limit: NonZeroU32,
    /// In any stretch of this length.
    pub period: Duration,
    /// How they are counted.
    pub algorithm: Algorithm,
}

/// How a quota is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Exact: no stretch of `period` ever holds more than `limit`. Keeps a time for each.
    SlidingLog,
    /// The generic cell rate algorithm (ITU-T I.371): a bucket of `limit` that refills evenly over `period`. Keeps one
    /// time, and lets up to twice `limit` through in some stretches of `period`.
    Gcra,
}

impl Quota {
    /// `limit` in any `period`, counted exactly.
    #[must_use]
    pub const fn exact(limit: NonZeroU32, period: Duration) -> Self {
        Self { limit, period, algorithm: Algorithm::SlidingLog }
    }

    /// The period in milliseconds; rounded up, so that no window is too short.
    pub(crate) fn period_millis(&self) -> i64 {
        // Far beyond any quota, and small enough that no sum of times leaves its type.
        const LONGEST: i64 = 1 << 60;
        let millis = self.period.as_nanos().div_ceil(1_000_000).max(1);
        i64::try_from(millis).unwrap_or(LONGEST).min(LONGEST)
    }

    /// The same numbers, counted by the generic cell rate algorithm.
    #[must_use]
    pub const fn gcra(self) -> Self {
        Self { algorithm: Algorithm::Gcra, ..self }
    }
}

impl FromStr for Quota {
    type Err = InvalidValue;

    /// `10/min`, `5/s`, `100/h`, `20/day`.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid =
            InvalidValue::new("quota", "must be like `10/min`, `5/s`, `100/h` or `20/day`, from 1 to 1000000000");
        let (limit, unit) = text.split_once('/').ok_or(invalid.clone())?;
        let limit =
            limit.parse().ok().and_then(NonZeroU32::new).filter(|n| n.get() <= 1_000_000_000).ok_or(invalid.clone())?;
        let seconds = match unit {
            "s" | "sec" => 1,
            "min" => 60,
            "h" | "hour" => 3600,
            "day" => 86_400,
            _ => return Err(invalid),
        };
        Ok(Self::exact(limit, Duration::from_secs(seconds)))
    }
}

/// One quota applied to one subject.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// The quota's name, as clients see it in `RateLimit-Policy`.
    pub policy: &'static str,
    /// Whom it limits: a user id, an address.
    pub subject: &'a str,
    /// How much.
    pub quota: Quota,
}

/// How much of a quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The quota's name.
    pub policy: &'static str,
    /// The quota.
    pub quota: Quota,
    /// When this was so, by the clock that the quota is counted by.
    pub at: Timestamp,
    /// How many more would be admitted now.
    pub remaining: u32,
    /// When one more will be admitted: zero while `remaining` is not.
    pub retry_after: Duration,
    /// When all of the quota is free again, if nothing else comes.
    pub reset_after: Duration,
}

/// What a limiter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Go on; the usage is that of the cell with the least remaining.
    Allowed(Usage),
    /// Stop; the usage is that of the cell that refuses the longest.
    Limited(Usage),
}

/// Counts cells against their quotas.
#[async_trait]
pub trait RateLimiter: fmt::Debug + Send + Sync + 'static {
    /// Takes one from each cell, all or nothing: if any refuses, none is used up.
    ///
    /// - What is refused is not counted.
    /// - With [`Algorithm::SlidingLog`], no window of the quota's period, closed at its start and open at its end, ever holds more than its limit.
    /// - `now` may be ignored by an implementation that has a clock which all nodes share.
    /// - Memory is bounded, whatever subjects come; what cannot be told apart any more is limited together, never not at all.
    ///
    /// `cells` is not empty. A repeat counts again.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Overloaded`, or `OutcomeUnknown` if the cells may have been counted. A caller then falls back to a limiter of its
    /// own, never to none: see [`FallbackLimiter`](crate::FallbackLimiter).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all cells were counted or none.
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError>;
}

//! Time, asked for in one place so that everything else can be tested without waiting.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::InvalidValue;
use crate::wire::text_on_the_wire;

/// A moment: whole milliseconds since 1970-01-01T00:00:00Z. On the wire RFC 3339, UTC, with milliseconds.
///
/// ```
/// use scoreboard_core::Timestamp;
/// let at = Timestamp::from_millis(1_700_000_000_123);
/// assert_eq!(at.to_string(), "2023-11-14T22:13:20.123Z");
/// assert_eq!("2023-11-14T22:13:20.123Z".parse::<Timestamp>()?, at);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment this many milliseconds after the Unix epoch, held within the years 1970 to 9999.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        // The last whole second that jiff shows in every time zone.
        const END_OF_9999: i64 = 253_402_207_199_999;
        if millis < 0 {
            Self(0)
        } else if millis > END_OF_9999 {
            Self(END_OF_9999)
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down: what a JWT's `NumericDate` holds.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// This much earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(millis))
    }

    /// The time from `earlier` until this moment, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The start of this moment's day, UTC.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0 - self.0.rem_euclid(86_400_000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.0).expect("construction holds it within jiff's range");
        write!(f, "{at:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = InvalidValue::new("time", "must be an RFC 3339 time with whole milliseconds, 1970 to 9999");
        let at: jiff::Timestamp = text.parse().map_err(|_| invalid.clone())?;
        let millis = at.as_millisecond();
        // Anything finer would be lost silently, and a signature over it could not be checked.
        let whole = at.subsec_nanosecond() % 1_000_000 == 0;
        if whole && Self::from_millis(millis).0 == millis { Ok(Self(millis)) } else { Err(invalid) }
    }
}

text_on_the_wire!(Timestamp);

/// Where the time comes from. Injected once; core passes `now` down, and stores never read a clock for a decision.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_has_exactly_milliseconds() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert!("2023-11-14T22:13:20.1234Z".parse::<Timestamp>().is_err());
        assert!("2023-11-14".parse::<Timestamp>().is_err());
        let offset: Timestamp = "2023-11-14T23:13:20.123+01:00".parse().expect("an offset is RFC 3339");
        assert_eq!(offset.as_millis(), 1_700_000_000_123);
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.to_string().parse(), Ok(end));
        assert!("9999-12-30T22:00:00.500Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn arithmetic_stays_in_range() {
        let at = Timestamp::from_millis(1000);
        assert_eq!(at.minus(Duration::from_secs(5)), Timestamp::from_millis(0));
        assert_eq!(at.plus(Duration::MAX), Timestamp::from_millis(i64::MAX));
        assert_eq!(Timestamp::from_millis(0).since(at), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(86_400_001).start_of_day().as_millis(), 86_400_000);
    }
}

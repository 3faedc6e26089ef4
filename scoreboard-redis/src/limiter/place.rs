//! Where a cell is counted, and what the scripts are told of it.

use redis::ScriptInvocation;
use scoreboard_core::{Algorithm, Cell, Quota};

use super::keys;
use crate::error::Failure;
use crate::keys::Namespace;

/// Twice the time that is left until its end is far from 2^53 milliseconds, and so is every sum and product in the scripts.
const MAX_PERIOD: i64 = 1 << 37;
const MAX_LIMIT: u32 = 1_000_000_000;

/// One cell of a call.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// As it stands in the key.
    pub(super) subject: String,
    key: String,
    pub(super) quota: Quota,
    /// In milliseconds.
    pub(super) period: i64,
    /// How many cells of the call up to this one are counted here: they have to fit together.
    pub(super) demand: u32,
    /// Which cell of the call it is.
    pub(super) number: usize,
}

/// The places of a call's cells, in their order.
pub(super) fn places(namespace: &Namespace, cells: &[Cell<'_>]) -> Result<Vec<Place>, Failure> {
    let mut places = Vec::<Place>::with_capacity(cells.len());
    for (number, cell) in cells.iter().enumerate() {
        let subject = keys::short(cell.subject);
        let key = match cell.quota.algorithm {
            Algorithm::SlidingLog => namespace.log(&subject, cell.policy),
            Algorithm::Gcra => namespace.bucket(&subject, cell.policy),
        };
        let period = period(&cell.quota).filter(|_| cell.quota.limit.get() <= MAX_LIMIT).ok_or(Failure::Quota)?;
        let before = places.iter().filter(|other| other.key == key).count();
        let demand = u32::try_from(before + 1).map_err(|_| Failure::Quota)?;
        places.push(Place { subject, key, quota: cell.quota, period, demand, number });
    }
    Ok(places)
}

/// A quota's period in milliseconds; rounded up, so that no window is too short.
fn period(quota: &Quota) -> Option<i64> {
    let millis = quota.period.as_nanos().div_ceil(1_000_000).max(1);
    i64::try_from(millis).ok().filter(|millis| *millis <= MAX_PERIOD)
}

/// How far the clock may fall back, and everything still be exact: as in memory.
fn slack(period: i64) -> i64 {
    period.clamp(10_000, 60_000)
}

impl Place {
    pub(super) fn is_log(&self) -> bool {
        matches!(self.quota.algorithm, Algorithm::SlidingLog)
    }

    fn kind(&self) -> &'static str {
        if self.is_log() { "log" } else { "gcra" }
    }

    /// The share of one cell: whole milliseconds, and limit-th parts of one.
    fn share(&self) -> (i64, i64) {
        let limit = i64::from(self.quota.limit.get());
        (self.period / limit, self.period % limit)
    }

    /// As `limit_take.lua` reads it.
    pub(super) fn write(&self, script: &mut ScriptInvocation<'_>) {
        let (share, parts) = self.share();
        script.key(&self.key);
        script.arg(self.kind()).arg(self.quota.limit.get()).arg(self.period).arg(slack(self.period));
        script.arg(share).arg(parts).arg(self.demand).arg(self.number);
    }

    /// As `limit_undo.lua` reads it.
    pub(super) fn write_undo(&self, script: &mut ScriptInvocation<'_>) {
        let (share, parts) = self.share();
        script.key(&self.key);
        script.arg(self.kind()).arg(self.quota.limit.get()).arg(share).arg(parts).arg(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    fn quota(limit: u32, period: Duration) -> Quota {
        Quota::exact(NonZeroU32::new(limit).unwrap(), period)
    }

    #[test]
    fn a_period_is_rounded_up_and_bounded() {
        assert_eq!(period(&quota(1, Duration::from_nanos(1))), Some(1));
        assert_eq!(period(&quota(1, Duration::from_micros(1001))), Some(2));
        assert_eq!(period(&quota(1, Duration::from_millis(1 << 37))), Some(1 << 37));
        assert_eq!(period(&quota(1, Duration::from_millis((1 << 37) + 1))), None);
        assert_eq!(period(&quota(1, Duration::MAX)), None);
    }

    #[test]
    fn what_cannot_be_counted_exactly_is_refused() {
        let namespace = Namespace::default();
        for quota in [quota(MAX_LIMIT + 1, Duration::from_secs(1)), quota(1, Duration::MAX)] {
            let cells = [Cell { policy: "p", subject: "s", quota }];
            assert!(matches!(places(&namespace, &cells), Err(Failure::Quota)));
        }
    }

    #[test]
    fn cells_at_one_place_have_to_fit_together() {
        let quota = quota(3, Duration::from_secs(1));
        let cell = |policy, quota| Cell { policy, subject: "s", quota };
        let cells = [cell("p", quota), cell("p", quota.gcra()), cell("q", quota), cell("p", quota)];
        let demands: Vec<u32> =
            places(&Namespace::default(), &cells).unwrap().iter().map(|place| place.demand).collect();
        assert_eq!(demands, [1, 1, 1, 2]);
    }
}

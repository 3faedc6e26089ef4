//! Windows of intervals that vary less than a person's, whatever the pace of each.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::intervals::{is_faster_than, saturated, variation_per_mille, without_pauses};
use crate::fraud::statistical::{Rule, Seen};
use crate::ids::KindId;

/// Speaks if within short windows the times between actions vary less than a person's do, window after window.
///
/// What changes its pace now and then has intervals that differ widely in all, and hides from
/// [`IntervalVariation`](crate::statistical::IntervalVariation); within each window it is as even as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowVariation {
    /// So many windows are measured, the newest; with [`intervals`](Self::intervals) no more than 63 in all.
    pub windows: u32,
    /// So many intervals make a window; at least 2.
    pub intervals: u32,
    /// The mean of the windows' variations must not be below so many thousandths.
    pub per_mille: u32,
    /// Where half of the intervals are shorter, in milliseconds, nothing is said.
    pub least_median_ms: u64,
    /// Intervals that end with one of these are left out.
    pub steady_kinds: BTreeSet<KindId>,
}

impl Default for WindowVariation {
    fn default() -> Self {
        Self { windows: 6, intervals: 8, per_mille: 180, least_median_ms: 2_000, steady_kinds: BTreeSet::new() }
    }
}

impl Rule for WindowVariation {
    fn id(&self) -> &'static str {
        "window_variation"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        let newest = seen.history.newest()?;
        let (windows, each) = (self.windows as usize, self.intervals as usize);
        let needed = windows.checked_mul(each)?;
        if windows == 0 || each < 2 || seen.history.acts().len() <= needed || self.steady_kinds.contains(&newest.kind) {
            return None;
        }
        if is_faster_than(seen.history, &self.steady_kinds, self.least_median_ms) {
            return None;
        }
        let (intervals, median) = without_pauses(seen.history, &self.steady_kinds);
        let first = intervals.len().checked_sub(needed)?;
        let last = &intervals[first..];
        let sum: u64 = last.chunks_exact(each).map(|window| u64::from(variation_per_mille(window))).sum();
        let mean = sum / windows as u64;
        (mean < u64::from(self.per_mille)).then(|| {
            let inputs = [
                ("windows", i64::from(self.windows)),
                ("intervals", i64::from(self.windows) * i64::from(self.intervals)),
                ("medianMs", saturated(median)),
            ];
            let measured = Measured { unit: "perMille", value: saturated(mean), threshold: i64::from(self.per_mille) };
            Evidence::of(self, self, measured, &inputs, last[0].begin, newest)
        })
    }
}

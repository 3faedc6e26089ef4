//! Results that are suddenly far from all that the user had before.

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::intervals::median;
use crate::fraud::statistical::{Rule, Seen};

/// Speaks if the middle of a user's last results of a kind is far from the middle of those before, by the spread of those before.
///
/// This is a robust z: medians in the place of means, and the median of the absolute deviations (times 1.4826, as for a normal
/// distribution) in the place of a standard deviation. So one record, or a few, move nothing; another person at the account, or a program,
/// does. A kind whose points are fixed tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PointsShift {
    /// So many results are the last ones; at least 1.
    pub recent: u32,
    /// At least so many must have been before; with `recent` no more than 64.
    pub before: u32,
    /// The distance, in thousandths of the spread, that is believed.
    pub per_mille: u32,
}

impl Default for PointsShift {
    fn default() -> Self {
        Self { recent: 8, before: 20, per_mille: 3_000 }
    }
}

impl Rule for PointsShift {
    fn id(&self) -> &'static str {
        "points_shift"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        // Most do one thing again and again, which is always worth the same: they need not be walked through.
        if seen.history.is_all_alike() {
            return None;
        }
        let newest = seen.history.newest()?;
        let acts = || seen.history.acts().filter(|act| act.kind == newest.kind);
        // Of most kinds the points are fixed: then there is nothing to sort.
        let mut earlier = acts().rev().skip(self.recent as usize);
        let last = earlier.next()?;
        let (mut before, mut are_fixed) = (1, true);
        for act in earlier {
            (before, are_fixed) = (before + 1, are_fixed && act.points == last.points);
        }
        if self.recent == 0 || before < self.before as usize || are_fixed {
            return None;
        }
        let first = acts().next()?;
        let mut points: Vec<i64> = acts().map(|act| act.points.get()).collect();
        let (old, new) = points.split_at_mut(before);
        let (was, is) = (median(old), median(new));
        for value in old.iter_mut() {
            *value = (*value - was).abs();
        }
        let deviation = median(old);
        if deviation == 0 {
            return None;
        }
        // In thousandths of 1.4826 deviations. Points have 53 bits, so this needs more than 64.
        let distance = i128::from((is - was).abs()) * 10_000_000 / (i128::from(deviation) * 14_826);
        let distance = i64::try_from(distance).unwrap_or(i64::MAX);
        (distance > i64::from(self.per_mille)).then(|| {
            let inputs = [
                ("before", before as i64),
                ("recent", i64::from(self.recent)),
                ("medianBefore", was),
                ("medianRecent", is),
                ("deviation", deviation),
            ];
            let measured = Measured { unit: "perMille", value: distance, threshold: i64::from(self.per_mille) };
            Evidence::of(self, self, measured, &inputs, first, newest)
        })
    }
}

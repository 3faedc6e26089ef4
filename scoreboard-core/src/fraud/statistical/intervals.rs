//! The times between actions, without pauses.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::fraud::statistical::{Act, History};
use crate::ids::KindId;

/// The time from one action to the next, in milliseconds, and the action that ends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval<'a> {
    pub(super) ms: u64,
    pub(super) begin: &'a Act,
    pub(super) end: &'a Act,
}

/// An interval that is so many times as long as most is a pause, and says nothing of how evenly somebody plays.
const PAUSE: u64 = 6;

/// The intervals of a history without its pauses, oldest first, and their median. Those that end with a kind of `steady` are left out.
pub(super) fn without_pauses<'a>(history: &'a History, steady: &BTreeSet<KindId>) -> (Vec<Interval<'a>>, u64) {
    let acts = history.acts().zip(history.acts().skip(1));
    let all = acts.map(|(begin, end)| Interval { ms: millis(begin.at, end.at), begin, end });
    let mut kept: Vec<_> = all.filter(|interval| !steady.contains(&interval.end.kind)).collect();
    let mut lengths: Vec<u64> = kept.iter().map(|interval| interval.ms).collect();
    let middle = median(&mut lengths);
    kept.retain(|interval| interval.ms <= middle.saturating_mul(PAUSE));
    (kept, middle)
}

/// Whether the median that [`without_pauses`] gives is below this, found without sorting: who plays so fast acts often, and is looked at as often.
pub(super) fn is_faster_than(history: &History, steady: &BTreeSet<KindId>, least_median_ms: u64) -> bool {
    let (mut shorter, mut longer) = (0_usize, 0_usize);
    let all = history.acts().len().saturating_sub(1);
    // Were half of them longer, all together would take longer than this.
    let half = all.div_ceil(2) as u64;
    if steady.is_empty() && history.all_intervals() < half.saturating_mul(least_median_ms) {
        return true;
    }
    for (begin, end) in history.acts().zip(history.acts().skip(1)) {
        if !steady.contains(&end.kind) {
            *(if millis(begin.at, end.at) < least_median_ms { &mut shorter } else { &mut longer }) += 1;
            // Whatever the others are.
            if shorter * 2 > all || longer * 2 > all {
                break;
            }
        }
    }
    // The upper of the two in the middle is the median.
    shorter > longer || (shorter == 0 && longer == 0 && least_median_ms > 0)
}

/// The time between two moments; 0 where the later is not.
pub(super) fn millis(begin: Timestamp, end: Timestamp) -> u64 {
    // Not by a `Duration`, which divides: some look at all intervals, at each action.
    u64::try_from(end.as_millis() - begin.as_millis()).unwrap_or(0)
}

/// As evidence holds it.
pub(super) fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The middle one, or the upper of the two in the middle; 0 of none. Reorders them.
pub(super) fn median<T: Ord + Copy + Default>(values: &mut [T]) -> T {
    if values.is_empty() {
        return T::default();
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

/// The coefficient of variation: the standard deviation (of a sample) in thousandths of the mean.
pub(super) fn variation_per_mille(intervals: &[Interval<'_>]) -> u32 {
    #[expect(clippy::cast_precision_loss, reason = "a day has fewer milliseconds than a float has digits")]
    let lengths = || intervals.iter().map(|interval| interval.ms as f64);
    #[expect(clippy::cast_precision_loss, reason = "a history has few intervals")]
    let count = intervals.len() as f64;
    let mean = lengths().sum::<f64>() / count;
    let variance = lengths().map(|length| (length - mean).powi(2)).sum::<f64>() / (count - 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, and NaN is 0")]
    let per_mille = (1000.0 * variance.sqrt() / mean).round() as u32;
    per_mille
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&mut [3, 1, 2]), 2);
        assert_eq!(median(&mut [4, 1, 3, 2]), 3);
        assert_eq!(median::<u64>(&mut []), 0);
    }
}

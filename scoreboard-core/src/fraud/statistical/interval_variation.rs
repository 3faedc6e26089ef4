//! Intervals that vary less than a person's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::intervals::{is_faster_than, saturated, variation_per_mille, without_pauses};
use crate::fraud::statistical::{Rule, Seen};
use crate::ids::KindId;

/// So even may so many intervals not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Steadiness {
    /// The last so many intervals are measured.
    pub intervals: u32,
    /// Their standard deviation must not be below so many thousandths of their mean.
    pub per_mille: u32,
}

/// Speaks if the times between a user's actions vary less than a person's do, pauses left out.
///
/// What a timer drives varies by what the network does to it, a few thousandths; a timer with jitter by the jitter; times between people's
/// actions by half their length and more. The fewer are measured, the evener they must be.
///
/// Two things are even though a person does them: what is faster than thinking, like tapping in a rhythm, and what always takes as long, like
/// a lap. The first is told by [`least_median_ms`](Self::least_median_ms), the second by [`steady_kinds`](Self::steady_kinds).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntervalVariation {
    /// Fewest intervals first; the first that is broken speaks. Each of no more than 63 intervals.
    pub tiers: Vec<Steadiness>,
    /// Where half of the intervals are shorter, in milliseconds, nothing is said.
    pub least_median_ms: u64,
    /// Intervals that end with one of these are left out.
    pub steady_kinds: BTreeSet<KindId>,
}

impl Default for IntervalVariation {
    fn default() -> Self {
        let tier = |intervals, per_mille| Steadiness { intervals, per_mille };
        Self {
            tiers: vec![tier(12, 30), tier(24, 140), tier(48, 215)],
            least_median_ms: 2_000,
            steady_kinds: BTreeSet::new(),
        }
    }
}

impl Rule for IntervalVariation {
    fn id(&self) -> &'static str {
        "interval_variation"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        let newest = seen.history.newest()?;
        let least = self.tiers.iter().map(|tier| tier.intervals as usize).min()?;
        if seen.history.acts().len() <= least || self.steady_kinds.contains(&newest.kind) {
            return None;
        }
        if is_faster_than(seen.history, &self.steady_kinds, self.least_median_ms) {
            return None;
        }
        let (intervals, median) = without_pauses(seen.history, &self.steady_kinds);
        self.tiers.iter().find_map(|tier| {
            let first = intervals.len().checked_sub(tier.intervals as usize)?;
            let last = &intervals[first..];
            let variation = variation_per_mille(last);
            (last.len() > 1 && variation < tier.per_mille).then(|| {
                let inputs = [("intervals", i64::from(tier.intervals)), ("medianMs", saturated(median))];
                let measured =
                    Measured { unit: "perMille", value: i64::from(variation), threshold: i64::from(tier.per_mille) };
                Evidence::of(self, self, measured, &inputs, last[0].begin, newest)
            })
        })
    }
}

//! Questions to the index.

use crate::entry::{Range, Ranked, rank_entries};
use crate::ids::UserId;
use crate::rank_index::RankIndex;
use crate::rank_index::tree::{Place, Placed};
use crate::ranking::{Ahead, OrderKey, RankStyle};
use crate::score::Score;
use crate::store::Reached;

/// Entries next to each other, and what lies beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexPage {
    /// The entries, best first.
    pub entries: Vec<Ranked>,
    /// Whether there are entries before the first.
    pub has_previous: bool,
    /// Whether there are entries behind the last.
    pub has_next: bool,
}

/// How a user stands to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile {
    /// How many have a worse score.
    pub behind: u64,
    /// How many have the same score, the user among them.
    pub equal: u64,
    /// All.
    pub total: u64,
}

impl Percentile {
    /// The part, in percent, whose score is not better: 100 for who leads, equals alike.
    #[must_use]
    pub fn percent(self) -> f64 {
        100.0 * (self.behind + self.equal) as f64 / self.total.max(1) as f64
    }
}

impl<const LEAF: usize, const FAN: usize> RankIndex<LEAF, FAN> {
    /// A user's rank.
    #[must_use]
    pub fn rank(&self, user: UserId, style: RankStyle) -> Option<u64> {
        let (place, _) = self.locate(user)?;
        if style == RankStyle::Ordinal {
            return Some(self.tree.number(place) + 1);
        }
        let (_, score) = self.tree.entry(place)?;
        Some(self.ahead(place, score).rank(style))
    }

    /// Where a user stands.
    #[must_use]
    pub fn standing(&self, user: UserId, style: RankStyle) -> Option<Ranked> {
        let (place, slot) = self.locate(user)?;
        let (_, score) = self.tree.entry(place)?;
        let rank = match style {
            RankStyle::Ordinal => self.tree.number(place) + 1,
            RankStyle::Competition | RankStyle::Dense => self.ahead(place, score).rank(style),
        };
        let Reached { score, version: reached, at: updated_at } = self.reached(slot, score);
        Some(Ranked { rank, user_id: user, score, reached, updated_at })
    }

    /// Where these users stand: one answer for each, in that order, `None` for who is not here.
    #[must_use]
    pub fn standings(&self, style: RankStyle, users: &[UserId]) -> Vec<Option<Ranked>> {
        users.iter().map(|user| self.standing(*user, style)).collect()
    }

    /// What stands before a key, whether an entry has it or not.
    #[must_use]
    pub fn ahead_of(&self, key: OrderKey) -> Ahead {
        let Some(place) = self.seek(key) else { return Ahead::default() };
        let better = OrderKey { tie: i64::MIN, ..key };
        let better = self.seek(better).map(|place| self.tree.before(place)).unwrap_or_default();
        Ahead { entries: self.tree.number(place), better: better.entries, better_scores: better.scores }
    }

    /// How many users have a better score than this one.
    #[must_use]
    pub fn count_better(&self, score: Score) -> u64 {
        self.number_of(OrderKey { score: self.order.score_key(score), tie: i64::MIN })
    }

    /// How many users have a score that is not better than `best` and not worse than `worst`.
    #[must_use]
    pub fn count_between(&self, best: Score, worst: Score) -> u64 {
        let end = OrderKey { score: self.order.score_key(worst), tie: i64::MAX };
        self.number_of(end).saturating_sub(self.count_better(best))
    }

    /// Those of them who come first, at most `limit`.
    #[must_use]
    pub fn between(&self, best: Score, worst: Score, style: RankStyle, limit: usize) -> IndexPage {
        let count = usize::try_from(self.count_between(best, worst)).unwrap_or(usize::MAX);
        self.stretch(self.count_better(best), limit.min(count), style)
    }

    /// The user with this number, counted from 0.
    #[must_use]
    pub fn nth(&self, n: u64) -> Option<(UserId, Reached)> {
        Some(self.shown(self.tree.entry(self.tree.nth(n)?)?))
    }

    /// How a user stands to all others.
    #[must_use]
    pub fn percentile(&self, user: UserId) -> Option<Percentile> {
        let reached = self.get(user)?;
        let total = self.total();
        let better = self.count_better(reached.score);
        let equal = self.count_between(reached.score, reached.score);
        Some(Percentile { behind: total - better - equal, equal, total })
    }

    /// A page, by the rules of [`Range`].
    #[must_use]
    pub fn page(&self, range: Range, style: RankStyle) -> IndexPage {
        match range {
            Range::Top { limit } => self.stretch(0, limit, style),
            Range::After { key, limit } => {
                // Keys are unique: behind the key means from the one after it on.
                let after = key.tie.checked_add(1).map(|tie| OrderKey { tie, ..key });
                let after = after.unwrap_or(OrderKey { score: key.score.saturating_add(1), tie: i64::MIN });
                self.stretch(self.number_of(after), limit, style)
            }
            Range::Before { key, limit } => {
                let end = self.number_of(key);
                let start = end.saturating_sub(limit as u64);
                self.stretch(start, usize::try_from(end - start).unwrap_or(limit), style)
            }
            Range::Around { user, radius } => {
                let Some((place, _)) = self.locate(user) else { return IndexPage::default() };
                let (number, total) = (self.tree.number(place), self.total());
                let size = radius.saturating_mul(2).saturating_add(1);
                self.window(number.saturating_sub(radius as u64), size, total, style)
            }
        }
    }

    /// At most `limit` entries, a user among them, moved inward at the ends so that it stays full: of an even number, one more stands behind
    /// the user than in front.
    #[must_use]
    pub fn around(&self, user: UserId, limit: usize, style: RankStyle) -> IndexPage {
        let (Some((place, _)), 1..) = (self.locate(user), limit) else { return IndexPage::default() };
        let start = self.tree.number(place).saturating_sub((limit as u64 - 1) / 2);
        self.window(start, limit, self.total(), style)
    }

    /// The entries from a number on, counted from 0, as many as there are up to `limit`.
    #[must_use]
    pub fn stretch(&self, start: u64, limit: usize, style: RankStyle) -> IndexPage {
        let total = self.total();
        let start = start.min(total);
        let count = usize::try_from(total - start).unwrap_or(usize::MAX).min(limit);
        let place = if count == 0 { None } else { self.tree.nth(start) };
        let ahead = place.and_then(|place| Some(self.ahead_for(style, place, start, self.tree.entry(place)?.1)));
        let entries = self.tree.from(place).take(count).map(|placed| self.shown(placed));
        IndexPage {
            entries: rank_entries(style, ahead.unwrap_or_default(), entries),
            has_previous: start > 0,
            has_next: start + (count as u64) < total,
        }
    }

    fn window(&self, start: u64, size: usize, total: u64, style: RankStyle) -> IndexPage {
        self.stretch(start.min(total.saturating_sub(size as u64)), size, style)
    }

    /// How many entries stand before a key.
    fn number_of(&self, key: OrderKey) -> u64 {
        self.seek(key).map_or(0, |place| self.tree.number(place))
    }

    fn shown(&self, (slot, score): Placed) -> (UserId, Reached) {
        (UserId::from_bytes(*self.users.records.id(slot)), self.reached(slot, score))
    }

    /// What stands before an entry.
    fn ahead(&self, place: Place, score: i64) -> Ahead {
        let better = self.tree.before(self.tree.first_of_equals(place, score));
        Ahead { entries: self.tree.number(place), better: better.entries, better_scores: better.scores }
    }

    /// The same, as far as the style needs it.
    fn ahead_for(&self, style: RankStyle, place: Place, number: u64, score: i64) -> Ahead {
        match style {
            RankStyle::Ordinal => Ahead { entries: number, ..Ahead::default() },
            RankStyle::Competition | RankStyle::Dense => self.ahead(place, score),
        }
    }
}

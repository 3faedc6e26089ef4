//! What a user sees of themselves: also what others are not shown.

use crate::entry::{PageQuery, Range, Ranked, Standing, percentile};
use crate::error::Result;
use crate::ids::UserId;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::{StandingQuery, entry};
use crate::ranking::{OrderKey, RankStyle};
use crate::store::{Own, Restriction, ScoreStore};

impl Scoreboard {
    /// Where a user stands, as they are told themselves.
    ///
    /// Somebody shadowed is told what they would be told if they were not. Somebody held is told what they have with all that is
    /// pending, and that it is [provisional](Standing::provisional). For all others it is [`standing`](Self::standing).
    ///
    /// # Errors
    ///
    /// As [`top`](Self::top).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn own_standing(&self, user: UserId, query: &StandingQuery) -> Result<Standing> {
        let shown = self.standing(user, query).await?;
        let Some(moderation) = &self.parts.moderation else { return Ok(shown) };
        let season = Some(shown.season);
        match moderation.own(&query.board, season, user).await? {
            Some(own) if own.restriction != Restriction::Banned => self.with_own(user, query.style, shown, own).await,
            _ => Ok(shown),
        }
    }

    async fn with_own(&self, user: UserId, style: RankStyle, shown: Standing, own: Own) -> Result<Standing> {
        let is_held = own.restriction == Restriction::Held;
        let Some(reached) = own.reached else { return Ok(Standing { standing: None, percentile: None, ..shown }) };
        let board = &shown.board;
        let Some(found) = self.parts.store.board(board).await? else { return Err(self.missing(board).await) };
        let order = found.spec.order();
        let key = order.key(reached.score, reached.version);
        let before = |key| Range::Before { key, limit: 1 };
        let page = |range| self.parts.store.page(board, PageQuery { season: Some(shown.season), range, style });
        // The rank behind the last who stands before the key: their own, if the scores are equal and share one.
        let mut rank = match page(before(key)).await?.and_then(|page| page.entries.last().copied()) {
            None => 1,
            Some(last) if style != RankStyle::Ordinal && last.score == reached.score => last.rank,
            Some(last) => match style {
                RankStyle::Ordinal | RankStyle::Dense => last.rank + 1,
                // As many as stand better, of whom the last may be one of several.
                RankStyle::Competition => {
                    let first = OrderKey { tie: i64::MIN, ..key };
                    let query =
                        PageQuery { season: Some(shown.season), range: before(first), style: RankStyle::Ordinal };
                    let last = self.parts.store.page(board, query).await?;
                    last.and_then(|page| page.entries.last().map(|last| last.rank)).unwrap_or(0) + 1
                }
            },
        };
        let mut total = shown.total + 1;
        if let Some(seen) = &shown.standing {
            // The place that others see is left for this one.
            total = shown.total;
            let is_ahead = match style {
                RankStyle::Dense => false,
                RankStyle::Ordinal | RankStyle::Competition => seen.rank < rank,
            };
            rank -= u64::from(is_ahead);
        }
        let (user_id, score, at) = (user, reached.score, reached.at);
        let ranked = Ranked { rank, user_id, score, reached: reached.version, updated_at: at };
        let names = self.names([&ranked]).await?;
        Ok(Standing {
            total,
            percentile: percentile(style, rank, total),
            standing: Some(entry(ranked, &names)),
            provisional: is_held,
            ..shown
        })
    }
}

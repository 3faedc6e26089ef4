//! What a user sees of themselves: also what others are not shown.

use crate::entry::{PageQuery, Range, Ranked, Standing, percentile};
use crate::error::{BackendError, ErrorKind, Result};
use crate::ids::UserId;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::{StandingQuery, entry};
use crate::ranking::{OrderKey, RankStyle};
use crate::store::{Own, Restriction, ScoreStore};

/// So often somebody may do something just while they are told where they stand.
const ATTEMPTS: u32 = 10;

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
        let query = StandingQuery { season: Some(shown.season), ..query.clone() };
        let own = async || moderation.own(&query.board, query.season, user).await;
        let mut before = own().await?;
        for _ in 0..ATTEMPTS {
            let Some(held) = before.filter(|own| own.restriction != Restriction::Banned) else {
                return self.standing(user, &query).await;
            };
            let standing = self.with_own(user, &query, held).await?;
            // What they have is of no version. If it is the same behind the board as it was before, it was so at the board's.
            let after = own().await?;
            if after.is_some_and(|own| (own.restriction, own.reached) == (held.restriction, held.reached)) {
                return Ok(standing);
            }
            before = after;
        }
        Err(BackendError::new(ErrorKind::Unavailable, "scoreboard", "own_standing").into())
    }

    async fn with_own(&self, user: UserId, query: &StandingQuery, own: Own) -> Result<Standing> {
        let (board, style) = (&query.board, query.style);
        // Where the board is: ranks in memory are brought forward to it, and what was read of the user is not newer.
        let Some(found) = self.parts.store.board(board).await? else { return Err(self.missing(board).await) };
        let Some(reached) = own.reached else {
            let shown = self.standing(user, query).await?;
            return Ok(Standing { standing: None, percentile: None, ..shown });
        };
        // What others see of somebody held stays the same, whatever the version.
        let seen = self.parts.store.standings(board, query.season, style, &[user]).await?;
        let seen = seen.and_then(|seen| seen.entries.into_iter().next().flatten());
        let order = found.spec.order();
        let key = order.key(reached.score, reached.version);
        // The last who stands before them, and, in the styles in which equals share a rank, among those with better scores alone. One page, so
        // that all of it is true at one version.
        let (behind, style_there) = match style {
            RankStyle::Ordinal => (key, style),
            RankStyle::Competition => (OrderKey { tie: i64::MIN, ..key }, RankStyle::Ordinal),
            RankStyle::Dense => (OrderKey { tie: i64::MIN, ..key }, style),
        };
        let range = Range::Before { key: behind, limit: 1 };
        let page = PageQuery { season: query.season, range, style: style_there };
        let Some(page) = self.parts.store.page(board, page).await? else { return Err(self.missing(board).await) };
        let mut rank = page.entries.last().map_or(0, |last| last.rank) + 1;
        let mut total = page.total + 1;
        if let Some(seen) = seen {
            // The place that others see is left for this one.
            total = page.total;
            let is_ahead = order.key(seen.score, seen.reached) < behind && style != RankStyle::Dense;
            rank -= u64::from(is_ahead);
        }
        let (user_id, score, at) = (user, reached.score, reached.at);
        let ranked = Ranked { rank, user_id, score, reached: reached.version, updated_at: at };
        let names = self.names([&ranked]).await?;
        Ok(Standing {
            board: board.clone(),
            season: page.season,
            epoch: page.position.epoch,
            version: page.position.version,
            total,
            percentile: percentile(style, rank, total),
            standing: Some(entry(ranked, &names)),
            provisional: own.restriction == Restriction::Held,
        })
    }
}

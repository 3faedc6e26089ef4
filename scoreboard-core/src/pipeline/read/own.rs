//! What a user sees of themselves: also what others are not shown.

use crate::entry::{PageQuery, Range, Ranked, Standing, percentile};
use crate::error::{BackendError, ErrorKind, Result};
use crate::ids::UserId;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::{StandingQuery, entry};
use crate::ranking::{OrderKey, RankStyle};
use crate::store::{Own, Restriction, ScoreStore};

/// So often somebody may do something just while they are told where they stand, or the board move while their equals are counted.
const ATTEMPTS: u32 = 50;

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
            if let Some(standing) = standing
                && after.is_some_and(|own| (own.restriction, own.reached) == (held.restriction, held.reached))
            {
                return Ok(standing);
            }
            before = after;
        }
        Err(BackendError::new(ErrorKind::Unavailable, "scoreboard", "own_standing").into())
    }

    /// `None` if the board has moved between two looks at it.
    async fn with_own(&self, user: UserId, query: &StandingQuery, own: Own) -> Result<Option<Standing>> {
        let (board, style) = (&query.board, query.style);
        // Where the board is: ranks in memory are brought forward to it, and what was read of the user is not newer.
        let Some(found) = self.parts.store.board(board).await? else { return Err(self.missing(board).await) };
        let Some(reached) = own.reached else {
            let shown = self.standing(user, query).await?;
            return Ok(Some(Standing { standing: None, percentile: None, ..shown }));
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
        let look = |range, style| self.parts.store.page(board, PageQuery { season: query.season, range, style });
        let Some(page) = look(range, style_there).await? else { return Err(self.missing(board).await) };
        let mut rank = page.entries.last().map_or(0, |last| last.rank) + 1;
        let mut total = page.total + 1;
        if let Some(seen) = seen {
            // The place that others see is left for this one.
            total = page.total;
            let place = order.key(seen.score, seen.reached);
            let mut counts = place < behind;
            if counts && style == RankStyle::Dense {
                // Scores are counted, so only one that is nobody else's is left.
                let first = OrderKey { tie: i64::MIN, ..place };
                let Some(equals) = look(Range::After { key: first, limit: 2 }, style).await? else { return Ok(None) };
                if equals.position != page.position {
                    return Ok(None);
                }
                counts = equals.entries.iter().filter(|other| other.score == seen.score).count() == 1;
            }
            rank -= u64::from(counts);
        }
        let (user_id, score, at) = (user, reached.score, reached.at);
        let ranked = Ranked { rank, user_id, score, reached: reached.version, updated_at: at };
        let names = self.names([&ranked]).await?;
        Ok(Some(Standing {
            board: board.clone(),
            season: page.season,
            epoch: page.position.epoch,
            version: page.position.version,
            total,
            percentile: percentile(style, rank, total),
            standing: Some(entry(ranked, &names)),
            provisional: own.restriction == Restriction::Held,
        }))
    }
}

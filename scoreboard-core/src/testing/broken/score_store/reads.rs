//! Defects of what is read.

use std::collections::HashMap;
use std::time::Duration;

use super::{Alteration, Altered, Result, alterations};
use crate::clock::Timestamp;
use crate::entry::{PageQuery, Range, RankedPage, RankedUsers, ScoreRank};
use crate::ids::{BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{LogRow, ScoreStore};
use crate::testing::broken::Defect;
use crate::version::Version;

alterations! {
    /// Equals stand in the order of their ids.
    TiesById {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let mut page = store.page(board, query).await?;
            if let Some(page) = &mut page {
                for run in page.entries.chunk_by_mut(|a, b| a.score == b.score) {
                    run.sort_by_key(|entry| entry.user_id);
                }
            }
            Ok(page)
        }
    }

    /// A change that leaves a score as it is counts as reaching it.
    IdleChangeReaches {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let mut page = store.page(board, query).await?;
            for entry in page.iter_mut().flat_map(|page| &mut page.entries) {
                if let Some(row) = store.history(board, entry.user_id, None, 1).await?.first() {
                    (entry.reached, entry.updated_at) = (row.position.version, row.at);
                }
            }
            Ok(page)
        }
    }

    /// The position is read before the page.
    DirtyVersion {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let before = store.board(board).await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let page = store.page(board, query).await?;
            Ok(page.zip(before).map(|(page, before)| RankedPage { position: before.position(), ..page }))
        }
    }

    /// In competition style, equals share the rank of the last of them.
    CompetitionOffByOne {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let mut page = store.page(board, query).await?;
            if query.style == RankStyle::Competition {
                for run in page.iter_mut().flat_map(|page| page.entries.chunk_by_mut(|a, b| a.score == b.score)) {
                    let shift = run.len() as u64 - 1;
                    run.iter_mut().for_each(|entry| entry.rank += shift);
                }
            }
            Ok(page)
        }
    }

    /// Ranks start anew on each page.
    RanksStartAnew {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let mut page = store.page(board, query).await?;
            if let Some(page) = &mut page {
                let shift = page.entries.first().map_or(0, |first| first.rank - 1);
                page.entries.iter_mut().for_each(|entry| entry.rank -= shift);
            }
            Ok(page)
        }
    }

    /// A page behind a key begins with the key's own entry.
    KeyIncluded {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, mut query: PageQuery) -> Result<Option<RankedPage>> {
            if let Range::After { key, .. } = &mut query.range {
                key.tie -= 1;
            }
            store.page(board, query).await
        }
    }

    /// Pages go on by score alone, and skip what is left of a tie.
    TiesSkipped {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, mut query: PageQuery) -> Result<Option<RankedPage>> {
            if let Range::After { key, .. } = &mut query.range {
                key.tie = i64::MAX;
            }
            store.page(board, query).await
        }
    }

    /// The total is that of the page.
    TotalOfPage {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let page = store.page(board, query).await?;
            Ok(page.map(|page| RankedPage { total: page.entries.len() as u64, ..page }))
        }
    }

    /// A full page is taken to have a next one.
    NextIfFull {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let page = store.page(board, query).await?;
            let full = |page: &RankedPage| match query.range {
                Range::Top { limit } | Range::After { limit, .. } => page.entries.len() == limit,
                Range::Before { .. } | Range::Around { .. } => page.has_next,
            };
            Ok(page.map(|page| RankedPage { has_next: full(&page), ..page }))
        }
    }

    /// Near an end there are fewer entries around a user.
    AroundCutShort {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            let mut page = store.page(board, query).await?;
            if let (Range::Around { user, radius }, Some(page)) = (query.range, &mut page)
                && let Some(middle) = page.entries.iter().position(|entry| entry.user_id == user)
            {
                page.entries.truncate(middle + radius + 1);
                page.entries.drain(..middle.saturating_sub(radius));
            }
            Ok(page)
        }
    }

    /// A season that never was is answered as the current one.
    AnySeason {
        async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
            store.page(board, PageQuery { season: None, ..query }).await
        }
    }

    /// A score is ranked before its equals.
    ScoreBeforeEquals {
        async fn score_rank(
            &self,
            store: &dyn ScoreStore,
            board: &BoardId,
            style: RankStyle,
            score: Score,
        ) -> Result<Option<ScoreRank>> {
            let style = if style == RankStyle::Ordinal { RankStyle::Competition } else { style };
            store.score_rank(board, style, score).await
        }
    }

    /// Standings come in the order of the board, each user once.
    StandingsReordered {
        async fn standings(
            &self,
            store: &dyn ScoreStore,
            board: &BoardId,
            style: RankStyle,
            users: &[UserId],
        ) -> Result<Option<RankedUsers>> {
            let mut found = store.standings(board, None, style, users).await?;
            if let Some(found) = &mut found {
                found.entries.sort_by_key(|entry| entry.map_or(u64::MAX, |entry| entry.rank));
                found.entries.dedup();
            }
            Ok(found)
        }
    }

    /// The total beside standings is that of those asked for.
    StandingsTotalOfAsked {
        async fn standings(
            &self,
            store: &dyn ScoreStore,
            board: &BoardId,
            style: RankStyle,
            users: &[UserId],
        ) -> Result<Option<RankedUsers>> {
            let found = store.standings(board, None, style, users).await?;
            Ok(found.map(|found| RankedUsers { total: found.entries.iter().flatten().count() as u64, ..found }))
        }
    }

    /// Rows are kept without their digests.
    DigestsForgotten {
        async fn log(&self, store: &dyn ScoreStore, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
            let mut rows = store.log(board, after, limit).await?;
            rows.iter_mut().for_each(|row| row.digest = None);
            Ok(rows)
        }
    }

    /// Times are kept in whole seconds.
    SecondsKept {
        async fn log(&self, store: &dyn ScoreStore, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
            let mut rows = store.log(board, after, limit).await?;
            rows.iter_mut().for_each(|row| row.at = Timestamp::from_millis(row.at.as_millis() / 1000 * 1000));
            Ok(rows)
        }
    }

    /// A history comes oldest first.
    HistoryOldestFirst {
        async fn history(
            &self,
            store: &dyn ScoreStore,
            board: &BoardId,
            user: UserId,
            before: Option<Version>,
            limit: usize,
        ) -> Result<Vec<LogRow>> {
            let mut rows = store.history(board, user, before, limit).await?;
            rows.reverse();
            Ok(rows)
        }
    }

    /// The version behind which a history goes on is shown again.
    HistoryRepeats {
        async fn history(
            &self,
            store: &dyn ScoreStore,
            board: &BoardId,
            user: UserId,
            before: Option<Version>,
            limit: usize,
        ) -> Result<Vec<LogRow>> {
            // Where the repeated row is all that is left, the history must end, or nobody would ever be done with it.
            let rows = store.history(board, user, before.map(Version::next), limit).await?;
            Ok(if before.is_some() && rows.len() <= 1 { Vec::new() } else { rows })
        }
    }
}

/// The first page of a board is remembered, and answered for ever.
#[derive(Debug)]
pub struct StaleReads;

#[derive(Default)]
struct Remembers(parking_lot::Mutex<HashMap<BoardId, RankedPage>>);

#[async_trait::async_trait]
impl Alteration for Remembers {
    async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        let page = store.page(board, query).await?;
        Ok(page.map(|page| self.0.lock().entry(board.clone()).or_insert(page).clone()))
    }
}

impl Defect for StaleReads {
    fn score_store(store: std::sync::Arc<dyn ScoreStore>) -> std::sync::Arc<dyn ScoreStore> {
        std::sync::Arc::new(Altered { store, alteration: Remembers::default() })
    }
}

//! Watching a board: what the live windows read from the store.

use crate::entry::{Entry, PageQuery, Range, Ranked, RankedPage};
use crate::error::Result;
use crate::ids::BoardId;
use crate::live::Subscription;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::entry;
use crate::ranking::RankStyle;
use crate::store::ScoreStore;
use crate::version::Position;
use crate::view::{View, rewind};

/// How many changes a watcher may have missed and still be told of them from the log; beyond, it gets the whole view.
const MAX_MISSED: u64 = 300;

impl Scoreboard {
    /// Watches the top `limit` (1 to 100) of a board.
    ///
    /// With `since`, the watcher says that it holds that view: it is then sent what has changed, if that is still known, else a
    /// snapshot.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`](crate::Rejection::UnknownBoard), or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is watched.
    pub async fn subscribe(&self, board: &BoardId, limit: usize, since: Option<Position>) -> Result<Subscription> {
        self.catalogue(board, self.parts.clock.now()).await?;
        // Subscribed before the first look: what happens between the two is announced.
        let announced = self.parts.broadcaster.subscribe(board).await?;
        Ok(Subscription::new(self.clone(), board, limit.clamp(1, 100), since, announced))
    }

    /// The board's top as it is now, where `heard` is what was announced of it, if that is why it is read.
    ///
    /// A store that answers from memory may not have heard of it yet: it learns where the board is by being asked.
    pub(crate) async fn view(&self, board: &BoardId, limit: usize, heard: Option<Position>) -> Result<View> {
        if heard.is_none() {
            self.parts.store.board(board).await?;
        }
        let mut page = self.live_page(board, limit).await?;
        if heard.is_some_and(|heard| page.position < heard) {
            self.parts.store.board(board).await?;
            page = self.live_page(board, limit).await?;
        }
        // Who is told of a change, and then reads, must not be shown what was kept from before.
        self.parts.cache.raise_near_floor(board, page.position).await;
        let entries = self.named(&page.entries).await?;
        Ok(View { season: page.season, position: page.position, total: page.total, entries })
    }

    /// The board's top as it was at `since`, if that can still be told.
    pub(crate) async fn view_before(&self, board: &BoardId, limit: usize, since: Position) -> Result<Option<View>> {
        let store = &self.parts.store;
        let Some(found) = store.board(board).await? else { return Err(self.missing(board).await) };
        let missed = found.version.get().saturating_sub(since.version.get());
        let archived = since.version < found.log_after;
        if since.epoch != found.epoch || since.version > found.version || missed > MAX_MISSED || archived {
            return Ok(None);
        }
        // Some more may be applied before the page is read.
        let page = self.live_page(board, limit + 2 * MAX_MISSED as usize).await?;
        let rows = page.position.version.get().saturating_sub(since.version.get());
        if rows > 2 * MAX_MISSED || page.position < since || page.position.epoch != since.epoch {
            return Ok(None);
        }
        let missed = store.log(board, since.version, rows as usize).await?;
        // Some of them may have been archived just now.
        let begins = missed.first().map(|row| row.position.version);
        let whole = rows == 0 || (missed.len() as u64 == rows && begins == Some(since.version.next()));
        if !whole || missed.iter().any(|row| row.season != page.season) {
            return Ok(None);
        }
        let (total, entries) = rewind(&page, found.spec.order(), &missed, limit);
        let entries = self.named(&entries).await?;
        Ok(Some(View { season: page.season, position: since, total, entries }))
    }

    async fn live_page(&self, board: &BoardId, limit: usize) -> Result<RankedPage> {
        let query = PageQuery { season: None, range: Range::Top { limit }, style: RankStyle::Ordinal };
        match self.parts.store.page(board, query).await? {
            Some(page) => Ok(page),
            None => Err(self.missing(board).await),
        }
    }

    async fn named(&self, ranked: &[Ranked]) -> Result<Vec<Entry>> {
        let names = self.names(ranked).await?;
        Ok(ranked.iter().map(|ranked| entry(*ranked, &names)).collect())
    }
}

//! Watching a board: what the live windows read from the store.

use futures_util::stream::BoxStream;
use tokio::time::Instant;

use crate::board::Season;
use crate::entry::{Entry, PageQuery, Range, Ranked, RankedPage, RankedUsers};
use crate::error::Result;
use crate::flight::apart;
use crate::ids::{BoardId, UserId};
use crate::live::{LiveWindow, Part, PrivateSubscription, Subscription, Why, Window, WindowExtent};
use crate::pipeline::Scoreboard;
use crate::pipeline::read::entry;
use crate::ranking::RankStyle;
use crate::store::{LogRow, Origin, ScoreStore, Visibility};
use crate::version::Position;
use crate::view::{View, rewind};

/// How many changes a watcher may have missed and still be told of them from the log; beyond, it gets the whole view.
const MAX_MISSED: u64 = 300;

/// How far a user is seen to both sides by who finds what concerns them.
const SIGHT: usize = 10;

impl Scoreboard {
    /// Watches the top `limit` (1 to 100) of a board: [`watch`](Self::watch) with [`LiveWindow::top`].
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch).
    ///
    /// # Cancel safety
    ///
    /// Nothing is watched.
    pub async fn subscribe(&self, board: &BoardId, limit: usize, since: Option<Position>) -> Result<Subscription> {
        self.watch(board, LiveWindow::top(limit), since).await
    }

    /// Watches a part of a board: its top, a user's neighbourhood, or a list of users.
    ///
    /// With `since`, the watcher says that it holds that part at this position: it is then sent what has changed, if that is still known,
    /// else a snapshot that says so ([`Snapshot::recovered`](crate::Snapshot::recovered)). What a window has not kept is known of tops
    /// alone.
    ///
    /// A neighbourhood or a list is read whenever the board moves, so it wants a store that [ranks from memory](crate::RankIndexed);
    /// from one that counts, it is read less often the longer that takes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::sync::Arc;
    /// # use scoreboard_core::memory::MemoryScoreStore;
    /// # use scoreboard_core::{BoardId, BoardSpec, Scoreboard};
    /// use scoreboard_core::{LiveEvent, LiveWindow, UserId};
    /// # let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    /// # scoreboard.create_board(BoardSpec::new(BoardId::main())).await?;
    ///
    /// let ada = UserId::for_name("my-game", "ada");
    /// let mut watcher = scoreboard.watch(&BoardId::main(), LiveWindow::around(ada, 5), None).await?;
    /// let LiveEvent::Snapshot(snapshot) = watcher.next().await? else { panic!() };
    /// assert!(snapshot.entries.is_empty(), "she is not on the board yet");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`](crate::Rejection::UnknownBoard), or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is watched.
    pub async fn watch(&self, board: &BoardId, window: LiveWindow, since: Option<Position>) -> Result<Subscription> {
        self.catalogue(board, self.parts.clock.now()).await?;
        // Subscribed before the first look: what happens between the two is announced.
        let announced = self.announced(board).await?;
        Ok(Subscription::new(self.clone(), &Part { board: board.clone(), window }, since, announced))
    }

    /// Watches a board for one user: what concerns them is told to nobody else.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch).
    ///
    /// # Cancel safety
    ///
    /// Nothing is watched.
    pub async fn watch_for(&self, board: &BoardId, user: UserId) -> Result<PrivateSubscription> {
        self.catalogue(board, self.parts.clock.now()).await?;
        let announced = self.announced(board).await?;
        let part = Part { board: board.clone(), window: LiveWindow::around(user, SIGHT) };
        Ok(PrivateSubscription::new(self.clone(), self.parts.hub.seat(self, &part, Some(announced))))
    }

    /// What is announced of a board from now on. Asked for in a task of its own: a watcher that is put aside in the middle would keep a
    /// connection of the broadcaster from everybody else.
    async fn announced(&self, board: &BoardId) -> Result<BoxStream<'static, Position>> {
        let (broadcaster, board) = (self.parts.broadcaster.clone(), board.clone());
        Ok(apart(async move { broadcaster.subscribe(&board).await }).await?)
    }

    /// What is in a window now.
    ///
    /// A store that answers from memory may not have heard yet of what was announced, or of what nobody announced: it learns where the
    /// board is by being asked.
    pub(crate) async fn view(&self, window: &Window, why: Why) -> Result<View> {
        let Part { board, window: part } = &window.part;
        let ask = async || self.parts.store.board(board).await.map(drop);
        let now = Instant::now();
        match why {
            Why::Told(_) => {}
            Why::Asked => window.asked_after(now, ask()).await?,
            Why::Polled => {
                let of_late =
                    now.checked_sub(window.polls(self.parts.config.poll_interval).content_with).unwrap_or(now);
                window.asked_after(of_late, ask()).await?;
            }
        }
        let mut found = self.found(board, part).await?;
        if let Why::Told(position) = why
            && found.position < position
        {
            window.asked_after(Instant::now(), ask()).await?;
            found = self.found(board, part).await?;
        }
        let Found { season, position, total, ranked } = found;
        // Who is told of a change, and then reads, must not be shown what was kept from before.
        self.parts.cache.raise_near_floor(board, position).await;
        let entries = self.named(&ranked).await?;
        Ok(View { season, position, total, entries })
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
        let limit_then = limit + 2 * MAX_MISSED as usize;
        let page = self.live_page(board, Range::Top { limit: limit_then }).await?;
        let rows = page.position.version.get().saturating_sub(since.version.get());
        if rows > 2 * MAX_MISSED || page.position < since || page.position.epoch != since.epoch {
            return Ok(None);
        }
        let missed = store.log(board, since.version, rows as usize).await?;
        // Some of them may have been archived just now.
        let begins = missed.first().map(|row| row.position.version);
        let whole = rows == 0 || (missed.len() as u64 == rows && begins == Some(since.version.next()));
        // What a correction has moved is not told by what users had before it.
        let tells_all = |row: &LogRow| row.season == page.season && row.origin != Origin::Correction;
        if !whole || !missed.iter().all(tells_all) {
            return Ok(None);
        }
        let missed: Vec<_> = missed.into_iter().filter(|row| row.visibility == Visibility::Shown).collect();
        let (total, entries) = rewind(&page, found.spec.order(), &missed, limit);
        let entries = self.named(&entries).await?;
        Ok(Some(View { season: page.season, position: since, total, entries }))
    }

    async fn found(&self, board: &BoardId, part: &LiveWindow) -> Result<Found> {
        match part.extent() {
            WindowExtent::Top { limit } => self.live_page(board, Range::Top { limit: *limit }).await.map(Found::from),
            WindowExtent::Around { user, radius } => {
                let range = Range::Around { user: *user, radius: *radius };
                self.live_page(board, range).await.map(Found::from)
            }
            WindowExtent::Users(users) => {
                match self.parts.store.standings(board, None, RankStyle::Ordinal, users).await? {
                    Some(found) => Ok(found.into()),
                    None => Err(self.missing(board).await),
                }
            }
        }
    }

    async fn live_page(&self, board: &BoardId, range: Range) -> Result<RankedPage> {
        let query = PageQuery { season: None, range, style: RankStyle::Ordinal };
        match self.parts.store.page(board, query).await? {
            Some(page) => Ok(page),
            None => Err(self.missing(board).await),
        }
    }

    /// The same with names, of which those that no window knows are asked for.
    async fn named(&self, ranked: &[Ranked]) -> Result<Vec<Entry>> {
        let (mut names, unknown) = self.parts.hub.names.of(ranked.iter().map(|ranked| ranked.user_id));
        if !unknown.is_empty() {
            let answered = self.names_of(&unknown).await?;
            self.parts.hub.names.learn(unknown, &answered);
            names.extend(answered);
        }
        Ok(ranked.iter().map(|ranked| entry(*ranked, &names)).collect())
    }
}

/// What a store has in a window.
struct Found {
    season: Season,
    position: Position,
    total: u64,
    /// In rank order.
    ranked: Vec<Ranked>,
}

impl From<RankedPage> for Found {
    fn from(page: RankedPage) -> Self {
        let RankedPage { season, position, total, entries: ranked, .. } = page;
        Self { season, position, total, ranked }
    }
}

impl From<RankedUsers> for Found {
    fn from(users: RankedUsers) -> Self {
        let RankedUsers { season, position, total, entries } = users;
        let mut ranked: Vec<_> = entries.into_iter().flatten().collect();
        ranked.sort_unstable_by_key(|ranked| ranked.rank);
        Self { season, position, total, ranked }
    }
}

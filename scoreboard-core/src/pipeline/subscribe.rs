//! Watching a board: a snapshot, then what changes, without a gap or a double.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use serde::Serialize;

use crate::board::Season;
use crate::entry::{Entry, PageQuery, Range, Ranked, RankedPage};
use crate::error::Result;
use crate::flight::Flights;
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::entry;
use crate::ranking::RankStyle;
use crate::store::ScoreStore;
use crate::version::{Epoch, Position, Version};
use crate::view::{View, rewind};

pub use crate::view::{ChangeOp, EntryChange};

/// How many changes a watcher may have missed and still be sent them one by one; beyond, it gets a snapshot.
const MAX_MISSED: u64 = 300;

/// The whole view at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// The top.
    pub entries: Vec<Entry>,
}

/// What turns the view at one version into that at another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The version of the view that this applies to.
    pub from: Version,
    /// The version of the view that it gives.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// Removals first, then upserts in rank order.
    pub changes: Vec<EntryChange>,
}

/// What a watcher is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum LiveEvent {
    /// Forget what you have: this is the view.
    Snapshot(Snapshot),
    /// Apply this to what you have.
    Update(Update),
}

impl LiveEvent {
    /// The position of the view after it.
    #[must_use]
    pub const fn position(&self) -> Position {
        match self {
            Self::Snapshot(snapshot) => Position { epoch: snapshot.epoch, version: snapshot.version },
            Self::Update(update) => Position { epoch: update.epoch, version: update.version },
        }
    }
}

/// One watcher's view of the top of a board.
///
/// Events are made when they are asked for, from the view that was last given out to the newest: a watcher that is slow, or gone
/// for a while, skips ahead, and holds memory for one view only.
pub struct Subscription {
    scoreboard: Scoreboard,
    board: BoardId,
    limit: usize,
    /// Never locked: only so that a subscription can be shared between threads, as its stream alone cannot.
    announced: Mutex<BoxStream<'static, Position>>,
    /// What the watcher holds; `None` before the first event.
    view: Option<Arc<View>>,
    /// What the watcher says it holds.
    since: Option<Position>,
    /// Not before this moment, so that changes gather.
    not_before: tokio::time::Instant,
    /// What to look for next: at least this position, or, if nothing is known of it, whatever there is now.
    look_for: Option<LookFor>,
}

/// How new a view must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LookFor {
    /// The board was announced to be there.
    AtLeast(Position),
    /// It may have moved: ask the store.
    Now,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.view.as_ref().map(|view| view.position);
        f.debug_struct("Subscription").field("board", &self.board).field("position", &position).finish_non_exhaustive()
    }
}

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
        Ok(Subscription {
            scoreboard: self.clone(),
            board: board.clone(),
            limit: limit.clamp(1, 100),
            announced: Mutex::new(announced),
            view: None,
            since,
            not_before: tokio::time::Instant::now(),
            look_for: Some(LookFor::Now),
        })
    }
}

impl Subscription {
    /// The board that is watched.
    #[must_use]
    pub const fn board(&self) -> &BoardId {
        &self.board
    }

    /// The next event: at once the first time, then whenever the board has moved.
    ///
    /// Applying every event in order gives exactly the board's top at its version.
    ///
    /// # Errors
    ///
    /// A backend's failure; the view stays what it was, and the next call tries again.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the view moves on only together with a returned event.
    pub async fn next(&mut self) -> Result<LiveEvent> {
        let poll = self.scoreboard.parts.config.poll_interval;
        loop {
            let look_for = match self.look_for {
                Some(look_for) => look_for,
                None => tokio::select! {
                    position = self.announced.get_mut().next() => match position {
                        Some(position) if self.view.as_ref().is_some_and(|view| position <= view.position) => continue,
                        Some(position) => LookFor::AtLeast(position),
                        None => {
                            // The broadcaster is gone: the log is still there.
                            tokio::time::sleep(poll).await;
                            LookFor::Now
                        }
                    },
                    () = tokio::time::sleep(poll) => LookFor::Now,
                },
            };
            self.look_for = Some(look_for);
            tokio::time::sleep_until(self.not_before).await;
            let event = self.look(look_for).await?;
            self.look_for = None;
            if let Some(event) = event {
                self.not_before = tokio::time::Instant::now() + self.batch_interval();
                return Ok(event);
            }
        }
    }

    fn batch_interval(&self) -> Duration {
        self.scoreboard.parts.config.batch_interval
    }

    /// Compares the board with the view.
    async fn look(&mut self, look_for: LookFor) -> Result<Option<LiveEvent>> {
        let (next, held) = match (&self.view, self.since) {
            (Some(_), _) | (None, None) => (self.current(look_for).await?, None),
            (None, Some(since)) => self.resume(since).await?,
        };
        let held = self.view.as_deref().or(held.as_ref());
        let event = match held {
            Some(held) if held.position == next.position && self.view.is_some() => None,
            Some(held) if held.position.epoch == next.position.epoch && held.season == next.season => {
                Some(LiveEvent::Update(Update {
                    board: self.board.clone(),
                    season: next.season,
                    epoch: next.position.epoch,
                    from: held.position.version,
                    version: next.position.version,
                    total: next.total,
                    changes: held.changes_to(&next),
                }))
            }
            Some(_) | None => Some(LiveEvent::Snapshot(Snapshot {
                board: self.board.clone(),
                season: next.season,
                epoch: next.position.epoch,
                version: next.position.version,
                total: next.total,
                entries: next.entries.clone(),
            })),
        };
        self.view = Some(next);
        Ok(event)
    }

    /// The board's top, read once for all who watch as much of it.
    async fn current(&self, look_for: LookFor) -> Result<Arc<View>> {
        let views = &self.scoreboard.parts.views;
        let key = (self.board.clone(), self.limit);
        if let LookFor::AtLeast(position) = look_for
            && let Some(view) = views.latest.lock().get(&key).filter(|view| view.position >= position)
        {
            return Ok(view.clone());
        }
        let led = AtomicBool::new(false);
        let load = || async {
            led.store(true, Ordering::Relaxed);
            self.load().await
        };
        let view = views.flights.run(key.clone(), load).await?;
        let new_enough = match look_for {
            LookFor::AtLeast(position) => view.position >= position,
            LookFor::Now => led.load(Ordering::Relaxed),
        };
        if new_enough {
            return Ok(view);
        }
        if led.load(Ordering::Relaxed) {
            // A store that answers from memory may not have heard of it yet: it learns where the board is by being asked.
            self.scoreboard.parts.store.board(&self.board).await?;
        }
        // Another's load may have begun before this call did; the next begins later, whoever leads it.
        views.flights.run(key, || self.load()).await
    }

    async fn load(&self) -> Result<Arc<View>> {
        let page = self.page(self.limit).await?;
        let view = Arc::new(self.view_of(&page).await?);
        self.scoreboard.parts.views.latest.lock().insert((self.board.clone(), self.limit), view.clone());
        Ok(view)
    }

    /// The board as it is, and as it was at `since`, if that can still be told.
    async fn resume(&self, since: Position) -> Result<(Arc<View>, Option<View>)> {
        let store = &self.scoreboard.parts.store;
        let Some(board) = store.board(&self.board).await? else {
            return Err(self.scoreboard.missing(&self.board).await);
        };
        let missed = board.version.get().saturating_sub(since.version.get());
        let archived = since.version < board.log_after;
        if since.epoch != board.epoch || since.version > board.version || missed > MAX_MISSED || archived {
            return Ok((self.current(LookFor::Now).await?, None));
        }
        // Some more may be applied before the page is read.
        let page = self.page(self.limit + 2 * MAX_MISSED as usize).await?;
        let view = Arc::new(self.view_of(&page).await?);
        let rows = page.position.version.get().saturating_sub(since.version.get());
        if rows > 2 * MAX_MISSED || page.position < since || page.position.epoch != since.epoch {
            return Ok((view, None));
        }
        let missed = store.log(&self.board, since.version, rows as usize).await?;
        // Some of them may have been archived just now.
        let begins = missed.first().map(|row| row.position.version);
        let whole = rows == 0 || (missed.len() as u64 == rows && begins == Some(since.version.next()));
        let rows = missed;
        if !whole || rows.iter().any(|row| row.season != page.season) {
            return Ok((view, None));
        }
        let (total, entries) = rewind(&page, board.spec.order(), &rows, self.limit);
        let entries = self.named(&entries).await?;
        let held = View { season: page.season, position: since, total, entries };
        Ok((view, Some(held)))
    }

    async fn page(&self, limit: usize) -> Result<RankedPage> {
        let query = PageQuery { season: None, range: Range::Top { limit }, style: RankStyle::Ordinal };
        match self.scoreboard.parts.store.page(&self.board, query).await? {
            Some(page) => Ok(page),
            None => Err(self.scoreboard.missing(&self.board).await),
        }
    }

    async fn view_of(&self, page: &RankedPage) -> Result<View> {
        // Who is told of a change, and then reads, must not be shown what was kept from before. Once for all who watch.
        self.scoreboard.parts.cache.raise_near_floor(&self.board, page.position).await;
        let entries = self.named(&page.entries[..page.entries.len().min(self.limit)]).await?;
        Ok(View { season: page.season, position: page.position, total: page.total, entries })
    }

    async fn named(&self, ranked: &[Ranked]) -> Result<Vec<Entry>> {
        let names = self.scoreboard.names(ranked).await?;
        Ok(ranked.iter().map(|ranked| entry(*ranked, &names)).collect())
    }
}

/// The views that watchers share. Bounded: one for each board and number of entries, of which there are a hundred.
#[derive(Debug, Default)]
pub(super) struct Views {
    latest: Mutex<HashMap<(BoardId, usize), Arc<View>>>,
    flights: Flights<(BoardId, usize), Arc<View>>,
}

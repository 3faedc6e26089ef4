//! A part of one board, and all who watch it.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::error::{BackendError, Chain, Result};
use crate::flight::{Flights, apart};
use crate::live::corrected::Corrected;
use crate::live::part::{Part, WindowExtent};
use crate::live::state::{Newest, State};
use crate::live::whereabouts::Whereabouts;
use crate::live::{LiveEvent, LiveFrame};
use crate::pipeline::Scoreboard;
use crate::version::Position;

/// How many who were away since before their window's life are told from the log at once, of all windows together. Who comes beyond gets
/// the whole view: that costs the store nothing.
const MAX_TOLD: usize = 8;

/// Leave to tell somebody from the log, which all windows share.
#[derive(Debug, Clone)]
pub(super) struct Tellers(Arc<Semaphore>);

impl Default for Tellers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TOLD)))
    }
}

/// How many such answers are kept for others who were away since the same moment.
const MAX_KEPT: usize = 8;

/// One part of one board. Its watchers and its task share it.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) part: Part,
    /// Shared by all windows of the board.
    whereabouts: Arc<Whereabouts>,
    /// Shared by all windows of the board.
    pub(super) corrected: Arc<Corrected>,
    /// One place, the newest state: a watcher that is slow holds nothing up and finds that.
    pub(super) state: watch::Sender<State>,
    /// The number of the last request for a look at the board.
    asked: AtomicU64,
    /// Wakes the task: somebody asked.
    pub(super) wake: Notify,
    /// The number of who came last and said one; 0 for none.
    guest: AtomicU64,
    told: Told,
}

/// How a window looks at a board of which nothing is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Polls {
    pub(super) every: Duration,
    /// So long ago may the store have been asked where the board is.
    pub(crate) content_with: Duration,
}

/// What was told from the log.
#[derive(Debug)]
struct Told {
    flights: Flights<(Position, Position), Option<LiveFrame>>,
    tellers: Tellers,
    kept: Mutex<VecDeque<(Position, LiveFrame)>>,
}

impl Window {
    pub(super) fn new(
        part: Part,
        (whereabouts, corrected): (Arc<Whereabouts>, Arc<Corrected>),
        tellers: Tellers,
    ) -> Self {
        let told = Told { flights: Flights::default(), tellers, kept: Mutex::default() };
        Self {
            part,
            whereabouts,
            corrected,
            state: watch::Sender::new(State::default()),
            asked: AtomicU64::new(0),
            wake: Notify::new(),
            guest: AtomicU64::new(0),
            told,
        }
    }

    /// Asks for a look at the board from now on; gives the number of the request.
    pub(super) fn ask(&self) -> u64 {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.wake.notify_one();
        asked
    }

    /// The number of the last request.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Somebody watches who is this guest.
    pub(super) fn receive(&self, guest: NonZeroU64) {
        self.guest.store(guest.get(), Ordering::Relaxed);
    }

    pub(super) fn guest(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.guest.load(Ordering::Relaxed))
    }

    pub(super) fn is_unwatched(&self) -> bool {
        self.state.receiver_count() == 0
    }

    /// How a window looks at a board of which nothing is announced. What nobody tells is seen after `interval` at the most.
    ///
    /// Of tops there are few, and each asks where the board is. Of others there may be thousands: they are content with what another has asked a
    /// moment ago, and look so much sooner. Then a board is asked for about four times in an interval, however many they are.
    pub(crate) fn polls(&self, interval: Duration) -> Polls {
        let content_with = if self.part.window.kind().is_top() { Duration::ZERO } else { interval / 4 };
        Polls { every: interval - content_with, content_with }
    }

    /// Returns once the store was asked where the board is, later than at `since`, for this window or another of the board.
    ///
    /// # Errors
    ///
    /// That of the store.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn asked_after(
        &self,
        since: Instant,
        ask: impl Future<Output = Result<(), BackendError>>,
    ) -> Result<(), BackendError> {
        self.whereabouts.asked_after(since, ask).await
    }

    /// What has happened from `since`, before the window's life, to a view of it; `None` if the store cannot tell, or tells others now.
    ///
    /// Only the top can be told of so: who stood around a user, or where a user stood whom nobody passed alone, the log says nothing of
    /// without the whole board.
    pub(super) async fn missed(
        self: &Arc<Self>,
        scoreboard: &Scoreboard,
        since: Position,
        newest: &Arc<Newest>,
    ) -> Option<LiveFrame> {
        let WindowExtent::Top { limit } = *self.part.window.extent() else { return None };
        if let Some(frame) = self.kept(since) {
            return Some(frame);
        }
        let (window, scoreboard, newest) = (self.clone(), scoreboard.clone(), newest.clone());
        let told = apart(async move { window.tell_since(&scoreboard, limit, since, &newest).await }).await;
        told.unwrap_or_else(|error| {
            tracing::debug!(board.id = %self.part.board, error = %Chain(&error), "the log was not read; the watcher gets the whole view");
            None
        })
    }

    async fn tell_since(
        &self,
        scoreboard: &Scoreboard,
        limit: usize,
        since: Position,
        newest: &Newest,
    ) -> Result<Option<LiveFrame>> {
        let load = || async {
            let Ok(_permit) = self.told.tellers.0.try_acquire() else { return Ok(None) };
            let held = scoreboard.view_before(&self.part.board, limit, since).await?;
            let event = held.and_then(|held| LiveEvent::update(&self.part, &held, &newest.view));
            let frame = event.map(LiveFrame::new);
            self.keep(since, frame.as_ref());
            Ok(frame)
        };
        self.told.flights.run((since, newest.view.position), load).await
    }

    fn kept(&self, since: Position) -> Option<LiveFrame> {
        let kept = self.told.kept.lock();
        let (_, frame) = kept.iter().find(|(from, _)| *from == since)?;
        let leads_on = self.state.borrow().leads_on_from(frame.position());
        leads_on.then(|| frame.clone())
    }

    fn keep(&self, since: Position, frame: Option<&LiveFrame>) {
        let Some(frame) = frame else { return };
        let mut kept = self.told.kept.lock();
        kept.retain(|(from, _)| *from != since);
        kept.push_back((since, frame.clone()));
        if kept.len() > MAX_KEPT {
            kept.pop_front();
        }
    }
}

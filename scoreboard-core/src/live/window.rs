//! The top of one board, and all who watch it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use crate::error::Chain;
use crate::flight::Flights;
use crate::ids::BoardId;
use crate::live::state::{Newest, State};
use crate::live::{LiveEvent, LiveFrame};
use crate::pipeline::Scoreboard;
use crate::version::Position;

/// How many who were away since before the window's life are told from the log at once. Who comes beyond gets the whole view: that costs
/// the store nothing.
const MAX_TOLD: usize = 8;

/// How many such answers are kept for others who were away since the same moment.
const MAX_KEPT: usize = 8;

/// The top `limit` of one board. Its watchers and its task share it.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) board: BoardId,
    pub(super) limit: usize,
    /// One place, the newest state: a watcher that is slow holds nothing up and finds that.
    pub(super) state: watch::Sender<State>,
    /// The number of the last request for a look at the board.
    asked: AtomicU64,
    /// Wakes the task: somebody asked.
    pub(super) wake: Notify,
    told: Told,
}

/// What was told from the log.
#[derive(Debug)]
struct Told {
    flights: Flights<(Position, Position), Option<LiveFrame>>,
    permits: Semaphore,
    kept: Mutex<VecDeque<(Position, LiveFrame)>>,
}

impl Window {
    pub(super) fn new(board: BoardId, limit: usize) -> Self {
        let told = Told { flights: Flights::default(), permits: Semaphore::new(MAX_TOLD), kept: Mutex::default() };
        Self {
            board,
            limit,
            state: watch::Sender::new(State::default()),
            asked: AtomicU64::new(0),
            wake: Notify::new(),
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

    pub(super) fn is_unwatched(&self) -> bool {
        self.state.receiver_count() == 0
    }

    /// What has happened from `since`, before the window's life, to a view of it; `None` if the store cannot tell, or tells others now.
    pub(super) async fn missed(
        &self,
        scoreboard: &Scoreboard,
        since: Position,
        newest: &Arc<Newest>,
    ) -> Option<LiveFrame> {
        if let Some(frame) = self.kept(since) {
            return Some(frame);
        }
        let load = || async {
            let Ok(_permit) = self.told.permits.try_acquire() else { return Ok(None) };
            let held = scoreboard.view_before(&self.board, self.limit, since).await?;
            let event = held.and_then(|held| LiveEvent::update(&self.board, &held, &newest.view));
            let frame = event.map(LiveFrame::new);
            self.keep(since, frame.as_ref());
            Ok::<_, crate::Error>(frame)
        };
        let told = self.told.flights.run((since, newest.view.position), load).await;
        told.unwrap_or_else(|error| {
            tracing::debug!(board.id = %self.board, error = %Chain(&error), "the log was not read; the watcher gets the whole view");
            None
        })
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

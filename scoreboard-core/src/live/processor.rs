//! The batch processor: the task of a window, which alone reads its board.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::{Chain, Error};
use crate::live::backoff::Backoff;
use crate::live::state::End;
use crate::live::window::Window;
use crate::pipeline::{Scoreboard, WeakScoreboard};
use crate::version::Position;

/// For how long a window that nobody watches remembers where it was: whose connection was cut comes again soon, and is told what it
/// missed without asking the store for each. The board is not read meanwhile.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Reads the board when it has moved, and publishes what has changed.
pub(super) struct Processor {
    window: Arc<Window>,
    /// Who drops the last handle of a scoreboard ends its windows too.
    scoreboard: WeakScoreboard,
    /// What the broadcaster tells; `None` once it has ended, until it is followed again.
    announced: Option<BoxStream<'static, Position>>,
    /// The newest position that was announced since the last look, if that is why the board is looked at.
    heard: Option<Position>,
    backoff: Backoff,
    /// Not before this moment, so that changes gather.
    not_before: Instant,
    /// Then the board is read whatever was announced.
    poll_at: Instant,
}

/// Why the task goes on.
enum Wake {
    /// The board may have moved, or somebody wants to know.
    Look,
    /// The last watcher has gone.
    Unwatched,
}

/// Nothing more is to be done.
struct Over;

/// Why a board is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Somebody has come, and wants it as it is now, or later.
    Asked,
    /// It is announced to be here.
    Told(Position),
    /// Nothing was announced for a while.
    Polled,
}

impl Processor {
    pub(super) fn new(
        window: Arc<Window>,
        scoreboard: WeakScoreboard,
        announced: Option<BoxStream<'static, Position>>,
    ) -> Self {
        let now = Instant::now();
        Self { window, scoreboard, announced, heard: None, backoff: Backoff::default(), not_before: now, poll_at: now }
    }

    pub(super) async fn run(mut self) {
        loop {
            let woken = if self.window.is_unwatched() { Wake::Unwatched } else { self.moved().await };
            let done = match woken {
                Wake::Unwatched => self.remember().await,
                Wake::Look => {
                    sleep_until(self.not_before).await;
                    self.look().await
                }
            };
            if let Err(Over) = done {
                return;
            }
        }
    }

    /// Returns once there is a reason to read the board.
    async fn moved(&mut self) -> Wake {
        loop {
            let (held, answered) = {
                let state = self.window.state.borrow();
                (state.position(), state.answered)
            };
            if self.window.asked() > answered {
                return Wake::Look;
            }
            tokio::select! {
                () = self.window.wake.notified() => {}
                () = self.window.state.closed() => return Wake::Unwatched,
                told = next(&mut self.announced) => match told {
                    Some(position) if held.is_some_and(|held| position <= held) => {}
                    // The page that is read says where the board is: this only says that it is worth reading.
                    Some(position) => {
                        self.heard = Some(position);
                        return Wake::Look;
                    }
                    // The broadcaster is gone: the board is still there, and is polled.
                    None => self.announced = None,
                },
                () = sleep_until(self.poll_at) => return Wake::Look,
            }
        }
    }

    /// Waits for a watcher to come; if none does, the window ends.
    async fn remember(&mut self) -> Result<(), Over> {
        let Some(scoreboard) = self.scoreboard.upgrade() else { return Err(Over) };
        let Some(_rest) = scoreboard.hub().rest(&self.window) else {
            return if scoreboard.hub().leave(&self.window) { Err(Over) } else { Ok(()) };
        };
        drop(scoreboard);
        tokio::select! {
            () = self.window.wake.notified() => Ok(()),
            () = sleep(REMEMBERED) => match self.scoreboard.upgrade() {
                Some(scoreboard) if !scoreboard.hub().leave(&self.window) => Ok(()),
                Some(_) | None => Err(Over),
            },
        }
    }

    /// Reads the board, and publishes what is new. A store that fails is asked again later; watchers wait.
    async fn look(&mut self) -> Result<(), Over> {
        let scoreboard = self.scoreboard.upgrade().ok_or(Over)?;
        let config = scoreboard.config();
        let (gather, poll) = (config.batch_interval, self.window.polls(config.poll_interval).every);
        // Who asks from here on may want what this look does not see.
        let asked = self.window.asked();
        let began = Instant::now();
        match self.read(&scoreboard, asked).await {
            Ok(()) => {
                self.backoff.reset();
                let now = Instant::now();
                self.not_before = now + self.gather(gather, now - began);
                self.poll_at = now + poll;
                Ok(())
            }
            Err(Error::Backend(error)) => {
                let (wait, first) = self.backoff.failed(scoreboard.ids());
                // Held no longer than needed: nobody else may want it any more.
                drop(scoreboard);
                let board = &self.window.part.board;
                if first {
                    tracing::warn!(board.id = %board, error = %Chain(&error), "a watched board cannot be read; its watchers wait");
                } else {
                    tracing::debug!(board.id = %board, error = %Chain(&error), "a watched board still cannot be read");
                }
                metrics::counter!("scoreboard_live_failures_total").increment(1);
                self.not_before = Instant::now() + wait;
                self.poll_at = self.not_before;
                Ok(())
            }
            Err(refused) => {
                scoreboard.hub().forget(&self.window);
                self.window.state.send_modify(|state| state.end = Some(End::Refused(refused)));
                Err(Over)
            }
        }
    }

    /// For how long changes gather until the next look. A store that ranks from memory answers in microseconds. Of one that has to
    /// count, the windows that only one or two look through, of which there may be thousands, take a quarter of its time at most
    /// each: the slower it gets, the less often it is asked.
    fn gather(&self, interval: Duration, took: Duration) -> Duration {
        if self.window.part.window.kind().is_top() { interval } else { interval.max(took * 3) }
    }

    async fn read(&mut self, scoreboard: &Scoreboard, asked: u64) -> Result<(), Error> {
        let Window { part, state, .. } = &*self.window;
        let board = &part.board;
        if self.announced.is_none() {
            // Followed before the board is read: what happens between the two is announced.
            match scoreboard.broadcaster().subscribe(board).await {
                Ok(announced) => self.announced = Some(announced),
                Err(error) => {
                    tracing::debug!(board.id = %board, error = %Chain(&error), "a board is polled: nothing tells of it");
                }
            }
        }
        metrics::counter!("scoreboard_live_reads_total").increment(1);
        let is_asked = state.borrow().answered < asked;
        let why = match self.heard.take() {
            // Who asked wants what there is, whatever was announced.
            _ if is_asked => Why::Asked,
            Some(position) => Why::Told(position),
            None => Why::Polled,
        };
        let view = scoreboard.view(&self.window, why).await?;
        // Compared before it is locked: the watchers read meanwhile, and only this task writes.
        let advance = state.borrow().compare(part, view);
        state.send_if_modified(|state| {
            let news = advance.is_some() || state.answered < asked;
            state.answered = asked;
            if let Some(advance) = advance {
                state.advance(advance);
            }
            news
        });
        Ok(())
    }
}

impl Drop for Processor {
    /// Also where the task panics, or its runtime ends: who still watches begins another window.
    fn drop(&mut self) {
        metrics::gauge!("scoreboard_live_windows").decrement(1.0);
        if let Some(scoreboard) = self.scoreboard.upgrade() {
            scoreboard.hub().forget(&self.window);
        }
        self.window.state.send_modify(|state| {
            state.end.get_or_insert(End::Gone);
        });
    }
}

/// What is announced next; never anything, where nothing is followed.
async fn next(announced: &mut Option<BoxStream<'static, Position>>) -> Option<Position> {
    match announced {
        Some(announced) => announced.next().await,
        None => std::future::pending().await,
    }
}

//! One watcher of a window.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use tokio::sync::watch;

use crate::error::Result;
use crate::ids::BoardId;
use crate::live::hub::Seat;
use crate::live::part::Part;
use crate::live::state::{End, Held, Newest, State, Step};
use crate::live::window::Window;
use crate::live::{LiveEvent, LiveFrame, LiveWindow};
use crate::pipeline::Scoreboard;
use crate::version::Position;

/// One watcher of a part of a board: of its top, of a user's neighbourhood, or of a list of users.
///
/// All who watch the same share one task that reads the board, one comparison and one encoding of each change. A watcher holds
/// nothing but its position: one that is a little behind is given the updates in between, one that is further behind the newest view.
pub struct Subscription {
    scoreboard: Scoreboard,
    window: Arc<Window>,
    state: watch::Receiver<State>,
    /// The look at the board that it waits for.
    asked: u64,
    held: Held,
    /// It was said to hold something, and nothing has been said to it yet.
    resumes: bool,
    guest: Option<NonZeroU64>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("part", &self.window.part)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    pub(crate) fn new(
        scoreboard: Scoreboard,
        part: &Part,
        since: Option<Position>,
        announced: futures_util::stream::BoxStream<'static, Position>,
    ) -> Self {
        let Seat { window, state, asked } = scoreboard.hub().seat(&scoreboard, part, Some(announced));
        let held = since.map_or(Held::Nothing, |since| Held::Said(since, asked > 0));
        Self { scoreboard, window, state, asked, held, resumes: since.is_some(), guest: None }
    }

    /// Says who watches, by a number: one for each address, say. Of the windows that are remembered when nobody watches them any more, an eighth
    /// at the most are one guest's; beyond, they end with their last watcher.
    #[must_use]
    pub fn of_guest(mut self, guest: NonZeroU64) -> Self {
        self.guest = Some(guest);
        self.window.receive(guest);
        self
    }

    /// The board that is watched.
    #[must_use]
    pub fn board(&self) -> &BoardId {
        &self.window.part.board
    }

    /// Which part of it.
    #[must_use]
    pub fn window(&self) -> &LiveWindow {
        &self.window.part.window
    }

    /// The next event: at once the first time, then whenever the board has moved. While the store fails, there is none.
    ///
    /// Applying every event in order gives exactly what is in the window at its version: all entries that come, go or move are among the
    /// changes.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`](crate::Rejection::UnknownBoard) if there is no such board any more, each time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: the watcher moves on only together with a returned event.
    pub async fn next(&mut self) -> Result<LiveEvent> {
        Ok(self.next_frame().await?.event().clone())
    }

    /// The same, as all who watch the same share it, and encoded once for all of them.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    ///
    /// As [`next`](Self::next).
    pub async fn next_frame(&mut self) -> Result<LiveFrame> {
        loop {
            // Seen from here on: a state that is published after this wakes the wait below.
            let step = self.state.borrow_and_update().step(self.held, self.asked);
            let frame = match step {
                Step::Update(frame) => frame,
                Step::Snapshot(newest) => self.whole(&newest),
                Step::Unchanged(newest) => newest.unchanged(),
                Step::Missed(since, newest) => {
                    let told = self.window.missed(&self.scoreboard, since, &newest).await;
                    told.unwrap_or_else(|| self.whole(&newest))
                }
                Step::Ahead => {
                    self.asked = self.window.ask();
                    self.look_once();
                    continue;
                }
                Step::End(End::Refused(error)) => return Err(error),
                Step::End(End::Gone) => {
                    self.sit_down_again();
                    continue;
                }
                Step::Wait => {
                    if self.state.changed().await.is_err() {
                        // The sender lives as long as the window, which is held here.
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
            };
            self.held = Held::Given(frame.position());
            self.resumes = false;
            return Ok(frame);
        }
    }

    /// The whole view, and whether it is that because what was missed could not be told.
    fn whole(&self, newest: &Newest) -> LiveFrame {
        if self.resumes { newest.unrecovered() } else { newest.snapshot() }
    }

    /// What it says to hold was asked for.
    fn look_once(&mut self) {
        if let Held::Said(at, _) = self.held {
            self.held = Held::Said(at, true);
        }
    }

    /// Takes a place at the window that came after this one.
    fn sit_down_again(&mut self) {
        let part = self.window.part.clone();
        let Seat { window, state, asked } = self.scoreboard.hub().seat(&self.scoreboard, &part, None);
        (self.window, self.state, self.asked) = (window, state, asked);
        if let Some(guest) = self.guest {
            self.window.receive(guest);
        }
        if let Held::Given(at) | Held::Said(at, _) = self.held {
            self.held = Held::Said(at, asked > 0);
        }
    }
}

//! One user who is told what concerns them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::Result;
use crate::flight::apart;
use crate::ids::BoardId;
use crate::live::PrivateEvent;
use crate::live::hub::Seat;
use crate::live::private_event::Between;
use crate::live::state::{End, Newest};
use crate::pipeline::Scoreboard;
use crate::version::{Position, Version};

/// How long after it has said something a subscription says nothing: what happens meanwhile is told as one.
const PAUSE: Duration = Duration::from_secs(1);

/// What concerns one user on one board: that others have passed them, and that they have come into the top. Made by
/// [`Scoreboard::watch_for`].
///
/// It watches the board around the user, in a window that all share who watch the same, and compares what is there now with what was
/// there when it looked last. The first look is compared with nothing.
#[derive(Debug)]
pub struct PrivateSubscription {
    scoreboard: Scoreboard,
    seat: Seat,
    held: Option<Arc<Newest>>,
    /// Found by the last look, and not told yet.
    found: VecDeque<PrivateEvent>,
    not_before: Instant,
}

impl PrivateSubscription {
    pub(crate) fn new(scoreboard: Scoreboard, seat: Seat) -> Self {
        Self { scoreboard, seat, held: None, found: VecDeque::new(), not_before: Instant::now() }
    }

    /// The board.
    #[must_use]
    pub fn board(&self) -> &BoardId {
        &self.seat.window.part.board
    }

    /// What happens next: at most one event of each kind in a second, which tells what became of all that happened in it.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`](crate::Rejection::UnknownBoard) if there is no such board any more, each time; or a backend's
    /// failure, after which it may be called again.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn next(&mut self) -> Result<PrivateEvent> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Ok(event);
            }
            sleep_until(self.not_before).await;
            self.look().await?;
        }
    }

    /// Waits for a newer view, and finds what has become of the user.
    async fn look(&mut self) -> Result<()> {
        let newest = loop {
            // Seen from here on: a state that is published after this wakes the wait below.
            let (end, newest) = {
                let state = self.seat.state.borrow_and_update();
                (state.end.clone(), state.newest_since(self.seat.asked).cloned())
            };
            match (end, newest) {
                (Some(End::Refused(error)), _) => return Err(error),
                (Some(End::Gone), _) => {
                    let part = self.seat.window.part.clone();
                    self.seat = self.scoreboard.hub().seat(&self.scoreboard, &part, None);
                }
                (None, Some(newest)) if self.is_news(&newest) => break newest,
                (None, _) => {
                    if self.seat.state.changed().await.is_err() {
                        // The sender lives as long as the window, which is held here.
                        std::future::pending::<()>().await;
                    }
                }
            }
        };
        if let Some(held) = self.held.as_ref().filter(|held| held.view.is_comparable(&newest.view)) {
            let part = &self.seat.window.part;
            let between = Between { part, held: &held.view, next: &newest.view };
            let overtaken = if between.fell() { self.overtaken(&between).await? } else { None };
            self.found.extend(overtaken.into_iter().chain(between.entered_top()));
        }
        // Nothing is waited for from here on: what was found and from where it is found next change together.
        self.held = Some(newest);
        if !self.found.is_empty() {
            self.not_before = Instant::now() + PAUSE;
        }
        Ok(())
    }

    /// What the user is told of a fall.
    async fn overtaken(&self, between: &Between<'_>) -> Result<Option<PrivateEvent>> {
        let board = &between.part.board;
        let found = self.scoreboard.catalogue(board, self.scoreboard.clock().now()).await?;
        let spec = &found.spec;
        let event = between.overtaken(spec, spec.scores_only_improve());
        // By their own doing scores only improve; what is made void takes people down from far ahead.
        let (held, next) = (between.held.position, between.next.position);
        if event.as_ref().is_some_and(|event| between.names_a_stranger(event))
            && self.may_be_corrected(held, next.version).await?
        {
            return Ok(between.overtaken(spec, false));
        }
        Ok(event)
    }

    async fn may_be_corrected(&self, after: Position, until: Version) -> Result<bool> {
        let (window, scoreboard) = (self.seat.window.clone(), self.scoreboard.clone());
        apart(async move { window.corrected.may_be(&scoreboard, &window.part.board, after, until).await }).await
    }

    /// A window that came after the one before may begin further back.
    fn is_news(&self, newest: &Newest) -> bool {
        self.held.as_ref().is_none_or(|held| newest.view.position > held.view.position)
    }
}

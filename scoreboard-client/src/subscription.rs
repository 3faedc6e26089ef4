//! One part of a board that is followed.

use std::sync::Arc;

use futures_util::{Stream, stream};
use scoreboard_core::{BoardId, EntryChange, LiveWindow};
use tokio::sync::watch;

use crate::client::Client;
use crate::shared::Shown;
use crate::state::State;
use crate::view::View;

/// What happened to a followed board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There is a newer view.
    Moved(Moved),
    /// The connection to it is doing otherwise.
    State(State),
}

/// A newer view of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// What is followed of the board, as it is now.
    pub view: Arc<View>,
    /// What was given before; `None` the first time.
    pub previous: Option<Arc<View>>,
    /// What turns `previous` into `view`, however much happened in between: removals first, then upserts in rank order. The first time,
    /// every entry is one.
    pub changes: Vec<EntryChange>,
    /// `false` where the server could not tell what was missed since `previous`, while there was no connection, and sent the view whole: it
    /// is as right as ever, but more may have happened than `changes` show.
    pub recovered: bool,
}

/// One part of a board that is followed. Dropped, it is followed no more.
///
/// It keeps the connection of its [`Client`] open, also where all handles of that are gone.
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    board: BoardId,
    window: LiveWindow,
    number: u64,
    shown: watch::Receiver<Shown>,
    /// What was given out already.
    told: Option<Shown>,
}

impl Subscription {
    pub(crate) const fn new(
        client: Client,
        board: BoardId,
        window: LiveWindow,
        number: u64,
        shown: watch::Receiver<Shown>,
    ) -> Self {
        Self { client, board, window, number, shown, told: None }
    }

    /// The board that is followed.
    #[must_use]
    pub const fn board(&self) -> &BoardId {
        &self.board
    }

    /// Which part of it.
    #[must_use]
    pub const fn window(&self) -> &LiveWindow {
        &self.window
    }

    /// What is followed of the board, as far as it is known; `None` before the first snapshot. It stays, as of its position, while offline.
    #[must_use]
    pub fn view(&self) -> Option<Arc<View>> {
        self.shown.borrow().view.clone()
    }

    /// How it is doing now.
    #[must_use]
    pub fn state(&self) -> State {
        self.shown.borrow().state.clone()
    }

    /// The client whose connection this is.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// What happened since the last call: a newer view first, then the state. `None` once it was refused, or the client is closed.
    ///
    /// Nothing queues: whoever asks late is given the newest view, and the state as it is.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let now = self.shown.borrow_and_update().clone();
            if let Some(event) = self.differs(&now) {
                return Some(event);
            }
            // Its sender is gone only when the client's task is, which says so before.
            if now.ended || self.shown.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, |mut subscription| async { Some((subscription.next().await?, subscription)) })
    }

    /// What was not told yet.
    fn differs(&mut self, now: &Shown) -> Option<Event> {
        let told = self.told.get_or_insert(Shown::NOTHING);
        if let Some(view) = &now.view
            && !told.view.as_ref().is_some_and(|told| Arc::ptr_eq(told, view))
        {
            let previous = told.view.replace(view.clone());
            let changes = previous.as_ref().map_or_else(|| view.as_changes(), |previous| previous.changes_to(view));
            let recovered = std::mem::replace(&mut told.unrecovered, now.unrecovered) == now.unrecovered;
            return Some(Event::Moved(Moved { view: view.clone(), previous, changes, recovered }));
        }
        if told.state != now.state {
            told.state = now.state.clone();
            return Some(Event::State(now.state.clone()));
        }
        None
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.client.unsubscribe(&(self.board.clone(), self.window.kind()), self.number);
    }
}

//! What the handles of a client and its task have in common: which boards are wanted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use scoreboard_core::BoardId;
use tokio::sync::{Notify, broadcast, watch};

use crate::error::SubscribeError;
use crate::private::{Private, PrivateMessages};
use crate::state::State;
use crate::view::View;

/// What a subscription shows: one place, the newest, so that a slow consumer holds nothing up.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) view: Option<Arc<View>>,
    pub(crate) state: State,
    /// Nothing follows.
    pub(crate) ended: bool,
}

/// A board that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Tells one subscription to a board from the next.
    pub(crate) number: u64,
    pub(crate) limit: usize,
    pub(crate) shown: Arc<watch::Sender<Shown>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    boards: Mutex<Boards>,
    /// Wakes the task: what is wanted has changed.
    pub(crate) woken: Notify,
    /// Ends its wait before the next try.
    pub(crate) hurry: Notify,
    private: Mutex<Option<broadcast::Sender<Private>>>,
}

#[derive(Debug, Default)]
struct Boards {
    wanted: HashMap<BoardId, Wish>,
    /// How many subscriptions there ever were.
    seen: u64,
    closed: bool,
}

impl Shared {
    pub(crate) fn new(private_messages: usize) -> Self {
        let (private, _) = broadcast::channel(private_messages.max(1));
        Self {
            boards: Mutex::default(),
            woken: Notify::new(),
            hurry: Notify::new(),
            private: Mutex::new(Some(private)),
        }
    }

    /// Wants a board from now on; gives the subscription's number and what it shows.
    pub(crate) fn want(&self, board: &BoardId, limit: usize) -> Result<(u64, watch::Receiver<Shown>), SubscribeError> {
        if !(1..=100).contains(&limit) {
            return Err(SubscribeError::Limit);
        }
        let mut boards = self.boards.lock();
        if boards.closed {
            return Err(SubscribeError::Closed);
        }
        boards.seen += 1;
        let number = boards.seen;
        let Entry::Vacant(place) = boards.wanted.entry(board.clone()) else {
            return Err(SubscribeError::Followed(board.clone()));
        };
        let (shown, seen) = watch::channel(Shown { view: None, state: State::Connecting, ended: false });
        place.insert(Wish { number, limit, shown: Arc::new(shown) });
        drop(boards);
        self.woken.notify_one();
        Ok((number, seen))
    }

    /// Wants it no more, unless somebody else does by now.
    pub(crate) fn unwant(&self, board: &BoardId, number: u64) {
        let mut boards = self.boards.lock();
        if boards.wanted.get(board).is_some_and(|wish| wish.number == number) {
            boards.wanted.remove(board);
            drop(boards);
            self.woken.notify_one();
        }
    }

    /// What is wanted now; `None` once the client is closed.
    pub(crate) fn wanted(&self) -> Option<HashMap<BoardId, Wish>> {
        let boards = self.boards.lock();
        (!boards.closed).then(|| boards.wanted.clone())
    }

    /// Nothing is wanted any more, and nothing will be.
    pub(crate) fn close(&self) {
        self.boards.lock().closed = true;
        self.woken.notify_one();
    }

    /// The task is over: who still waits waits no longer.
    pub(crate) fn end(&self) {
        let mut boards = self.boards.lock();
        boards.closed = true;
        for (_, wish) in boards.wanted.drain() {
            wish.shown.send_modify(|shown| shown.ended = true);
        }
        drop(boards);
        self.private.lock().take();
    }

    pub(crate) fn tell(&self, message: Private) {
        if let Some(private) = &*self.private.lock() {
            // Nobody has to listen.
            let _ = private.send(message);
        }
    }

    pub(crate) fn listen(&self) -> PrivateMessages {
        PrivateMessages::new(self.private.lock().as_ref().map(broadcast::Sender::subscribe))
    }
}

//! What the handles of a client and its task have in common: which parts of which boards are wanted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use scoreboard_core::{BoardId, LiveWindow, WindowKind};
use tokio::sync::{Notify, broadcast, watch};

use crate::error::SubscribeError;
use crate::private::{Private, PrivateMessages};
use crate::state::State;
use crate::view::View;

/// What messages tell apart: a board is followed once in each way.
pub(crate) type Key = (BoardId, WindowKind);

/// What a subscription shows: one place, the newest, so that a slow consumer holds nothing up.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) view: Option<Arc<View>>,
    pub(crate) state: State,
    /// How often the view came whole because the server could not tell what was missed.
    pub(crate) unrecovered: u64,
    /// Nothing follows.
    pub(crate) ended: bool,
}

impl Shown {
    /// Before anything is known.
    pub(crate) const NOTHING: Self = Self { view: None, state: State::Connecting, unrecovered: 0, ended: false };
}

/// A part of a board that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Tells one subscription to the same from the next.
    pub(crate) number: u64,
    pub(crate) window: LiveWindow,
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
    wanted: HashMap<Key, Wish>,
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

    /// Wants a part of a board from now on; gives the subscription's number and what it shows.
    pub(crate) fn want(
        &self,
        board: &BoardId,
        window: LiveWindow,
    ) -> Result<(u64, watch::Receiver<Shown>), SubscribeError> {
        let kind = window.kind();
        let mut boards = self.boards.lock();
        if boards.closed {
            return Err(SubscribeError::Closed);
        }
        boards.seen += 1;
        let number = boards.seen;
        let Entry::Vacant(place) = boards.wanted.entry((board.clone(), kind)) else {
            return Err(SubscribeError::Followed(board.clone(), kind));
        };
        let (shown, seen) = watch::channel(Shown::NOTHING);
        place.insert(Wish { number, window, shown: Arc::new(shown) });
        drop(boards);
        self.woken.notify_one();
        Ok((number, seen))
    }

    /// Wants it no more, unless somebody else does by now.
    pub(crate) fn unwant(&self, key: &Key, number: u64) {
        let mut boards = self.boards.lock();
        if boards.wanted.get(key).is_some_and(|wish| wish.number == number) {
            boards.wanted.remove(key);
            drop(boards);
            self.woken.notify_one();
        }
    }

    /// What is wanted now; `None` once the client is closed.
    pub(crate) fn wanted(&self) -> Option<HashMap<Key, Wish>> {
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

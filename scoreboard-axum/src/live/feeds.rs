//! All that one connection watches.

use std::collections::HashSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::BoxStream;
use scoreboard_core::{BoardId, Scoreboard, UserId, WindowKind};
use tokio_stream::StreamMap;

use crate::live::feed::{FeedItem, feed_for};

/// What a feed of a board is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum About {
    /// A part of it, for everybody.
    Window(WindowKind),
    /// The user who is here.
    User,
}

/// What a feed has said, and which.
pub(crate) type Said = (BoardId, About, FeedItem);

/// The feeds of a connection: of each board one of each kind of window, and, once somebody is here, one about them. So there are at
/// most four for each board.
#[derive(Default)]
pub(crate) struct Feeds(StreamMap<(BoardId, About), BoxStream<'static, FeedItem>>);

impl Feeds {
    /// How many boards are watched.
    pub(crate) fn boards(&self) -> usize {
        self.0.keys().map(|(board, _)| board).collect::<HashSet<_>>().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, board: &BoardId) -> bool {
        self.0.keys().any(|(watched, _)| watched == board)
    }

    /// Adds a feed, instead of the one of the same kind and board.
    pub(crate) fn insert(&mut self, board: &BoardId, window: WindowKind, feed: BoxStream<'static, FeedItem>) {
        self.0.insert((board.clone(), About::Window(window)), feed);
    }

    /// Ends a feed; with a board's last one, also what is told of it to the user.
    pub(crate) fn remove(&mut self, board: &BoardId, window: WindowKind) {
        self.0.remove(&(board.clone(), About::Window(window)));
        if !self.0.keys().any(|(watched, about)| watched == board && *about != About::User) {
            self.0.remove(&(board.clone(), About::User));
        }
    }

    /// Has the user told of each board that is watched, if that is not so already.
    pub(crate) fn tell(&mut self, scoreboard: &Scoreboard, user: UserId, share: f64) {
        let boards: HashSet<_> = self.0.keys().map(|(board, _)| board.clone()).collect();
        for board in boards {
            let key = (board, About::User);
            if !self.0.contains_key(&key) {
                let feed = feed_for(scoreboard.clone(), key.0.clone(), user, share);
                self.0.insert(key, feed);
            }
        }
    }

    /// What is said next; never anything, where nothing is watched.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Said> {
        match Pin::new(&mut self.0).poll_next(cx) {
            Poll::Ready(Some(((board, about), item))) => Poll::Ready((board, about, item)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

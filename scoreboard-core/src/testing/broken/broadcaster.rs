//! Defects of broadcasters.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::defects;
use crate::broadcast::Broadcaster;
use crate::error::BackendError;
use crate::ids::BoardId;
use crate::version::Position;

defects! {
    /// What comes while a watcher's one place is taken is lost, the newest too.
    MissesTheNewest: |_intact: dyn Broadcaster| broadcaster = Queues::new(Some(1), Alteration::OldDropped);
    /// A watcher who does not read keeps everything.
    Unbounded: |_intact: dyn Broadcaster| broadcaster = Queues::new(None, Alteration::OldDropped);
    /// Positions come as they are announced, old ones too.
    OldTold: |_intact: dyn Broadcaster| broadcaster = Queues::new(None, Alteration::Nothing);
    /// Only versions are compared, without their epochs.
    EpochIgnored: |_intact: dyn Broadcaster| broadcaster = Queues::new(None, Alteration::OldVersionsDropped);
    /// Every board's positions are told to all.
    BoardsMixed: |_intact: dyn Broadcaster| broadcaster = Queues::new(None, Alteration::BoardsMixed);
    /// A watcher is told first what was announced last before.
    StartsWithTheLast: |_intact: dyn Broadcaster| broadcaster = Queues::new(None, Alteration::StartsWithTheLast);
    /// The streams outlive their broadcaster.
    NeverEnds: |_intact: dyn Broadcaster| broadcaster = Queues::new(None, Alteration::NeverEnds);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    Nothing,
    OldDropped,
    OldVersionsDropped,
    BoardsMixed,
    StartsWithTheLast,
    NeverEnds,
}

/// A queue for each watcher.
struct Queues {
    places: usize,
    alteration: Alteration,
    boards: Mutex<HashMap<BoardId, Watched>>,
}

#[derive(Default)]
struct Watched {
    last: Position,
    watchers: Vec<mpsc::Sender<Position>>,
}

impl Queues {
    fn new(places: Option<usize>, alteration: Alteration) -> Self {
        // More than the suite ever announces.
        const ENDLESS: usize = 100_000;
        Self { places: places.unwrap_or(ENDLESS), alteration, boards: Mutex::default() }
    }

    fn board(&self, board: &BoardId) -> BoardId {
        if self.alteration == Alteration::BoardsMixed { BoardId::main() } else { board.clone() }
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.alteration.fmt(f)
    }
}

#[async_trait]
impl Broadcaster for Queues {
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        let mut boards = self.boards.lock();
        let watched = boards.entry(self.board(board)).or_default();
        let news = match self.alteration {
            Alteration::OldDropped | Alteration::NeverEnds => position > watched.last,
            Alteration::OldVersionsDropped => position.version > watched.last.version,
            Alteration::Nothing | Alteration::BoardsMixed | Alteration::StartsWithTheLast => true,
        };
        if news {
            watched.last = position;
            watched
                .watchers
                .retain(|watcher| !matches!(watcher.try_send(position), Err(mpsc::error::TrySendError::Closed(_))));
        }
        Ok(())
    }

    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        let (sender, receiver) = mpsc::channel(self.places);
        let mut boards = self.boards.lock();
        let watched = boards.entry(self.board(board)).or_default();
        watched.watchers.push(sender);
        let first = (self.alteration == Alteration::StartsWithTheLast).then_some(watched.last);
        let queue = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let stream = stream::iter(first).chain(queue);
        Ok(if self.alteration == Alteration::NeverEnds {
            stream.chain(stream::pending()).boxed()
        } else {
            stream.boxed()
        })
    }
}

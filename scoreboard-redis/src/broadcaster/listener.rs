//! The task that listens, and reads what it may have missed.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use redis::Msg;
use scoreboard_core::{BoardId, Position};
use tokio::sync::watch;

use super::announcement::Announcement;
use super::boards::Boards;
use super::publishers::Publishers;
use crate::error::Failure;
use crate::handle::Redis;
use crate::keys::BoardNames;
use crate::listening::{Connection, Ended, Heard, Listening};
use crate::measures::LOST;

/// How many keys are read at once.
const AT_ONCE: usize = 16;

/// The newest position of this board that anybody announced.
pub(super) async fn last(redis: &Redis, names: &BoardNames, board: &BoardId) -> Result<Option<Position>, Failure> {
    let mut get = redis::pipe();
    get.get(names.last(board));
    let (last,): (Option<Vec<u8>>,) = redis.pipeline(&get).await?;
    // What is no position is as good as nothing; the next announcement overwrites it.
    Ok(last.and_then(|last| std::str::from_utf8(&last).ok()?.parse().ok()))
}

#[derive(Debug)]
pub(super) struct Listener {
    redis: Redis,
    names: BoardNames,
    boards: Arc<Boards>,
    listening: Listening,
}

impl Listener {
    pub(super) fn new(redis: Redis, names: BoardNames, boards: Arc<Boards>, listens: watch::Sender<bool>) -> Self {
        let channels = vec![names.channel().to_owned()];
        let listening = Listening::new(redis.clone(), "announcements", channels, listens);
        Self { redis, names, boards, listening }
    }

    /// Listens until the task is ended.
    pub(super) async fn run(mut self) {
        loop {
            let connection = self.listening.connect().await;
            let ended = self.follow(connection).await;
            self.listening.lost(ended).await;
        }
    }

    async fn follow(&self, mut connection: Connection) -> Ended {
        let mut publishers = Publishers::default();
        // What was announced while nobody listened.
        self.catch_up().await;
        loop {
            tokio::select! {
                heard = connection.next() => match heard {
                    Ok(Heard::Message(message)) => self.hear(&message, &mut publishers),
                    // A connection that answers and still hears nothing (its server is cut off from the others, or the master no
                    // longer) is worth nothing.
                    Ok(Heard::Alive) => {
                        if self.catch_up().await && !self.hears_in_a_moment(&mut connection, &mut publishers).await {
                            return Ended::Deaf;
                        }
                    }
                    Err(ended) => return ended,
                },
                () = publishers.lost() => {
                    metrics::counter!(LOST).increment(1);
                    self.catch_up().await;
                }
            }
        }
    }

    /// Of what the keys told, something was news: either it is just on its way here, or it was lost.
    async fn hears_in_a_moment(&self, connection: &mut Connection, publishers: &mut Publishers) -> bool {
        let Some(message) = connection.soon().await else { return false };
        self.hear(&message, publishers);
        true
    }

    /// What is no announcement is passed over.
    fn hear(&self, message: &Msg, publishers: &mut Publishers) {
        if let Some(announcement) = Announcement::read(message.get_payload_bytes()) {
            self.boards.announce(&announcement.board, announcement.position);
            publishers.heard(&announcement);
        }
    }

    /// Reads the newest position of every watched board. True if any was news.
    async fn catch_up(&self) -> bool {
        let reads = stream::iter(self.boards.watched()).map(async |board| {
            let last = last(&self.redis, &self.names, &board).await;
            (board, last)
        });
        let mut reads = std::pin::pin!(reads.buffer_unordered(AT_ONCE));
        let mut news = false;
        while let Some((board, last)) = reads.next().await {
            match last {
                Ok(Some(position)) => news |= self.boards.announce(&board, position),
                Ok(None) => {}
                // The next check reads it again.
                Err(failure) => tracing::debug!(error = %failure, "an announced position could not be read"),
            }
        }
        news
    }
}

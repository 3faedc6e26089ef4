//! Several nodes on one store: what another has changed is not served from this one's cache.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::broadcast::{Told, subscribe_all};
use crate::error::{BackendError, Chain};
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::store::ScoreStore;

/// The store is out of touch once it has said nothing for so many polls: one may fail, or come late.
const POLLS: u32 = 2;
/// And for so long at least.
const SILENCE: Duration = Duration::from_secs(1);

/// When the store last said where its boards are. From then on, other nodes may have moved them.
#[derive(Debug, Default)]
pub(super) struct Touch {
    /// When this node began to follow the others; empty on one that is alone, and knows by itself where its boards are.
    began: OnceLock<Instant>,
    /// Milliseconds since then.
    heard: AtomicU64,
}

impl Touch {
    fn begin(&self) -> Instant {
        *self.began.get_or_init(Instant::now)
    }

    /// The store has answered what it was asked at this moment.
    fn hear(&self, asked: Instant) {
        let millis = asked.duration_since(self.begin()).as_millis();
        self.heard.fetch_max(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// For how long it has said nothing, if that is longer than it should be.
    pub(super) fn lost_for(&self, poll_interval: Duration) -> Option<Duration> {
        let began = self.began.get()?;
        let silence = began.elapsed().saturating_sub(Duration::from_millis(self.heard.load(Ordering::Relaxed)));
        (silence > SILENCE.max(poll_interval.saturating_mul(POLLS))).then_some(silence)
    }
}

impl Scoreboard {
    /// Follows what other nodes announce, and raises this node's floors to it. Never returns: run it as a task, on each node that shares
    /// its store with others; a node that is alone needs it not.
    ///
    /// An announcement that is lost costs at most [`poll_interval`](crate::Config::poll_interval): so often the store is asked where its
    /// boards are. Once it has not answered for twice as long, [pages](Self::top_encoded) say that they may be old.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is followed any more, and pages soon say so.
    pub async fn follow(self) {
        let mut followed = HashSet::new();
        let mut told = SelectAll::new();
        self.parts.touch.hear(Instant::now());
        let mut polls = interval(self.parts.config.poll_interval);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = polls.tick() => {
                    if let Err(error) = self.reconcile(&mut followed, &mut told).await {
                        tracing::warn!(error = %Chain(&error), "the store did not tell where its boards are; asking again");
                    }
                }
                Some((board, position)) = told.next() => match position {
                    Some(position) => {
                        self.parts.cache.raise_near_floor(&board, position).await;
                        self.parts.write_through.moved(&board);
                    }
                    // Subscribed again at the next poll.
                    None => drop(followed.remove(&board)),
                },
            }
        }
    }

    /// Raises the floors to where the boards are, and follows those that are new.
    async fn reconcile(
        &self,
        followed: &mut HashSet<BoardId>,
        told: &mut SelectAll<BoxStream<'static, Told>>,
    ) -> Result<(), BackendError> {
        let asked = Instant::now();
        let boards = self.parts.store.boards().await?;
        self.parts.touch.hear(asked);
        for board in &boards {
            self.parts.cache.raise_near_floor(&board.spec.id, board.position()).await;
        }
        let unknown: Vec<_> =
            boards.into_iter().map(|board| board.spec.id).filter(|id| !followed.contains(id)).collect();
        for (id, positions) in subscribe_all(&*self.parts.broadcaster, unknown).await? {
            told.push(positions);
            followed.insert(id);
        }
        Ok(())
    }
}

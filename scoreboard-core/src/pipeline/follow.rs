//! Several nodes on one store: what another has changed is not served from this one's cache.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, SelectAll};
use tokio::time::{MissedTickBehavior, interval};

use crate::error::{BackendError, Chain};
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::store::ScoreStore;
use crate::version::Position;

/// What the broadcaster tells of a board; `None` once it tells nothing more.
type Told = (BoardId, Option<Position>);

impl Scoreboard {
    /// Follows what other nodes announce, and raises this node's floors to it. Never returns: run it as a task, on each node that shares
    /// its store with others; a node that is alone needs it not.
    ///
    /// An announcement that is lost costs at most [`poll_interval`](crate::Config::poll_interval): so often the store is asked where its
    /// boards are.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is followed any more.
    pub async fn follow(self) {
        let mut followed = HashSet::new();
        let mut told = SelectAll::new();
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
        for board in self.parts.store.boards().await? {
            let id = board.spec.id.clone();
            if !followed.contains(&id) {
                // Before the floor is raised: what happens between the two is told.
                let ids = (id.clone(), id.clone());
                let positions = self.parts.broadcaster.subscribe(&id).await?;
                let positions = positions.map(move |position| (ids.0.clone(), Some(position)));
                told.push(positions.chain(stream::iter([(ids.1, None)])).boxed());
                followed.insert(id.clone());
            }
            self.parts.cache.raise_near_floor(&id, board.position()).await;
        }
        Ok(())
    }
}

//! The task that fills indexes, and brings them to what other nodes did.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::broadcast::{Broadcaster, Told, subscribe_all};
use crate::error::{BackendError, Chain};
use crate::ids::{BoardId, UserId};
use crate::layers::rank_indexed::RankIndexed;
use crate::layers::rank_indexed::indexed_board::IndexedBoard;

/// While one change follows the other, so long they gather before they are read: a look at the log costs as much as dozens of its rows. Whoever asks
/// meanwhile does not wait for it, but reads them at once.
const GATHER: Duration = Duration::from_millis(10);

type Boards = HashMap<BoardId, Arc<IndexedBoard>>;

/// Which boards are listened to.
#[derive(Default)]
struct Followed {
    boards: Boards,
    told: SelectAll<BoxStream<'static, Told>>,
}

impl RankIndexed {
    /// Fills the indexes of the store's boards, follows what other nodes announce and what the store says, and compares slices with it. Never
    /// returns: run it as a task, on a single node too.
    ///
    /// Large boards are filled one after the other; the others are followed meanwhile. An announcement that is lost costs at most
    /// [`poll_interval`](crate::RankIndexedConfig::poll_interval).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is followed any more: what this handle applies is still taken in, and a board that is behind is
    /// brought forward by who reads it.
    pub async fn follow(self, broadcaster: Arc<dyn Broadcaster>) {
        let mut followed = Followed::default();
        let mut polls = interval(self.shared.config.poll_interval);
        let mut checks = interval(self.shared.config.check_interval);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A task of its own: it goes on while this one waits for the same board's turn.
        let mut filling = JoinSet::new();
        // Which slice is compared next: of which board, and behind whom.
        let mut next: (Option<BoardId>, Option<UserId>) = (None, None);
        let (mut is_behind, mut not_before) = (false, Instant::now());
        loop {
            if filling.is_empty()
                && let Some(indexed) = followed.boards.values().find(|indexed| indexed.is_filling()).cloned()
            {
                filling.spawn(self.clone().fill_or_rest(indexed));
            }
            tokio::select! {
                _ = polls.tick() => {
                    if let Err(error) = self.reconcile(&*broadcaster, &mut followed).await {
                        tracing::warn!(error = %Chain(&error), "the store did not tell where its boards are; asking again");
                    }
                    self.measure(&followed.boards);
                }
                Some((board, position)) = followed.told.next() => match position {
                    Some(position) => {
                        self.seen(&board, position);
                        is_behind = true;
                    }
                    // Subscribed again at the next poll.
                    None => drop(followed.boards.remove(&board)),
                },
                () = self.shared.wake.notified() => is_behind = true,
                () = sleep_until(not_before), if is_behind => {
                    not_before = Instant::now() + GATHER;
                    is_behind = self.bring_forward(&followed.boards).await;
                }
                Some(filled) = filling.join_next() => {
                    if let Err(error) = filled {
                        tracing::error!(error = %Chain(&error), "the filling of ranks broke off; trying again");
                    }
                    self.measure(&followed.boards);
                }
                _ = checks.tick() => {
                    if let Err(error) = self.check_next(&mut next).await {
                        tracing::warn!(error = %Chain(&error), "a slice of users could not be compared; trying again");
                    }
                }
            }
        }
    }

    async fn fill_or_rest(self, indexed: Arc<IndexedBoard>) {
        if let Err(error) = self.fill(&indexed).await {
            tracing::warn!(error = %Chain(&error), board = %indexed.id, "ranks could not be filled; trying again");
            // Not at once: the store is in trouble, or the board moves too fast.
            tokio::time::sleep(self.shared.config.check_interval).await;
        }
    }

    /// Learns of the store's boards, so that [`progress`](Self::progress) names all that are to be filled.
    ///
    /// # Errors
    ///
    /// As [`boards`](crate::ScoreStore::boards).
    ///
    /// # Cancel safety
    ///
    /// Nothing is learned.
    pub async fn adopt_all(&self) -> Result<(), BackendError> {
        for board in self.shared.inner.boards().await? {
            self.adopt(&board.spec.id);
        }
        Ok(())
    }

    /// Learns of new boards, and of where all are.
    async fn reconcile(&self, broadcaster: &dyn Broadcaster, followed: &mut Followed) -> Result<(), BackendError> {
        let boards = self.shared.inner.boards().await?;
        self.heard();
        let unknown = boards.iter().map(|board| &board.spec.id).filter(|id| !followed.boards.contains_key(*id));
        let unknown = unknown.filter(|id| self.adopt(id).is_some()).cloned().collect();
        let subscribed = subscribe_all(broadcaster, unknown).await;
        // Where it failed, those that are followed already learn all the same where they are.
        let (subscribed, failed) = match subscribed {
            Ok(subscribed) => (subscribed, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        for (id, positions) in subscribed {
            let Some(indexed) = self.adopt(&id) else { continue };
            followed.told.push(positions);
            followed.boards.insert(id, indexed);
        }
        for board in boards {
            let Some(indexed) = followed.boards.get(&board.spec.id) else { continue };
            if !indexed.is_ordered(board.spec.order()) {
                indexed.start_anew("order");
            }
            if indexed.look(|live| live.season < board.season).unwrap_or(false) {
                indexed.start_anew("season");
            }
            indexed.raise_floor(board.position());
        }
        self.shared.wake.notify_one();
        failed
    }

    /// Brings all that are behind to their goals, and says whether some are to be looked at again: those that could go further.
    async fn bring_forward(&self, boards: &Boards) -> bool {
        for indexed in boards.values() {
            let goal = indexed.goal();
            if indexed.is_below(goal)
                && let Err(error) = self.bring_to(indexed, goal).await
            {
                tracing::warn!(error = %Chain(&error), board = %indexed.id, "the log could not be read; trying again");
            }
        }
        boards.values().any(|indexed| indexed.is_behind() && indexed.goal() < indexed.floor())
    }

    /// Reports what the indexes take, and gives up those that have grown too large.
    fn measure(&self, boards: &Boards) {
        let mut bytes = self.bytes();
        let (mut ready, mut users) = (0, 0);
        for indexed in boards.values() {
            let Some((has, takes)) = indexed.look(|live| (live.index.total(), live.index.bytes())) else { continue };
            if bytes > self.shared.config.max_bytes {
                tracing::warn!(board = %indexed.id, users = has, "the board's ranks have outgrown their room; the store is asked for them");
                indexed.give_up();
                // The sum is of a moment ago: it may have grown.
                bytes = bytes.saturating_sub(takes);
                continue;
            }
            (ready, users) = (ready + 1, users + has);
        }
        metrics::gauge!("scoreboard_rank_index_bytes").set(bytes as f64);
        metrics::gauge!("scoreboard_rank_index_users").set(users as f64);
        metrics::gauge!("scoreboard_rank_index_boards", "state" => "ready").set(f64::from(ready));
        metrics::gauge!("scoreboard_rank_index_boards", "state" => "not_ready")
            .set((boards.len() as f64) - f64::from(ready));
    }
}

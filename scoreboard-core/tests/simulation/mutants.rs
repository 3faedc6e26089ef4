//! Watchers and an index that make the mistakes that are made most, and which the check of the simulation must find.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use scoreboard_core::{BoardId, Broadcaster, PageQuery, Position, Range, RankStyle, RankedPage, ScoreStore};
use tokio::time::{sleep, timeout};

use crate::copy::Copy;
use crate::history::Told;
use crate::node::POLL;
use crate::world::{LIMITS, World};

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The rows are read first, and then where the board is: what happens between the two is in the position and not in the rows.
    SnapshotBeforePosition,
    /// An announcement says where the board is, so that is where the watcher is.
    AnnouncementIsData,
    /// An index takes over an announced position, and the rows of the log behind it another time.
    PositionWithoutRows,
}

impl Mutant {
    pub(crate) const fn watches(self) -> bool {
        matches!(self, Self::SnapshotBeforePosition | Self::AnnouncementIsData)
    }

    pub(crate) const fn reads(self) -> bool {
        matches!(self, Self::PositionWithoutRows)
    }
}

async fn page(store: &dyn ScoreStore, limit: usize) -> Option<RankedPage> {
    let query = PageQuery { season: None, range: Range::Top { limit }, style: RankStyle::Ordinal };
    store.page(&BoardId::main(), query).await.ok().flatten()
}

fn copied(page: &RankedPage, position: Position) -> Copy {
    let rows = page.entries.iter().map(|entry| (entry.rank, entry.user_id, entry.score.get())).collect();
    Copy { position, total: page.total, rows, has_begun: true }
}

/// Watches in the way of the mutant: by announcements, and each polling interval.
pub(crate) async fn watch(world: Arc<World>, mutant: Mutant, node: usize, at: usize, announcer: Arc<dyn Broadcaster>) {
    let (store, limit, held) = (world.store(), LIMITS[at], &world.held[node][at]);
    let Ok(mut announced) = announcer.subscribe(&BoardId::main()).await else { return };
    loop {
        if let Some(page) = page(&*store, limit).await {
            let position = match mutant {
                Mutant::SnapshotBeforePosition => match store.board(&BoardId::main()).await {
                    Ok(Some(board)) => board.position(),
                    Ok(None) | Err(_) => continue,
                },
                Mutant::AnnouncementIsData | Mutant::PositionWithoutRows => page.position,
            };
            let newest = copied(&page, position);
            if newest.position > held.lock().position {
                show(&world, node, at, newest);
            }
        } else {
            sleep(POLL / 10).await;
            continue;
        }
        let Ok(Some(position)) = timeout(POLL, announced.next()).await else { continue };
        if mutant == Mutant::AnnouncementIsData {
            let mut newest = held.lock().clone();
            newest.position = newest.position.max(position);
            show(&world, node, at, newest);
        }
    }
}

fn show(world: &World, node: usize, at: usize, newest: Copy) {
    let who = format!("the watcher {at} at node {node}");
    world.history.answer(who, Position::default(), newest.position, newest.told(LIMITS[at]));
    *world.held[node][at].lock() = newest;
}

/// Answers from a page in memory that is filled each polling interval, and says of itself to be where announcements say.
pub(crate) async fn read(world: Arc<World>, node: usize, announcer: Arc<dyn Broadcaster>) {
    let store = world.store();
    let Ok(mut announced) = announcer.subscribe(&BoardId::main()).await else { return };
    loop {
        let Some(mut kept) = page(&*store, 100).await else {
            sleep(POLL / 10).await;
            continue;
        };
        let filling = async {
            while let Some(position) = announced.next().await {
                kept.position = kept.position.max(position);
                let Copy { position, total, rows, .. } = copied(&kept, kept.position);
                let who = format!("who reads the index of node {node}");
                world.history.answer(who, Position::default(), position, Told::Top { limit: 100, total, rows });
            }
        };
        // Filled anew.
        let _ = timeout(POLL + Duration::from_millis(1), filling).await;
    }
}

//! First pages that are read, loaded again as soon as their board has moved: so that who comes after a change need not wait.
//!
//! The task that commits only says which board has moved. Everything else is done behind it, by one task, and bounded:
//!
//! - A page is loaded no more often than it was read. Each read gives it credit, each load takes some: a board that nobody reads costs
//!   nothing, however many updates it takes.
//! - One load at a time, in rounds that are 50 ms apart: updates that come closer together share one.
//! - A board that moves faster than it can be loaded is left alone for a while: what would be put is old before it is there.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::cache::CacheKey;
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::{Fetched, TopQuery};

/// Between two rounds.
const APART: Duration = Duration::from_millis(50);
/// For so long at the most a board that is too fast is left alone.
const LONGEST_GAP: Duration = Duration::from_secs(2);
/// So many loads ahead are owed to a page at the most, however often it was read.
const MAX_CREDIT: u32 = 32;
/// So many different pages of a board; those that were read first stay.
const MAX_PAGES: usize = 4;
/// Of so many boards. Beyond, all are forgotten, and those that are read come back.
const MAX_BOARDS: usize = 1_000;

/// Which pages are read, and which boards have moved since.
#[derive(Debug, Default)]
pub(super) struct WriteThrough {
    boards: Mutex<Boards>,
    has_moved: Notify,
}

#[derive(Debug, Default)]
struct Boards {
    read: HashMap<BoardId, Pages>,
    /// Of those that are read.
    moved: BTreeSet<BoardId>,
}

#[derive(Debug, Default)]
struct Pages {
    pages: Vec<Page>,
    /// Since when, and for how long, this board is too fast.
    left_alone: Option<(Instant, Duration)>,
}

#[derive(Debug)]
struct Page {
    key: CacheKey,
    query: TopQuery,
    credit: u32,
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// Read from the store, and put into both levels.
    Loaded,
    /// Another node had put it into the shared one.
    Shared,
    /// A reader was quicker.
    There,
    /// Another node, or a reader at this one, loads it now.
    Elsewhere,
    /// The board has moved on meanwhile.
    Outrun,
    /// The store failed.
    Failed,
}

impl Ahead {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Shared => "shared",
            Self::There => "there",
            Self::Elsewhere => "elsewhere",
            Self::Outrun => "outrun",
            Self::Failed => "failed",
        }
    }
}

impl WriteThrough {
    /// A first page was read so many times.
    pub(super) fn was_read(&self, key: &CacheKey, query: &TopQuery, times: u32) {
        let mut boards = self.boards.lock();
        if boards.read.len() >= MAX_BOARDS && !boards.read.contains_key(&key.board) {
            *boards = Boards::default();
        }
        let pages = &mut boards.read.entry(key.board.clone()).or_default().pages;
        if let Some(page) = pages.iter_mut().find(|page| page.key.view == key.view) {
            page.credit = (page.credit + times).min(MAX_CREDIT);
        } else if pages.len() < MAX_PAGES {
            let query = TopQuery { limit: query.limit, style: query.style, ..TopQuery::new(key.board.clone()) };
            pages.push(Page { key: key.clone(), query, credit: times.min(MAX_CREDIT) });
        }
    }

    /// The board has moved. Never waits for anything.
    pub(super) fn moved(&self, board: &BoardId) {
        let mut boards = self.boards.lock();
        if boards.read.contains_key(board) && boards.moved.insert(board.clone()) {
            self.has_moved.notify_one();
        }
    }

    /// Returns once a board has moved.
    async fn wait(&self) {
        while self.boards.lock().moved.is_empty() {
            self.has_moved.notified().await;
        }
    }

    /// The pages of the boards that have moved. Boards that are left alone stay for later.
    fn take(&self, now: Instant) -> Vec<(CacheKey, TopQuery)> {
        let Boards { read, moved } = &mut *self.boards.lock();
        let mut taken = Vec::new();
        moved.retain(|board| {
            let Some(pages) = read.get(board) else { return false };
            if pages.left_alone.is_some_and(|(since, gap)| now < since + gap) {
                return true;
            }
            taken.extend(pages.pages.iter().map(|page| (page.key.clone(), page.query.clone())));
            false
        });
        taken
    }

    /// What became of a page. Without credit it is forgotten, until it is read again.
    fn settle(&self, key: &CacheKey, ahead: Ahead) {
        let Boards { read, moved } = &mut *self.boards.lock();
        let Some(pages) = read.get_mut(&key.board) else { return };
        match ahead {
            Ahead::Loaded | Ahead::Shared | Ahead::There => pages.left_alone = None,
            Ahead::Outrun => {
                let gap = pages.left_alone.map_or(APART, |(_, gap)| (gap * 2).min(LONGEST_GAP));
                pages.left_alone = Some((Instant::now(), gap));
            }
            Ahead::Elsewhere | Ahead::Failed => {}
        }
        // Looking whether another node is done asks nothing of the store, and ends with the other's lease.
        if ahead != Ahead::Elsewhere {
            pages.pages.iter_mut().filter(|page| page.key == *key).for_each(|page| page.credit -= 1);
            pages.pages.retain(|page| page.credit > 0);
        }
        if pages.pages.is_empty() {
            read.remove(&key.board);
        } else if matches!(ahead, Ahead::Outrun | Ahead::Elsewhere) {
            // Its newest is not there yet.
            moved.insert(key.board.clone());
        }
    }
}

impl Scoreboard {
    /// Loads the first pages that are read again whenever their board has moved, into both levels of the cache, so that the next who asks
    /// finds them there. Never returns: run it as a task.
    ///
    /// An update never waits for it. It costs the store no more loads than there were reads, one at a time, and no more than 20 a second for each
    /// page. Counted in `scoreboard_cache_write_through_total` by `result`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, pages are loaded when they are asked for.
    pub async fn write_through(self) {
        let state = &self.parts.write_through;
        loop {
            state.wait().await;
            for (key, query) in state.take(Instant::now()) {
                let ahead = self.load_ahead(&query, &key).await;
                metrics::counter!("scoreboard_cache_write_through_total", "result" => ahead.as_str()).increment(1);
                state.settle(&key, ahead);
            }
            sleep(APART).await;
        }
    }

    async fn load_ahead(&self, query: &TopQuery, key: &CacheKey) -> Ahead {
        let (cache, now) = (&self.parts.cache, self.parts.clock.now());
        if cache.has_near(key, now).await {
            return Ahead::There;
        }
        let ahead = match self.fetch_ahead(query, key, now).await {
            Ok(Fetched::FromShared) => Ahead::Shared,
            Ok(Fetched::FromStore) => Ahead::Loaded,
            Ok(Fetched::ByAnother) => return Ahead::Elsewhere,
            // Whoever needs it is told why.
            Err(_) => return Ahead::Failed,
        };
        if cache.has_near(key, now).await { ahead } else { Ahead::Outrun }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(board: &str, limit: usize) -> (CacheKey, TopQuery) {
        let board: BoardId = board.parse().unwrap();
        let key = CacheKey { board: board.clone(), view: format!("top/{limit}").into() };
        (key, TopQuery { limit, ..TopQuery::new(board) })
    }

    fn read(state: &WriteThrough, board: &str, limit: usize, times: u32) {
        let (key, query) = page(board, limit);
        state.was_read(&key, &query, times);
    }

    /// How many pages are to be loaded after this board has moved.
    fn taken(state: &WriteThrough, board: &str, now: Instant) -> usize {
        state.moved(&board.parse().unwrap());
        let taken = state.take(now);
        taken.iter().for_each(|(key, _)| state.settle(key, Ahead::Loaded));
        taken.len()
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_loaded_no_more_often_than_it_was_read() {
        let (state, now) = (WriteThrough::default(), Instant::now());
        assert_eq!(taken(&state, "main", now), 0, "nobody reads it");
        read(&state, "main", 10, 3);
        read(&state, "other", 10, 1);
        assert_eq!([(); 5].map(|()| taken(&state, "main", now)), [1, 1, 1, 0, 0]);
        read(&state, "main", 10, 1_000);
        assert_eq!((0..100).map(|_| taken(&state, "main", now)).sum::<usize>(), MAX_CREDIT as usize);
        assert!(!state.boards.lock().read.contains_key(&"main".parse().unwrap()), "what is not read takes no room");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let (state, now) = (WriteThrough::default(), Instant::now());
        for limit in 1..=100 {
            read(&state, "main", limit, 1);
        }
        assert_eq!(taken(&state, "main", now), MAX_PAGES);
        for board in 0..10 * MAX_BOARDS {
            read(&state, &format!("b{board}"), 10, 1);
            state.moved(&format!("b{board}").parse().unwrap());
        }
        let boards = state.boards.lock();
        assert!(boards.read.len() <= MAX_BOARDS && boards.moved.len() <= MAX_BOARDS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_board_that_is_too_fast_is_left_alone_ever_longer() {
        let (state, board) = (WriteThrough::default(), "main".parse().unwrap());
        read(&state, "main", 10, MAX_CREDIT);
        let mut loads = 0;
        for _ in 0..200 {
            state.moved(&board);
            for (key, _) in state.take(Instant::now()) {
                loads += 1;
                state.settle(&key, Ahead::Outrun);
            }
            sleep(APART).await;
        }
        assert!((5..=12).contains(&loads), "{loads} in ten seconds");
        sleep(LONGEST_GAP).await;
        assert_eq!(taken(&state, "main", Instant::now()), 1, "it is tried again");
        assert_eq!(taken(&state, "main", Instant::now()), 1, "and goes on as before");
    }
}

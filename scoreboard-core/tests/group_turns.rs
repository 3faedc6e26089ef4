//! Group commit on one of several nodes: it takes turns where others write to the same board, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    ActionId, BackendError, BoardId, BoardSpec, Change, ErrorKind, Fingerprint, GroupCommit, GroupCommitConfig, Origin,
    Outcome, Points, ScoreStore, Season, Timestamp, Turn, Turns, UserId,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Gives turns by permits, and remembers for which boards.
#[derive(Debug)]
struct Rigged {
    permits: Arc<Semaphore>,
    asked: parking_lot::Mutex<Vec<String>>,
    /// What else it was told, and of which board.
    told: parking_lot::Mutex<Vec<String>>,
    fails: bool,
}

#[async_trait]
impl Turns for Rigged {
    async fn turn(&self, board: &BoardId) -> Result<Turn, BackendError> {
        self.asked.lock().push(board.to_string());
        if self.fails {
            return Err(BackendError::new(ErrorKind::Contended, "rigged", "turn"));
        }
        Ok(Turn::new(self.permits.clone().acquire_owned().await.expect("never closed")))
    }

    async fn gather(&self, board: &BoardId) {
        self.told.lock().push(format!("gather {board}"));
    }

    fn gathered(&self, board: &BoardId) {
        self.told.lock().push(format!("gathered {board}"));
    }
}

struct Node {
    store: Arc<MemoryScoreStore>,
    turns: Arc<Rigged>,
    group: Arc<GroupCommit>,
}

impl Node {
    async fn new(permits: usize, fails: bool) -> Self {
        let store = Arc::new(MemoryScoreStore::default());
        for board in ["main", "other"] {
            let board = BoardId::new(board).expect("a slug");
            let _ = store.create_board(&BoardSpec::new(board)).await.expect("memory");
        }
        let permits = Arc::new(Semaphore::new(permits));
        let turns = Arc::new(Rigged { permits, asked: Default::default(), told: Default::default(), fails });
        let config = GroupCommitConfig { max_batch: 32, ..GroupCommitConfig::default() };
        let group = Arc::new(GroupCommit::taking_turns(store.clone(), config, None, Some(turns.clone())));
        Self { store, turns, group }
    }

    fn apply(&self, number: u16, board: &str) -> JoinHandle<Outcome> {
        let (group, change) = (self.group.clone(), change(number, board));
        tokio::spawn(async move { group.apply(&[change]).await.expect("applied").remove(0) })
    }

    async fn applied(&self, number: u16, board: &str) {
        assert!(matches!(self.apply(number, board).await.expect("no panic"), Outcome::Applied(_)));
    }

    /// Another node writes.
    async fn other(&self, number: u16, board: &str) {
        let outcomes = self.store.apply(&[change(number, board)]).await.expect("memory");
        assert!(matches!(outcomes[..], [Outcome::Applied(_)]));
    }

    fn asked(&self) -> usize {
        self.turns.asked.lock().len()
    }
}

fn change(number: u16, board: &str) -> Change {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes(id),
        board: BoardId::new(board).expect("a slug"),
        season: Season::FIRST,
        user_id: UserId::from_bytes(id),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        at: Timestamp::from_millis(1),
        at_most: None,
        admitted: None,
    }
}

#[tokio::test]
async fn a_node_that_is_alone_asks_for_no_turn() {
    let node = Node::new(1, false).await;
    for number in 1..=40 {
        node.applied(number, if number % 2 == 0 { "main" } else { "other" }).await;
    }
    assert_eq!(node.asked(), 0);
}

#[tokio::test]
async fn turns_are_taken_at_the_board_that_others_write_to_until_they_have_gone() {
    let node = Node::new(1, false).await;
    node.applied(1, "main").await;
    node.applied(2, "other").await;
    node.other(3, "main").await;
    // Where it is seen.
    node.applied(4, "main").await;
    assert_eq!(node.asked(), 0);
    node.applied(5, "main").await;
    node.applied(6, "other").await;
    assert_eq!(*node.turns.asked.lock(), ["main"]);
    for number in 7..100 {
        node.applied(number, "main").await;
    }
    assert_eq!(node.asked(), 16, "then it is alone again");
}

#[tokio::test]
async fn what_is_on_its_way_is_waited_for_where_a_batch_has_room_and_is_of_one_board() {
    let node = Node::new(1, false).await;
    let told = || std::mem::take(&mut *node.turns.told.lock());
    for board in ["main", "other"] {
        node.applied(1 + u16::from(board == "main"), board).await;
        assert_eq!(told(), [format!("gather {board}"), format!("gathered {board}")]);
    }
    let both = node.group.apply(&[change(3, "main"), change(4, "other")]).await.expect("applied");
    assert!(both.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))));
    assert_eq!(told(), [""; 0]);
    // All are queued before the first is taken: two batches are full, and what is left has waited for one of them.
    for call in (100..170).map(|number| node.apply(number, "main")).collect::<Vec<_>>() {
        assert!(matches!(call.await.expect("no panic"), Outcome::Applied(_)));
    }
    assert_eq!(told(), ["gather main", "gathered main"], "for the third, of six");
    // What did not fit into one batch begins the next, which does not wait.
    let large: Vec<_> = (200..230).map(|number| change(number, "main")).collect();
    let (first, second) = tokio::join!(node.group.apply(&large), async {
        let large: Vec<_> = (300..330).map(|number| change(number, "main")).collect();
        node.group.apply(&large).await
    });
    assert_eq!((first.expect("applied").len(), second.expect("applied").len()), (30, 30));
    assert_eq!(told(), ["gathered main"], "the second");
}

#[tokio::test]
async fn what_comes_while_it_waits_for_its_turn_goes_along() {
    let node = Node::new(1, false).await;
    node.applied(1, "main").await;
    node.other(2, "main").await;
    node.applied(3, "main").await;
    // Another node's turn.
    let others = node.turns.permits.clone().acquire_owned().await.expect("never closed");
    let first = node.apply(4, "main");
    let wait = async {
        while node.asked() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("it asks");
    let mut calls: Vec<_> = std::iter::once(first).chain((5..=20).map(|number| node.apply(number, "main"))).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(calls.iter().all(|call| !call.is_finished()));
    drop(others);
    for call in calls.drain(..) {
        assert!(matches!(call.await.expect("no panic"), Outcome::Applied(_)));
    }
    assert_eq!(node.asked(), 1, "all in one turn");
    assert_eq!(node.turns.permits.available_permits(), 1, "which is over");
}

#[tokio::test(start_paused = true)]
async fn without_a_turn_it_goes_on_and_asks_for_none_for_a_while() {
    let node = Node::new(0, true).await;
    node.applied(1, "main").await;
    node.other(2, "main").await;
    for number in 3..10 {
        node.applied(number, "main").await;
    }
    assert_eq!(node.asked(), 1);
    tokio::time::advance(Duration::from_secs(6)).await;
    node.applied(10, "main").await;
    assert_eq!(node.asked(), 2);
}

//! Several nodes on one store, of which one writes for all: each change counts once, whoever is asked and whatever is heard of it.

mod network;
#[path = "../rank_indexed/rigged.rs"]
#[allow(dead_code, reason = "most of it is for ranks alone")]
mod rigged;
mod scoreboards;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use network::{Fate, Network};
use rigged::Rigged;
use scoreboard_core::memory::{InProcessBroadcaster, MemoryScoreStore};
use scoreboard_core::testing::{FaultRates, FaultyScoreStore};
use scoreboard_core::{
    ActionId, Audit, BoardId, BoardSpec, Change, Clock, ErrorKind, Fingerprint, GroupCommit, GroupCommitConfig,
    OneWriter, Origin, Outcome, PageQuery, Peers, Points, Range, RankIndexed, RankIndexedConfig, RankStyle, ScoreStore,
    Season, Timestamp, UserId, Version, verify,
};
use tokio::task::{JoinHandle, yield_now};

const BOARDS: [&str; 2] = ["main", "other"];

/// Milliseconds.
#[derive(Debug)]
struct Now(i64);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }
}

struct Node {
    group: Arc<GroupCommit>,
    serving: JoinHandle<()>,
}

impl Node {
    async fn start(store: &MemoryScoreStore, network: &Arc<Network>, name: &str) -> Self {
        Self::on(Arc::new(store.clone()), network, name).await
    }

    async fn on(store: Arc<dyn ScoreStore>, network: &Arc<Network>, name: &str) -> Self {
        let writer = OneWriter::new(store, Some(network.turns()), network.line(name), Arc::new(Now(1)));
        // Where the store is.
        let _ = writer.boards().await.expect("memory");
        let below = Arc::new(writer.clone());
        let group = Arc::new(GroupCommit::taking_turns(below.clone(), GroupCommitConfig::default(), None, Some(below)));
        let serving = tokio::spawn(writer.serve(group.clone()));
        settle().await;
        Self { group, serving }
    }

    async fn apply(&self, number: u16, board: &str) -> Outcome {
        self.group.apply(&[change(number, board)]).await.expect("applied").remove(0)
    }

    /// The same of one that counts now, and did not before.
    async fn counts(&self, number: u16, board: &str) {
        let outcome = self.apply(number, board).await;
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Tasks that are ready have run.
async fn settle() {
    for _ in 0..50 {
        yield_now().await;
    }
}

async fn store() -> MemoryScoreStore {
    let store = MemoryScoreStore::default();
    for board in BOARDS {
        let _ = store.create_board(&BoardSpec::new(BoardId::new(board).expect("a slug"))).await.expect("memory");
    }
    store
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

/// Two nodes that have found each other, after so many changes: the first writes.
async fn two(store: &MemoryScoreStore, network: &Arc<Network>) -> (Node, Node, u16) {
    let (first, second) = (Node::start(store, network, "a").await, Node::start(store, network, "b").await);
    let number = meet(&first, &second, network).await;
    (first, second, number)
}

async fn meet(first: &Node, second: &Node, network: &Network) -> u16 {
    let mut number = 0;
    while network.batches() == 0 {
        number += 2;
        assert!(number < 20, "they find each other");
        first.counts(number, "main").await;
        second.counts(number + 1, "main").await;
        settle().await;
    }
    number + 2
}

/// Each of so many changes counted once, and the log is whole.
async fn counted(store: &MemoryScoreStore, changes: u64) {
    let board = store.board(&BoardId::main()).await.expect("memory").expect("it is there");
    assert_eq!(board.version.get(), changes);
    let audit = verify(store, &BoardId::main(), |_, _| {}).await.expect("memory");
    assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
}

#[tokio::test(start_paused = true)]
async fn one_of_two_writes_for_both() {
    let (store, network) = (store().await, Network::new());
    let (first, second, begin) = two(&store, &network).await;
    let before = network.batches();
    for number in (begin..begin + 200).step_by(2) {
        let (one, other) = tokio::join!(first.apply(number, "main"), second.apply(number + 1, "main"));
        assert!(matches!((one, other), (Outcome::Applied(_), Outcome::Applied(_))));
        tokio::time::advance(Duration::from_millis(20)).await;
        settle().await;
    }
    // What is not asked for a while is not claimed any more, and found again.
    assert_eq!(network.batches() - before, 100, "the second writes nothing itself");
    counted(&store, u64::from(begin) + 198).await;
}

#[tokio::test(start_paused = true)]
async fn of_three_that_take_all_they_can_each_change_counts_once() {
    let (store, network) = (store().await, Network::new());
    let nodes = [
        Node::start(&store, &network, "c").await,
        Node::start(&store, &network, "a").await,
        Node::start(&store, &network, "b").await,
    ];
    for round in 0..20 {
        let changes = (0..150u16).map(|number| {
            let (node, number) = (&nodes[usize::from(number) % 3], round * 150 + number);
            node.apply(number, "main")
        });
        assert!(join_all(changes).await.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))));
        settle().await;
    }
    assert!(network.batches() >= 2 * 15, "two of three ask: {}", network.batches());
    counted(&store, 3_000).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_says_nothing() {
    let (store, network) = (store().await, Network::new());
    let node = Node::start(&store, &network, "a").await;
    let _idle = Node::start(&store, &network, "0").await;
    for number in 0..100 {
        node.counts(number, BOARDS[usize::from(number) % 2]).await;
    }
    settle().await;
    assert_eq!((network.batches(), network.claims.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_is_left_alone_writes_itself_again() {
    let (store, network) = (store().await, Network::new());
    let (_first, second, begin) = two(&store, &network).await;
    for number in begin..begin + 100 {
        second.counts(number, "main").await;
    }
    assert!(network.batches() <= 17, "after sixteen batches between which nobody came: {}", network.batches());
    counted(&store, u64::from(begin) + 98).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_what_was_asked_it_counts_once_and_is_answered() {
    for fate in [Fate::LosesAsks, Fate::LosesAnswers, Fate::Shortens, Fate::Ages, Fate::Renews] {
        let (store, network) = (store().await, Network::new());
        let (first, second, number) = two(&store, &network).await;
        first.counts(number, "main").await;
        *network.fate.lock() = fate;
        let before = network.batches();
        let began = tokio::time::Instant::now();
        let outcome = second.apply(number + 1, "main").await;
        let was_applied = fate != Fate::LosesAsks;
        assert_eq!(matches!(outcome, Outcome::Replayed(_)), was_applied, "{fate:?}: {outcome:?}");
        assert!(began.elapsed() <= Duration::from_millis(310), "{fate:?}: {:?}", began.elapsed());
        assert_eq!(network.batches(), before + 1, "{fate:?}");
        // Not asked again so soon, though it says all the time that it writes.
        for next in (number + 2..number + 22).step_by(2) {
            first.counts(next, "main").await;
            assert!(matches!(second.apply(next + 1, "main").await, Outcome::Applied(_)), "{fate:?}");
            settle().await;
        }
        assert_eq!(network.batches(), before + 1, "{fate:?}");
        counted(&store, u64::from(number) + 20).await;
        *network.fate.lock() = Fate::Works;
        tokio::time::advance(Duration::from_secs(6)).await;
        for next in (number + 22..number + 42).step_by(2) {
            first.counts(next, "main").await;
            second.counts(next + 1, "main").await;
            settle().await;
        }
        assert!(network.batches() > before + 1, "{fate:?}: it is asked again after a while");
    }
}

/// `b` has `a` write, `a` applies it and nobody hears of it, and `b` cannot reach the store.
#[tokio::test(start_paused = true)]
async fn what_another_may_have_applied_is_unknown_until_the_store_says() {
    let (store, network) = (store().await, Network::new());
    let faulty = Arc::new(FaultyScoreStore::new(Arc::new(store.clone()), 7, FaultRates::default()));
    let (first, second) = (Node::start(&store, &network, "a").await, Node::on(faulty.clone(), &network, "b").await);
    let number = meet(&first, &second, &network).await;
    *network.fate.lock() = Fate::LosesAnswers;
    faulty.set_rates(FaultRates { before: 1.0, ..FaultRates::default() });
    let error = second.group.apply(&[change(number, "main")]).await.expect_err("it cannot be told");
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}: it counts");
    counted(&store, u64::from(number) - 1).await;
    faulty.set_rates(FaultRates::default());
    let again = second.apply(number, "main").await;
    assert!(matches!(again, Outcome::Replayed(_)), "{again:?}");

    // What was never asked for has not counted, and is not called unknown.
    faulty.set_rates(FaultRates { before: 1.0, ..FaultRates::default() });
    let error = second.group.apply(&[change(number + 1, "main")]).await.expect_err("the store is away");
    assert_ne!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    counted(&store, u64::from(number) - 1).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_too_slow_for_one_board_is_left_alone_on_all() {
    let (store, network) = (store().await, Network::new());
    let (first, second, mut number) = two(&store, &network).await;
    while network.batches() < 20 {
        for board in BOARDS {
            first.counts(number, board).await;
            second.counts(number + 1, board).await;
            number += 2;
        }
        settle().await;
    }
    *network.fate.lock() = Fate::LosesAsks;
    let before = network.batches();
    for board in BOARDS {
        second.counts(number, board).await;
        number += 1;
    }
    assert_eq!(network.batches(), before + 1, "its silence on one board was enough");
}

#[tokio::test(start_paused = true)]
async fn who_writes_waits_for_those_that_have_more_to_ask_and_for_nobody_else() {
    // So many at once, how long after the answer, and into how many batches what two nodes have at the same time goes.
    for (changes, pause, batches) in [(20, 1, 1), (10, 1, 2), (20, 30, 2)] {
        let (memory, network) = (store().await, Network::new());
        let store = Arc::new(Rigged::over(memory.clone()));
        let (first, second) =
            (Node::on(store.clone(), &network, "a").await, Node::on(store.clone(), &network, "b").await);
        let mut counted_before = 0;
        for round in 0..40 {
            if round == 20 {
                counted_before = store.batches.load(Ordering::SeqCst);
            }
            let number = round * 100;
            // Those of the second come when the first would have begun.
            let theirs = (1..=changes).map(|at| second.counts(number + at, "main"));
            let ((), _) = tokio::join!(first.counts(number, "main"), join_all(theirs));
            tokio::time::advance(Duration::from_millis(pause)).await;
            settle().await;
        }
        let counted_since = store.batches.load(Ordering::SeqCst) - counted_before;
        assert!(
            counted_since.abs_diff(20 * batches) <= 2,
            "{changes} after {pause} ms: {counted_since} batches in 20 rounds"
        );
        counted(&memory, 40 * u64::from(changes + 1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_back_is_waited_for_once() {
    let (store, network) = (store().await, Network::new());
    let (first, second, begin) = two(&store, &network).await;
    let mut number = begin;
    for _ in 0..5 {
        let theirs = (number + 1..number + 20).map(|number| second.counts(number, "main"));
        let ((), _) = tokio::join!(first.counts(number, "main"), join_all(theirs));
        number += 20;
    }
    let mut waited = Vec::new();
    for number in number..number + 5 {
        let began = tokio::time::Instant::now();
        first.counts(number, "main").await;
        waited.push(began.elapsed());
    }
    assert!(waited[0] > Duration::ZERO && waited[0] <= Duration::from_millis(21), "{waited:?}");
    assert_eq!(waited[1..], [Duration::ZERO; 4]);
}

#[tokio::test(start_paused = true)]
async fn who_closes_writes_for_nobody() {
    let (store, network) = (store().await, Network::new());
    let (first, second, number) = two(&store, &network).await;
    first.counts(number, "main").await;
    first.group.close().await;
    let before = network.batches();
    for next in number + 1..number + 40 {
        second.counts(next, "main").await;
    }
    assert_eq!(network.batches(), before + 1, "asked once more, and no longer");
    counted(&store, u64::from(number) + 38).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_several_boards_is_written_by_who_has_it() {
    let (store, network) = (store().await, Network::new());
    let (first, second, number) = two(&store, &network).await;
    first.counts(number, "main").await;
    let before = (network.batches(), network.turns.load(Ordering::SeqCst));
    let outcomes = second.group.apply(&[change(number + 1, "main"), change(number + 2, "other")]).await;
    assert!(outcomes.expect("applied").iter().all(|outcome| matches!(outcome, Outcome::Applied(_))));
    let after = (network.batches(), network.turns.load(Ordering::SeqCst));
    assert_eq!(after, (before.0, before.1 + 1), "in its turn");
}

#[tokio::test(start_paused = true)]
async fn who_writes_to_a_copy_is_not_believed() {
    let (here, copy, network) = (store().await, store().await, Network::new());
    let (_first, second) = (Node::start(&copy, &network, "a").await, Node::start(&here, &network, "b").await);
    let line = network.line("a");
    second.counts(0, "main").await;
    for number in 1..40 {
        // Another writes here, and who is on the copy says that it does.
        let _ = here.apply(&[change(1_000 + number, "main")]).await.expect("memory");
        line.claim(&BoardId::main()).await.expect("it is said");
        settle().await;
        second.counts(number, "main").await;
    }
    assert_eq!(network.batches(), 1, "asked once, and no longer");
    counted(&here, 79).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_refused_all_at_first_is_asked_again() {
    let (store, network) = (store().await, Network::new());
    let (_first, second) = (Node::start(&store, &network, "a").await, Node::start(&store, &network, "b").await);
    let line = network.line("a");
    let claimed = async || {
        line.claim(&BoardId::main()).await.expect("it is said");
        settle().await;
    };
    // Another comes in between, so that from now on it matters who writes.
    second.counts(0, "main").await;
    let _ = store.apply(&[change(1_000, "main")]).await.expect("memory");
    second.counts(5, "main").await;
    for number in 1..4 {
        claimed().await;
        // None is a change that anybody may ask for.
        let asked = [Change { origin: Origin::Correction, ..change(number, "main") }];
        let refused = second.group.apply(&asked).await.expect("applied").remove(0);
        assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
        assert_eq!(network.batches(), usize::from(number), "it was asked");
    }
    claimed().await;
    second.counts(4, "main").await;
    assert_eq!(network.batches(), 4);
    counted(&store, 4).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_held_back_is_not_applied() {
    let (store, network) = (store().await, Network::new());
    let writer = OneWriter::new(Arc::new(store.clone()), None, network.line("a"), Arc::new(Now(20_000)));
    let serving = tokio::spawn(writer.serve(Arc::new(store.clone())));
    settle().await;
    for (number, at, is_old) in [(1, 20_000, false), (2, 10_000, false), (3, 9_999, true), (4, 25_000, false)] {
        let asked = Change { at: Timestamp::from_millis(at), ..change(number, "main") };
        let told = network.line("b").ask("a", &[asked], Version::ZERO).await;
        assert_eq!(told.is_err(), is_old, "{at}: {told:?}");
    }
    serving.abort();
    counted(&store, 3).await;
}

#[tokio::test]
async fn what_others_did_comes_with_the_answers_and_is_not_read() {
    let (store, network) = (store().await, Network::new());
    let mut nodes = Vec::new();
    for name in ["a", "b", "c"] {
        let rigged = Arc::new(Rigged::over(store.clone()));
        let writer = OneWriter::new(rigged.clone(), None, network.line(name), Arc::new(Now(1)));
        let ranks = RankIndexed::new(Arc::new(writer.clone()), RankIndexedConfig::default());
        tokio::spawn(ranks.clone().follow(Arc::new(InProcessBroadcaster::default())));
        let turns = Some(Arc::new(writer.clone()) as _);
        let group = GroupCommit::taking_turns(Arc::new(ranks.clone()), GroupCommitConfig::default(), None, turns);
        let group = Arc::new(group);
        let serving = tokio::spawn(writer.serve(group.clone()));
        nodes.push((Node { group, serving }, ranks, rigged));
    }
    let write = async |rounds: std::ops::Range<u16>| {
        for round in rounds {
            let changes = (0..30).map(|at| nodes[usize::from(at) % 3].0.counts(round * 30 + at, "main"));
            join_all(changes).await;
        }
    };
    let newest = async |at: usize| {
        // Where the board is, nobody has announced.
        let _ = nodes[at].1.board(&BoardId::main()).await.expect("memory");
        let page = nodes[at]
            .1
            .page(
                &BoardId::main(),
                PageQuery { season: None, range: Range::Top { limit: 1 }, style: RankStyle::Ordinal },
            )
            .await
            .expect("memory")
            .expect("it is there");
        page.position.version.get()
    };
    write(0..20).await;
    let read = || nodes.iter().map(|(.., rigged)| rigged.rows_read.load(Ordering::SeqCst)).collect::<Vec<_>>();
    for at in 0..3 {
        assert_eq!(newest(at).await, 600);
    }
    let before = (read(), network.batches());
    write(20..60).await;
    for at in 0..3 {
        assert_eq!(newest(at).await, 1_800);
    }
    assert!(network.batches() - before.1 >= 80, "two ask in each round");
    let rows: usize = read().iter().sum::<usize>() - before.0.iter().sum::<usize>();
    assert!(rows <= 60, "of what the last round has left at the most, and not of 1,200 times two: {rows}");
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_board_waits_for_an_answer_that_is_on_its_way() {
    let (store, network) = (store().await, Network::new());
    let first = Node::start(&store, &network, "a").await;
    let rigged = Arc::new(Rigged::over(store.clone()));
    let writer = OneWriter::new(rigged.clone(), None, network.line("b"), Arc::new(Now(1)));
    let turns = Some(Arc::new(writer.clone()) as _);
    let group =
        Arc::new(GroupCommit::taking_turns(Arc::new(writer.clone()), GroupCommitConfig::default(), None, turns));
    let serving = tokio::spawn(writer.clone().serve(group.clone()));
    let second = Node { group, serving };
    settle().await;
    for number in 0..10 {
        first.counts(2 * number, "main").await;
        second.counts(2 * number + 1, "main").await;
        settle().await;
    }
    assert!(network.batches() > 0, "they have found each other");
    first.counts(20, "main").await;
    *network.fate.lock() = Fate::Delays;
    let follow = async {
        settle().await;
        writer.applied(&BoardId::main(), Version::new(20), 10).await.expect("memory")
    };
    let ((), followed) = tokio::join!(second.counts(21, "main"), follow);
    let versions: Vec<u64> = followed.iter().map(|change| change.position.version.get()).collect();
    assert_eq!((versions, rigged.rows_read.load(Ordering::SeqCst)), (vec![21], 0), "told, and not read");
}

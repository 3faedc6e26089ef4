//! Ranks from memory are those of the log: while an index is filled, while two nodes write, after an epoch, after a drift.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use scoreboard_core::memory::{InProcessBroadcaster, MemoryScoreStore};
use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Broadcaster, Change, Config, Epoch, Fingerprint, IndexState, Operator, Order, Origin,
    Outcome, PageQuery, Points, Position, Range, RankIndexed, RankIndexedConfig, RankStyle, Ranked, RankedPage,
    RankedUsers, Reached, Score, ScoreRank, ScoreStore, Scoreboard, Season, StandingQuery, Timestamp, TopQuery, UserId,
    Version,
};

mod reads;
mod rigged;

use rigged::Rigged;

const STYLES: [RankStyle; 3] = [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense];

fn user(n: u64) -> UserId {
    UserId::from_bytes(u128::from(n).to_be_bytes())
}

/// Sets a user's score; the number makes it one of its own.
fn set(number: u64, user_number: u64, score: i64) -> Change {
    Change {
        action_id: ActionId::from_bytes(u128::from(number).to_be_bytes()),
        fingerprint: Fingerprint::from_bytes(u128::from(number).to_be_bytes()),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: user(user_number),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(score).expect("small"),
        origin: Origin::Record,
        at: Timestamp::from_millis(1_700_000_000_000 + number as i64),
        at_most: None,
        admitted: None,
    }
}

fn spec() -> BoardSpec {
    BoardSpec { operator: Operator::Set, ..BoardSpec::new(BoardId::main()) }
}

fn quick() -> RankIndexedConfig {
    let mut config = RankIndexedConfig::default();
    (config.poll_interval, config.check_interval) = (Duration::from_millis(5), Duration::from_millis(1));
    config
}

/// A node on a store that others share.
fn node(store: Arc<dyn ScoreStore>, config: RankIndexedConfig, broadcaster: &InProcessBroadcaster) -> RankIndexed {
    let node = RankIndexed::new(store, config);
    tokio::spawn(node.clone().follow(Arc::new(broadcaster.clone())));
    node
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what}: not within 30 seconds"));
}

fn is_ready(node: &RankIndexed) -> bool {
    !node.progress().is_empty() && node.progress().iter().all(|progress| progress.state == IndexState::Ready)
}

fn query(range: Range, style: RankStyle) -> PageQuery {
    PageQuery { season: None, range, style }
}

async fn everything(store: &dyn ScoreStore, style: RankStyle) -> RankedPage {
    let page = store.page(&BoardId::main(), query(Range::Top { limit: 1_000_000 }, style)).await;
    page.expect("page answers").expect("the board is there")
}

/// The whole board from the index and from the store are the same.
async fn assert_same(node: &RankIndexed, store: &MemoryScoreStore) {
    for style in STYLES {
        assert_eq!(everything(node, style).await, everything(store, style).await, "{style:?}");
    }
}

/// What a node said, to be held against the log.
#[derive(Debug)]
enum Said {
    Page(PageQuery, RankedPage),
    Users(RankStyle, Vec<UserId>, RankedUsers),
    Rank(RankStyle, Score, ScoreRank),
}

impl Said {
    fn version(&self) -> Version {
        match self {
            Self::Page(_, page) => page.position.version,
            Self::Users(_, _, users) => users.position.version,
            Self::Rank(_, _, rank) => rank.version,
        }
    }
}

/// The board as the log has it so far, ranked the long way.
struct Fold {
    order: Order,
    scores: BTreeMap<UserId, Reached>,
}

impl Fold {
    fn ranked(&self, style: RankStyle) -> Vec<Ranked> {
        let mut sorted: Vec<_> = self.scores.iter().collect();
        sorted.sort_by_key(|(_, reached)| self.order.key(reached.score, reached.version));
        let (mut ranked, mut better, mut scores) = (Vec::<Ranked>::new(), 0, 0);
        for (i, (user_id, reached)) in sorted.iter().enumerate() {
            if i == 0 || sorted[i - 1].1.score != reached.score {
                (better, scores) = (i as u64, scores + 1);
            }
            let rank = match style {
                RankStyle::Ordinal => i as u64 + 1,
                RankStyle::Competition => better + 1,
                RankStyle::Dense => scores,
            };
            let Reached { score, version, at } = **reached;
            ranked.push(Ranked { rank, user_id: **user_id, score, reached: version, updated_at: at });
        }
        ranked
    }

    fn check(&self, said: &Said) {
        match said {
            Said::Page(query, page) => {
                let all = self.ranked(query.style);
                let total = all.len();
                let (start, end) = match query.range {
                    Range::Top { limit } => (0, limit.min(total)),
                    Range::Around { user, radius } => match all.iter().position(|entry| entry.user_id == user) {
                        Some(i) => {
                            let size = total.min(2 * radius + 1);
                            let start = i.saturating_sub(radius).min(total - size);
                            (start, start + size)
                        }
                        None => (0, 0),
                    },
                    Range::After { .. } | Range::Before { .. } => unreachable!("not asked here"),
                };
                assert_eq!(
                    (&*page.entries, page.total),
                    (&all[start..end], total as u64),
                    "{query:?} at {}",
                    page.position
                );
            }
            Said::Users(style, asked, users) => {
                let all = self.ranked(*style);
                let expected: Vec<_> =
                    asked.iter().map(|user| all.iter().find(|entry| entry.user_id == *user).copied()).collect();
                assert_eq!(users.entries, expected, "standings at {}", users.position);
            }
            Said::Rank(style, score, rank) => {
                let better: Vec<_> = self.scores.values().map(|reached| reached.score).collect();
                let expected = match style {
                    RankStyle::Ordinal => better.iter().filter(|other| *other >= score).count(),
                    RankStyle::Competition => better.iter().filter(|other| *other > score).count(),
                    RankStyle::Dense => {
                        better.iter().filter(|other| *other > score).collect::<std::collections::BTreeSet<_>>().len()
                    }
                };
                assert_eq!((rank.rank, rank.total), (expected as u64 + 1, better.len() as u64), "at {}", rank.version);
            }
        }
    }
}

/// Folds the log, and holds each answer against the board at its version.
async fn check_all(store: &MemoryScoreStore, mut said: Vec<Said>) {
    said.sort_by_key(Said::version);
    let mut said = said.into_iter().peekable();
    let mut fold = Fold { order: spec().order(), scores: BTreeMap::new() };
    let rows = store.log(&BoardId::main(), Version::ZERO, usize::MAX).await.expect("log answers");
    let versions = std::iter::once(Version::ZERO).chain(rows.iter().map(|row| row.position.version));
    for (version, row) in versions.zip(std::iter::once(None).chain(rows.iter().map(Some))) {
        if let Some(row) = row {
            fold.scores.insert(row.user_id, row.after().expect("no correction"));
        }
        while let Some(answer) = said.next_if(|answer| answer.version() == version) {
            fold.check(&answer);
        }
    }
    assert!(said.next().is_none(), "no answer is of a version that never was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_answer_of_two_nodes_is_the_fold_of_the_log_at_its_version() {
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    // Until its first change a board's order is not fixed, and its index is made anew by it.
    store.apply(&[set(0, 0, 0)]).await.expect("applied");
    let broadcaster = InProcessBroadcaster::default();
    // Ranks come from the indexes or not at all.
    let nodes: Vec<_> = (0..2).map(|_| node(Rigged::without_ranks(store.clone()), quick(), &broadcaster)).collect();
    until("both are filled", || nodes.iter().all(is_ready)).await;
    let (stop, numbers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (node, numbers) = (nodes[writer as usize % 2].clone(), numbers.clone());
            let broadcaster = broadcaster.clone();
            tokio::spawn(async move {
                for round in 0..250_u64 {
                    let mut batch: Vec<Change> = (0..1 + round % 4)
                        .map(|i| {
                            let number = numbers.fetch_add(1, Ordering::SeqCst);
                            set(number, number * 31 % 60, (number * 17 % 9) as i64 + i as i64)
                        })
                        .collect();
                    if round % 5 == 0 {
                        // The same user twice in a batch, the second time with the same score, and a repeat.
                        let number = numbers.fetch_add(1, Ordering::SeqCst);
                        let again = set(number, number * 31 % 60, 5);
                        batch.extend([Change { ..again.clone() }, again]);
                    }
                    let outcomes = node.apply(&batch).await.expect("apply answers");
                    let newest = outcomes.iter().filter_map(Outcome::receipt).map(|receipt| receipt.version).max();
                    let newest = newest.expect("all count");
                    let page = everything(&node, RankStyle::Ordinal).await;
                    assert!(page.position.version >= newest, "one's own write is seen at once");
                    // Two of three announcements are lost.
                    if round % 3 == 0 {
                        broadcaster.publish(&BoardId::main(), page.position).await.expect("published");
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..2)
        .map(|reader: usize| {
            let (node, stop) = (nodes[reader].clone(), stop.clone());
            tokio::spawn(async move {
                let (mut said, main, mut newest) = (Vec::new(), BoardId::main(), Version::ZERO);
                for n in 0_u64.. {
                    if stop.load(Ordering::SeqCst) && n > 100 || n == 6_000 {
                        break;
                    }
                    let style = STYLES[n as usize % 3];
                    let answer = match n % 4 {
                        0 => {
                            let query = query(Range::Top { limit: 7 }, style);
                            Said::Page(
                                query,
                                node.page(&main, query).await.expect("the index answers").expect("it is there"),
                            )
                        }
                        1 => {
                            let query = query(Range::Around { user: user(n % 60), radius: 3 }, style);
                            Said::Page(
                                query,
                                node.page(&main, query).await.expect("the index answers").expect("it is there"),
                            )
                        }
                        2 => {
                            let asked = vec![user(n % 60), user(999), user(n * 7 % 60)];
                            let found = node.standings(&main, None, style, &asked).await.expect("the index answers");
                            Said::Users(style, asked, found.expect("it is there"))
                        }
                        _ => {
                            let score = Score::new((n % 13) as i64).expect("small");
                            let rank = node.score_rank(&main, style, score).await.expect("the index answers");
                            Said::Rank(style, score, rank.expect("it is there"))
                        }
                    };
                    assert!(answer.version() >= newest, "no answer is older than the one before");
                    newest = answer.version();
                    said.push(answer);
                    tokio::task::yield_now().await;
                }
                said
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no writer panics");
    }
    stop.store(true, Ordering::SeqCst);
    let mut said = Vec::new();
    for reader in readers {
        said.extend(reader.await.expect("no reader panics"));
    }
    let versions: std::collections::BTreeSet<_> = said.iter().map(Said::version).collect();
    assert!(said.len() > 200 && versions.len() > 50, "{} answers at {} versions", said.len(), versions.len());
    check_all(&store, said).await;
    // Who was told a version by one node is shown it by the other.
    let at = store.board(&BoardId::main()).await.expect("board answers").expect("it is there").position();
    for node in &nodes {
        let board = node.board(&BoardId::main()).await.expect("board answers").expect("it is there");
        assert_eq!(board.position(), at);
        assert_same_at(node, &store, at).await;
    }
}

async fn assert_same_at(node: &RankIndexed, store: &MemoryScoreStore, at: Position) {
    assert_eq!(everything(node, RankStyle::Ordinal).await.position, at);
    assert_same(node, store).await;
}

#[tokio::test]
async fn an_index_that_is_filled_while_the_log_goes_on_is_exact() {
    const USERS: u64 = 11_000;
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    let all: Vec<_> = (1..=USERS).map(|n| set(n, n * 2, (n * 7919 % 500) as i64)).collect();
    store.apply(&all).await.expect("applied");
    let mut rigged = Rigged::over(store.clone());
    rigged.knows_no_ranks = AtomicBool::new(true);
    // Behind each page: of those on it, of those still to come, new ones on both sides; more than one read of the log.
    rigged.after_scan = Some(Box::new(|page| {
        (0..700)
            .map(|i| {
                let number = 1_000_000 + page as u64 * 1_000 + i;
                set(number, number * 37 % (2 * USERS), (number % 900) as i64)
            })
            .collect()
    }));
    let mut config = quick();
    // Nothing is put right behind the filling.
    config.check_interval = Duration::from_secs(3600);
    let node = node(Arc::new(rigged), config, &InProcessBroadcaster::default());
    until("it is filled", || is_ready(&node)).await;
    let progress = node.progress().remove(0);
    assert!(progress.users > USERS && progress.users == progress.total && progress.bytes > 0, "{progress:?}");
    assert_same(&node, &store).await;
}

#[tokio::test]
async fn a_new_epoch_is_a_new_index() {
    let store = MemoryScoreStore::new();
    let node = node(Rigged::without_ranks(store.clone()), quick(), &InProcessBroadcaster::default());
    let _ = node.create_board(&spec()).await.expect("created");
    node.apply(&[set(1, 1, 5), set(2, 2, 7)]).await.expect("applied");
    // By somebody else, and then by this node.
    for raise in 0..2 {
        let above = Epoch::new(5 + raise);
        let epoch = match raise {
            0 => store.raise_epoch(above).await,
            _ => node.raise_epoch(above).await,
        };
        let epoch = epoch.expect("raised");
        until("the new epoch is indexed", || {
            node.progress().iter().all(|progress| progress.position.is_some_and(|position| position.epoch == epoch))
        })
        .await;
        assert_same(&node, &store).await;
        node.apply(&[set(10 + raise, 3, 6)]).await.expect("applied");
        assert_same(&node, &store).await;
    }
}

#[tokio::test]
async fn a_drift_is_found_and_put_right() {
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    store.apply(&(1..=2_000).map(|n| set(n, n, (n % 50) as i64)).collect::<Vec<_>>()).await.expect("applied");
    let rigged = Rigged::without_ranks(store.clone());
    let mut config = quick();
    config.check_slice = 100;
    let node = node(rigged.clone(), config, &InProcessBroadcaster::default());
    until("it is filled", || is_ready(&node)).await;
    rigged.lies.store(true, Ordering::SeqCst);
    store.apply(&[set(5_000, 1_234, 44)]).await.expect("applied");
    // Told falsely, by the poll or by the look at the board.
    let at = node.board(&BoardId::main()).await.expect("board answers").expect("it is there").position();
    until("the false row is taken in", || node.progress()[0].position == Some(at)).await;
    rigged.lies.store(false, Ordering::SeqCst);
    let expected = store.standings(&BoardId::main(), None, RankStyle::Ordinal, &[user(1_234)]).await.expect("answers");
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            // While it is made anew, the store is asked, which says that it has no ranks.
            let found = node.standings(&BoardId::main(), None, RankStyle::Ordinal, &[user(1_234)]).await;
            if found.is_ok_and(|found| found == expected) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    found.await.expect("the check finds it");
    assert_same(&node, &store).await;
}

#[tokio::test]
async fn a_board_that_does_not_fit_is_answered_by_the_store() {
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    store.apply(&(1..=2_000).map(|n| set(n, n, (n % 50) as i64)).collect::<Vec<_>>()).await.expect("applied");
    let mut config = quick();
    config.max_bytes = 20_000;
    let node = node(Arc::new(store.clone()), config, &InProcessBroadcaster::default());
    until("it is looked at", || node.progress().first().is_some_and(|first| first.state == IndexState::TooLarge)).await;
    node.apply(&[set(9_000, 7, 99)]).await.expect("applied");
    assert_same(&node, &store).await;
    assert_eq!(node.progress()[0].bytes, 0);
}

#[tokio::test]
async fn a_board_that_outgrows_its_room_is_given_up() {
    let store = MemoryScoreStore::new();
    let mut config = quick();
    config.max_bytes = 200_000;
    let node = node(Arc::new(store.clone()), config, &InProcessBroadcaster::default());
    let _ = node.create_board(&spec()).await.expect("created");
    node.apply(&[set(1, 1, 1)]).await.expect("applied");
    assert_eq!(node.progress()[0].state, IndexState::Ready);
    node.apply(&(2..=9_000).map(|n| set(n, n, (n % 50) as i64)).collect::<Vec<_>>()).await.expect("applied");
    until("it is given up", || node.progress()[0].state == IndexState::TooLarge).await;
    assert_same(&node, &store).await;
}

#[tokio::test]
async fn who_asks_a_node_for_a_version_of_another_is_given_it() {
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    store.apply(&[set(1, 1, 5)]).await.expect("applied");
    let mut config = quick();
    // It hears of nothing by itself.
    config.poll_interval = Duration::from_secs(3600);
    config.check_interval = Duration::from_secs(3600);
    let node = node(Rigged::without_ranks(store.clone()), config, &InProcessBroadcaster::default());
    until("it is filled", || is_ready(&node)).await;
    let scoreboard = Scoreboard::builder(Arc::new(node)).build();
    let main = BoardId::main();
    for n in 2..20 {
        store.apply(&[set(n, n % 3, n as i64)]).await.expect("applied");
        let (min_version, behind) = (Version::new(n), Version::new(n - 1));
        let top = scoreboard.top(&TopQuery::new(main.clone())).await.expect("top answers");
        assert_eq!(top.version, behind, "nobody told it");
        let version = match n % 3 {
            0 => {
                scoreboard
                    .top(&TopQuery { min_version, ..TopQuery::new(main.clone()) })
                    .await
                    .expect("it is there")
                    .version
            }
            1 => {
                let query = StandingQuery { min_version, ..StandingQuery::new(main.clone()) };
                scoreboard.standings(&[user(1)], &query).await.expect("it is there").version
            }
            _ => {
                let style = RankStyle::Dense;
                scoreboard.score_rank(&main, style, Score::ZERO, min_version).await.expect("it is there").version
            }
        };
        assert_eq!(version, min_version);
    }
    let ahead = TopQuery { min_version: Version::new(20), ..TopQuery::new(main) };
    assert!(scoreboard.top(&ahead).await.is_err(), "nobody has it");
}

/// A hint comes before its node has read the log: the page from memory is behind what was announced.
#[tokio::test]
async fn who_watches_at_a_node_sees_what_is_announced_before_its_ranks_have_heard_of_it() {
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    let mut config = quick();
    config.poll_interval = Duration::from_secs(3600);
    config.check_interval = Duration::from_secs(3600);
    // Its ranks hear of nothing; its watchers do.
    let node = node(Rigged::without_ranks(store.clone()), config, &InProcessBroadcaster::default());
    until("it is filled", || is_ready(&node)).await;
    let (main, announced) = (BoardId::main(), InProcessBroadcaster::default());
    let mut quiet = Config::default();
    quiet.poll_interval = Duration::from_secs(3600);
    let builder = Scoreboard::builder(Arc::new(node)).with_config(quiet);
    let scoreboard = builder.with_broadcaster(Arc::new(announced.clone())).build();
    let mut watching = scoreboard.subscribe(&main, 10, None).await.expect("the board is there");
    let _ = watching.next().await.expect("a snapshot");
    for n in 1..=5 {
        store.apply(&[set(n, n, n as i64)]).await.expect("applied");
        let position = store.board(&main).await.expect("board answers").expect("it is there").position();
        announced.publish(&main, position).await.expect("told");
        let event = tokio::time::timeout(Duration::from_secs(10), watching.next()).await.expect("it is not missed");
        assert_eq!(event.expect("an update").position(), position);
    }
}

#[tokio::test]
async fn ranks_are_given_out_while_the_store_is_in_touch_and_no_longer() {
    let mut config = quick();
    config.max_silence = Duration::from_millis(300);
    // Nobody polls, and the store has no ranks: whatever is answered comes from memory.
    let ranks = RankIndexed::new(Rigged::without_ranks(MemoryScoreStore::new()), config);
    let _ = ranks.create_board(&spec()).await.expect("created");
    ranks.apply(&[set(1, 1, 5)]).await.expect("applied");
    let top = async || ranks.page(&BoardId::main(), query(Range::Top { limit: 10 }, RankStyle::Ordinal)).await;
    let _ = top().await.expect("the store was there just now");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(top().await.is_err(), "nobody knows what has happened since");
    let _ = ranks.board(&BoardId::main()).await.expect("board answers").expect("it is there");
    let _ = top().await.expect("it is there again");
}

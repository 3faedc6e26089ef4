//! Many at once: as if one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Barrier;

use crate::board::{BoardSpec, Season};
use crate::entry::{PageQuery, Range};
use crate::ranking::RankStyle;
use crate::store::{AtMost, Change, Outcome, Receipt, ScoreStore};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, board_id, number, score, user};
use crate::testing::score_store::admitted::admitted;
use crate::version::Version;

/// Applies a batch, again while the store asks for that: under contention it may.
pub(in crate::testing) async fn settle(store: &dyn ScoreStore, changes: &[Change]) -> Vec<Outcome> {
    for _ in 0..1000 {
        match store.apply(changes).await {
            Ok(outcomes) => return outcomes,
            Err(error) if error.is_retryable() => tokio::task::yield_now().await,
            Err(error) => panic!("apply fails under contention: {error}"),
        }
    }
    panic!("apply does not settle in 1000 attempts");
}

/// Starts a task for each batch, lets them go together, and gives their outcomes.
async fn together(play: &Play, batches: Vec<Vec<Change>>) -> Vec<Vec<Outcome>> {
    let start = Arc::new(Barrier::new(batches.len()));
    let tasks: Vec<_> = batches
        .into_iter()
        .map(|batch| {
            let (store, start) = (play.store.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                settle(store.as_ref(), &batch).await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("apply does not panic"));
    }
    outcomes
}

/// Of many who apply one action at once, one is told that it was applied, the others that it was before; all have one receipt.
pub async fn one_action_at_once_counts_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for round in 1..=20 {
        let change = play.change(1, 1);
        let outcomes = together(&play, vec![vec![change]; 16]).await.concat();
        let first_times = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count();
        assert_eq!(first_times, 1, "round {round}: one of 16 applies it");
        let receipts: Vec<_> = outcomes
            .iter()
            .map(|outcome| Receipt { replayed: false, ..outcome.receipt().expect("it counts for all").clone() })
            .collect();
        assert!(receipts.iter().all(|receipt| *receipt == receipts[0]), "round {round}: all have one receipt");
        assert_eq!(play.entries().await, [(1, round)], "round {round}: it counts once");
    }
    assert_eq!(play.version().await, 20, "one version a round");
}

/// Of many different actions at once, each counts: sums are exact, and versions are 1 … n, each once.
pub async fn many_actions_at_once_all_count<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let batches = (0..32).map(|_| vec![play.change(1, 1), play.change(2, 10), play.change(1, 2)]).collect();
    let outcomes = together(&play, batches).await;
    let mut versions = BTreeSet::new();
    for batch in outcomes {
        let taken: Vec<_> = batch.into_iter().map(|outcome| applied(outcome).version.get()).collect();
        assert!(taken.windows(2).all(|pair| pair[1] == pair[0] + 1), "a batch is one piece: {taken:?}");
        versions.extend(taken);
    }
    assert_eq!(versions, (1..=96).collect(), "each version is taken once, none is left out");
    assert_eq!(play.entries().await, [(2, 320), (1, 96)], "no change is lost, none is doubled");
    assert_eq!((play.version().await, play.board().await.total), (96, 2));
    let mut sums = [0, 0];
    for row in play.log().await {
        let index = usize::try_from(number(row.user_id) - 1).expect("two users");
        let previous = row.previous.map_or(0, |previous| previous.score.get());
        assert_eq!(previous, sums[index], "each change found what the one before it left");
        sums[index] = row.score.get();
    }
}

/// A condition on the count holds exactly against any number at once.
pub async fn at_most_holds_at_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let limited = || Change { at_most: Some(AtMost { count: 5, since: at(0) }), ..play.change(1, 1) };
    let batches = (0..16).map(|_| vec![limited(), limited()]).collect();
    let outcomes = together(&play, batches).await.concat();
    let counted = outcomes.iter().filter(|outcome| outcome.receipt().is_some()).count();
    assert_eq!(counted, 5, "exactly five of 32 count");
    assert_eq!(play.entries().await, [(1, 5)]);
}

/// A quota holds exactly against any number at once.
pub async fn a_quota_holds_at_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let batches = (0..16).map(|_| vec![admitted(&play, 0), admitted(&play, 1)]).collect();
    let outcomes = together(&play, batches).await.concat();
    let counted = outcomes.iter().filter(|outcome| outcome.receipt().is_some()).count();
    assert_eq!(counted, 3, "exactly three of 32 count");
    assert_eq!(play.entries().await, [(1, 3)]);
}

/// Batches over several boards in opposite orders neither wait for each other for ever nor lose anything.
pub async fn batches_over_boards_do_not_lock_up<F: ScoreStoreFixture>(f: &F) {
    let one = Play::on(f, BoardSpec::new(board_id("one"))).await;
    let two = Play::on(f, BoardSpec::new(board_id("two"))).await;
    let batches = (0..32)
        .map(|n| {
            let mut batch = vec![one.change(n % 3, 1), two.change(n % 3, 1)];
            if n % 2 == 1 {
                batch.reverse();
            }
            batch
        })
        .collect();
    for outcome in together(&one, batches).await.concat() {
        let _ = applied(outcome);
    }
    for play in [one, two] {
        let sum: i64 = play.entries().await.iter().map(|(_, score)| score).sum();
        assert_eq!((play.version().await, sum), (32, 32), "{}: every change counts", play.id());
    }
}

/// Whoever follows the log while many write it, each time behind the last version that came, is given every version once, in order.
pub async fn who_follows_the_log_misses_nothing<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let stop = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn({
        let (play, stop) = (play.clone(), stop.clone());
        async move {
            let (mut seen, mut after) = (Vec::new(), Version::ZERO);
            loop {
                let ends = stop.load(Ordering::SeqCst);
                let rows = play.store.log(play.id(), after, 3).await.expect("log answers");
                seen.extend(rows.iter().map(|row| row.position.version.get()));
                match rows.last() {
                    Some(last) => after = last.position.version,
                    None if ends => return seen,
                    None => tokio::time::sleep(Duration::from_micros(100)).await,
                }
            }
        }
    });
    for _ in 0..4 {
        let batches = (0..16).map(|n| vec![play.change(n % 5, 1), play.change(n % 3, 1)]).collect();
        for outcome in together(&play, batches).await.concat() {
            let _ = applied(outcome);
        }
    }
    stop.store(true, Ordering::SeqCst);
    let seen = follower.await.expect("the follower does not panic");
    assert_eq!(seen, (1..=128).collect::<Vec<_>>(), "none is passed over, none comes late or twice");
}

/// While batches are written, each answer is true at the one version that it names, and no batch is seen half.
///
/// Change `i` gives one point to user `i mod 4`, in batches of four: so a version tells every score.
pub async fn an_answer_is_true_at_one_version<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (play, stop) = (play.clone(), stop.clone());
        async move {
            let mut batches = 0;
            while batches < 50 || !stop.load(Ordering::SeqCst) {
                let batch: Vec<_> = (1..=4).map(|user_number| play.change(user_number, 1)).collect();
                settle(play.store.as_ref(), &batch).await;
                batches += 1;
                tokio::task::yield_now().await;
            }
            4 * batches
        }
    });
    for _ in 0..50 {
        let seen = answers_are_whole(&play).await;
        while play.version().await == seen {
            // Nothing new was written since: give the writer its turn.
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    let written = writer.await.expect("the writer does not panic");
    assert_eq!(answers_are_whole(&play).await, written, "the last read sees all");
}

/// Asks everything once, and gives the version of the last answer.
async fn answers_are_whole(play: &Play) -> u64 {
    let whole = |version: Version, what: &str| {
        let version = version.get();
        assert_eq!(version % 4, 0, "{what} shows half a batch: version {version}");
        version
    };
    let expected = |version: u64| -> Vec<_> {
        let users = if version == 0 { 0 } else { 4 };
        let each = i64::try_from(version / 4).expect("few");
        (1..=users).map(|user| (user, each, version - 4 + user)).collect()
    };
    let page = play.top().await;
    let version = whole(page.position.version, "page");
    let entries: Vec<_> = page.entries.iter().map(|e| (number(e.user_id), e.score.get(), e.reached.get())).collect();
    assert_eq!(entries, expected(version), "page at version {version}: user, score, when reached");
    assert_eq!(page.total, entries.len() as u64, "page: total at version {version}");

    let around = PageQuery { season: None, range: Range::Around { user: user(3), radius: 1 }, style: RankStyle::Dense };
    let around = play.store.page(play.id(), around).await.expect("page answers").expect("the board is there");
    let version = whole(around.position.version, "around");
    let entries: Vec<_> = around.entries.iter().map(|e| (number(e.user_id), e.score.get(), e.reached.get())).collect();
    let middle: Vec<_> = expected(version).into_iter().skip(1).collect();
    assert_eq!(entries, middle, "around at version {version}: user, score, when reached");

    let found = play.store.standings(play.id(), None, RankStyle::Ordinal, &[4, 3, 2, 1].map(user)).await;
    let found = found.expect("standings answers").expect("the board is there");
    let version = whole(found.position.version, "standings");
    let mut entries: Vec<_> =
        found.entries.iter().flatten().map(|e| (e.rank, e.score.get(), e.reached.get())).collect();
    entries.reverse();
    assert_eq!(entries, expected(version), "standings at version {version}: rank, score, when reached");

    let scan = play.store.scan(play.id(), Season::FIRST, None, 10).await;
    let scan = scan.expect("scan answers").expect("the board is there");
    let version = whole(scan.position.version, "scan");
    let scores: Vec<_> = scan.scores.iter().map(|(u, r)| (number(*u), r.score.get(), r.version.get())).collect();
    assert_eq!(scores, expected(version), "scan at version {version}: user, score, when reached");
    assert_eq!(scan.total, scores.len() as u64, "scan: total at version {version}");

    let rank = play.store.score_rank(play.id(), RankStyle::Competition, score(40)).await;
    let rank = rank.expect("score_rank answers").expect("the board is there");
    let version = whole(rank.version, "score_rank");
    assert_eq!(rank.total, expected(version).len() as u64, "score_rank: total at version {version}");
    assert_eq!(rank.rank, if version / 4 > 40 { 5 } else { 1 }, "score_rank of 40 at version {version}");

    let after = version.saturating_sub(40);
    let log = play.store.log(play.id(), Version::new(after), 1_000_000).await.expect("log answers");
    whole(Version::new(after + log.len() as u64), "log");
    let gapless = log.iter().zip(after + 1..).all(|(row, version)| row.position.version.get() == version);
    assert!(gapless, "the log has no gap behind version {after}");

    let board = play.board().await;
    let version = whole(board.version, "board");
    assert_eq!(board.total, expected(version).len() as u64, "board: total at version {version}");
    version
}

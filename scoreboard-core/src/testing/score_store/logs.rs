//! The log, by board and by user, and what it folds to.

use std::collections::BTreeMap;

use crate::board::{BoardSpec, Season};
use crate::ids::UserId;
use crate::ranking::{Direction, Operator};
use crate::store::{LogRow, Reached};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, board_id, number, spec, user};
use crate::version::Version;

/// Two boards of one store, played on in turns.
async fn two_boards<F: ScoreStoreFixture>(f: &F) -> [Play; 2] {
    let one = Play::on(f, spec("one", Operator::Set, Direction::Descending)).await;
    let two = Play::on(f, BoardSpec::new(board_id("two"))).await;
    for n in 0..30 {
        let value = i64::try_from(n % 4).expect("small");
        one.apply(&[one.change(n % 3, value), two.change(n % 5, value), one.change(n % 7, value)]).await;
    }
    [one, two]
}

fn versions(rows: &[LogRow]) -> Vec<u64> {
    rows.iter().map(|row| row.position.version.get()).collect()
}

/// A board's log comes in version order behind the version given, at most `limit`, and only its own.
pub async fn the_log_is_paged_by_version<F: ScoreStoreFixture>(f: &F) {
    for (play, count) in two_boards(f).await.into_iter().zip([60, 30]) {
        assert_eq!(versions(&play.log().await), (1..=count).collect::<Vec<_>>(), "{}: each version once", play.id());
        for limit in [1, 7, count as usize, 1000] {
            let mut after = Version::ZERO;
            let mut seen = Vec::new();
            loop {
                let rows = play.store.log(play.id(), after, limit).await.expect("log answers");
                assert!(rows.len() <= limit, "at most {limit} rows");
                let Some(last) = rows.last() else { break };
                after = last.position.version;
                seen.extend(versions(&rows));
            }
            assert_eq!(seen, (1..=count).collect::<Vec<_>>(), "{} by {limit}: without a gap or double", play.id());
        }
        let ahead = play.store.log(play.id(), Version::new(count + 5), 10).await.expect("log answers");
        assert_eq!(ahead, [], "nothing is behind a version that the board has not reached");
    }
}

/// A user's history is their part of the log, newest first, older than the version given, at most `limit`.
pub async fn history_is_paged_newest_first<F: ScoreStoreFixture>(f: &F) {
    for play in two_boards(f).await {
        let log = play.log().await;
        for user_number in [0, 2, 6, 77] {
            let user = user(user_number);
            let mut expected: Vec<_> = log.iter().filter(|row| row.user_id == user).cloned().collect();
            expected.reverse();
            for limit in [1, 4, 1000] {
                let (mut before, mut seen) = (None, Vec::new());
                loop {
                    let rows = play.store.history(play.id(), user, before, limit).await.expect("history answers");
                    assert!(rows.len() <= limit, "at most {limit} rows");
                    let Some(last) = rows.last() else { break };
                    before = Some(last.position.version);
                    seen.extend(rows);
                }
                assert_eq!(seen, expected, "{}: user {user_number} by {limit}: without a gap or double", play.id());
            }
        }
    }
}

/// A scan gives each user of the season once, in the order of ids, behind the one given, at most `limit`.
pub async fn a_scan_is_paged_by_user<F: ScoreStoreFixture>(f: &F) {
    for play in two_boards(f).await {
        let board = play.board().await;
        let mut expected: Vec<_> = play.top().await.entries;
        expected.sort_by_key(|entry| entry.user_id);
        for limit in [1, 3, 1000] {
            let (mut after, mut seen): (Option<UserId>, _) = (None, Vec::new());
            loop {
                let scan = play.store.scan(play.id(), Season::FIRST, after, limit).await;
                let scan = scan.expect("scan answers").expect("the board is there");
                assert_eq!(
                    (scan.position, scan.total),
                    (board.position(), board.total),
                    "true at the board's position"
                );
                assert!(scan.scores.len() <= limit, "at most {limit} scores");
                let Some((last, _)) = scan.scores.last() else { break };
                after = Some(*last);
                seen.extend(scan.scores);
            }
            let expected: Vec<_> = expected
                .iter()
                .map(|e| (e.user_id, Reached { score: e.score, version: e.reached, at: e.updated_at }))
                .collect();
            assert_eq!(seen, expected, "{} by {limit}: without a gap or double", play.id());
        }
    }
}

/// The log in version order folds to the scores, row by row: each row's `previous` is what the one before left.
pub async fn the_log_folds_to_the_scores<F: ScoreStoreFixture>(f: &F) {
    for play in two_boards(f).await {
        let mut scores: BTreeMap<UserId, Reached> = BTreeMap::new();
        for row in play.log().await {
            assert_eq!(row.previous, scores.get(&row.user_id).copied(), "{}: what a row found", play.id());
            let before = row.previous.map(|previous| previous.score);
            let after = play.spec.operator.apply(play.spec.direction, before, row.points);
            assert_eq!(Some(row.score), after, "{}: what a row left", play.id());
            let Some(reached) = row.after() else { continue };
            scores.insert(row.user_id, reached);
        }
        let scan = play.store.scan(play.id(), Season::FIRST, None, 1000).await;
        let scan = scan.expect("scan answers").expect("the board is there");
        assert_eq!(scan.scores, scores.into_iter().collect::<Vec<_>>(), "{}: the fold of the log", play.id());
    }
}

/// The total is the number of users with a score in the season, in every answer that has one.
pub async fn totals_count_users<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for (n, total) in [(5, 1), (5, 1), (3, 2), (5, 2), (0, 3), (9, 4)] {
        play.scored(n, 1).await;
        assert_eq!(play.board().await.total, total, "board");
        assert_eq!(play.top().await.total, total, "page");
        let scan = play.store.scan(play.id(), Season::FIRST, None, 1).await.expect("scan answers");
        assert_eq!(scan.map(|scan| scan.total), Some(total), "scan: of the season, not of the stretch");
        let listed = play.store.boards().await.expect("boards answers");
        assert_eq!(listed[0].total, total, "boards");
    }
    let on_board: Vec<_> = play.entries().await.into_iter().map(|(user_number, _)| user_number).collect();
    assert_eq!(on_board.len(), 4, "as many entries as the total says: {on_board:?}");
    assert!(on_board.contains(&number(user(0))), "the user with the smallest id is there");
}

//! Seasons that are over, turned here by hand.

use scoreboard_core::{
    AtMost, BoardId, Change, LogRow, Outcome, PageQuery, Range, RankStyle, Refusal, ScoreStore, Season, Timestamp,
    UserId, Version,
};

use crate::SqliteStore;
use crate::connection_test::{change, run, store};

const SECOND: Season = Season::new(2);

fn user() -> UserId {
    UserId::for_name("test", "somebody")
}

/// The user's change of this number, in a season.
fn of_user(number: u64, season: Season) -> Change {
    Change { user_id: user(), season, at: Timestamp::from_millis(1000 + number as i64), ..change(number) }
}

async fn apply(store: &SqliteStore, changes: &[Change]) {
    let outcomes = store.apply(changes).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))), "{outcomes:?}");
}

/// Three changes of the user in the first season and two in the second, between those of others.
async fn two_seasons() -> (SqliteStore, tempfile::TempDir) {
    let (store, _, folder) = store().await;
    for number in 1..=3 {
        apply(&store, &[of_user(number, Season::FIRST), change(100 + number)]).await;
    }
    run(&store.writer, "INSERT INTO seasons (board, season, total) VALUES (1, 2, 0); UPDATE boards SET season = 2")
        .await;
    for number in 4..=5 {
        apply(&store, &[Change { season: SECOND, ..change(100 + number) }, of_user(number, SECOND)]).await;
    }
    (store, folder)
}

fn versions(rows: &[LogRow]) -> Vec<u64> {
    rows.iter().map(|row| row.position.version.get()).collect()
}

#[tokio::test]
async fn a_season_that_is_over_can_be_read() {
    let (store, _folder) = two_seasons().await;
    let top = async |season| {
        let query = PageQuery { season, range: Range::Top { limit: 1 }, style: RankStyle::Ordinal };
        store.page(&BoardId::main(), query).await.unwrap()
    };
    let over = top(Some(Season::FIRST)).await.unwrap();
    assert_eq!(
        (over.season, over.total, over.entries[0].user_id, over.entries[0].score.get()),
        (Season::FIRST, 4, user(), 3)
    );
    let current = top(None).await.unwrap();
    assert_eq!((current.season, current.total, current.entries[0].score.get()), (SECOND, 3, 2));
    assert_eq!(current.position, over.position);
    assert_eq!(top(Some(SECOND)).await.unwrap(), current);
    assert_eq!(top(Some(Season::new(3))).await, None);
    assert_eq!(top(Some(Season::new(0))).await, None);
}

#[tokio::test]
async fn a_history_goes_back_over_seasons() {
    let (store, _folder) = two_seasons().await;
    let history = async |before: Option<u64>, limit| {
        let before = before.map(Version::new);
        versions(&store.history(&BoardId::main(), user(), before, limit).await.unwrap())
    };
    assert_eq!(history(None, 9).await, [10, 8, 5, 3, 1]);
    // Whether it is one of the user's versions or not.
    for before in 0..=12 {
        let expected: Vec<u64> = [10, 8, 5, 3, 1].into_iter().filter(|version| *version < before).collect();
        assert_eq!(history(Some(before), 9).await, expected, "before {before}");
        assert_eq!(history(Some(before), 2).await, expected[..expected.len().min(2)], "before {before}");
    }
}

#[tokio::test]
async fn a_count_goes_back_over_seasons() {
    let (store, _folder) = two_seasons().await;
    for (since, count) in [(0, 5), (1002, 4), (1003, 3), (1004, 2), (1005, 1), (1006, 0)] {
        let since = Timestamp::from_millis(since);
        let at_most = |count| Some(AtMost { count, since });
        let refused = Change { at_most: at_most(count), ..of_user(50, SECOND) };
        assert_eq!(store.apply(&[refused]).await.unwrap(), [Outcome::Refused(Refusal::AboveCount)], "since {since}");
    }
    let allowed =
        Change { at_most: Some(AtMost { count: 6, since: Timestamp::from_millis(0) }), ..of_user(50, SECOND) };
    apply(&store, &[allowed]).await;
}

#[tokio::test]
async fn a_count_finds_what_was_later_though_it_was_applied_before() {
    let (store, _, _folder) = store().await;
    for (number, at) in [(1, 500), (2, 900), (3, 100), (4, 200)] {
        apply(&store, &[Change { at: Timestamp::from_millis(at), ..of_user(number, Season::FIRST) }]).await;
    }
    for (since, count) in [(0, 4), (101, 3), (300, 2), (600, 1), (901, 0)] {
        let at_most = Some(AtMost { count, since: Timestamp::from_millis(since) });
        let refused = Change { at_most, ..of_user(50, Season::FIRST) };
        assert_eq!(store.apply(&[refused]).await.unwrap(), [Outcome::Refused(Refusal::AboveCount)], "since {since}");
    }
}

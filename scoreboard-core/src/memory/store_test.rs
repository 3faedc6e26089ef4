use super::*;
use crate::action::Fingerprint;
use crate::clock::Timestamp;
use crate::entry::Range;
use crate::ranking::{Direction, Operator, TieBreak};
use crate::score::Points;
use crate::store::{AtMost, Origin, Reached, Refusal};
use crate::version::Epoch;

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

fn change(action: u64, user: UserId, points: i64) -> Change {
    Change {
        action_id: ActionId::from_bytes(u128::from(action).to_be_bytes()),
        fingerprint: Fingerprint::from_bytes([0; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: user,
        kind: "tap".parse().unwrap(),
        points: Points::new(points).unwrap(),
        origin: Origin::Action,
        at: Timestamp::from_millis(i64::try_from(action).unwrap()),
        at_most: None,
        admitted: None,
    }
}

async fn main_board() -> MemoryScoreStore {
    let store = MemoryScoreStore::new();
    assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap(), CreateBoard::Created);
    store
}

async fn one(store: &MemoryScoreStore, change: Change) -> Outcome {
    store.apply(&[change]).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_batch_is_decided_row_by_row_and_read_back_from_every_side() {
    let store = main_board().await;
    let changes = [change(1, user(1), 5), change(2, user(2), 9), change(1, user(1), 5), change(3, user(1), 4)];
    let outcomes = store.apply(&changes).await.unwrap();
    assert!(matches!(&outcomes[2], Outcome::Replayed(receipt) if receipt.version == Version::new(1)));
    assert_eq!(outcomes[3].receipt().unwrap().previous_score, Some(Score::new(5).unwrap()));

    let main = BoardId::main();
    let log = store.log(&main, Version::ZERO, 99).await.unwrap();
    assert_eq!(log.iter().map(|row| row.position.version.get()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.log(&main, Version::new(1), 1).await.unwrap(), log[1..2]);
    assert!(store.log(&main, Version::new(u64::MAX), 1).await.unwrap().is_empty());
    let history = store.history(&main, user(1), None, 99).await.unwrap();
    assert_eq!(history, [log[2].clone(), log[0].clone()]);
    assert_eq!(store.history(&main, user(1), Some(Version::new(3)), 9).await.unwrap(), history[1..]);
    assert_eq!(store.action(changes[1].action_id).await.unwrap(), Some((main.clone(), log[1].clone())));

    let scan = store.scan(&main, Season::FIRST, None, 1).await.unwrap().unwrap();
    let reached = Reached { score: Score::new(9).unwrap(), version: Version::new(3), at: log[2].at };
    assert_eq!((scan.total, scan.scores), (2, vec![(user(1), reached)]));
    let scan = store.scan(&main, Season::FIRST, Some(user(1)), 9).await.unwrap().unwrap();
    assert_eq!(scan.scores.len(), 1);
    let board = store.board(&main).await.unwrap().unwrap();
    assert_eq!((board.epoch, board.version, board.total), (Epoch::new(1), Version::new(3), 2));
}

#[tokio::test]
async fn a_days_number_is_counted_by_time_even_if_clocks_disagree() {
    let store = main_board().await;
    let at = |action, millis, count, since| Change {
        at: Timestamp::from_millis(millis),
        at_most: Some(AtMost { count, since: Timestamp::from_millis(since) }),
        ..change(action, user(1), 1)
    };
    for (action, millis) in [(1, 500), (2, 300), (3, 400)] {
        assert!(one(&store, at(action, millis, 9, 0)).await.receipt().is_some());
    }
    assert_eq!(one(&store, at(4, 600, 2, 400)).await, Outcome::Refused(Refusal::AboveCount));
    assert!(one(&store, at(4, 600, 3, 400)).await.receipt().is_some());
    assert!(one(&store, Change { user_id: user(2), ..at(5, 600, 1, 0) }).await.receipt().is_some());
}

#[tokio::test]
async fn a_season_that_never_was_is_none() {
    let store = main_board().await;
    let query = |season| PageQuery { season, range: Range::Top { limit: 1 }, style: RankStyle::Ordinal };
    for (number, there) in [(0, false), (1, true), (2, false)] {
        let (main, season) = (BoardId::main(), Season::new(number));
        assert_eq!(store.page(&main, query(Some(season))).await.unwrap().is_some(), there);
        let standings = store.standings(&main, Some(season), RankStyle::Ordinal, &[user(1)]).await.unwrap();
        assert_eq!(standings.is_some(), there);
        assert_eq!(store.scan(&main, season, None, 1).await.unwrap().is_some(), there);
    }
    let other = BoardId::new("other").unwrap();
    assert!(store.page(&other, query(None)).await.unwrap().is_none());
    assert!(store.score_rank(&other, RankStyle::Ordinal, Score::ZERO).await.unwrap().is_none());
    assert!(store.history(&other, user(1), None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_score_ranks_where_a_new_user_would_stand_with_it() {
    for (tie_break, ordinal) in [(TieBreak::Earliest, 4), (TieBreak::Latest, 2)] {
        let store = MemoryScoreStore::new();
        let spec = BoardSpec { tie_break, ..BoardSpec::new(BoardId::main()) };
        assert_eq!(store.create_board(&spec).await.unwrap(), CreateBoard::Created);
        for (n, points) in [(1, 9), (2, 5), (3, 5), (4, 1)] {
            assert!(one(&store, change(u64::from(n), user(n), points)).await.receipt().is_some());
        }
        for (style, rank) in [(RankStyle::Ordinal, ordinal), (RankStyle::Competition, 2), (RankStyle::Dense, 2)] {
            let at = store.score_rank(&spec.id, style, Score::new(5).unwrap()).await.unwrap().unwrap();
            assert_eq!((at.rank, at.total, at.version), (rank, 4, Version::new(4)));
        }
    }
}

#[tokio::test]
async fn the_order_is_fixed_by_the_first_change() {
    let store = main_board().await;
    let ascending = BoardSpec { direction: Direction::Ascending, ..BoardSpec::new(BoardId::main()) };
    let descending = BoardSpec::new(BoardId::main());
    assert_eq!(store.change_board(&descending, &ascending).await.unwrap(), ChangeBoard::Changed);
    assert!(one(&store, change(1, user(1), 5)).await.receipt().is_some());
    let best = BoardSpec { operator: Operator::Best, ..ascending.clone() };
    assert_eq!(store.change_board(&ascending, &best).await.unwrap(), ChangeBoard::OrderIsFixed);
    let renamed = BoardSpec { name: "Laps".to_owned(), ..ascending.clone() };
    assert_eq!(store.change_board(&ascending, &renamed).await.unwrap(), ChangeBoard::Changed);
    assert_eq!(store.create_board(&best).await.unwrap(), CreateBoard::AlreadyExists);
    assert_eq!(store.boards().await.unwrap()[0].spec, renamed);
    let unknown = BoardSpec::new("x".parse().unwrap());
    assert_eq!(store.change_board(&unknown, &unknown).await.unwrap(), ChangeBoard::Unknown);
}

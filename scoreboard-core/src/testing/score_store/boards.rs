//! Boards are created, changed and listed.

use crate::board::{ActionKind, Board, BoardSpec, PointsRule, Season};
use crate::entry::{PageQuery, Range};
use crate::ranking::{Direction, Operator, RankStyle, TieBreak};
use crate::score::{MAX_SCORE, Score};
use crate::store::{ChangeBoard, CreateBoard};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, board_id, kind, points, score, spec, user};
use crate::version::{Epoch, Version};

fn rich_spec() -> BoardSpec {
    BoardSpec {
        name: "Läufe 🏃 'n' \"times\"".to_owned(),
        tie_break: TieBreak::Latest,
        kinds: vec![
            ActionKind {
                kind: kind("lap"),
                points: PointsRule::Range(points(-MAX_SCORE), points(MAX_SCORE)),
                min_duration_seconds: 20,
                lifetime_seconds: 86_400,
                per_day: Some(u32::MAX),
            },
            ActionKind {
                kind: kind("bonus"),
                points: PointsRule::Fixed(points(-5)),
                min_duration_seconds: 0,
                lifetime_seconds: 1,
                per_day: None,
            },
        ],
        ..spec("laps", Operator::Best, Direction::Ascending)
    }
}

/// A new board is at version 0 in season 1, empty, with its spec whole.
pub async fn a_new_board_is_empty_at_version_zero<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, rich_spec()).await;
    let board = play.board().await;
    assert_eq!(board.spec, rich_spec(), "the spec is kept whole");
    assert_eq!((board.season, board.version, board.total), (Season::FIRST, Version::ZERO, 0), "a new board is empty");
    let page = play.top().await;
    assert_eq!(page.position, board.position(), "a page of a new board is true at its position");
    assert_eq!((page.season, page.total, page.entries.len()), (Season::FIRST, 0, 0), "a new board has an empty page");
    assert!(!page.has_previous && !page.has_next, "an empty board has no other pages");
}

/// A second board of one name is not created, whatever its spec, and changes nothing.
pub async fn a_board_is_created_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, 5).await;
    let before = play.board().await;
    let other = spec("main", Operator::Set, Direction::Ascending);
    for spec in [&play.spec, &other] {
        let again = play.store.create_board(spec).await.expect("create_board answers");
        assert_eq!(again, CreateBoard::AlreadyExists, "the name is taken");
    }
    assert_eq!(play.board().await, before, "a repeated create_board changes nothing");
}

/// Of many that create one board at once, one does.
pub async fn one_of_many_creates_a_board<F: ScoreStoreFixture>(f: &F) {
    let store = f.score_store();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.create_board(&BoardSpec::new(board_id("main"))).await })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        let outcome = task.await.expect("create_board does not panic").expect("create_board answers");
        created += usize::from(outcome == CreateBoard::Created);
    }
    assert_eq!(created, 1, "one of all concurrent create_board calls creates the board");
}

/// Of a board that is not there, nothing is known: `None` where an answer has a position, else an empty list.
pub async fn an_unknown_board_is_answered_as_such<F: ScoreStoreFixture>(f: &F) {
    let (store, id) = (f.score_store(), board_id("nowhere"));
    let query = PageQuery { season: None, range: Range::Top { limit: 3 }, style: RankStyle::Ordinal };
    assert_eq!(store.board(&id).await.expect("board answers"), None);
    assert_eq!(store.page(&id, query).await.expect("page answers"), None);
    let standings = store.standings(&id, None, RankStyle::Dense, &[user(1)]).await.expect("standings answers");
    assert_eq!(standings, None, "standings of an unknown board");
    let rank = store.score_rank(&id, RankStyle::Ordinal, Score::ZERO).await.expect("score_rank answers");
    assert_eq!(rank, None, "score_rank of an unknown board");
    assert_eq!(store.scan(&id, Season::FIRST, None, 3).await.expect("scan answers"), None);
    assert_eq!(store.history(&id, user(1), None, 3).await.expect("history answers"), []);
    assert_eq!(store.log(&id, Version::ZERO, 3).await.expect("log answers"), []);
    assert_eq!(store.boards().await.expect("boards answers"), []);
}

/// A season that the board has not had is unknown; the current one can be named.
pub async fn an_unknown_season_is_answered_as_such<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, 5).await;
    for (season, known) in [(0, false), (1, true), (2, false), (u32::MAX, false)] {
        let season = Season::new(season);
        let query = PageQuery { season: Some(season), range: Range::Top { limit: 3 }, style: RankStyle::Ordinal };
        let page = play.store.page(play.id(), query).await.expect("page answers");
        assert_eq!(page.is_some(), known, "page of season {season} of a board in season 1");
        let standings = play.store.standings(play.id(), Some(season), RankStyle::Ordinal, &[user(1)]).await;
        assert_eq!(standings.expect("standings answers").is_some(), known, "standings of season {season}");
        let scan = play.store.scan(play.id(), season, None, 3).await.expect("scan answers");
        assert_eq!(scan.is_some(), known, "scan of season {season}");
    }
}

/// Boards are listed whole, sorted by id.
pub async fn boards_are_listed_by_id<F: ScoreStoreFixture>(f: &F) {
    let store = f.score_store();
    for name in ["m", "a-1", "zz", "a", "0", "a_1", "a1"] {
        let created = store.create_board(&BoardSpec::new(board_id(name))).await.expect("create_board answers");
        assert_eq!(created, CreateBoard::Created, "board `{name}`");
    }
    let boards = store.boards().await.expect("boards answers");
    let ids: Vec<_> = boards.iter().map(|board| board.spec.id.as_str()).collect();
    assert_eq!(ids, ["0", "a", "a-1", "a1", "a_1", "m", "zz"], "boards are sorted by the bytes of their ids");
    for board in boards {
        assert_eq!(store.board(&board.spec.id).await.expect("board answers"), Some(board), "listed as it stands");
    }
}

/// A board's name and catalogue can be changed at any time; that takes no version.
pub async fn a_board_with_a_log_changes_its_catalogue<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, rich_spec()).await;
    play.scored(1, 5).await;
    let before = play.board().await;
    let mut changed = rich_spec();
    changed.name = "Other".to_owned();
    changed.kinds.remove(0);
    for _ in 0..2 {
        let outcome = play.store.change_board(&before.spec, &changed).await.expect("change_board answers");
        assert_eq!(outcome, ChangeBoard::Changed, "name and catalogue are never fixed");
    }
    let after = play.board().await;
    assert_eq!(after.spec, changed, "the whole spec is replaced");
    assert_eq!(after.position(), before.position(), "change_board takes no version");
    assert_eq!(play.scored(1, 4).await.version, before.version.next(), "the next change takes the next version");
}

/// Operator, direction and tie-break are fixed once a board has a log: a change of any is refused whole.
pub async fn a_board_with_a_log_keeps_its_order<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, rich_spec()).await;
    play.scored(1, 5).await;
    let before = play.board().await;
    let bases = [
        BoardSpec { operator: Operator::Set, ..rich_spec() },
        BoardSpec { direction: Direction::Descending, ..rich_spec() },
        BoardSpec { tie_break: TieBreak::Earliest, ..rich_spec() },
    ];
    for other in bases {
        let spec = BoardSpec { name: "Other".to_owned(), kinds: vec![], ..other };
        let outcome = play.store.change_board(&before.spec, &spec).await.expect("change_board answers");
        assert_eq!(outcome, ChangeBoard::OrderIsFixed, "the log is folded with the operator and order it began with");
        assert_eq!(play.board().await, before, "a refused change_board changes nothing, the name neither");
    }
}

/// Before its first change, a board's operator and order can still be changed, and then hold.
pub async fn a_board_without_a_log_changes_its_order<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let changed = spec("main", Operator::Best, Direction::Ascending);
    let before = play.board().await;
    let outcome = play.store.change_board(&before.spec, &changed).await.expect("change_board answers");
    assert_eq!(outcome, ChangeBoard::Changed, "nothing has been folded yet");
    play.scored_all(&[(1, 9), (2, 7), (1, 8)]).await;
    assert_eq!(play.entries().await, [(2, 7), (1, 8)], "the new operator and direction hold");
}

/// Of those who change the spec that they read, one does, and the others are told: nobody's change is lost.
pub async fn one_of_those_who_change_a_spec_at_once_does<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, rich_spec()).await;
    let from = play.board().await.spec;
    let to = |n: usize| BoardSpec { name: format!("Name {n}"), ..rich_spec() };
    let changes = (0..8).map(|n| {
        let (store, from, to) = (play.store.clone(), from.clone(), to(n));
        tokio::spawn(async move { store.change_board(&from, &to).await.expect("change_board answers") })
    });
    let changes: Vec<_> = changes.collect();
    let mut outcomes = Vec::new();
    for change in changes {
        outcomes.push(change.await.expect("change_board does not panic"));
    }
    let winner = outcomes.iter().position(|outcome| *outcome == ChangeBoard::Changed).expect("one changes it");
    for (n, outcome) in outcomes.iter().enumerate().filter(|(n, _)| *n != winner) {
        assert_eq!(*outcome, ChangeBoard::ChangedMeanwhile, "change {n}");
    }
    assert_eq!(play.board().await.spec, to(winner), "what is answered is what is there");
    let again = play.store.change_board(&from, &to(winner)).await.expect("change_board answers");
    assert_eq!(again, ChangeBoard::Changed, "who asks again, not knowing the outcome, is told of it");
}

/// A board that is not there is not changed, and not created by that.
pub async fn an_unknown_board_is_not_changed<F: ScoreStoreFixture>(f: &F) {
    let store = f.score_store();
    let outcome = store.change_board(&rich_spec(), &rich_spec()).await.expect("change_board answers");
    assert_eq!(outcome, ChangeBoard::Unknown);
    assert_eq!(store.boards().await.expect("boards answers"), [], "change_board creates nothing");
}

/// A store that works says so.
pub async fn a_working_store_checks<F: ScoreStoreFixture>(f: &F) {
    f.score_store().check().await.expect("a fresh store can read and write");
}

/// The epoch rises above what is asked, for all boards, the new ones too; asked again, or for less, it stays.
pub async fn the_epoch_rises_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, 5).await;
    let before = play.board().await.epoch;
    let raise = async |above: Epoch| play.store.raise_epoch(above).await.expect("raise_epoch answers");
    assert_eq!(raise(Epoch::new(before.get() - 1)).await, before, "it is above that already");
    let above = Epoch::new(before.get() + 6);
    let raised = raise(above).await;
    assert!(raised > above, "the new epoch is above the one given: {raised}");
    assert_eq!(raise(above).await, raised, "a repeat changes nothing");
    assert_eq!(raise(before).await, raised, "it never goes back");
    let later = BoardSpec::new(board_id("later"));
    let _ = play.store.create_board(&later).await.expect("create_board answers");
    let boards = play.store.boards().await.expect("boards answers");
    assert!(boards.iter().all(|board| board.epoch == raised), "it holds for every board");
}

/// What there was stays in a new epoch, and versions go on.
pub async fn versions_go_on_in_a_new_epoch<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let first = play.scored(1, 5).await;
    let before = play.board().await;
    let raised = play.store.raise_epoch(before.epoch).await.expect("raise_epoch answers");
    assert_eq!(play.board().await, Board { epoch: raised, ..before.clone() }, "nothing but the epoch changes");
    let page = play.top().await;
    assert_eq!((page.position.epoch, page.total), (raised, 1), "pages are of the new epoch");
    let second = play.scored(1, 2).await;
    assert_eq!((second.epoch, second.version), (raised, first.version.next()), "versions go on");
    assert_eq!(second.score, score(7), "scores go on");
    let log = play.store.log(play.id(), Version::ZERO, 10).await.expect("log answers");
    let epochs: Vec<_> = log.iter().map(|row| row.position.epoch).collect();
    assert_eq!(epochs, [before.epoch, raised], "a row stays in the epoch in which it counted");
}

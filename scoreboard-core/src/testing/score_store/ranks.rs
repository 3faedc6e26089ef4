//! Ranks, in the three styles.

use crate::board::BoardSpec;
use crate::entry::Range;
use crate::ranking::{Direction, Operator, RankStyle, TieBreak};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, number, ranks, score, spec, user};

const STYLES: [RankStyle; 3] = [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense];

/// Boards of both directions on which users 1 to 5 have two ties: the scores 50, 50, 30, 30, 10, negated where the lowest leads.
async fn tied<F: ScoreStoreFixture>(f: &F) -> Vec<Play> {
    let mut boards = Vec::new();
    for (name, direction, sign) in [("down", Direction::Descending, 1), ("up", Direction::Ascending, -1)] {
        let play = Play::on(f, spec(name, Operator::Increment, direction)).await;
        play.scored_all(&[(1, 50 * sign), (2, 50 * sign), (3, 30 * sign), (4, 30 * sign), (5, 10 * sign)]).await;
        boards.push(play);
    }
    boards
}

/// 50, 50, 30, 30, 10 are ranked 1 to 5 in ordinal, 1, 1, 3, 3, 5 in competition, and 1, 1, 2, 2, 3 in dense style.
pub async fn ties_are_numbered_by_style<F: ScoreStoreFixture>(f: &F) {
    for play in tied(f).await {
        for (style, expected) in STYLES.into_iter().zip([[1, 2, 3, 4, 5], [1, 1, 3, 3, 5], [1, 1, 2, 2, 3]]) {
            let page = play.page_in(style, Range::Top { limit: 5 }).await;
            assert_eq!(ranks(&page), expected, "{style:?}, {:?}", play.spec.direction);
        }
    }
}

/// Ranks go on across page borders, also where a border cuts a tie, forwards, backwards and around.
pub async fn ranks_go_on_across_pages<F: ScoreStoreFixture>(f: &F) {
    for play in tied(f).await {
        let keys = play.keys(&play.top().await);
        for style in STYLES {
            let all = play.page_in(style, Range::Top { limit: 5 }).await.entries;
            for limit in 1..=5 {
                for (i, key) in keys.iter().enumerate() {
                    let after = play.page_in(style, Range::After { key: *key, limit }).await.entries;
                    assert_eq!(after, all[i + 1..(i + 1 + limit).min(5)], "{style:?} behind place {}", i + 1);
                    let before = play.page_in(style, Range::Before { key: *key, limit }).await.entries;
                    assert_eq!(before, all[i.saturating_sub(limit)..i], "{style:?} in front of place {}", i + 1);
                }
            }
            for (i, entry) in all.iter().enumerate() {
                let around = Range::Around { user: entry.user_id, radius: 1 };
                let start = i.saturating_sub(1).min(2);
                let page = play.page_in(style, around).await.entries;
                assert_eq!(page, all[start..start + 3], "{style:?} around place {}", i + 1);
            }
        }
    }
}

/// A change moves the ranks of others as the style says.
pub async fn ranks_follow_changes<F: ScoreStoreFixture>(f: &F) {
    let play = tied(f).await.remove(0);
    play.scored(3, 10).await;
    for (style, expected) in STYLES.into_iter().zip([[1, 2, 3, 4, 5], [1, 1, 3, 4, 5], [1, 1, 2, 3, 4]]) {
        let page = play.page_in(style, Range::Top { limit: 5 }).await;
        assert_eq!(ranks(&page), expected, "{style:?} of 50, 50, 40, 30, 10");
    }
}

/// Standings come in the order asked for, `None` for who is not on the board, twice for who is named twice, and with them the total.
pub async fn standings_come_as_asked<F: ScoreStoreFixture>(f: &F) {
    for play in tied(f).await {
        for style in STYLES {
            let page = play.page_in(style, Range::Top { limit: 5 }).await;
            let asked = [4, 77, 1, 4, 5, 2, 99, 3];
            let ids = asked.map(user);
            let found = play.store.standings(play.id(), None, style, &ids).await;
            let found = found.expect("standings answers").expect("the board is there");
            assert_eq!((found.season, found.position), (page.season, page.position), "true at the board's position");
            assert_eq!(found.total, page.total, "all entries, not those asked for");
            assert_eq!(found.entries.len(), asked.len(), "one for each user asked for");
            for (asked, entry) in asked.into_iter().zip(found.entries) {
                let expected = page.entries.iter().find(|entry| number(entry.user_id) == asked).copied();
                assert_eq!(entry, expected, "{style:?}: user {asked} stands as on the page");
            }
        }
    }
}

/// Standings of nobody are an empty list with a position.
pub async fn standings_of_nobody_are_empty<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, 5).await;
    let found = play.store.standings(play.id(), None, RankStyle::Ordinal, &[]).await;
    let found = found.expect("standings answers").expect("the board is there");
    assert_eq!((found.entries.len(), found.position), (0, play.board().await.position()));
}

/// The rank that a score would get if a new user reached it now: behind its equals where the earliest leads, before them
/// where the latest does.
pub async fn a_score_is_ranked_as_a_new_user_would_be<F: ScoreStoreFixture>(f: &F) {
    let better = [(99, [1, 1, 1]), (50, [3, 1, 1]), (40, [3, 3, 2]), (30, [5, 3, 2]), (10, [6, 5, 3]), (-7, [6, 6, 4])];
    for play in tied(f).await {
        let sign = if play.spec.direction == Direction::Descending { 1 } else { -1 };
        let position = play.board().await.position();
        for (value, expected) in better {
            for (style, expected) in STYLES.into_iter().zip(expected) {
                let found = play.store.score_rank(play.id(), style, score(value * sign)).await;
                let found = found.expect("score_rank answers").expect("the board is there");
                assert_eq!(found.rank, expected, "{style:?} rank of {} {:?}", value * sign, play.spec.direction);
                assert_eq!((found.total, found.epoch, found.version), (5, position.epoch, position.version));
            }
        }
    }
    let latest = BoardSpec { tie_break: TieBreak::Latest, ..spec("late", Operator::Set, Direction::Descending) };
    let play = Play::on(f, latest).await;
    play.scored_all(&[(1, 50), (2, 50), (3, 30)]).await;
    for (value, expected) in [(50, [1, 1, 1]), (30, [3, 3, 2]), (20, [4, 4, 3])] {
        for (style, expected) in STYLES.into_iter().zip(expected) {
            let found = play.store.score_rank(play.id(), style, score(value)).await;
            let found = found.expect("score_rank answers").expect("the board is there");
            assert_eq!(found.rank, expected, "{style:?} rank of {value} where the latest leads");
        }
    }
}

/// On an empty board any score would be first.
pub async fn a_score_on_an_empty_board_is_first<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for style in STYLES {
        let found = play.store.score_rank(play.id(), style, score(-3)).await;
        let found = found.expect("score_rank answers").expect("the board is there");
        assert_eq!((found.rank, found.total, found.version.get()), (1, 0, 0), "{style:?}");
    }
}

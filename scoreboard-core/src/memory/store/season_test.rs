use std::collections::HashSet;

use super::*;
use crate::clock::Timestamp;
use crate::ranking::{Direction, TieBreak};
use crate::score::Score;
use crate::version::Version;

fn user(n: u64) -> UserId {
    UserId::from_bytes(u128::from(n).to_be_bytes())
}

/// `count` users with scores that tie often, set in an order that mixes them, some of them twice.
fn season(order: Order, count: u64) -> SeasonScores {
    let mut scores = SeasonScores::new(order);
    for version in 1..=count * 3 / 2 {
        let who = version * 7919 % count.max(1);
        let score = Score::new((version * 31 % 7) as i64).unwrap();
        scores.set(user(who), Reached { score, version: Version::new(version), at: Timestamp::from_millis(0) });
    }
    scores
}

fn orders() -> impl Iterator<Item = Order> {
    [Direction::Ascending, Direction::Descending]
        .into_iter()
        .flat_map(|direction| [TieBreak::Earliest, TieBreak::Latest].map(|tie_break| Order { direction, tie_break }))
}

/// The whole board, sorted and numbered the long way.
fn naive(scores: &SeasonScores, order: Order, style: RankStyle) -> Vec<(OrderKey, UserId, u64)> {
    let mut all: Vec<_> = scores.scores.iter().map(|(user, at)| (order.key(at.score, at.version), *user)).collect();
    all.sort_unstable();
    let rank = |i: usize, key: OrderKey| match style {
        RankStyle::Ordinal => i as u64 + 1,
        RankStyle::Competition => 1 + all.iter().filter(|(other, _)| other.score < key.score).count() as u64,
        RankStyle::Dense => {
            1 + all.iter().map(|(other, _)| other.score).filter(|s| *s < key.score).collect::<HashSet<_>>().len() as u64
        }
    };
    all.iter().enumerate().map(|(i, (key, user))| (*key, *user, rank(i, *key))).collect()
}

#[test]
fn every_page_is_the_stretch_of_the_whole_board_that_it_says() {
    for order in orders() {
        for count in [0, 1, 2, 5, 12] {
            let scores = season(order, count);
            for style in [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense] {
                let all = naive(&scores, order, style);
                let check = |range: Range, start: usize, end: usize| {
                    let IndexPage { entries, has_previous, has_next } = scores.page(range, style);
                    let found: Vec<_> =
                        entries.iter().map(|e| (order.key(e.score, e.reached), e.user_id, e.rank)).collect();
                    assert_eq!(found, all[start..end], "{range:?} of {count}");
                    assert_eq!((has_previous, has_next), (start > 0, end < all.len()), "{range:?} of {count}");
                };
                for limit in [1, 3, 100] {
                    check(Range::Top { limit }, 0, limit.min(all.len()));
                    for i in 0..all.len() {
                        let key = all[i].0;
                        check(Range::After { key, limit }, i + 1, (i + 1 + limit).min(all.len()));
                        check(Range::Before { key, limit }, i.saturating_sub(limit), i);
                        // A key whose entry has moved away since still has its place.
                        let gone = OrderKey { score: key.score - 1, tie: i64::MAX };
                        let place = all.partition_point(|(other, ..)| *other < gone);
                        check(Range::After { key: gone, limit }, place, (place + limit).min(all.len()));
                        check(Range::Before { key: gone, limit }, place.saturating_sub(limit), place);
                    }
                }
                for radius in [0, 1, 2, 3, usize::MAX] {
                    for (i, (_, user, _)) in all.iter().enumerate() {
                        let size = all.len().min(radius.saturating_mul(2).saturating_add(1));
                        let start = i.saturating_sub(radius).min(all.len() - size);
                        check(Range::Around { user: *user, radius }, start, start + size);
                    }
                }
            }
        }
    }
}

#[test]
fn nobody_is_around_a_user_who_is_not_on_the_board() {
    let scores = season(Order::default(), 5);
    let page = scores.page(Range::Around { user: user(99), radius: 3 }, RankStyle::Ordinal);
    assert_eq!(page, IndexPage::default());
}

#[test]
fn standings_answer_each_user_asked_for_in_that_order() {
    for order in orders() {
        let scores = season(order, 9);
        for style in [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense] {
            let all = naive(&scores, order, style);
            let asked = [user(3), user(99), user(0), user(3), user(8)];
            let ranks = asked.map(|user| all.iter().find(|(_, other, _)| *other == user).map(|(.., rank)| *rank));
            let found = scores.standings(style, &asked);
            assert_eq!(found.iter().map(|found| found.map(|found| found.rank)).collect::<Vec<_>>(), ranks);
            assert_eq!(scores.standings(style, &[user(99)]), [None]);
        }
    }
}

#[test]
fn a_score_that_changes_leaves_nothing_behind() {
    let scores = season(Order::default(), 50);
    scores.index.check();
    assert_eq!((scores.index.total(), scores.total()), (50, 50));
}

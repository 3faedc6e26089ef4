//! Pages: top, behind a key, in front of a key, around a user.

use crate::board::BoardSpec;
use crate::entry::Range;
use crate::ranking::{Direction, Operator, OrderKey, TieBreak};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, number, ranks, score, spec, user, users};
use crate::version::Version;

/// A board with users 0 to n − 1 in this order, whose scores fall by ten, all set in one batch.
async fn ladder<F: ScoreStoreFixture>(f: &F, name: &str, n: u64) -> Play {
    let play = Play::on(f, spec(name, Operator::Set, Direction::Descending)).await;
    let changes: Vec<_> = (0..n).map(|i| play.change(i, 10_000 - 10 * i64::try_from(i).expect("small"))).collect();
    play.apply(&changes).await;
    play
}

/// Boards of both directions and tie-breaks with many ties, on which some users have moved.
async fn crowded<F: ScoreStoreFixture>(f: &F) -> Vec<Play> {
    let mut boards = Vec::new();
    for direction in [Direction::Descending, Direction::Ascending] {
        for tie_break in [TieBreak::Earliest, TieBreak::Latest] {
            let name = format!("{direction:?}-{tie_break:?}").to_lowercase();
            let play = Play::on(f, BoardSpec { tie_break, ..spec(&name, Operator::Set, direction) }).await;
            let changes: Vec<_> =
                (0..60).map(|i| play.change(i * 7 % 23, i64::try_from(i % 5).expect("small"))).collect();
            play.apply(&changes).await;
            boards.push(play);
        }
    }
    boards
}

/// The top holds the first `limit`, best first, with the total of all, and says whether more follow.
pub async fn the_top_holds_the_first<F: ScoreStoreFixture>(f: &F) {
    let play = ladder(f, "ladder", 10).await;
    for limit in [1, 2, 9, 10, 11, 1000] {
        let page = play.page(Range::Top { limit }).await;
        let shown = limit.min(10) as u64;
        assert_eq!(users(&page), (0..shown).collect::<Vec<_>>(), "the first {limit}");
        assert_eq!(ranks(&page), (1..=shown).collect::<Vec<_>>(), "ranks are counted from 1");
        assert_eq!(page.total, 10, "the total is that of the season, not of the page");
        assert_eq!((page.has_previous, page.has_next), (false, limit < 10), "top {limit} of 10");
    }
}

/// Behind a key come the next `limit`; in front of it, the last `limit` before it, best first.
pub async fn pages_lie_next_to_their_key<F: ScoreStoreFixture>(f: &F) {
    let play = ladder(f, "ladder", 10).await;
    let keys = play.keys(&play.top().await);
    let check = async |range, expected: std::ops::Range<u64>| {
        let page = play.page(range).await;
        assert_eq!(users(&page), expected.clone().collect::<Vec<_>>(), "{range:?}");
        let flags = (page.has_previous, page.has_next);
        assert_eq!(flags, (expected.start > 0, expected.end < 10), "whether there is more on each side of {range:?}");
    };
    check(Range::After { key: keys[0], limit: 3 }, 1..4).await;
    check(Range::After { key: keys[4], limit: 5 }, 5..10).await;
    check(Range::After { key: keys[4], limit: 6 }, 5..10).await;
    check(Range::After { key: keys[8], limit: 3 }, 9..10).await;
    check(Range::Before { key: keys[9], limit: 3 }, 6..9).await;
    check(Range::Before { key: keys[5], limit: 5 }, 0..5).await;
    check(Range::Before { key: keys[5], limit: 6 }, 0..5).await;
    check(Range::Before { key: keys[1], limit: 3 }, 0..1).await;
}

/// A page behind the last entry, or in front of the first, is empty.
pub async fn pages_past_the_ends_are_empty<F: ScoreStoreFixture>(f: &F) {
    let play = ladder(f, "ladder", 10).await;
    let keys = play.keys(&play.top().await);
    let ends = [Range::After { key: keys[9], limit: 3 }, Range::Before { key: keys[0], limit: 3 }];
    for range in ends {
        let page = play.page(range).await;
        assert_eq!((users(&page), page.total), (vec![], 10), "{range:?} has no entries, and the season still has ten");
    }
}

/// A key is a place, whoever stands there: pages go on from it though its entry has moved or was never there.
pub async fn a_key_needs_no_entry<F: ScoreStoreFixture>(f: &F) {
    let play = ladder(f, "ladder", 10).await;
    let keys = play.keys(&play.top().await);
    play.scored(4, 1).await;
    let page = play.page(Range::After { key: keys[4], limit: 3 }).await;
    assert_eq!((users(&page), ranks(&page)), (vec![5, 6, 7], vec![5, 6, 7]), "behind where user 4 stood");
    let page = play.page(Range::Before { key: keys[4], limit: 3 }).await;
    assert_eq!((users(&page), ranks(&page)), (vec![1, 2, 3], vec![2, 3, 4]), "in front of where user 4 stood");
    let order = play.spec.order();
    let page = play.page(Range::After { key: order.key(score(9985), Version::ZERO), limit: 2 }).await;
    assert_eq!(users(&page), [2, 3], "behind a score that nobody has");
    let far = [(i64::MIN, i64::MIN, 9, 0), (i64::MAX, i64::MAX, 0, 9)];
    for (score, tie, after, before) in far {
        let key = OrderKey { score, tie };
        let behind = play.page(Range::After { key, limit: 9 }).await.entries.len();
        assert_eq!(behind, after, "behind {key:?}");
        let in_front = play.page(Range::Before { key, limit: 9 }).await.entries.len();
        assert_eq!(in_front, before, "in front of {key:?}");
    }
}

/// Walking from page to page by the last key gives every entry once, in order, whatever the ties; so does walking back.
pub async fn walking_shows_each_entry_once<F: ScoreStoreFixture>(f: &F) {
    for play in crowded(f).await {
        let all = play.top().await.entries;
        assert_eq!(all.len(), 23, "every user is on the page of a thousand");
        for limit in [1, 2, 5, 22, 23, 24] {
            let mut page = play.page(Range::Top { limit }).await;
            let mut seen = page.entries.clone();
            while page.has_next {
                let key = *play.keys(&page).last().expect("a page with a next one has entries");
                page = play.page(Range::After { key, limit }).await;
                assert!(page.has_previous, "{}: a page behind another has a previous one", play.id());
                assert!(!page.entries.is_empty(), "{}: `has_next` promised entries", play.id());
                seen.extend(&page.entries);
            }
            assert_eq!(seen, all, "{} by {limit} forwards: without a gap or double", play.id());

            let mut seen = page.entries.clone();
            while page.has_previous {
                let key = play.keys(&page)[0];
                page = play.page(Range::Before { key, limit }).await;
                assert!(page.has_next, "{}: a page in front of another has a next one", play.id());
                assert!(!page.entries.is_empty(), "{}: `has_previous` promised entries", play.id());
                seen.splice(0..0, page.entries.iter().copied());
            }
            assert_eq!(seen, all, "{} by {limit} backwards: without a gap or double", play.id());
        }
    }
}

/// Around a user, the page holds min(2 · radius + 1, total) entries, the user in the middle except near an end.
pub async fn around_stays_full_near_the_ends<F: ScoreStoreFixture>(f: &F) {
    // Entries, place of the user, radius; and the places that the page holds.
    let vectors = [
        (10, 0, 2, 0..5),
        (10, 1, 2, 0..5),
        (10, 2, 2, 0..5),
        (10, 3, 2, 1..6),
        (10, 5, 2, 3..8),
        (10, 7, 2, 5..10),
        (10, 8, 2, 5..10),
        (10, 9, 2, 5..10),
        (10, 5, 0, 5..6),
        (10, 5, 50, 0..10),
        (3, 1, 1, 0..3),
        (2, 1, 1, 0..2),
        (1, 0, 3, 0..1),
    ];
    for (i, (total, place, radius, expected)) in vectors.into_iter().enumerate() {
        let play = ladder(f, &format!("ladder-{i}"), total).await;
        let page = play.page(Range::Around { user: user(place), radius }).await;
        let rule = format!("place {place} of {total}, radius {radius}");
        assert_eq!(users(&page), expected.clone().collect::<Vec<_>>(), "around {rule}");
        assert_eq!(ranks(&page), (expected.start + 1..=expected.end).collect::<Vec<_>>(), "ranks around {rule}");
        let flags = (page.has_previous, page.has_next);
        assert_eq!(flags, (expected.start > 0, expected.end < total), "more on each side around {rule}");
        assert_eq!(page.total, total, "total around {rule}");
    }
}

/// Around each user of a crowd with ties, the page is a stretch of the whole, with the user in it.
pub async fn around_is_a_stretch_of_the_whole<F: ScoreStoreFixture>(f: &F) {
    for play in crowded(f).await {
        let all = play.top().await.entries;
        for radius in [0, 1, 4, 11, 12] {
            for (i, entry) in all.iter().enumerate() {
                let size = (2 * radius + 1).min(23);
                let start = i.saturating_sub(radius).min(23 - size);
                let page = play.page(Range::Around { user: entry.user_id, radius }).await;
                assert_eq!(page.entries, all[start..start + size], "{}: radius {radius} around place {i}", play.id());
            }
        }
    }
}

/// Around a user who is not on the board there is nobody.
pub async fn around_nobody_is_empty<F: ScoreStoreFixture>(f: &F) {
    let play = ladder(f, "ladder", 3).await;
    let page = play.page(Range::Around { user: user(77), radius: 2 }).await;
    assert_eq!((users(&page), page.total), (vec![], 3), "nobody is around who is not on the board");
    assert_eq!(page.position, play.board().await.position(), "an empty page is true at a position too");
    assert!(!page.has_previous && !page.has_next, "around nobody there is no side with more");
}

/// Entries hold their user's score, and when it was reached, by version and by time.
pub async fn entries_hold_when_they_were_reached<F: ScoreStoreFixture>(f: &F) {
    let play = ladder(f, "ladder", 3).await;
    let log = play.log().await;
    let page = play.top().await;
    assert_eq!(page.entries.len(), 3);
    for entry in page.entries {
        let row = &log[usize::try_from(number(entry.user_id)).expect("small")];
        assert_eq!((entry.score, entry.reached), (row.score, row.position.version), "score and version of an entry");
        assert_eq!(entry.updated_at, row.at, "an entry holds the time of the change that reached its score");
    }
}

//! The windows around a user that Nakama's clients are tested with (`LeaderboardAroundOwnerTest` of nakama-dotnet), by its names.

use super::{reached, user};
use crate::entry::Range;
use crate::rank_index::{IndexPage, RankIndex};
use crate::ranking::{Order, RankStyle};

/// So many users, best first, with scores that end at 100.
fn board(records: i64) -> RankIndex<4, 4> {
    let mut index = RankIndex::new(Order::default());
    for i in 0..records {
        index.set(user(i as u64), reached(100 + records - i - 1, i as u64 + 1, 0));
    }
    index
}

fn scores(page: &IndexPage) -> Vec<i64> {
    page.entries.iter().map(|entry| entry.score.get()).collect()
}

#[test]
fn nakamas_vectors_of_windows_around_a_user() {
    let vectors: [(&str, i64, usize, u64, &[i64]); 12] = [
        ("OwnerInFront", 10, 4, 0, &[109, 108, 107, 106]),
        ("OwnerInBack", 10, 4, 9, &[103, 102, 101, 100]),
        ("OwnerNearFront", 10, 4, 1, &[109, 108, 107, 106]),
        ("OwnerNearBack", 10, 4, 8, &[103, 102, 101, 100]),
        ("OwnerInMiddle", 10, 4, 5, &[105, 104, 103, 102]),
        ("NotEnoughRecordsForLimit", 4, 10, 2, &[103, 102, 101, 100]),
        ("OddLimit", 5, 3, 3, &[102, 101, 100]),
        // There an error, for the request is at fault; the route says so here, too. The index holds nothing of no length.
        ("NoRecords", 1, 0, 0, &[]),
        ("OneRecordOneLimit", 1, 1, 0, &[100]),
        ("TwoRecordsTwoLimit", 2, 2, 1, &[101, 100]),
        ("ThreeRecordsTwoLimit", 3, 2, 1, &[101, 100]),
        ("ThreeRecordsThreeLimit", 3, 3, 1, &[102, 101, 100]),
    ];
    for (name, records, limit, owner, expected) in vectors {
        let page = board(records).around(user(owner), limit, RankStyle::Ordinal);
        assert_eq!(scores(&page), expected, "{name}");
    }
}

#[test]
fn nakamas_vector_of_cursors_with_the_record_in_the_middle() {
    let index = board(3);
    let edges = |page: &IndexPage| (scores(page), page.has_previous, page.has_next);
    let middle = index.around(user(1), 1, RankStyle::Ordinal);
    assert_eq!(edges(&middle), (vec![101], true, true), "TestCursorsRecordInTheMiddle");
    let key = index.order().key(middle.entries[0].score, middle.entries[0].reached);
    let next = index.page(Range::After { key, limit: 1 }, RankStyle::Ordinal);
    assert_eq!(edges(&next), (vec![100], true, false), "TestCursorsRecordInTheMiddle, next");
    let previous = index.page(Range::Before { key, limit: 1 }, RankStyle::Ordinal);
    assert_eq!(edges(&previous), (vec![102], false, true), "TestCursorsRecordInTheMiddle, previous");
}

#[test]
fn nobody_is_around_who_is_not_on_the_board() {
    assert_eq!(board(5).around(user(77), 4, RankStyle::Ordinal), IndexPage::default());
}

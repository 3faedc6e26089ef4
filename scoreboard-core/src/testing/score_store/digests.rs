//! The log as a hash chain.

use crate::action::Fingerprint;
use crate::audit::{Audit, KeptHead, compare_head, verify};
use crate::board::Season;
use crate::hash_chain::{HashChain, Head};
use crate::ids::{ActionId, BoardId};
use crate::ranking::{Direction, Operator};
use crate::store::{LogRow, Origin, Reached, RowDigest};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, at, kind, points, score, spec, user};
use crate::version::Version;

/// A field, and what is done to it.
type Alteration = (&'static str, fn(&mut LogRow));

/// The chain of all rows, or the version of the first that does not come to its digest.
fn chain(board: &BoardId, rows: &[LogRow]) -> Result<HashChain, u64> {
    let mut chain = HashChain::of(board);
    match rows.iter().find(|row| !chain.takes(row)) {
        Some(row) => Err(row.position.version.get()),
        None => Ok(chain),
    }
}

/// Batches on two boards, by few users, so that rows have something before them.
async fn played<F: ScoreStoreFixture>(f: &F) -> [Play; 2] {
    let one = Play::on(f, spec("one", Operator::Increment, Direction::Descending)).await;
    let two = Play::on(f, spec("two", Operator::Set, Direction::Ascending)).await;
    for n in 0..10 {
        one.apply(&[one.change(n % 3, 2), two.change(n % 5, 7), one.change(n % 4, 0)]).await;
    }
    [one, two]
}

/// Each row is kept with the digest of the row before it, its board and what it says, and the board with the newest one, across batches.
pub async fn each_row_is_kept_with_its_digest<F: ScoreStoreFixture>(f: &F) {
    for play in played(f).await {
        let rows = play.log().await;
        let chain = chain(play.id(), &rows).unwrap_or_else(|version| panic!("the row {version} of its own log"));
        assert_eq!(chain.whole_from(), Some(Version::new(1)), "{}: each has one", play.id());
        let board = play.board().await;
        let head = board.head.map(|digest| Head { version: board.version, digest });
        assert_eq!(chain.head(), head, "{}: the board's head", play.id());
        let listed = play.store.boards().await.expect("boards answers");
        assert!(listed.contains(&board), "{}: the same in the list", play.id());
        match verify(&*play.store, play.id(), |_, _| ()).await.expect("the store answers") {
            Audit::Clean { head: found, digests_from, .. } => {
                assert_eq!((found, digests_from), (head, Some(Version::new(1))), "{}: the audit", play.id());
            }
            other @ (Audit::UnknownBoard | Audit::Differs(_)) => panic!("{}: {other:?}", play.id()),
        }
    }
}

/// Of a log whose rows are altered, missing or in another order, the first that is not what it was, or does not stand behind what it stood
/// behind, is found.
pub async fn an_altered_missing_or_reordered_row_is_found<F: ScoreStoreFixture>(f: &F) {
    let alterations: [Alteration; 13] = [
        ("action", |row| row.action_id = ActionId::from_bytes([7; 16])),
        ("fingerprint", |row| row.fingerprint = Fingerprint::from_bytes([7; 16])),
        ("season", |row| row.season = Season::new(2)),
        ("user", |row| row.user_id = user(77)),
        ("kind", |row| row.kind = kind("other")),
        ("points", |row| row.points = points(row.points.get() + 1)),
        ("origin", |row| row.origin = Origin::Record),
        ("nothing before", |row| row.previous = None),
        ("score before", |row| row.previous = row.previous.map(|had| Reached { score: score(99), ..had })),
        ("version before", |row| row.previous = row.previous.map(|had| Reached { version: Version::ZERO, ..had })),
        ("score", |row| row.score = score(row.score.get() + 1)),
        ("time", |row| row.at = at(row.at.as_millis() + 1)),
        ("digest", |row| row.digest = Some(RowDigest::from_bytes([7; 32]))),
    ];
    for play in played(f).await {
        let rows = play.log().await;
        assert!(chain(play.id(), &rows).is_ok(), "{}: as it is", play.id());
        // The last of each: somebody was there before.
        for index in [rows.len() / 2, rows.len() - 1] {
            for (what, alter) in alterations {
                let mut altered = rows.clone();
                alter(&mut altered[index]);
                assert_eq!(chain(play.id(), &altered).err(), Some(index as u64 + 1), "{}: another {what}", play.id());
            }
        }
        for index in 0..rows.len() - 1 {
            let mut missing = rows.clone();
            missing.remove(index);
            assert_eq!(chain(play.id(), &missing).err(), Some(index as u64 + 2), "{}: a missing row", play.id());
            let mut swapped = rows.clone();
            swapped.swap(index, index + 1);
            assert_eq!(chain(play.id(), &swapped).err(), Some(index as u64 + 2), "{}: swapped rows", play.id());
        }
        let mut other = rows.clone();
        other[0].digest = None;
        assert!(chain(play.id(), &other).is_err(), "{}: a digest that is taken away", play.id());
        assert_eq!(chain(&"other".parse().expect("a slug"), &rows).err(), Some(1), "of another board");
    }
}

/// A head that was kept is that of the log at its version, and of no other.
pub async fn a_kept_head_is_found_in_the_log<F: ScoreStoreFixture>(f: &F) {
    let [play, _] = played(f).await;
    let rows = play.log().await;
    let compare = async |version: u64, digest: Option<RowDigest>| {
        let kept = Head { version: Version::new(version), digest: digest.expect("each row has one") };
        compare_head(&*play.store, play.id(), kept).await.expect("the store answers")
    };
    for row in &rows {
        assert_eq!(compare(row.position.version.get(), row.digest).await, KeptHead::Same);
    }
    assert!(matches!(compare(3, rows[3].digest).await, KeptHead::Differs(_)), "another digest");
    assert!(matches!(compare(rows.len() as u64 + 1, rows[0].digest).await, KeptHead::Differs(_)), "a longer log");
    let kept = Head { version: Version::new(1), digest: rows[0].digest.expect("each row has one") };
    let unknown = compare_head(&*play.store, &"unknown".parse().expect("a slug"), kept).await;
    assert_eq!(unknown.expect("the store answers"), KeptHead::UnknownBoard);
}

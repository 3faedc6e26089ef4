//! The audit finds a clean board clean, while it is in use too, and a board that lies out.

use std::sync::Arc;

use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::broken::score_store::TiesById;
use scoreboard_core::testing::broken::{Broken, Intact};
use scoreboard_core::testing::{Fixture, ScoreStoreFixture};
use scoreboard_core::{
    ActionId, Audit, BoardId, BoardSpec, Change, Fingerprint, Origin, Points, ScoreStore, Season, Timestamp, UserId,
    verify,
};

fn change(n: u32, user: u32) -> Change {
    let bytes = |n: u32| u128::from(n).to_be_bytes();
    Change {
        action_id: ActionId::from_bytes(bytes(n)),
        fingerprint: Fingerprint::from_bytes(bytes(n)),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::from_bytes(bytes(user)),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        at: Timestamp::from_millis(i64::from(n)),
        at_most: None,
        admitted: None,
    }
}

async fn audit_of(store: &dyn ScoreStore) -> Audit {
    let _ = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("created");
    // Many ties; the later users have the smaller ids.
    for n in 0..40 {
        let _ = store.apply(&[change(n, 100 - n % 20)]).await.expect("applied");
    }
    verify(store, &BoardId::main(), |_, _| ()).await.expect("read")
}

fn difference(audit: Audit) -> String {
    let Audit::Differs(difference) = audit else { panic!("{audit:?}") };
    difference.what
}

#[tokio::test]
async fn an_intact_board_is_clean() {
    let fixture = Broken::<Intact>::fresh().await;
    assert!(matches!(audit_of(&*fixture.score_store()).await, Audit::Clean { scores: 20, .. }));
}

#[tokio::test]
async fn ranks_that_the_log_does_not_give_are_named() {
    let fixture = Broken::<TiesById>::fresh().await;
    let what = difference(audit_of(&*fixture.score_store()).await);
    assert!(what.contains("at rank 1 next"), "{what}");
}

#[tokio::test]
async fn a_board_that_never_was_is_said_to_be_unknown() {
    let store = MemoryScoreStore::default();
    assert_eq!(verify(&store, &BoardId::main(), |_, _| ()).await.expect("read"), Audit::UnknownBoard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_in_use_is_clean() {
    let store = Arc::new(MemoryScoreStore::default());
    assert!(matches!(audit_of(&*store).await, Audit::Clean { .. }));
    let writer = store.clone();
    let writer = tokio::spawn(async move {
        for n in 40..6000 {
            let _ = writer.apply(&[change(n, n % 3000)]).await.expect("applied");
        }
    });
    while !writer.is_finished() {
        let audit = verify(&*store, &BoardId::main(), |_, _| ()).await.expect("read");
        assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
    }
    writer.await.expect("no panic");
}

//! Scores that somebody changes beside the store, without the lock that every store asks for.

mod support;

use std::time::Duration;

use scoreboard_core::{Audit, BoardId, Change, Clock, Score, ScoreStore, SystemClock, verify};
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use support::Schema;
use support::changes::{change, main_board};

/// A score is changed where it was read. Whoever moves it meanwhile, and does not ask for the board's lock as every store does, is found out, and
/// the batch begins anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_score_that_somebody_moves_by_hand_meanwhile_is_changed_all_the_same() {
    let schema = Schema::create().await;
    let (store, main) = (schema.store().await, BoardId::main());
    main_board(&store).await;
    let one = change(1, SystemClock.now());
    let _ = store.apply(std::slice::from_ref(&one)).await.unwrap();
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    let mut by_hand = connection.begin().await.unwrap();
    sqlx::query("UPDATE scores SET updated_at = updated_at").execute(&mut *by_hand).await.unwrap();
    let again = Change { user_id: one.user_id, ..change(2, SystemClock.now()) };
    let task = tokio::spawn({
        let store = store.clone();
        async move { store.apply(&[again]).await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name')
                 AND wait_event_type = 'Lock' AND query LIKE '%UPDATE scores%'";
    let mut beside = PgConnection::connect(schema.url()).await.unwrap();
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut beside).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    by_hand.commit().await.unwrap();
    let outcome = task.await.unwrap().unwrap().remove(0);
    let receipt = outcome.receipt().expect("it counts");
    assert_eq!((receipt.previous_score.map(Score::get), receipt.score.get(), receipt.version.get()), (Some(1), 2, 2));
    let audit = verify(&store, &main, |_, _| {}).await.unwrap();
    assert!(matches!(audit, Audit::Clean { scores: 1, .. }), "{audit:?}");
}

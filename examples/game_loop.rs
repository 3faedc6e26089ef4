//! A game server that is trusted: it records results itself, and repeats a call until it has an answer.
//!
//! Each result gets its idempotency key before the first try and keeps it through all of them, so however often the
//! connection, the store or this very process fails in between, it counts once.
//!
//! Run with `cargo run --example game_loop`.

use std::sync::Arc;
use std::time::Duration;

use scoreboard::memory::MemoryScoreStore;
use scoreboard::{
    ActionKind, BoardId, BoardSpec, Error, KeyId, Operator, Points, PointsRule, Receipt, RecordRequest, Rejection,
    Scoreboard, TopQuery, UserId,
};

/// Records a result, and tries again while that can help.
async fn record(scoreboard: &Scoreboard, key: &str, result: &RecordRequest) -> Result<Receipt, Error> {
    let server = KeyId::new("arena-1").expect("a slug");
    let mut pause = Duration::from_millis(50);
    loop {
        match scoreboard.record(&server, key, result.clone()).await {
            Err(error) if error.is_retryable() && pause < Duration::from_secs(10) => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            answer => return answer,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    let board = BoardId::new("arena")?;
    let duel = ActionKind {
        kind: "duel".parse()?,
        points: PointsRule::Range(Points::new(0)?, Points::new(100)?),
        min_duration_seconds: 0,
        lifetime_seconds: 600,
        per_day: None,
    };
    let best_counts = BoardSpec { operator: Operator::Best, kinds: vec![duel], ..BoardSpec::new(board.clone()) };
    scoreboard.create_board(best_counts).await?;

    // Round after round, the game server reports what it has seen.
    let result = |name: &str, points| -> Result<RecordRequest, Box<dyn std::error::Error>> {
        let user_id = UserId::for_name("arena", name);
        Ok(RecordRequest { board: board.clone(), user_id, kind: "duel".parse()?, points: Some(Points::new(points)?) })
    };
    for (round, (ada, ben)) in [(40, 65), (80, 20), (75, 70)].into_iter().enumerate() {
        record(&scoreboard, &format!("round-{round}/ada"), &result("ada", ada)?).await?;
        record(&scoreboard, &format!("round-{round}/ben"), &result("ben", ben)?).await?;
    }

    // It crashed after the last call, say, and repeats it: the same receipt, nothing counted twice.
    let repeated = record(&scoreboard, "round-2/ben", &result("ben", 70)?).await?;
    assert!(repeated.replayed);
    // A defect that reuses a key for something else is found out.
    let reused = record(&scoreboard, "round-2/ben", &result("ben", 100)?).await;
    assert!(matches!(reused, Err(Error::Rejected(Rejection::IdempotencyMismatch))));

    let top = scoreboard.top(&TopQuery::new(board)).await?;
    let scores: Vec<_> = top.entries.iter().map(|entry| entry.score.get()).collect();
    assert_eq!((scores, top.version.get()), (vec![80, 70], 6));
    println!("After three rounds: Ada 80, Ben 70, at version {}.", top.version);
    Ok(())
}

//! A scoreboard inside a game, kept in memory: the dozen lines of the README.
//!
//! Run with `cargo run --example embed_in_memory`.

use std::sync::Arc;

use scoreboard::memory::MemoryScoreStore;
use scoreboard::{ActionKind, BoardId, BoardSpec, IssueRequest, Points, PointsRule, Scoreboard, TopQuery, UserId};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In the README from here …
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    let board = BoardId::main();
    let quest = ActionKind {
        kind: "quest".parse()?,
        points: PointsRule::Fixed(Points::new(10)?),
        min_duration_seconds: 0,
        lifetime_seconds: 600,
        per_day: None,
    };
    scoreboard.create_board(BoardSpec { kinds: vec![quest], ..BoardSpec::new(board.clone()) }).await?;

    let ada = UserId::for_name("my-game", "ada");
    let action = scoreboard.issue(ada, IssueRequest::new(board.clone(), "quest".parse()?)).await?; // when it starts
    let receipt = scoreboard.submit(ada, action.clone()).await?; // when it is done
    assert_eq!((receipt.score.get(), receipt.replayed), (10, false));

    let again = scoreboard.submit(ada, action).await?; // a retry, a double click, a replay
    assert_eq!((again.version, again.replayed), (receipt.version, true));
    assert_eq!(scoreboard.top(&TopQuery::new(board)).await?.entries[0].user_id, ada);
    // … to here.

    println!(
        "Ada has {} points at version {}; handing the action in again changed nothing.",
        receipt.score, receipt.version
    );
    Ok(())
}

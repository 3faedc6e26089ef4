//! The board of a first start.

use scoreboard_core::{ActionKind, BoardId, BoardSpec, InvalidValue, Points, PointsRule, ScoreStore};

use crate::failure::Result;

/// Creates the board `main` with a sample catalogue, if there are no boards at all. True if it did.
pub(crate) async fn create_if_empty(store: &dyn ScoreStore) -> Result<bool> {
    if !store.boards().await?.is_empty() {
        return Ok(false);
    }
    let spec = board()?;
    spec.check()?;
    // Another process may have made it in between: then it is there too.
    let _ = store.create_board(&spec).await?;
    Ok(true)
}

fn board() -> Result<BoardSpec, InvalidValue> {
    let fixed = |points| Points::new(points).map(PointsRule::Fixed);
    let range = |min, max| Ok::<_, InvalidValue>(PointsRule::Range(Points::new(min)?, Points::new(max)?));
    let kind = |name: &str, points, min_duration_seconds, lifetime_seconds| {
        let kind = name.parse()?;
        Ok::<_, InvalidValue>(ActionKind { kind, points, min_duration_seconds, lifetime_seconds, per_day: None })
    };
    let kinds = vec![
        kind("tap", fixed(1)?, 0, 60)?,
        kind("quest", fixed(10)?, 2, 600)?,
        kind("boss", range(50, 150)?, 5, 600)?,
    ];
    Ok(BoardSpec { name: "Main".to_owned(), kinds, ..BoardSpec::new(BoardId::main()) })
}

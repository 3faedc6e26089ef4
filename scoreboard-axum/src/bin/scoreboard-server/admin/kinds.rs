//! A board's catalogue of action kinds.

use scoreboard_core::{ActionKind, BoardId, BoardSpec, InvalidValue, KindId, Points, PointsRule};

use crate::admin::boards;
use crate::cli::KindFlags;
use crate::failure::{Failure, Result};
use crate::store::Stores;

pub(super) async fn set(stores: &Stores, board: BoardId, kind: KindId, flags: &KindFlags) -> Result<String> {
    let set = ActionKind {
        kind,
        points: points(&flags.points)?,
        min_duration_seconds: flags.min_duration,
        lifetime_seconds: flags.lifetime,
        per_day: flags.per_day,
    };
    let change = |mut spec: BoardSpec| {
        match spec.kinds.iter_mut().find(|known| known.kind == set.kind) {
            Some(known) => *known = set.clone(),
            None => spec.kinds.push(set.clone()),
        }
        Ok(spec)
    };
    boards::edit(stores, board, change).await
}

pub(super) async fn remove(stores: &Stores, board: BoardId, kind: &KindId) -> Result<String> {
    let change = |mut spec: BoardSpec| {
        let before = spec.kinds.len();
        spec.kinds.retain(|known| known.kind != *kind);
        if spec.kinds.len() == before {
            return Err(Failure::new(format_args!("the board `{}` has no kind `{kind}`", spec.id)));
        }
        Ok(spec)
    };
    boards::edit(stores, board, change).await
}

/// `10`, or `50..150` with both ends in.
fn points(text: &str) -> Result<PointsRule, InvalidValue> {
    let one = |text: &str| {
        let invalid = InvalidValue::new("points", "must be a whole number like 10, or a range like 50..150");
        Points::new(text.trim().parse().map_err(|_| invalid)?)
    };
    match text.split_once("..") {
        Some((min, max)) => Ok(PointsRule::Range(one(min)?, one(max)?)),
        None => Ok(PointsRule::Fixed(one(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_a_number_or_a_range() {
        let p = |n| Points::new(n).unwrap();
        assert_eq!(points("10"), Ok(PointsRule::Fixed(p(10))));
        assert_eq!(points("-5..7"), Ok(PointsRule::Range(p(-5), p(7))));
        for bad in ["", "ten", "1..", "..", "1.5", "9007199254740992"] {
            assert!(points(bad).is_err(), "{bad}");
        }
    }
}

//! What was decided is written: corrections, places, the decision itself, and what holds by it from then on.

use std::collections::BTreeMap;

use scoreboard_core::{CarriedOut, Corrections, ModerationAct};
use sqlx::PgConnection;

use super::weigh::{Turned, Weighed};
use crate::apply::{Numbers, write_boards, write_log, write_scores, write_withheld};
use crate::error::Failure;
use crate::rows::{Word, number, season as season_number};

pub(super) async fn write(tx: &mut PgConnection, weighed: &Weighed) -> Result<(), Failure> {
    let Weighed { turned, corrections, effects, numbers } = weighed;
    if !corrections.rows.is_empty() {
        write_log(tx, &corrections.rows, numbers).await?;
        write_places(tx, corrections, numbers).await?;
        write_boards(tx, &corrections.boards, &corrections.totals, numbers).await?;
    }
    let no = write_decision(tx, &effects.carried_out).await?;
    match &effects.carried_out.moderation.act {
        ModerationAct::Void { .. } => turn(tx, turned, numbers, true, no).await?,
        ModerationAct::Unvoid { .. } => turn(tx, turned, numbers, false, no).await?,
        ModerationAct::Restrict { user_id, restriction } => {
            sqlx::query(
                "INSERT INTO restrictions (user_id, restriction, moderation) VALUES ($1, $2, $3)
                 ON CONFLICT (user_id) DO UPDATE
                 SET restriction = excluded.restriction, moderation = excluded.moderation
                 WHERE restrictions.restriction <> excluded.restriction",
            )
            .bind(user_id.as_uuid())
            .bind(restriction.as_word())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Lift { user_id } => {
            sqlx::query("DELETE FROM restrictions WHERE user_id = $1").bind(user_id.as_uuid()).execute(tx).await?;
        }
        ModerationAct::Hold { user_id, .. } => {
            sqlx::query(
                "INSERT INTO restrictions (user_id, restriction, moderation) VALUES ($1, 'held', $2)
                 ON CONFLICT (user_id) DO NOTHING",
            )
            .bind(user_id.as_uuid())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Conclude { user_id, release, .. } => {
            turn(tx, turned, numbers, true, no).await?;
            if *release {
                sqlx::query(
                    "DELETE FROM restrictions USING moderations
                     WHERE restrictions.user_id = $1 AND moderations.no = restrictions.moderation
                       AND moderations.act::json ->> 'act' = 'hold'",
                )
                .bind(user_id.as_uuid())
                .execute(tx)
                .await?;
            }
        }
    }
    Ok(())
}

async fn turn(
    tx: &mut PgConnection,
    turned: &[Turned],
    numbers: &Numbers,
    is_void: bool,
    decision: i64,
) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO voids (action_id, board, user_id, version, is_void, moderation)
         SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]), $5, $6
         ON CONFLICT (action_id) DO UPDATE SET is_void = excluded.is_void, moderation = excluded.moderation",
    )
    .bind(Vec::from_iter(turned.iter().map(|turned| turned.action.as_uuid())))
    .bind(Vec::from_iter(turned.iter().map(|turned| numbers[&turned.board])))
    .bind(Vec::from_iter(turned.iter().map(|turned| turned.user.as_uuid())))
    .bind(Vec::from_iter(turned.iter().map(|turned| number(turned.version.get()))))
    .bind(is_void)
    .bind(decision)
    .execute(tx)
    .await?;
    Ok(())
}

/// What is shown, and what is kept aside: all of the users are taken out of both, and put where they belong.
async fn write_places(tx: &mut PgConnection, corrections: &Corrections, numbers: &Numbers) -> Result<(), Failure> {
    let places = || corrections.places.iter();
    let boards = Vec::from_iter(places().map(|place| numbers[&place.board]));
    let seasons = Vec::from_iter(places().map(|place| season_number(place.season)));
    let users = Vec::from_iter(places().map(|place| place.user.as_uuid()));
    for statement in [
        "DELETE FROM scores USING (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS season, unnest($3::uuid[]) AS user_id) AS gone
         WHERE scores.board = gone.board AND scores.season = gone.season AND scores.user_id = gone.user_id",
        "DELETE FROM withheld USING (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS season, unnest($3::uuid[]) AS user_id) AS gone
         WHERE withheld.board = gone.board AND withheld.season = gone.season AND withheld.user_id = gone.user_id",
    ] {
        sqlx::query(statement).bind(&boards).bind(&seasons).bind(&users).execute(&mut *tx).await?;
    }
    let (mut shown, mut aside) = (BTreeMap::new(), BTreeMap::new());
    for place in places() {
        let key = (numbers[&place.board], place.season, place.user);
        if let Some(reached) = place.shown {
            shown.insert(key, (corrections.boards[&place.board].spec.order(), reached));
        }
        if let Some(own) = place.own.filter(|_| place.is_restricted) {
            aside.insert(key, own);
        }
    }
    write_scores(tx, &shown).await?;
    write_withheld(tx, &aside).await
}

/// Its number.
async fn write_decision(tx: &mut PgConnection, carried_out: &CarriedOut) -> Result<i64, Failure> {
    let CarriedOut { moderation, changed, corrections } = carried_out;
    let no = sqlx::query_scalar(
        "INSERT INTO moderations (id, at, by, reason, act, changed, corrections)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING no",
    )
    .bind(moderation.id.as_uuid())
    .bind(moderation.at.as_millis())
    .bind(&moderation.by)
    .bind(&moderation.reason)
    .bind(serde_json::to_string(&moderation.act).map_err(Failure::stored)?)
    .bind(number(*changed))
    .bind(number(*corrections))
    .fetch_one(tx)
    .await?;
    Ok(no)
}

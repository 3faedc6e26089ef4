//! What was decided is written: corrections, places, the decision itself, and what holds by it from then on.

use std::collections::BTreeMap;

use scoreboard_core::{ActionId, CarriedOut, ModerationAct};
use sqlx::SqliteConnection;

use super::weigh::Weighed;
use crate::apply::{Kept, Key, remove_aside, write_aside, write_boards, write_log, write_shown};
use crate::error::Failure;
use crate::json::hex_array;
use crate::rows::Word;

pub(super) async fn write(tx: &mut SqliteConnection, weighed: &Weighed) -> Result<(), Failure> {
    let Weighed { turned, corrections, effects, numbers, chains } = weighed;
    let mut chains = chains.clone();
    write_log(tx, &corrections.rows, numbers, &mut chains).await?;
    let (mut shown, mut aside) = (BTreeMap::new(), BTreeMap::new());
    for place in &corrections.places {
        let key = (numbers[&place.board], place.season, place.user);
        match place.shown {
            Some(reached) => drop(shown.insert(key, (corrections.boards[&place.board].spec.order(), reached))),
            None => remove_shown(tx, key).await?,
        }
        // A chain has its end somewhere, also that of somebody who has nothing left.
        if place.is_restricted || place.own.is_none() {
            aside.insert(key, place.own);
        } else {
            remove_aside(tx, key).await?;
        }
    }
    write_shown(tx, shown, &chains, &Kept::new()).await?;
    write_aside(tx, aside, &chains, &Kept::new()).await?;
    write_boards(tx, &corrections.boards, &corrections.totals, numbers).await?;
    let no = write_decision(tx, &effects.carried_out).await?;
    match &effects.carried_out.moderation.act {
        ModerationAct::Void { .. } => void(tx, turned, no).await?,
        ModerationAct::Unvoid { .. } => {
            sqlx::query("DELETE FROM voids WHERE action_id IN (SELECT unhex(value) FROM json_each(?))")
                .bind(hex_array(turned.iter().map(ActionId::as_bytes)))
                .execute(tx)
                .await?;
        }
        ModerationAct::Restrict { user_id, restriction } => {
            sqlx::query(
                "INSERT OR FAIL INTO restrictions (user_id, restriction, moderation) VALUES (?, ?, ?)
                 ON CONFLICT (user_id) DO UPDATE
                 SET restriction = excluded.restriction, moderation = excluded.moderation
                 WHERE restriction <> excluded.restriction",
            )
            .bind(user_id.as_bytes().as_slice())
            .bind(restriction.as_word())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Lift { user_id } => {
            sqlx::query("DELETE FROM restrictions WHERE user_id = ?")
                .bind(user_id.as_bytes().as_slice())
                .execute(tx)
                .await?;
        }
        ModerationAct::Hold { user_id, .. } => {
            sqlx::query(
                "INSERT INTO restrictions (user_id, restriction, moderation) VALUES (?, 'held', ?)
                 ON CONFLICT (user_id) DO NOTHING",
            )
            .bind(user_id.as_bytes().as_slice())
            .bind(no)
            .execute(tx)
            .await?;
        }
        ModerationAct::Conclude { user_id, release, .. } => {
            void(tx, turned, no).await?;
            if *release {
                sqlx::query(
                    "DELETE FROM restrictions WHERE user_id = ?
                       AND (SELECT act ->> 'act' FROM moderations WHERE no = restrictions.moderation) = 'hold'",
                )
                .bind(user_id.as_bytes().as_slice())
                .execute(tx)
                .await?;
            }
        }
    }
    Ok(())
}

async fn void(tx: &mut SqliteConnection, turned: &[ActionId], decision: i64) -> Result<(), Failure> {
    sqlx::query("INSERT OR FAIL INTO voids (action_id, moderation) SELECT unhex(value), ?2 FROM json_each(?1)")
        .bind(hex_array(turned.iter().map(ActionId::as_bytes)))
        .bind(decision)
        .execute(tx)
        .await?;
    Ok(())
}

async fn remove_shown(tx: &mut SqliteConnection, (no, season, user): Key) -> Result<(), Failure> {
    sqlx::query("DELETE FROM scores WHERE board = ? AND season = ? AND user_id = ?")
        .bind(no)
        .bind(season.get())
        .bind(user.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(())
}

/// Its number.
async fn write_decision(tx: &mut SqliteConnection, carried_out: &CarriedOut) -> Result<i64, Failure> {
    let CarriedOut { moderation, changed, corrections } = carried_out;
    let number = |count: u64| i64::try_from(count).map_err(Failure::stored);
    let no = sqlx::query_scalar(
        "INSERT OR FAIL INTO moderations (id, at, by, reason, act, changed, corrections)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING no",
    )
    .bind(moderation.id.as_bytes().as_slice())
    .bind(moderation.at.as_millis())
    .bind(&moderation.by)
    .bind(&moderation.reason)
    .bind(serde_json::to_string(&moderation.act).map_err(Failure::stored)?)
    .bind(number(*changed)?)
    .bind(number(*corrections)?)
    .fetch_one(tx)
    .await?;
    Ok(no)
}

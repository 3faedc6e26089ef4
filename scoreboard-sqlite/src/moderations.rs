//! Decisions of moderators: read what they concern, decide once for all stores, write, commit.

use std::collections::HashSet;

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, BoardId, CarriedOut, LogRow, Moderated, Moderation, ModerationId, ModerationStore, Own,
    Restricted, Season, UserId, Version,
};
use sqlx::SqliteExecutor;
use sqlx::sqlite::SqliteRow;

use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::json::hex_array;
use crate::log::{Of, history};
use crate::rows::{Columns, limit};

mod weigh;
mod write;

use weigh::weigh;
use write::write;

impl SqliteStore {
    async fn carry_out(&self, moderation: &Moderation) -> Result<Moderated, Failure> {
        let mut tx = self.write().await?;
        match weigh(&mut tx, moderation).await? {
            Err(answer) => Ok(answer),
            Ok(weighed) => {
                write(&mut tx, &weighed).await?;
                commit(tx).await?;
                Ok(Moderated::Done(weighed.effects))
            }
        }
    }

    async fn own_of(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, Failure> {
        let row = sqlx::query(
            "SELECT restrictions.restriction, seasons.season, meta.epoch, boards.version,
                    withheld.score, withheld.reached, withheld.updated_at
             FROM restrictions CROSS JOIN boards
             JOIN seasons ON seasons.board = boards.no AND seasons.season = coalesce(?3, boards.season)
             CROSS JOIN meta
             LEFT JOIN withheld
               ON withheld.board = boards.no AND withheld.season = seasons.season AND withheld.user_id = ?2
             WHERE restrictions.user_id = ?2 AND boards.id = ?1",
        )
        .bind(board.as_str())
        .bind(user.as_bytes().as_slice())
        .bind(season.map(|season| i64::from(season.get())))
        .fetch_optional(&mut *self.reader().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut columns = Columns::of(&row);
        let (restriction, season, position) = (columns.word()?, columns.season()?, columns.position()?);
        Ok(Some(Own { restriction, season, position, reached: columns.reached_before()? }))
    }
}

macro_rules! select_decisions {
    ($rest:literal) => {
        concat!("SELECT id, at, by, reason, act, changed, corrections FROM moderations ", $rest)
    };
}

async fn carried_out(executor: impl SqliteExecutor<'_>, id: ModerationId) -> Result<Option<CarriedOut>, Failure> {
    let row =
        sqlx::query(select_decisions!("WHERE id = ?")).bind(id.as_bytes().as_slice()).fetch_optional(executor).await?;
    row.as_ref().map(decode).transpose()
}

fn decode(row: &SqliteRow) -> Result<CarriedOut, Failure> {
    let mut columns = Columns::of(row);
    let moderation = Moderation {
        id: columns.bytes().map(ModerationId::from_bytes)?,
        at: columns.at()?,
        by: columns.take()?,
        reason: columns.take()?,
        act: serde_json::from_str(columns.take()?).map_err(Failure::stored)?,
    };
    Ok(CarriedOut { moderation, changed: columns.count()?, corrections: columns.count()? })
}

#[async_trait]
impl ModerationStore for SqliteStore {
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        self.carry_out(moderation).await.map_err(|failure| failure.during("moderate"))
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        let preview = async {
            Ok(match weigh(&mut *self.snapshot().await?, moderation).await? {
                Ok(weighed) => Moderated::Done(weighed.effects),
                Err(answer) => answer,
            })
        };
        preview.await.map_err(|failure: Failure| failure.during("preview"))
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        let found = async { carried_out(&mut *self.reader().await?, id).await };
        found.await.map_err(|failure| failure.during("moderation"))
    }

    async fn moderations(&self, before: Option<ModerationId>, count: usize) -> Result<Vec<CarriedOut>, BackendError> {
        let list = async {
            let rows = sqlx::query(select_decisions!(
                "WHERE ?1 IS NULL OR no < (SELECT no FROM moderations WHERE id = ?1) ORDER BY no DESC LIMIT ?2"
            ))
            .bind(before.as_ref().map(|before| before.as_bytes().as_slice()))
            .bind(limit(count))
            .fetch_all(&mut *self.reader().await?)
            .await?;
            rows.iter().map(decode).collect::<Result<_, Failure>>()
        };
        list.await.map_err(|failure| failure.during("moderations"))
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        let found = async {
            let row = sqlx::query(
                "SELECT restrictions.restriction, moderations.id FROM restrictions
                 JOIN moderations ON moderations.no = restrictions.moderation WHERE restrictions.user_id = ?",
            )
            .bind(user.as_bytes().as_slice())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let mut columns = Columns::of(&row);
            let restriction = columns.word()?;
            Ok(Some(Restricted { restriction, moderation_id: columns.bytes().map(ModerationId::from_bytes)? }))
        };
        found.await.map_err(|failure: Failure| failure.during("restriction"))
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        self.own_of(board, season, user).await.map_err(|failure| failure.during("own"))
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        let found = async {
            let rows = sqlx::query(
                "SELECT voids.action_id FROM json_each(?) AS named CROSS JOIN voids ON voids.action_id = unhex(named.value)",
            )
            .bind(hex_array(actions.iter().map(ActionId::as_bytes)))
            .fetch_all(&mut *self.reader().await?)
            .await?;
            rows.iter().map(|row| Columns::of(row).bytes().map(ActionId::from_bytes)).collect::<Result<_, Failure>>()
        };
        found.await.map_err(|failure| failure.during("voided"))
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        count: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let of = Of::Corrections { after };
        let rows = async { history(&mut *self.reader().await?, board, user, of, Some(before), count).await };
        rows.await.map_err(|failure| failure.during("corrections"))
    }
}

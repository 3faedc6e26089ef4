//! Decisions of moderators: keep writers out, read what they concern, decide once for all stores, write, commit.

use std::collections::HashSet;

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, BoardId, CarriedOut, LogRow, Moderated, Moderation, ModerationId, ModerationStore, Own,
    Restricted, Season, UserId, Version,
};
use sqlx::PgExecutor;
use sqlx::postgres::PgRow;

use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::log;
use crate::rows::{Columns, limit, season as season_number};

mod weigh;
mod write;

use weigh::weigh;
use write::write;

impl PostgresStore {
    async fn carry_out(&self, moderation: &Moderation) -> Result<Moderated, Failure> {
        let mut tx = self.write().await?;
        // Waits for the batches under way, and keeps new ones out: each is wholly before this decision, or decided by it.
        sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
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
             JOIN seasons ON seasons.board = boards.no AND seasons.season = coalesce($3, boards.season)
             CROSS JOIN meta
             LEFT JOIN withheld
               ON withheld.board = boards.no AND withheld.season = seasons.season AND withheld.user_id = $2
             WHERE restrictions.user_id = $2 AND boards.id = $1",
        )
        .bind(board.as_str())
        .bind(user.as_uuid())
        .bind(season.map(season_number))
        .fetch_optional(&mut *self.pool.acquire().await?)
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

async fn carried_out(executor: impl PgExecutor<'_>, id: ModerationId) -> Result<Option<CarriedOut>, Failure> {
    let row = sqlx::query(select_decisions!("WHERE id = $1")).bind(id.as_uuid()).fetch_optional(executor).await?;
    row.as_ref().map(decode).transpose()
}

fn decode(row: &PgRow) -> Result<CarriedOut, Failure> {
    let mut columns = Columns::of(row);
    let moderation = Moderation {
        id: columns.id().map(ModerationId::from_bytes)?,
        at: columns.at()?,
        by: columns.take()?,
        reason: columns.take()?,
        act: serde_json::from_str(columns.take()?).map_err(Failure::stored)?,
    };
    Ok(CarriedOut { moderation, changed: columns.count()?, corrections: columns.count()? })
}

#[async_trait]
impl ModerationStore for PostgresStore {
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        self.writes("moderate", self.carry_out(moderation)).await
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        let preview = async {
            Ok(match weigh(&mut *self.snapshot().await?, moderation).await? {
                Ok(weighed) => Moderated::Done(weighed.effects),
                Err(answer) => answer,
            })
        };
        self.reads("preview", preview).await
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        let found = async { carried_out(&mut *self.pool.acquire().await?, id).await };
        self.reads("moderation", found).await
    }

    async fn moderations(&self, before: Option<ModerationId>, count: usize) -> Result<Vec<CarriedOut>, BackendError> {
        let list = async {
            let rows = sqlx::query(select_decisions!(
                "WHERE $1::uuid IS NULL OR no < (SELECT no FROM moderations WHERE id = $1) ORDER BY no DESC LIMIT $2"
            ))
            .bind(before.as_ref().map(ModerationId::as_uuid))
            .bind(limit(count))
            .fetch_all(&mut *self.pool.acquire().await?)
            .await?;
            rows.iter().map(decode).collect::<Result<_, Failure>>()
        };
        self.reads("moderations", list).await
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        let found = async {
            let row = sqlx::query(
                "SELECT restrictions.restriction, moderations.id FROM restrictions
                 JOIN moderations ON moderations.no = restrictions.moderation WHERE restrictions.user_id = $1",
            )
            .bind(user.as_uuid())
            .fetch_optional(&mut *self.pool.acquire().await?)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let mut columns = Columns::of(&row);
            let restriction = columns.word()?;
            Ok(Some(Restricted { restriction, moderation_id: columns.id().map(ModerationId::from_bytes)? }))
        };
        self.reads("restriction", found).await
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        self.reads("own", self.own_of(board, season, user)).await
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        let found = async {
            let rows = sqlx::query("SELECT action_id FROM voids WHERE action_id = ANY ($1) AND is_void")
                .bind(Vec::from_iter(actions.iter().map(ActionId::as_uuid)))
                .fetch_all(&mut *self.pool.acquire().await?)
                .await?;
            rows.iter().map(|row| Columns::of(row).id().map(ActionId::from_bytes)).collect::<Result<_, Failure>>()
        };
        self.reads("voided", found).await
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        count: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let between = (after, before);
        let rows = async { log::corrections(&mut *self.pool.acquire().await?, board, user, between, count).await };
        self.reads("corrections", rows).await
    }
}

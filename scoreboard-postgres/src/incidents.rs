//! What the fraud rules found.

use async_trait::async_trait;
use scoreboard_core::{ActionId, BackendError, BoardId, Incident, IncidentId, IncidentStore};
use sqlx::postgres::PgRow;

use crate::connection::PostgresStore;
use crate::error::Failure;
use crate::rows::{Columns, limit};

#[async_trait]
impl IncidentStore for PostgresStore {
    async fn record_incident(&self, incident: &Incident) -> Result<IncidentId, BackendError> {
        self.writes("record_incident", self.record(incident)).await
    }

    async fn incidents(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, BackendError> {
        self.reads("incidents", self.newest(before, limit)).await
    }
}

impl PostgresStore {
    async fn record(&self, incident: &Incident) -> Result<IncidentId, Failure> {
        let insert = sqlx::query(
            "INSERT INTO incidents (id, at, board, user_id, action_id, rule, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (action_id, rule) DO NOTHING",
        )
        .bind(incident.id.as_uuid())
        .bind(incident.at.as_millis())
        .bind(incident.board.as_str())
        .bind(incident.user_id.as_uuid())
        .bind(incident.action_id.as_uuid())
        .bind(&incident.rule)
        .bind(&incident.evidence);
        if self.execute(insert).await? > 0 {
            return Ok(incident.id);
        }
        // What it ran into was committed before it gave way, and no incident ever goes.
        let first = sqlx::query("SELECT id FROM incidents WHERE action_id = $1 AND rule = $2")
            .bind(incident.action_id.as_uuid())
            .bind(&incident.rule)
            .fetch_one(&mut *self.pool.acquire().await?)
            .await?;
        Columns::of(&first).id().map(IncidentId::from_bytes)
    }

    async fn newest(&self, before: Option<IncidentId>, count: usize) -> Result<Vec<Incident>, Failure> {
        let rows = sqlx::query(
            "SELECT id, at, board, user_id, action_id, rule, evidence FROM incidents
             WHERE $1::uuid IS NULL OR no < (SELECT no FROM incidents WHERE id = $1) ORDER BY no DESC LIMIT $2",
        )
        .bind(before.as_ref().map(|before| before.as_uuid()))
        .bind(limit(count))
        .fetch_all(&mut *self.pool.acquire().await?)
        .await?;
        rows.iter().map(decode).collect()
    }
}

fn decode(row: &PgRow) -> Result<Incident, Failure> {
    let mut columns = Columns::of(row);
    Ok(Incident {
        id: columns.id().map(IncidentId::from_bytes)?,
        at: columns.at()?,
        board: BoardId::new(columns.take()?)?,
        user_id: columns.user()?,
        action_id: columns.id().map(ActionId::from_bytes)?,
        rule: columns.take()?,
        evidence: columns.take()?,
    })
}

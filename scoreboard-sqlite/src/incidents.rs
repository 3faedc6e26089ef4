//! What the fraud rules found.

use async_trait::async_trait;
use scoreboard_core::{ActionId, BackendError, BoardId, Incident, IncidentId, IncidentStore};
use sqlx::sqlite::SqliteRow;

use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::rows::{Columns, limit};

#[async_trait]
impl IncidentStore for SqliteStore {
    async fn record_incident(&self, incident: &Incident) -> Result<IncidentId, BackendError> {
        self.record(incident).await.map_err(|failure| failure.during("record_incident"))
    }

    async fn incidents(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, BackendError> {
        self.newest(before, limit).await.map_err(|failure| failure.during("incidents"))
    }
}

impl SqliteStore {
    async fn record(&self, incident: &Incident) -> Result<IncidentId, Failure> {
        let mut tx = self.write().await?;
        let first = sqlx::query("SELECT id FROM incidents WHERE action_id = ? AND rule = ?")
            .bind(incident.action_id.as_bytes().as_slice())
            .bind(&incident.rule)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(first) = first {
            return Columns::of(&first).bytes().map(IncidentId::from_bytes);
        }
        sqlx::query(
            "INSERT INTO incidents (id, at, board, user_id, action_id, rule, evidence) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(incident.id.as_bytes().as_slice())
        .bind(incident.at.as_millis())
        .bind(incident.board.as_str())
        .bind(incident.user_id.as_bytes().as_slice())
        .bind(incident.action_id.as_bytes().as_slice())
        .bind(&incident.rule)
        .bind(&incident.evidence)
        .execute(&mut *tx)
        .await?;
        commit(tx).await?;
        Ok(incident.id)
    }

    async fn newest(&self, before: Option<IncidentId>, count: usize) -> Result<Vec<Incident>, Failure> {
        let rows = sqlx::query(
            "SELECT id, at, board, user_id, action_id, rule, evidence FROM incidents
             WHERE ?1 IS NULL OR no < (SELECT no FROM incidents WHERE id = ?1) ORDER BY no DESC LIMIT ?2",
        )
        .bind(before.as_ref().map(|before| before.as_bytes().as_slice()))
        .bind(limit(count))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(decode).collect()
    }
}

fn decode(row: &SqliteRow) -> Result<Incident, Failure> {
    let mut columns = Columns::of(row);
    Ok(Incident {
        id: columns.bytes().map(IncidentId::from_bytes)?,
        at: columns.at()?,
        board: BoardId::new(columns.take()?)?,
        user_id: columns.user()?,
        action_id: columns.bytes().map(ActionId::from_bytes)?,
        rule: columns.take()?,
        evidence: columns.take()?,
    })
}

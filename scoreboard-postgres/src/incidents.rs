//! What the fraud rules found, and how far they have looked.

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, BoardId, Case, CaseStep, Deed, Incident, IncidentFile, IncidentFilter, IncidentId,
    IncidentStore, Position, Recorded, StepOutcome, Timestamp, UserId,
};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::rows::{Columns, Word, limit, number};

/// What [`decode`] reads.
macro_rules! select_incidents {
    ($rest:literal) => {
        concat!(
            "SELECT id, at, board, user_id, action_id, rule, evidence, measure, finding, status, assignee, decided_by, decided_at, note,
                    revision FROM incidents ",
            $rest
        )
    };
}

#[async_trait]
impl IncidentStore for PostgresStore {
    async fn record_incident(&self, incident: &Incident) -> Result<Recorded, BackendError> {
        self.writes("record_incident", self.record(incident)).await
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, BackendError> {
        self.reads("incidents", self.newest(filter, before, limit)).await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<IncidentFile>, BackendError> {
        self.reads("incident", self.file_of(id)).await
    }

    async fn take_step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, BackendError> {
        self.writes("take_step", self.step(id, step)).await
    }

    async fn watched(&self, board: &BoardId) -> Result<Option<Position>, BackendError> {
        let found = sqlx::query("SELECT epoch, version FROM watched WHERE board = $1").bind(board.as_str());
        self.reads("watched", async {
            let row = found.fetch_optional(&mut *self.pool.acquire().await?).await?;
            row.map(|row| Columns::of(&row).position()).transpose()
        })
        .await
    }

    async fn set_watched(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        let update = sqlx::query(
            "INSERT INTO watched (board, epoch, version) VALUES ($1, $2, $3) ON CONFLICT (board) DO UPDATE
             SET epoch = $2, version = $3 WHERE (watched.epoch, watched.version) < ($2, $3)",
        )
        .bind(board.as_str())
        .bind(number(position.epoch.get()))
        .bind(number(position.version.get()));
        self.execute(update).await.map(drop).map_err(|failure| failure.during("set_watched"))
    }
}

impl PostgresStore {
    async fn record(&self, incident: &Incident) -> Result<Recorded, Failure> {
        let Incident { case, .. } = incident;
        let insert = sqlx::query(
            "INSERT INTO incidents (id, at, board, user_id, action_id, rule, evidence, measure, finding, status, assignee, decided_by,
                                    decided_at, note, revision)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING",
        )
        .bind(incident.id.as_uuid())
        .bind(incident.at.as_millis())
        .bind(incident.board.as_str())
        .bind(incident.user_id.as_uuid())
        .bind(incident.action_id.as_uuid())
        .bind(&incident.rule)
        .bind(&incident.evidence)
        .bind(incident.measure.as_word())
        .bind(incident.finding.as_ref().map(serde_json::to_string).transpose().map_err(Failure::stored)?)
        .bind(case.status.as_word())
        .bind(case.assignee.map(|user| user.as_uuid()))
        .bind(case.decided_by.map(|user| user.as_uuid()))
        .bind(case.decided_at.map(Timestamp::as_millis))
        .bind(&case.note)
        .bind(i64::from(case.revision));
        if self.execute(insert).await? > 0 {
            return Ok(Recorded::New(incident.id));
        }
        // What it ran into was committed before it gave way, and no incident ever goes.
        let first = sqlx::query(
            "SELECT id FROM incidents WHERE id = $3 OR (action_id = $1 AND rule = $2) ORDER BY (action_id = $1 AND rule = $2) DESC LIMIT 1",
        )
        .bind(incident.action_id.as_uuid())
        .bind(&incident.rule)
        .bind(incident.id.as_uuid())
        .fetch_one(&mut *self.pool.acquire().await?)
        .await?;
        Columns::of(&first).id().map(IncidentId::from_bytes).map(Recorded::Known)
    }

    async fn newest(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        count: usize,
    ) -> Result<Vec<Incident>, Failure> {
        let mut query = QueryBuilder::<Postgres>::new(select_incidents!("WHERE TRUE"));
        if let Some(before) = before {
            query.push(" AND no < (SELECT no FROM incidents WHERE id = ").push_bind(before.as_uuid()).push(")");
        }
        if let Some(status) = filter.status {
            query.push(" AND status = ").push_bind(status.as_word());
        }
        if let Some(assignee) = filter.assignee {
            query.push(" AND assignee = ").push_bind(assignee.as_uuid());
        }
        if let Some(user) = filter.user {
            query.push(" AND user_id = ").push_bind(user.as_uuid());
        }
        if let Some(board) = &filter.board {
            query.push(" AND board = ").push_bind(board.to_string());
        }
        if let Some(rule) = &filter.rule {
            query.push(" AND rule = ").push_bind(rule.clone());
        }
        if let Some(measure) = filter.measure {
            query.push(" AND measure = ").push_bind(measure.as_word());
        }
        query.push(" ORDER BY no DESC LIMIT ").push_bind(limit(count));
        let rows = query.build().fetch_all(&mut *self.pool.acquire().await?).await?;
        rows.iter().map(decode).collect()
    }

    async fn file_of(&self, id: IncidentId) -> Result<Option<IncidentFile>, Failure> {
        let mut tx = self.snapshot().await?;
        let found = sqlx::query(select_incidents!("WHERE id = $1")).bind(id.as_uuid()).fetch_optional(&mut *tx).await?;
        let Some(incident) = found.as_ref().map(decode).transpose()? else { return Ok(None) };
        let rows = sqlx::query(
            "SELECT revision, at, by_user, status, assignee, note FROM incident_steps WHERE incident = $1 ORDER BY revision",
        );
        let rows = rows.bind(id.as_uuid()).fetch_all(&mut *tx).await?;
        Ok(Some(IncidentFile { incident, steps: rows.iter().map(decode_step).collect::<Result<_, _>>()? }))
    }

    /// Under the lock of the incident's row: of two who take a step at once, the second finds the first one's.
    async fn step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, Failure> {
        let mut tx = self.write().await?;
        let found = sqlx::query(select_incidents!("WHERE id = $1 FOR UPDATE")).bind(id.as_uuid());
        let found = found.fetch_optional(&mut *tx).await?;
        let Some(incident) = found.as_ref().map(decode).transpose()? else { return Ok(StepOutcome::Unknown) };
        let Some(case) = incident.case.after(step) else {
            let last = sqlx::query(
                "SELECT revision, at, by_user, status, assignee, note FROM incident_steps
                 WHERE incident = $1 ORDER BY revision DESC LIMIT 1",
            );
            let last = last.bind(id.as_uuid()).fetch_optional(&mut *tx).await?;
            let is_repeat = last.as_ref().map(decode_step).transpose()?.is_some_and(|last| last == *step);
            return Ok(if is_repeat { StepOutcome::Taken(incident) } else { StepOutcome::ChangedMeanwhile(incident) });
        };
        sqlx::query(
            "UPDATE incidents SET status = $2, assignee = $3, decided_by = $4, decided_at = $5, note = $6, revision = $7 WHERE id = $1",
        )
        .bind(id.as_uuid())
        .bind(case.status.as_word())
        .bind(case.assignee.map(|user| user.as_uuid()))
        .bind(case.decided_by.map(|user| user.as_uuid()))
        .bind(case.decided_at.map(Timestamp::as_millis))
        .bind(&case.note)
        .bind(i64::from(case.revision))
        .execute(&mut *tx)
        .await?;
        let (status, assignee) = match step.deed {
            Deed::Decide(status) => (Some(status.as_word()), None),
            Deed::Assign(to) => (None, to.map(|user| user.as_uuid())),
        };
        sqlx::query(
            "INSERT INTO incident_steps (incident, revision, at, by_user, status, assignee, note) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.as_uuid())
        .bind(i64::from(step.revision))
        .bind(step.at.as_millis())
        .bind(step.by.as_uuid())
        .bind(status)
        .bind(assignee)
        .bind(&step.note)
        .execute(&mut *tx)
        .await?;
        commit(tx).await?;
        Ok(StepOutcome::Taken(Incident { case, ..incident }))
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
        measure: columns.word()?,
        finding: columns.take::<Option<&str>>()?.map(serde_json::from_str).transpose().map_err(Failure::stored)?,
        case: Case {
            status: columns.word()?,
            assignee: some_user(&mut columns)?,
            decided_by: some_user(&mut columns)?,
            decided_at: columns.take::<Option<i64>>()?.map(Timestamp::from_millis),
            note: columns.take()?,
            revision: revision(&mut columns)?,
        },
    })
}

fn decode_step(row: &PgRow) -> Result<CaseStep, Failure> {
    let mut columns = Columns::of(row);
    let (revision, at, by) = (revision(&mut columns)?, columns.at()?, columns.user()?);
    let decided = columns.some_word()?;
    let assignee = some_user(&mut columns)?;
    let deed = decided.map_or(Deed::Assign(assignee), Deed::Decide);
    Ok(CaseStep { revision, at, by, deed, note: columns.take()? })
}

fn some_user(columns: &mut Columns<'_>) -> Result<Option<UserId>, Failure> {
    Ok(columns.take::<Option<Uuid>>()?.map(UserId::from_uuid))
}

fn revision(columns: &mut Columns<'_>) -> Result<u32, Failure> {
    u32::try_from(columns.take::<i64>()?).map_err(Failure::stored)
}

//! A batch under the locks of its boards, from before it is read until it is committed: nothing that it is decided on can change.

use std::collections::{HashMap, HashSet};

use scoreboard_core::{ActionId, Batch, BoardId, Change, CountKey, LogRow, Outcome};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::apply::at_once::Writing;
use crate::apply::state::{Ids, Places, State, numbers, places};
use crate::apply::{Numbers, asked};
use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::rows::{Columns, log_columns};

/// How often a batch is tried that lost against others. One attempt more settles a race for an action id; more than a few are
/// needed only by batches that take many such races at once.
const ATTEMPTS: u32 = 10;

/// Applies the batch, and again where it was rolled back because of what another transaction did at the same time.
pub(super) async fn apply(store: &PostgresStore, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    let mut attempt = 1;
    loop {
        match attempt_once(store.write_batch().await?, changes).await {
            Err(failure) if failure.lost_a_race() && attempt < ATTEMPTS => attempt += 1,
            Err(failure) if failure.lost_a_race() => return Err(Failure::Contended(Box::new(failure))),
            result => return result,
        }
    }
}

async fn attempt_once(mut tx: Transaction<'static, Postgres>, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    let places = lock(&mut tx, changes).await?;
    let numbers = numbers(&places);
    let state = State::read(&mut tx, changes, &places, Ids::None).await?;
    if state.boards.len() < places.len() {
        return Err(Failure::stored("a board without its season"));
    }
    let counted = counted(&mut tx, changes).await?;
    let counts = counts(&mut tx, changes, &numbers).await?;
    let State { boards, scores, rows, restrictions, admissions, actions_from, ground, .. } = state;
    let totals = boards.iter().map(|(id, board)| (id.clone(), board.total)).collect();
    let batch = Batch { boards, counted, scores, restrictions, counts, admissions, actions_from };
    let decided = batch.decide(changes);
    if !decided.rows.is_empty() {
        let written = Writing::of(&decided, &numbers, &ground, &rows, &totals).write(&mut tx).await;
        written.map_err(Failure::before_the_commit)?;
        commit(tx).await?;
    }
    Ok(decided.outcomes)
}

/// Locks the boards, all batches in the same order. What goes with them is read by statements that begin behind it: one that waits for a lock sees
/// the rows that it locked as they are after the wait, but those of other tables as they were before.
///
/// By their numbers, which the primary key has in their order: nothing is sorted here.
async fn lock(tx: &mut PgConnection, changes: &[Change]) -> Result<Places, Failure> {
    let names: HashSet<&str> = changes.iter().map(|change| change.board.as_str()).collect();
    let rows = sqlx::query(
        "SELECT id, no, season FROM boards
         WHERE no = ANY (ARRAY(SELECT no FROM boards WHERE id = ANY ($1))) ORDER BY no FOR UPDATE",
    )
    .bind(Vec::from_iter(names))
    .fetch_all(tx)
    .await?;
    places(&rows)
}

async fn counted(tx: &mut PgConnection, changes: &[Change]) -> Result<HashMap<ActionId, (BoardId, LogRow)>, Failure> {
    let ids: Vec<Uuid> = changes.iter().map(|change| change.action_id.as_uuid()).collect();
    // The bounds are for the planner: by them, and not by the array, it knows which parts of the log to leave alone.
    let (least, greatest) = (ids.iter().min().copied(), ids.iter().max().copied());
    let rows = sqlx::query(concat!(
        "SELECT boards.id, ",
        log_columns!(),
        " FROM log JOIN boards ON boards.no = log.board
          WHERE log.action_id = ANY ($1) AND log.action_id BETWEEN $2 AND $3"
    ))
    .bind(ids)
    .bind(least)
    .bind(greatest)
    .fetch_all(tx)
    .await?;
    let mut counted = HashMap::with_capacity(changes.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        let board = BoardId::new(columns.take()?)?;
        let row = columns.log_row()?;
        counted.insert(row.action_id, (board, row));
    }
    Ok(counted)
}

/// Only for the changes whose condition needs it; most batches have none. A user's rows are asked for in the order of users, for the reason for which
/// [scores](super::state) are: so they are looked up, and not the whole log of the board walked for each.
async fn counts(
    tx: &mut PgConnection,
    changes: &[Change],
    numbers: &Numbers,
) -> Result<HashMap<CountKey, u32>, Failure> {
    let keys: HashSet<_> = changes
        .iter()
        .filter(|change| numbers.contains_key(&change.board))
        .filter_map(|change| Some((&change.board, change.user_id, &change.kind, change.at_most?.since)))
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = Vec::from_iter(keys);
    let rows = sqlx::query(
        "SELECT named.key,
                (SELECT count(*) FROM (SELECT FROM log
                                       WHERE log.board = named.board AND log.user_id BETWEEN named.user_id AND named.user_id
                                         AND log.kind = named.kind AND log.at >= named.since AND log.origin <> 'correction'
                                       ORDER BY log.user_id) AS those)
         FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[]) WITH ORDINALITY
              AS named (board, user_id, kind, since, key)",
    )
    .bind(Vec::from_iter(keys.iter().map(|(board, ..)| numbers[*board])))
    .bind(Vec::from_iter(keys.iter().map(|(_, user, ..)| user.as_uuid())))
    .bind(Vec::from_iter(keys.iter().map(|(_, _, kind, _)| kind.as_str())))
    .bind(Vec::from_iter(keys.iter().map(|(.., since)| since.as_millis())))
    .fetch_all(tx)
    .await?;
    let mut counts = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        let (board, user, kind, since) = asked(&keys, columns.count()?)?;
        // More than any condition allows is as good as the largest.
        let count = u32::try_from(columns.count()?).unwrap_or(u32::MAX);
        counts.insert((board.clone(), user, kind.clone(), since), count);
    }
    Ok(counts)
}

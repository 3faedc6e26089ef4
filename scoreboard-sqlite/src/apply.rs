//! Applying a batch: a few reads, one decision, a few writes, however many changes it holds.
//!
//! What is asked for goes to SQL, and the rows that every batch needs come back, as one JSON array: the statements stay the same for
//! every size of batch, so that each is prepared once, and a batch costs the same few messages to the connection's thread and back. What is
//! written has more columns, which cost less if they are bound.

use std::collections::{BTreeMap, HashMap, HashSet};

use scoreboard_core::{
    ActionId, Batch, BoardId, BoardSpec, BoardState, Change, CountKey, Decided, KindId, LogRow, Outcome, Reached,
    Score, Timestamp, UserId, Version,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::connection::commit;
use crate::error::Failure;
use crate::json::{Rows, hex_array};
use crate::rows::{Columns, Word, log_columns};
use crate::values::Insert;

/// The numbers that boards go by inside the file.
type Numbers = HashMap<BoardId, i64>;

/// The newest row of a user's chain in a board's current season.
#[derive(Clone, Copy)]
struct Chain {
    /// Its version.
    end: Version,
    /// The latest time in the chain.
    at: Timestamp,
}

/// The chains of the users that a batch names, by their boards' numbers.
type Chains = HashMap<(i64, UserId), Chain>;

pub(crate) async fn apply(mut tx: Transaction<'static, Sqlite>, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    let (boards, numbers) = boards(&mut tx, changes).await?;
    let counted = counted(&mut tx, changes).await?;
    let (scores, chains) = standing(&mut tx, changes, &boards, &numbers).await?;
    let counts = counts(&mut tx, changes, &numbers).await?;
    let decided = Batch { boards, counted, scores, counts, actions_from: None }.decide(changes);
    if !decided.rows.is_empty() {
        write(&mut tx, &decided, &numbers, chains).await?;
        commit(tx).await?;
    }
    Ok(decided.outcomes)
}

async fn boards(
    tx: &mut SqliteConnection,
    changes: &[Change],
) -> Result<(HashMap<BoardId, BoardState>, Numbers), Failure> {
    let names: HashSet<&str> = changes.iter().map(|change| change.board.as_str()).collect();
    let rows = sqlx::query(
        "SELECT boards.id, boards.no, boards.direction, boards.operator, boards.tie_break,
                boards.season, meta.epoch, boards.version, seasons.total, boards.head
         FROM json_each(?) AS named CROSS JOIN boards ON boards.id = named.value
         JOIN seasons ON seasons.board = boards.no AND seasons.season = boards.season CROSS JOIN meta",
    )
    .bind(serde_json::to_string(&names).map_err(Failure::stored)?)
    .fetch_all(tx)
    .await?;

    let mut boards = HashMap::with_capacity(rows.len());
    let mut numbers = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        let id = BoardId::new(columns.take()?)?;
        numbers.insert(id.clone(), columns.take()?);
        // The decision looks at the operator and the order alone.
        let spec = BoardSpec {
            direction: columns.word()?,
            operator: columns.word()?,
            tie_break: columns.word()?,
            ..BoardSpec::new(id.clone())
        };
        let (season, position, total) = (columns.season()?, columns.position()?, columns.count()?);
        let state = BoardState { spec, season, position, total, head: columns.digest()? };
        boards.insert(id, state);
    }
    Ok((boards, numbers))
}

async fn counted(
    tx: &mut SqliteConnection,
    changes: &[Change],
) -> Result<HashMap<ActionId, (BoardId, LogRow)>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT boards.id, ",
        log_columns!(),
        " FROM json_each(?) AS named CROSS JOIN log ON log.action_id = unhex(named.value)
          JOIN boards ON boards.no = log.board"
    ))
    .bind(hex_array(changes.iter().map(|change| change.action_id.as_bytes())))
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

/// Where the users that the changes name stand, and where their chains end.
async fn standing(
    tx: &mut SqliteConnection,
    changes: &[Change],
    boards: &HashMap<BoardId, BoardState>,
    numbers: &Numbers,
) -> Result<(HashMap<(BoardId, UserId), Reached>, Chains), Failure> {
    let mut keys = Rows::new();
    let mut named = Vec::with_capacity(changes.len());
    for change in changes {
        let (Some(no), Some(board)) = (numbers.get(&change.board), boards.get(&change.board)) else { continue };
        keys.row().integer(*no).integer(i64::from(board.season.get())).bytes(change.user_id.as_bytes());
        named.push((&change.board, *no, change.user_id));
    }
    let json: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(named.key, scores.score, scores.reached, scores.updated_at,
                                            scores.chain_end, scores.chain_at))
         FROM jsonb_each(?) AS named CROSS JOIN scores
           ON scores.board = named.value ->> 0 AND scores.season = named.value ->> 1
          AND scores.user_id = unhex(named.value ->> 2)",
    )
    .bind(keys.json())
    .fetch_one(tx)
    .await?;
    let rows: Vec<(usize, Score, Version, i64, Version, i64)> = serde_json::from_str(&json).map_err(Failure::stored)?;
    let mut scores = HashMap::with_capacity(changes.len());
    let mut chains = HashMap::with_capacity(changes.len());
    for (key, score, version, at, end, latest) in rows {
        let (board, no, user) = named.get(key).ok_or_else(|| Failure::stored("a key that was not asked for"))?;
        scores.insert(((*board).clone(), *user), Reached { score, version, at: Timestamp::from_millis(at) });
        chains.insert((*no, *user), Chain { end, at: Timestamp::from_millis(latest) });
    }
    Ok((scores, chains))
}

/// Only for the changes whose condition needs it; most batches have none.
async fn counts(
    tx: &mut SqliteConnection,
    changes: &[Change],
    numbers: &Numbers,
) -> Result<HashMap<CountKey, u32>, Failure> {
    let mut keys = Rows::new();
    let mut named: Vec<(&BoardId, UserId, &KindId, Timestamp)> = Vec::new();
    for change in changes {
        let (Some(no), Some(at_most)) = (numbers.get(&change.board), change.at_most) else { continue };
        keys.row()
            .integer(*no)
            .bytes(change.user_id.as_bytes())
            .word(change.kind.as_str())
            .integer(at_most.since.as_millis());
        named.push((&change.board, change.user_id, &change.kind, at_most.since));
    }
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    let json: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(named.key,
                (WITH RECURSIVE chain (board, version, chained_to, kind, at) AS (
                    SELECT log.board, log.version, log.chained_to, log.kind, log.at
                    FROM seasons CROSS JOIN scores
                      ON scores.board = seasons.board AND scores.season = seasons.season
                     AND scores.user_id = unhex(named.value ->> 1)
                    CROSS JOIN log ON log.board = scores.board AND log.version = scores.chain_end
                    WHERE seasons.board = named.value ->> 0 AND log.chain_at >= named.value ->> 3
                    UNION ALL
                    SELECT log.board, log.version, log.chained_to, log.kind, log.at
                    FROM chain CROSS JOIN log ON log.board = chain.board AND log.version = chain.chained_to
                    WHERE log.chain_at >= named.value ->> 3)
                 SELECT count(*) FROM chain WHERE kind = named.value ->> 2 AND at >= named.value ->> 3)))
         FROM jsonb_each(?) AS named",
    )
    .bind(keys.json())
    .fetch_one(tx)
    .await?;
    let rows: Vec<(usize, u32)> = serde_json::from_str(&json).map_err(Failure::stored)?;
    let mut counts = HashMap::with_capacity(rows.len());
    for (key, count) in rows {
        let (board, user, kind, since) =
            *named.get(key).ok_or_else(|| Failure::stored("a key that was not asked for"))?;
        counts.insert((board.clone(), user, kind.clone(), since), count);
    }
    Ok(counts)
}

static LOG: Insert = Insert::new(
    "INSERT OR FAIL INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                              previous_score, previous_version, previous_at, score, at, chained_to, chain_at, digest)",
    18,
    "",
);

static SCORES: Insert = Insert::new(
    "INSERT OR FAIL INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie,
                                 chain_end, chain_at)",
    10,
    "ON CONFLICT (board, season, user_id) DO UPDATE
     SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
         order_score = excluded.order_score, order_tie = excluded.order_tie,
         chain_end = excluded.chain_end, chain_at = excluded.chain_at",
);

async fn write(
    tx: &mut SqliteConnection,
    decided: &Decided,
    numbers: &Numbers,
    mut chains: Chains,
) -> Result<(), Failure> {
    // Sorted, so that neighbours in the file are written one after the other.
    let mut last: BTreeMap<(i64, UserId), (&BoardState, &LogRow)> = BTreeMap::new();
    LOG.run(tx, &decided.rows, |values, (board, row)| {
        let no = numbers[board];
        let before = chains.get(&(no, row.user_id)).copied();
        let chain = Chain { end: row.position.version, at: before.map_or(row.at, |before| before.at.max(row.at)) };
        values
            .integer(no)
            .version(row.position.version)
            .number(row.position.epoch.get())
            .bytes(row.action_id.as_bytes())
            .bytes(row.fingerprint.as_bytes())
            .integer(i64::from(row.season.get()))
            .bytes(row.user_id.as_bytes())
            .word(row.kind.as_str())
            .integer(row.points.get())
            .word(row.origin.as_word())
            .reached(row.previous)
            .integer(row.score.get())
            .integer(row.at.as_millis())
            .earlier(before.map(|before| before.end))
            .integer(chain.at.as_millis())
            .digest(row.digest);
        chains.insert((no, row.user_id), chain);
        last.insert((no, row.user_id), (&decided.boards[board], row));
    })
    .await?;

    let last: Vec<_> = last.into_iter().collect();
    SCORES
        .run(tx, &last, |values, &((no, user), (board, row))| {
            let reached = row.reached();
            let key = board.spec.order().key(reached.score, reached.version);
            let chain = chains[&(no, user)];
            values
                .integer(no)
                .integer(i64::from(row.season.get()))
                .bytes(user.as_bytes())
                .reached(Some(reached))
                .integer(key.score)
                .integer(key.tie)
                .version(chain.end)
                .integer(chain.at.as_millis());
        })
        .await?;

    let mut boards = Rows::new();
    for (board, state) in &decided.boards {
        boards
            .row()
            .integer(numbers[board])
            .number(state.position.version.get())
            .integer(i64::from(state.season.get()))
            .number(state.total)
            .digest(state.head);
    }
    let boards = boards.json();
    sqlx::query(
        "UPDATE OR FAIL boards SET version = moved.value ->> 1, head = unhex(moved.value ->> 4)
         FROM jsonb_each(?) AS moved WHERE no = moved.value ->> 0",
    )
    .bind(&boards)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE OR FAIL seasons SET total = moved.value ->> 3 FROM jsonb_each(?) AS moved
         WHERE board = moved.value ->> 0 AND season = moved.value ->> 2",
    )
    .bind(&boards)
    .execute(tx)
    .await?;
    Ok(())
}

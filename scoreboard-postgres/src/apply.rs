//! Applying a batch: a lock, a few reads, one decision, a few writes, however many changes it holds.
//!
//! Rows go to SQL as one array a column: the statements stay the same for every size of batch, so that each is prepared once, and
//! a batch costs the same few messages to the server and back.

use std::collections::{BTreeMap, HashMap, HashSet};

use scoreboard_core::{
    ActionId, Batch, BoardId, BoardSpec, BoardState, Change, CountKey, Decided, Epoch, LogRow, Order, Outcome,
    Position, Reached, Restriction, RowDigest, Season, UserId, Visibility,
};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::rows::{Columns, Word, log_columns, number, season};

/// How often a batch is tried that lost against others. One attempt more settles a race for an action id; more than a few are
/// needed only by batches that take many such races at once.
const ATTEMPTS: u32 = 10;

/// The numbers that boards go by inside the database.
pub(crate) type Numbers = HashMap<BoardId, i64>;

/// Applies the batch, and again where it was rolled back because of what another transaction did at the same time.
pub(crate) async fn apply(store: &PostgresStore, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    let mut attempt = 1;
    loop {
        match attempt_once(store.write().await?, changes).await {
            Err(failure) if failure.lost_a_race() && attempt < ATTEMPTS => attempt += 1,
            Err(failure) if failure.lost_a_race() => return Err(Failure::Contended(Box::new(failure))),
            result => return result,
        }
    }
}

async fn attempt_once(mut tx: Transaction<'static, Postgres>, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    let (boards, numbers, actions_from) = boards(&mut tx, changes).await?;
    let counted = counted(&mut tx, changes).await?;
    let (scores, restrictions) = scores(&mut tx, changes, &boards, &numbers).await?;
    let counts = counts(&mut tx, changes, &numbers).await?;
    let decided = Batch { boards, counted, scores, restrictions, counts, actions_from }.decide(changes);
    if !decided.rows.is_empty() {
        write(&mut tx, &decided, &numbers).await?;
        commit(tx).await?;
    }
    Ok(decided.outcomes)
}

/// Locks the boards, all batches in the same order, and then reads what goes with them: a statement that waits for a lock sees the
/// rows that it locked as they are after the wait, but those of other tables as they were before.
async fn boards(
    tx: &mut PgConnection,
    changes: &[Change],
) -> Result<(HashMap<BoardId, BoardState>, Numbers, Option<ActionId>), Failure> {
    let names: HashSet<&str> = changes.iter().map(|change| change.board.as_str()).collect();
    let rows = sqlx::query(
        "SELECT id, no, direction, operator, tie_break, season, version, head FROM boards
         WHERE id = ANY ($1) ORDER BY no FOR UPDATE",
    )
    .bind(Vec::from_iter(names))
    .fetch_all(&mut *tx)
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
        let season = columns.season()?;
        let position = Position { epoch: Epoch::new(0), version: columns.version()? };
        boards.insert(id, BoardState { spec, season, position, total: 0, head: columns.digest()? });
    }

    let rows = sqlx::query(
        "SELECT boards.id, meta.epoch, seasons.total, meta.actions_from
         FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = boards.season JOIN meta ON meta.one = 1
         WHERE boards.no = ANY ($1)",
    )
    .bind(Vec::from_iter(numbers.values().copied()))
    .fetch_all(tx)
    .await?;
    let mut actions_from = None;
    for row in &rows {
        let mut columns = Columns::of(row);
        let id = BoardId::new(columns.take()?)?;
        let board = boards.get_mut(&id).ok_or_else(|| Failure::stored("a board that was not asked for"))?;
        board.position.epoch = Epoch::new(columns.count()?);
        board.total = columns.count()?;
        actions_from = columns.take::<Option<Uuid>>()?.map(ActionId::from_uuid);
    }
    if rows.len() != boards.len() {
        return Err(Failure::stored("a board without its season"));
    }
    Ok((boards, numbers, actions_from))
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

/// What the users that the changes name have, and may not. Whoever has something aside has that: what is shown of them is no matter of theirs.
///
/// Each is looked for as the first from its id to its id, which the order of the primary key answers best. Asked for by equality, while the
/// planner knows nothing of the table yet, it may as well walk the whole board in the order of its ranks until it meets the user.
async fn scores(
    tx: &mut PgConnection,
    changes: &[Change],
    boards: &HashMap<BoardId, BoardState>,
    numbers: &Numbers,
) -> Result<(HashMap<(BoardId, UserId), Reached>, HashMap<UserId, Restriction>), Failure> {
    let keys: HashSet<(&BoardId, UserId)> = changes
        .iter()
        .filter(|change| numbers.contains_key(&change.board))
        .map(|change| (&change.board, change.user_id))
        .collect();
    let keys = Vec::from_iter(keys);
    let rows = sqlx::query(
        "SELECT named.key, restricted.restriction,
                CASE WHEN aside.user_id IS NULL THEN found.score ELSE aside.score END,
                CASE WHEN aside.user_id IS NULL THEN found.reached ELSE aside.reached END,
                CASE WHEN aside.user_id IS NULL THEN found.updated_at ELSE aside.updated_at END
         FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
         LEFT JOIN LATERAL (
             SELECT * FROM scores
             WHERE scores.board = named.board AND scores.season = named.season
               AND scores.user_id BETWEEN named.user_id AND named.user_id
             ORDER BY scores.user_id LIMIT 1) AS found ON true
         LEFT JOIN LATERAL (
             SELECT * FROM withheld
             WHERE withheld.board = named.board AND withheld.season = named.season
               AND withheld.user_id BETWEEN named.user_id AND named.user_id
             ORDER BY withheld.user_id LIMIT 1) AS aside ON true
         LEFT JOIN LATERAL (
             SELECT * FROM restrictions WHERE restrictions.user_id BETWEEN named.user_id AND named.user_id
             ORDER BY restrictions.user_id LIMIT 1) AS restricted ON true",
    )
    .bind(Vec::from_iter(keys.iter().map(|(board, _)| numbers[*board])))
    .bind(Vec::from_iter(keys.iter().map(|(board, _)| season(boards[*board].season))))
    .bind(Vec::from_iter(keys.iter().map(|(_, user)| user.as_uuid())))
    .fetch_all(tx)
    .await?;
    let (mut scores, mut restrictions) = (HashMap::with_capacity(keys.len()), HashMap::new());
    for row in &rows {
        let mut columns = Columns::of(row);
        let (board, user) = asked(&keys, columns.count()?)?;
        if let Some(restriction) = columns.word_if()? {
            restrictions.insert(user, restriction);
        }
        if let Some(reached) = columns.reached_before()? {
            scores.insert((board.clone(), user), reached);
        }
    }
    Ok((scores, restrictions))
}

/// Only for the changes whose condition needs it; most batches have none.
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
                (SELECT count(*) FROM log WHERE log.board = named.board AND log.user_id = named.user_id
                                            AND log.kind = named.kind AND log.at >= named.since
                                            AND log.origin <> 'correction')
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

/// The key by its place among those that were asked for, counted from 1.
fn asked<K: Copy>(keys: &[K], place: u64) -> Result<K, Failure> {
    let index = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
    index.and_then(|index| keys.get(index).copied()).ok_or_else(|| Failure::stored("a key that was not asked for"))
}

async fn write(tx: &mut PgConnection, decided: &Decided, numbers: &Numbers) -> Result<(), Failure> {
    write_log(tx, &decided.rows, numbers).await?;
    let season = |board: &BoardId| decided.boards[board].season;
    // Sorted, so that neighbours in the index are written one after the other.
    let scores = decided.scores.iter().map(|((board, user), reached)| {
        ((numbers[board], season(board), *user), (decided.boards[board].spec.order(), *reached))
    });
    write_scores(tx, &scores.collect()).await?;
    let withheld = decided.withheld.iter();
    let withheld = withheld.map(|((board, user), reached)| ((numbers[board], season(board), *user), *reached));
    write_withheld(tx, &withheld.collect()).await?;
    let totals = decided.boards.iter().map(|(board, state)| ((board.clone(), state.season), state.total)).collect();
    write_boards(tx, &decided.boards, &totals, numbers).await
}

/// A user in a season of a board, by its number.
pub(crate) type Key = (i64, Season, UserId);

pub(crate) async fn write_log(
    tx: &mut PgConnection,
    rows: &[(BoardId, LogRow)],
    numbers: &Numbers,
) -> Result<(), Failure> {
    let all = || rows.iter().map(|(_, row)| row);
    let previous = || all().map(|row| row.previous);
    sqlx::query(
        "INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                          previous_score, previous_version, previous_at, score, at, visibility, corrected_version, corrected_at,
                          digest)
         SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::uuid[]),
                unnest($6::bigint[]), unnest($7::uuid[]), unnest($8::text[]), unnest($9::bigint[]), unnest($10::text[]),
                unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::bigint[]),
                unnest($16::text[]), unnest($17::bigint[]), unnest($18::bigint[]), unnest($19::bytea[])",
    )
    .bind(Vec::from_iter(rows.iter().map(|(board, _)| numbers[board])))
    .bind(Vec::from_iter(all().map(|row| number(row.position.version.get()))))
    .bind(Vec::from_iter(all().map(|row| number(row.position.epoch.get()))))
    .bind(Vec::from_iter(all().map(|row| row.action_id.as_uuid())))
    .bind(Vec::from_iter(all().map(|row| Uuid::from_bytes(*row.fingerprint.as_bytes()))))
    .bind(Vec::from_iter(all().map(|row| season(row.season))))
    .bind(Vec::from_iter(all().map(|row| row.user_id.as_uuid())))
    .bind(Vec::from_iter(all().map(|row| row.kind.as_str())))
    .bind(Vec::from_iter(all().map(|row| row.points.get())))
    .bind(Vec::from_iter(all().map(|row| row.origin.as_word())))
    .bind(Vec::from_iter(previous().map(|previous| previous.map(|reached| reached.score.get()))))
    .bind(Vec::from_iter(previous().map(|previous| previous.map(|reached| number(reached.version.get())))))
    .bind(Vec::from_iter(previous().map(|previous| previous.map(|reached| reached.at.as_millis()))))
    .bind(Vec::from_iter(all().map(|row| row.score.get())))
    .bind(Vec::from_iter(all().map(|row| row.at.as_millis())))
    .bind(Vec::from_iter(all().map(|row| (row.visibility != Visibility::Shown).then(|| row.visibility.as_word()))))
    .bind(Vec::from_iter(all().map(|row| row.corrected.map(|reached| number(reached.version.get())))))
    .bind(Vec::from_iter(all().map(|row| row.corrected.map(|reached| reached.at.as_millis()))))
    .bind(Vec::from_iter(all().map(|row| row.digest.as_ref().map(bytes))))
    .execute(tx)
    .await?;
    Ok(())
}

/// What is shown of users.
pub(crate) async fn write_scores(
    tx: &mut PgConnection,
    sorted: &BTreeMap<Key, (Order, Reached)>,
) -> Result<(), Failure> {
    if sorted.is_empty() {
        return Ok(());
    }
    let keys = || sorted.values().map(|(order, reached)| order.key(reached.score, reached.version));
    sqlx::query(
        "INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie)
         SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]),
                unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[])
         ON CONFLICT (board, season, user_id) DO UPDATE
         SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
             order_score = excluded.order_score, order_tie = excluded.order_tie",
    )
    .bind(Vec::from_iter(sorted.keys().map(|(board, ..)| *board)))
    .bind(Vec::from_iter(sorted.keys().map(|(_, of, _)| season(*of))))
    .bind(Vec::from_iter(sorted.keys().map(|(.., user)| user.as_uuid())))
    .bind(Vec::from_iter(sorted.values().map(|(_, reached)| reached.score.get())))
    .bind(Vec::from_iter(sorted.values().map(|(_, reached)| number(reached.version.get()))))
    .bind(Vec::from_iter(sorted.values().map(|(_, reached)| reached.at.as_millis())))
    .bind(Vec::from_iter(keys().map(|key| key.score)))
    .bind(Vec::from_iter(keys().map(|key| key.tie)))
    .execute(tx)
    .await?;
    Ok(())
}

/// What users have, and others are not shown.
pub(crate) async fn write_withheld(tx: &mut PgConnection, sorted: &BTreeMap<Key, Reached>) -> Result<(), Failure> {
    if sorted.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO withheld (board, season, user_id, score, reached, updated_at)
         SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]),
                unnest($5::bigint[]), unnest($6::bigint[])
         ON CONFLICT (board, season, user_id) DO UPDATE
         SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at",
    )
    .bind(Vec::from_iter(sorted.keys().map(|(board, ..)| *board)))
    .bind(Vec::from_iter(sorted.keys().map(|(_, of, _)| season(*of))))
    .bind(Vec::from_iter(sorted.keys().map(|(.., user)| user.as_uuid())))
    .bind(Vec::from_iter(sorted.values().map(|reached| reached.score.get())))
    .bind(Vec::from_iter(sorted.values().map(|reached| number(reached.version.get()))))
    .bind(Vec::from_iter(sorted.values().map(|reached| reached.at.as_millis())))
    .execute(tx)
    .await?;
    Ok(())
}

/// The versions of the boards that moved, and the totals of seasons.
pub(crate) async fn write_boards(
    tx: &mut PgConnection,
    moved: &HashMap<BoardId, BoardState>,
    totals: &HashMap<(BoardId, Season), u64>,
    numbers: &Numbers,
) -> Result<(), Failure> {
    // Most batches bring nobody new.
    sqlx::query(
        "WITH counted AS (
             UPDATE seasons SET total = counted.total
             FROM (SELECT unnest($3::bigint[]) AS board, unnest($4::bigint[]) AS season, unnest($5::bigint[]) AS total) AS counted
             WHERE seasons.board = counted.board AND seasons.season = counted.season AND seasons.total <> counted.total)
         UPDATE boards SET version = moved.version, head = moved.head
         FROM (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS version, unnest($6::bytea[]) AS head) AS moved
         WHERE boards.no = moved.board",
    )
    .bind(Vec::from_iter(moved.keys().map(|board| numbers[board])))
    .bind(Vec::from_iter(moved.values().map(|state| number(state.position.version.get()))))
    .bind(Vec::from_iter(totals.keys().map(|(board, _)| numbers[board])))
    .bind(Vec::from_iter(totals.keys().map(|(_, of)| season(*of))))
    .bind(Vec::from_iter(totals.values().map(|total| number(*total))))
    .bind(Vec::from_iter(moved.values().map(|state| state.head.as_ref().map(bytes))))
    .execute(tx)
    .await?;
    Ok(())
}

/// As the database takes an array of them.
fn bytes(digest: &RowDigest) -> &[u8] {
    digest.as_bytes()
}

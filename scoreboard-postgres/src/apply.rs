//! Applying a batch: a lock, a few reads, one decision, a few writes, however many changes it holds.
//!
//! Rows go to SQL as one array a column: the statements stay the same for every size of batch, so that each is prepared once, and
//! a batch costs the same few messages to the server and back.

use std::collections::{BTreeMap, HashMap, HashSet};

use scoreboard_core::{
    ActionId, Batch, BoardId, BoardSpec, BoardState, Change, CountKey, Decided, Epoch, LogRow, Outcome, Position,
    Reached, Restriction, UserId,
};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::place_of_row::PlaceOfRow;
use crate::rows::{Columns, log_columns, season};

mod write;

use write::change_scores;
pub(crate) use write::{write_boards, write_log, write_scores, write_withheld};

/// How often a batch is tried that lost against others. One attempt more settles a race for an action id; more than a few are
/// needed only by batches that take many such races at once.
const ATTEMPTS: u32 = 10;

/// The numbers that boards go by inside the database.
pub(crate) type Numbers = HashMap<BoardId, i64>;

/// Applies the batch, and again where it was rolled back because of what another transaction did at the same time.
pub(crate) async fn apply(store: &PostgresStore, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
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
    let (boards, numbers, actions_from) = boards(&mut tx, changes).await?;
    let counted = counted(&mut tx, changes).await?;
    let Standing { scores, places, restrictions } = standing(&mut tx, changes, &boards, &numbers).await?;
    let counts = counts(&mut tx, changes, &numbers).await?;
    let totals = boards.iter().map(|(id, board)| (id.clone(), board.total)).collect();
    let decided = Batch { boards, counted, scores, restrictions, counts, actions_from }.decide(changes);
    if !decided.rows.is_empty() {
        write(&mut tx, &decided, &numbers, &places, &totals).await?;
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

/// What the users that the changes name have, and may not.
#[derive(Default)]
struct Standing {
    scores: HashMap<(BoardId, UserId), Reached>,
    /// Where those lie who are on the board.
    places: HashMap<(BoardId, UserId), PlaceOfRow>,
    restrictions: HashMap<UserId, Restriction>,
}

/// Whoever has something aside has that: what is shown of them is no matter of theirs. Only who is restricted has.
///
/// Each score is looked for as the first from its user's id to that id, which the order of the primary key answers best. Asked for by equality,
/// while the planner knows nothing of the table yet, it may as well walk the whole board in the order of its ranks until it meets the user.
async fn standing(
    tx: &mut PgConnection,
    changes: &[Change],
    boards: &HashMap<BoardId, BoardState>,
    numbers: &Numbers,
) -> Result<Standing, Failure> {
    let keys: HashSet<(&BoardId, UserId)> = changes
        .iter()
        .filter(|change| numbers.contains_key(&change.board))
        .map(|change| (&change.board, change.user_id))
        .collect();
    let keys = Vec::from_iter(keys);
    let rows = sqlx::query(
        "SELECT named.key, found.place, NULL, found.score, found.reached, found.updated_at
         FROM unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
         CROSS JOIN LATERAL (
             SELECT scores.ctid AS place, score, reached, updated_at FROM scores
             WHERE scores.board = named.board AND scores.season = named.season
               AND scores.user_id BETWEEN named.user_id AND named.user_id
             ORDER BY scores.user_id LIMIT 1) AS found
         UNION ALL
         SELECT named.key, NULL, restrictions.restriction, withheld.score, withheld.reached, withheld.updated_at
         FROM restrictions
         JOIN unnest($1::bigint[], $2::bigint[], $3::uuid[]) WITH ORDINALITY AS named (board, season, user_id, key)
           ON named.user_id = restrictions.user_id
         LEFT JOIN withheld
           ON withheld.board = named.board AND withheld.season = named.season AND withheld.user_id = named.user_id
         WHERE restrictions.user_id = ANY ($3)",
    )
    .bind(Vec::from_iter(keys.iter().map(|(board, _)| numbers[*board])))
    .bind(Vec::from_iter(keys.iter().map(|(board, _)| season(boards[*board].season))))
    .bind(Vec::from_iter(keys.iter().map(|(_, user)| user.as_uuid())))
    .fetch_all(tx)
    .await?;
    let mut standing = Standing::default();
    for row in &rows {
        let mut columns = Columns::of(row);
        let (board, user) = asked(&keys, columns.count()?)?;
        let key = (board.clone(), user);
        let place: Option<PlaceOfRow> = columns.take()?;
        if let Some(restriction) = columns.word_if()? {
            standing.restrictions.insert(user, restriction);
        }
        match (place, columns.reached_before()?) {
            (Some(place), Some(shown)) => {
                standing.places.insert(key.clone(), place);
                standing.scores.entry(key).or_insert(shown);
            }
            (_, Some(aside)) => drop(standing.scores.insert(key, aside)),
            (_, None) => {}
        }
    }
    Ok(standing)
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

async fn write(
    tx: &mut PgConnection,
    decided: &Decided,
    numbers: &Numbers,
    places: &HashMap<(BoardId, UserId), PlaceOfRow>,
    totals: &HashMap<BoardId, u64>,
) -> Result<(), Failure> {
    write_log(tx, &decided.rows, numbers).await?;
    let season = |board: &BoardId| decided.boards[board].season;
    // Sorted, so that neighbours in the index are written one after the other.
    let (mut changed, mut new) = (BTreeMap::new(), BTreeMap::new());
    for (key, reached) in &decided.scores {
        let (board, user) = key;
        let (sorted, order) = ((numbers[board], season(board), *user), decided.boards[board].spec.order());
        match places.get(key) {
            Some(place) => drop(changed.insert(sorted, (*place, *user, order, *reached))),
            None => drop(new.insert(sorted, (order, *reached))),
        }
    }
    change_scores(tx, &Vec::from_iter(changed.into_values())).await?;
    write_scores(tx, &new).await?;
    let withheld = decided.withheld.iter();
    let withheld = withheld.map(|((board, user), reached)| ((numbers[board], season(board), *user), *reached));
    write_withheld(tx, &withheld.collect()).await?;
    let moved = decided.boards.iter().filter(|(board, state)| totals.get(*board) != Some(&state.total));
    let totals = moved.map(|(board, state)| ((board.clone(), state.season), state.total)).collect();
    write_boards(tx, &decided.boards, &totals, numbers).await
}

//! Applying a batch: a few reads, one decision, a few writes, however many changes it holds.
//!
//! What is asked for goes to SQL, and the rows that every batch needs come back, as one JSON array: the statements stay the same for
//! every size of batch, so that each is prepared once, and a batch costs the same few messages to the connection's thread and back. What is
//! written has more columns, which cost less if they are bound.

use std::collections::{BTreeMap, HashMap, HashSet};

use scoreboard_core::{
    ActionId, Admissions, Batch, BoardId, BoardSpec, BoardState, Change, CountKey, Decided, KindId, LogRow, Order,
    Outcome, Reached, Restriction, Score, Season, Timestamp, UserId, Version, Visibility,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::connection::commit;
use crate::error::Failure;
use crate::json::{Rows, hex_array};
use crate::rows::{Columns, Word, log_columns};
use crate::values::Insert;

/// The numbers that boards go by inside the file.
pub(crate) type Numbers = HashMap<BoardId, i64>;

/// The newest row of a user's chain in a season of a board.
#[derive(Clone, Copy)]
pub(crate) struct Chain {
    /// Its version.
    pub(crate) end: Version,
    /// The latest time in the chain.
    pub(crate) at: Timestamp,
    /// Whether it is kept aside, with what is not shown.
    pub(crate) is_aside: bool,
}

/// The chains of users, by their boards' numbers.
pub(crate) type Chains = HashMap<(i64, Season, UserId), Chain>;

/// When changes of users were admitted, as it is kept.
pub(crate) type Kept = HashMap<Key, Vec<u8>>;

/// What a batch finds of the users that it names.
#[derive(Default)]
struct Standing {
    scores: HashMap<(BoardId, UserId), Reached>,
    restrictions: HashMap<UserId, Restriction>,
    admissions: HashMap<(BoardId, UserId), Admissions>,
    chains: Chains,
}

pub(crate) async fn apply(mut tx: Transaction<'static, Sqlite>, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    let (boards, numbers) = boards(&mut tx, changes.iter().map(|change| &change.board)).await?;
    let counted = counted(&mut tx, changes).await?;
    let Standing { scores, restrictions, admissions, chains } = standing(&mut tx, changes, &boards, &numbers).await?;
    let counts = counts(&mut tx, changes, &numbers).await?;
    let batch = Batch { boards, counted, scores, restrictions, counts, admissions, actions_from: None };
    let decided = batch.decide(changes);
    if !decided.rows.is_empty() {
        write(&mut tx, &decided, &numbers, chains).await?;
        commit(tx).await?;
    }
    Ok(decided.outcomes)
}

pub(crate) async fn boards(
    tx: &mut SqliteConnection,
    names: impl Iterator<Item = &BoardId>,
) -> Result<(HashMap<BoardId, BoardState>, Numbers), Failure> {
    let names: HashSet<&str> = names.map(BoardId::as_str).collect();
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

/// What the users that the changes name have, what they may not, and where their chains end.
async fn standing(
    tx: &mut SqliteConnection,
    changes: &[Change],
    boards: &HashMap<BoardId, BoardState>,
    numbers: &Numbers,
) -> Result<Standing, Failure> {
    let mut keys = Rows::new();
    let mut named = Vec::with_capacity(changes.len());
    for change in changes {
        let (Some(no), Some(board)) = (numbers.get(&change.board), boards.get(&change.board)) else { continue };
        keys.row().integer(*no).integer(i64::from(board.season.get())).bytes(change.user_id.as_bytes());
        named.push((&change.board, *no, board.season, change.user_id));
    }
    // Whoever has something aside has that; what is shown of them is no matter of theirs.
    let json: String = sqlx::query_scalar(
        "SELECT json_group_array(json_array(named.key,
                    iif(withheld.chain_end IS NULL, scores.score, withheld.score),
                    iif(withheld.chain_end IS NULL, scores.reached, withheld.reached),
                    iif(withheld.chain_end IS NULL, scores.updated_at, withheld.updated_at),
                    coalesce(withheld.chain_end, scores.chain_end), coalesce(withheld.chain_at, scores.chain_at),
                    withheld.chain_end IS NOT NULL, restrictions.restriction,
                    hex(coalesce(withheld.admissions, scores.admissions))))
         FROM jsonb_each(?) AS named
         LEFT JOIN scores
           ON scores.board = named.value ->> 0 AND scores.season = named.value ->> 1
          AND scores.user_id = unhex(named.value ->> 2)
         LEFT JOIN withheld
           ON withheld.board = named.value ->> 0 AND withheld.season = named.value ->> 1
          AND withheld.user_id = unhex(named.value ->> 2)
         LEFT JOIN restrictions ON restrictions.user_id = unhex(named.value ->> 2)
         WHERE coalesce(scores.user_id, withheld.user_id, restrictions.user_id) IS NOT NULL",
    )
    .bind(keys.json())
    .fetch_one(tx)
    .await?;
    type Found = (
        usize,
        Option<Score>,
        Option<Version>,
        Option<i64>,
        Option<Version>,
        Option<i64>,
        u8,
        Option<Restriction>,
        String,
    );
    let rows: Vec<Found> = serde_json::from_str(&json).map_err(Failure::stored)?;
    let mut standing = Standing::default();
    for (key, score, version, at, end, latest, is_aside, restriction, admitted) in rows {
        let (board, no, season, user) =
            *named.get(key).ok_or_else(|| Failure::stored("a key that was not asked for"))?;
        if let (Some(score), Some(version), Some(at)) = (score, version, at) {
            let at = Timestamp::from_millis(at);
            standing.scores.insert((board.clone(), user), Reached { score, version, at });
        }
        if let (Some(end), Some(latest)) = (end, latest) {
            let chain = Chain { end, at: Timestamp::from_millis(latest), is_aside: is_aside > 0 };
            standing.chains.insert((no, season, user), chain);
        }
        if let Some(restriction) = restriction {
            standing.restrictions.insert(user, restriction);
        }
        if !admitted.is_empty() {
            let admissions = hex::decode(admitted).ok().and_then(|bytes| Admissions::from_bytes(&bytes));
            let admissions = admissions.ok_or_else(|| Failure::stored("times of admissions that are none"))?;
            standing.admissions.insert((board.clone(), user), admissions);
        }
    }
    Ok(standing)
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
                (WITH RECURSIVE chain (board, version, chained_to, kind, at, origin) AS (
                    SELECT log.board, log.version, log.chained_to, log.kind, log.at, log.origin
                    FROM seasons
                    LEFT JOIN scores
                      ON scores.board = seasons.board AND scores.season = seasons.season
                     AND scores.user_id = unhex(named.value ->> 1)
                    LEFT JOIN withheld
                      ON withheld.board = seasons.board AND withheld.season = seasons.season
                     AND withheld.user_id = unhex(named.value ->> 1)
                    CROSS JOIN log
                      ON log.board = seasons.board AND log.version = coalesce(withheld.chain_end, scores.chain_end)
                    WHERE seasons.board = named.value ->> 0 AND log.chain_at >= named.value ->> 3
                    UNION ALL
                    SELECT log.board, log.version, log.chained_to, log.kind, log.at, log.origin
                    FROM chain CROSS JOIN log ON log.board = chain.board AND log.version = chain.chained_to
                    WHERE log.chain_at >= named.value ->> 3)
                 SELECT count(*) FROM chain
                 WHERE kind = named.value ->> 2 AND at >= named.value ->> 3 AND origin <> 'correction')))
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
                              previous_score, previous_version, previous_at, score, at, visibility,
                              corrected_version, corrected_at, chained_to, chain_at, digest)",
    21,
    "",
);

static SCORES: Insert = Insert::new(
    "INSERT OR FAIL INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie,
                                 chain_end, chain_at, admissions)",
    11,
    "ON CONFLICT (board, season, user_id) DO UPDATE
     SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
         order_score = excluded.order_score, order_tie = excluded.order_tie,
         chain_end = excluded.chain_end, chain_at = excluded.chain_at,
         admissions = coalesce(excluded.admissions, admissions)",
);

static WITHHELD: Insert = Insert::new(
    "INSERT OR FAIL INTO withheld (board, season, user_id, score, reached, updated_at, chain_end, chain_at,
                                   admissions)",
    9,
    "ON CONFLICT (board, season, user_id) DO UPDATE
     SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
         chain_end = excluded.chain_end, chain_at = excluded.chain_at,
         admissions = coalesce(excluded.admissions, admissions)",
);

/// What is written of a user in a season of a board: by number, so that neighbours in the file are written one after the other.
pub(crate) type Key = (i64, Season, UserId);

async fn write(
    tx: &mut SqliteConnection,
    decided: &Decided,
    numbers: &Numbers,
    mut chains: Chains,
) -> Result<(), Failure> {
    let were_aside: HashSet<Key> = chains.iter().filter(|(_, chain)| chain.is_aside).map(|(key, _)| *key).collect();
    write_log(tx, &decided.rows, numbers, &mut chains).await?;
    let (mut shown, mut aside) = (BTreeMap::new(), BTreeMap::new());
    for (board, row) in &decided.rows {
        let Some(reached) = row.after() else { continue };
        let key = (numbers[board], row.season, row.user_id);
        if row.visibility == Visibility::Shown {
            shown.insert(key, (decided.boards[board].spec.order(), reached));
        } else {
            aside.insert(key, Some(reached));
        }
    }
    let kept = decided.admissions.iter().filter_map(|((board, user), admissions)| {
        Some(((numbers[board], decided.boards.get(board)?.season, *user), admissions.to_bytes()?))
    });
    let kept = kept.collect();
    write_shown(tx, shown, &chains, &kept).await?;
    // Who had nothing left has something again, and is as any other.
    for key in decided_keys(decided, numbers).filter(|key| were_aside.contains(key) && !aside.contains_key(key)) {
        remove_aside(tx, key).await?;
    }
    write_aside(tx, aside, &chains, &kept).await?;

    let totals = decided.boards.iter().map(|(board, state)| ((board.clone(), state.season), state.total)).collect();
    write_boards(tx, &decided.boards, &totals, numbers).await
}

fn decided_keys(decided: &Decided, numbers: &Numbers) -> impl Iterator<Item = Key> {
    decided.rows.iter().map(|(board, row)| (numbers[board], row.season, row.user_id))
}

/// Appends rows, each to the end of its user's chain.
pub(crate) async fn write_log(
    tx: &mut SqliteConnection,
    rows: &[(BoardId, LogRow)],
    numbers: &Numbers,
    chains: &mut Chains,
) -> Result<(), Failure> {
    LOG.run(tx, rows, |values, (board, row)| {
        let no = numbers[board];
        let key = (no, row.season, row.user_id);
        let before = chains.get(&key).copied();
        let at = before.map_or(row.at, |before| before.at.max(row.at));
        let chain = Chain { end: row.position.version, at, is_aside: false };
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
            .word_if((row.visibility != Visibility::Shown).then(|| row.visibility.as_word()))
            .reached_when(row.corrected)
            .earlier(before.map(|before| before.end))
            .integer(chain.at.as_millis())
            .digest(row.digest);
        chains.insert(key, chain);
    })
    .await
}

/// What is shown of users. Of whom nothing new is to be kept, what is there stays.
pub(crate) async fn write_shown(
    tx: &mut SqliteConnection,
    shown: BTreeMap<Key, (Order, Reached)>,
    chains: &Chains,
    kept: &Kept,
) -> Result<(), Failure> {
    let shown: Vec<_> = shown.into_iter().collect();
    SCORES
        .run(tx, &shown, |values, &((no, season, user), (order, reached))| {
            let key = order.key(reached.score, reached.version);
            let chain = chains[&(no, season, user)];
            values
                .integer(no)
                .integer(i64::from(season.get()))
                .bytes(user.as_bytes())
                .reached(Some(reached))
                .integer(key.score)
                .integer(key.tie)
                .version(chain.end)
                .integer(chain.at.as_millis())
                .kept(kept.get(&(no, season, user)));
        })
        .await
}

/// What users have, and others are not shown. As above.
pub(crate) async fn write_aside(
    tx: &mut SqliteConnection,
    aside: BTreeMap<Key, Option<Reached>>,
    chains: &Chains,
    kept: &Kept,
) -> Result<(), Failure> {
    let aside: Vec<_> = aside.into_iter().collect();
    WITHHELD
        .run(tx, &aside, |values, &((no, season, user), reached)| {
            let chain = chains[&(no, season, user)];
            values
                .integer(no)
                .integer(i64::from(season.get()))
                .bytes(user.as_bytes())
                .reached(reached)
                .version(chain.end)
                .integer(chain.at.as_millis())
                .kept(kept.get(&(no, season, user)));
        })
        .await
}

pub(crate) async fn remove_aside(tx: &mut SqliteConnection, (no, season, user): Key) -> Result<(), Failure> {
    sqlx::query("DELETE FROM withheld WHERE board = ? AND season = ? AND user_id = ?")
        .bind(no)
        .bind(season.get())
        .bind(user.as_bytes().as_slice())
        .execute(tx)
        .await?;
    Ok(())
}

/// The versions of the boards that moved, and the totals of seasons.
pub(crate) async fn write_boards(
    tx: &mut SqliteConnection,
    moved: &HashMap<BoardId, BoardState>,
    totals: &HashMap<(BoardId, Season), u64>,
    numbers: &Numbers,
) -> Result<(), Failure> {
    let mut boards = Rows::new();
    for (board, state) in moved {
        boards.row().integer(numbers[board]).number(state.position.version.get()).digest(state.head);
    }
    sqlx::query(
        "UPDATE OR FAIL boards SET version = moved.value ->> 1, head = unhex(moved.value ->> 2)
         FROM jsonb_each(?) AS moved WHERE no = moved.value ->> 0",
    )
    .bind(boards.json())
    .execute(&mut *tx)
    .await?;
    let mut seasons = Rows::new();
    for ((board, season), total) in totals {
        seasons.row().integer(numbers[board]).integer(i64::from(season.get())).number(*total);
    }
    sqlx::query(
        "UPDATE OR FAIL seasons SET total = counted.value ->> 2 FROM jsonb_each(?) AS counted
         WHERE board = counted.value ->> 0 AND season = counted.value ->> 1",
    )
    .bind(seasons.json())
    .execute(tx)
    .await?;
    Ok(())
}

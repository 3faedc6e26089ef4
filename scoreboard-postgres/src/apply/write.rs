//! What a batch, or a decision of a moderator, writes: rows as one array a column, however many there are.

use std::collections::{BTreeMap, HashMap};

use scoreboard_core::{BoardId, BoardState, LogRow, Order, Reached, RowDigest, Season, UserId, Visibility};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};
use uuid::Uuid;

use crate::apply::Numbers;
use crate::error::Failure;
use crate::rows::{Word, number, season};

/// To which arguments are added.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A user in a season of a board, by its number.
pub(crate) type Key = (i64, Season, UserId);

pub(crate) async fn write_log(
    tx: &mut PgConnection,
    rows: &[(BoardId, LogRow)],
    numbers: &Numbers,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                          previous_score, previous_version, previous_at, score, at, visibility, corrected_version, corrected_at,
                          digest)
         SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::uuid[]),
                unnest($6::bigint[]), unnest($7::uuid[]), unnest($8::text[]), unnest($9::bigint[]), unnest($10::text[]),
                unnest($11::bigint[]), unnest($12::bigint[]), unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::bigint[]),
                unnest($16::text[]), unnest($17::bigint[]), unnest($18::bigint[]), unnest($19::bytea[])",
    );
    bind_log(query, rows, numbers).execute(tx).await?;
    Ok(())
}

/// `$1` to `$19`.
pub(super) fn bind_log<'q>(query: Statement<'q>, rows: &'q [(BoardId, LogRow)], numbers: &Numbers) -> Statement<'q> {
    let all = || rows.iter().map(|(_, row)| row);
    let previous = || all().map(|row| row.previous);
    query
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
}

/// What is shown of users, whether they had a score or not.
pub(crate) async fn write_scores(
    tx: &mut PgConnection,
    sorted: &BTreeMap<Key, (Order, Reached)>,
) -> Result<(), Failure> {
    if sorted.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie)
         SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]),
                unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::bigint[])
         ON CONFLICT (board, season, user_id) DO UPDATE
         SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at,
             order_score = excluded.order_score, order_tie = excluded.order_tie",
    );
    bind_scores(query, sorted).execute(tx).await?;
    Ok(())
}

/// Eight arrays.
pub(super) fn bind_scores<'q>(query: Statement<'q>, sorted: &BTreeMap<Key, (Order, Reached)>) -> Statement<'q> {
    let keys = || sorted.values().map(|(order, reached)| order.key(reached.score, reached.version));
    query
        .bind(Vec::from_iter(sorted.keys().map(|(board, ..)| *board)))
        .bind(Vec::from_iter(sorted.keys().map(|(_, of, _)| season(*of))))
        .bind(Vec::from_iter(sorted.keys().map(|(.., user)| user.as_uuid())))
        .bind(Vec::from_iter(sorted.values().map(|(_, reached)| reached.score.get())))
        .bind(Vec::from_iter(sorted.values().map(|(_, reached)| number(reached.version.get()))))
        .bind(Vec::from_iter(sorted.values().map(|(_, reached)| reached.at.as_millis())))
        .bind(Vec::from_iter(keys().map(|key| key.score)))
        .bind(Vec::from_iter(keys().map(|key| key.tie)))
}

/// What users have, and others are not shown.
pub(crate) async fn write_withheld(tx: &mut PgConnection, sorted: &BTreeMap<Key, Reached>) -> Result<(), Failure> {
    if sorted.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(
        "INSERT INTO withheld (board, season, user_id, score, reached, updated_at)
         SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]),
                unnest($5::bigint[]), unnest($6::bigint[])
         ON CONFLICT (board, season, user_id) DO UPDATE
         SET score = excluded.score, reached = excluded.reached, updated_at = excluded.updated_at",
    );
    bind_withheld(query, sorted).execute(tx).await?;
    Ok(())
}

/// Six arrays.
pub(super) fn bind_withheld<'q>(query: Statement<'q>, sorted: &BTreeMap<Key, Reached>) -> Statement<'q> {
    query
        .bind(Vec::from_iter(sorted.keys().map(|(board, ..)| *board)))
        .bind(Vec::from_iter(sorted.keys().map(|(_, of, _)| season(*of))))
        .bind(Vec::from_iter(sorted.keys().map(|(.., user)| user.as_uuid())))
        .bind(Vec::from_iter(sorted.values().map(|reached| reached.score.get())))
        .bind(Vec::from_iter(sorted.values().map(|reached| number(reached.version.get()))))
        .bind(Vec::from_iter(sorted.values().map(|reached| reached.at.as_millis())))
}

/// The versions of the boards that moved, and the totals of seasons; most batches bring nobody new, and change none.
pub(crate) async fn write_boards(
    tx: &mut PgConnection,
    moved: &HashMap<BoardId, BoardState>,
    totals: &HashMap<(BoardId, Season), u64>,
    numbers: &Numbers,
) -> Result<(), Failure> {
    if !totals.is_empty() {
        let query = sqlx::query(
            "UPDATE seasons SET total = counted.total
             FROM (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS season, unnest($3::bigint[]) AS total) AS counted
             WHERE seasons.board = counted.board AND seasons.season = counted.season AND seasons.total <> counted.total",
        );
        bind_totals(query, totals, numbers).execute(&mut *tx).await?;
    }
    let query = sqlx::query(
        "UPDATE boards SET version = moved.version, head = moved.head
         FROM (SELECT unnest($1::bigint[]) AS board, unnest($2::bigint[]) AS version, unnest($3::bytea[]) AS head) AS moved
         WHERE boards.no = moved.board",
    );
    bind_boards(query, &in_order(moved, numbers)).execute(tx).await?;
    Ok(())
}

/// Three arrays.
pub(super) fn bind_totals<'q>(
    query: Statement<'q>,
    totals: &HashMap<(BoardId, Season), u64>,
    numbers: &Numbers,
) -> Statement<'q> {
    query
        .bind(Vec::from_iter(totals.keys().map(|(board, _)| numbers[board])))
        .bind(Vec::from_iter(totals.keys().map(|(_, of)| season(*of))))
        .bind(Vec::from_iter(totals.values().map(|total| number(*total))))
}

/// Boards by their numbers: the order in which all write them, so that no two wait for each other.
pub(super) fn in_order<'b>(
    boards: &'b HashMap<BoardId, BoardState>,
    numbers: &Numbers,
) -> Vec<(i64, &'b BoardId, &'b BoardState)> {
    let mut ordered: Vec<_> = boards.iter().map(|(board, state)| (numbers[board], board, state)).collect();
    ordered.sort_unstable_by_key(|(no, ..)| *no);
    ordered
}

/// Three arrays.
pub(super) fn bind_boards<'q>(query: Statement<'q>, ordered: &[(i64, &'q BoardId, &'q BoardState)]) -> Statement<'q> {
    query
        .bind(Vec::from_iter(ordered.iter().map(|(no, ..)| *no)))
        .bind(Vec::from_iter(ordered.iter().map(|(.., state)| number(state.position.version.get()))))
        .bind(Vec::from_iter(ordered.iter().map(|(.., state)| state.head.as_ref().map(bytes))))
}

/// As the database takes an array of them.
fn bytes(digest: &RowDigest) -> &[u8] {
    digest.as_bytes()
}

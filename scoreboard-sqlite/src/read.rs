//! Reads of a board: pages, standings, ranks.

use std::collections::HashMap;

use scoreboard_core::{
    Ahead, BoardId, Order, OrderKey, PageQuery, Position, Range, RankStyle, Ranked, RankedPage, RankedUsers, Reached,
    Score, ScoreRank, Season, UserId, rank_entries,
};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::error::Failure;
use crate::json::hex_array;
use crate::rows::{Columns, limit};

/// A season of a board, as a read finds it.
struct Found {
    no: i64,
    order: Order,
    season: Season,
    position: Position,
    total: u64,
}

/// The season asked for, or the current one; `None` if the board never had it.
async fn find(tx: &mut SqliteConnection, board: &BoardId, season: Option<Season>) -> Result<Option<Found>, Failure> {
    let row = sqlx::query(
        "SELECT boards.no, boards.direction, boards.tie_break, seasons.season, meta.epoch, boards.version, seasons.total
         FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = coalesce(?2, boards.season)
         CROSS JOIN meta WHERE boards.id = ?1",
    )
    .bind(board.as_str())
    .bind(season.map(|season| i64::from(season.get())))
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(Found {
        no: columns.take()?,
        order: Order { direction: columns.word()?, tie_break: columns.word()? },
        season: columns.season()?,
        position: columns.position()?,
        total: columns.count()?,
    }))
}

type Entry = (UserId, Reached);

pub(crate) async fn page(
    tx: &mut SqliteConnection,
    board: &BoardId,
    query: PageQuery,
) -> Result<Option<RankedPage>, Failure> {
    let Some(found) = find(tx, board, query.season).await? else { return Ok(None) };
    let entries = match query.range {
        Range::Top { limit } => found.from(tx, None, limit).await?,
        Range::After { key, limit } => found.from(tx, Some(key), limit).await?,
        Range::Before { key, limit } => found.before(tx, key, limit).await?,
        Range::Around { user, radius } => found.around(tx, user, radius).await?,
    };
    let ahead = match (query.range, entries.first()) {
        (Range::Top { .. }, _) => Ahead::default(),
        (_, Some((_, first))) => found.ahead(tx, found.order.key(first.score, first.version), query.style).await?,
        // An empty page stands where its entries would.
        (Range::After { key, .. }, None) => found.ahead(tx, behind(key), query.style).await?,
        (Range::Before { key, .. }, None) => found.ahead(tx, key, query.style).await?,
        (Range::Around { .. }, None) => Ahead::default(),
    };
    // Nobody is around someone who is not on the board: that page has no place on it.
    let nowhere = entries.is_empty() && matches!(query.range, Range::Around { .. });
    let end = ahead.entries + entries.len() as u64;
    Ok(Some(RankedPage {
        season: found.season,
        position: found.position,
        total: found.total,
        entries: rank_entries(query.style, ahead, entries),
        has_previous: ahead.entries > 0,
        has_next: end < found.total && !nowhere,
    }))
}

pub(crate) async fn standings(
    tx: &mut SqliteConnection,
    board: &BoardId,
    season: Option<Season>,
    style: RankStyle,
    users: &[UserId],
) -> Result<Option<RankedUsers>, Failure> {
    let Some(found) = find(tx, board, season).await? else { return Ok(None) };
    let ranked = found.ranked(tx, style, users).await?;
    Ok(Some(RankedUsers {
        season: found.season,
        position: found.position,
        total: found.total,
        entries: users.iter().map(|user| ranked.get(user).copied()).collect(),
    }))
}

pub(crate) async fn score_rank(
    tx: &mut SqliteConnection,
    board: &BoardId,
    style: RankStyle,
    score: Score,
) -> Result<Option<ScoreRank>, Failure> {
    let Some(found) = find(tx, board, None).await? else { return Ok(None) };
    // Whoever reached it now would do so at the next version.
    let key = found.order.key(score, found.position.version.next());
    let ahead = found.ahead(tx, key, style).await?;
    Ok(Some(ScoreRank {
        rank: ahead.rank(style),
        total: found.total,
        epoch: found.position.epoch,
        version: found.position.version,
    }))
}

impl Found {
    /// The first entries, or those behind a key.
    async fn from(
        &self,
        tx: &mut SqliteConnection,
        after: Option<OrderKey>,
        count: usize,
    ) -> Result<Vec<Entry>, Failure> {
        let after = after.unwrap_or(OrderKey { score: i64::MIN, tie: i64::MIN });
        let rows = sqlx::query(
            "SELECT user_id, score, reached, updated_at FROM scores
             WHERE board = ? AND season = ? AND (order_score, order_tie) > (?, ?)
             ORDER BY order_score, order_tie LIMIT ?",
        )
        .bind(self.no)
        .bind(self.season.get())
        .bind(after.score)
        .bind(after.tie)
        .bind(limit(count))
        .fetch_all(tx)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// The last entries in front of a key, in the board's order.
    async fn before(&self, tx: &mut SqliteConnection, key: OrderKey, count: usize) -> Result<Vec<Entry>, Failure> {
        let rows = sqlx::query(
            "SELECT user_id, score, reached, updated_at FROM scores
             WHERE board = ? AND season = ? AND (order_score, order_tie) < (?, ?)
             ORDER BY order_score DESC, order_tie DESC LIMIT ?",
        )
        .bind(self.no)
        .bind(self.season.get())
        .bind(key.score)
        .bind(key.tie)
        .bind(limit(count))
        .fetch_all(tx)
        .await?;
        rows.iter().rev().map(entry).collect()
    }

    /// As many as the page may hold on either side, of which the middle is kept: so it stays full near an end.
    async fn around(&self, tx: &mut SqliteConnection, user: UserId, radius: usize) -> Result<Vec<Entry>, Failure> {
        let row = sqlx::query(
            "SELECT user_id, score, reached, updated_at FROM scores WHERE board = ? AND season = ? AND user_id = ?",
        )
        .bind(self.no)
        .bind(self.season.get())
        .bind(user.as_bytes().as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(middle) = row.as_ref().map(entry).transpose()? else { return Ok(Vec::new()) };
        let key = self.order.key(middle.1.score, middle.1.version);
        let others = radius.saturating_mul(2);
        let mut entries = self.before(tx, key, others).await?;
        let mut after = self.from(tx, Some(key), others).await?;

        let before = entries.len().min(others - after.len().min(radius));
        after.truncate(others - before);
        entries.drain(..entries.len() - before);
        entries.push(middle);
        entries.append(&mut after);
        Ok(entries)
    }

    /// What stands before a key: only as much of it as ranks of this style depend on.
    async fn ahead(&self, tx: &mut SqliteConnection, key: OrderKey, style: RankStyle) -> Result<Ahead, Failure> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM scores WHERE board = ?1 AND season = ?2 AND order_score < ?3),
                    (SELECT count(*) FROM scores
                     WHERE board = ?1 AND season = ?2 AND order_score = ?3 AND order_tie < ?4),
                    CASE WHEN ?5 THEN (SELECT count(*) FROM
                        (SELECT DISTINCT order_score FROM scores WHERE board = ?1 AND season = ?2 AND order_score < ?3)
                    ) ELSE 0 END",
        )
        .bind(self.no)
        .bind(self.season.get())
        .bind(key.score)
        .bind(key.tie)
        .bind(style == RankStyle::Dense)
        .fetch_one(tx)
        .await?;
        let mut columns = Columns::of(&row);
        let better = columns.count()?;
        Ok(Ahead { entries: better + columns.count()?, better, better_scores: columns.count()? })
    }

    /// Each user's place. The users are sorted by their keys, and only what lies between one and the next is counted: however
    /// many there are, the board is walked once.
    async fn ranked(
        &self,
        tx: &mut SqliteConnection,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Ranked>, Failure> {
        let rows = sqlx::query(
            "WITH asked AS (SELECT DISTINCT unhex(value) AS user_id FROM json_each(?3)),
                  placed AS (
                      SELECT scores.user_id, score, reached, updated_at, order_score, order_tie,
                             lag(order_score, 1, -9223372036854775808) OVER sorted AS from_score,
                             lag(order_tie, 1, -9223372036854775808) OVER sorted AS from_tie
                      FROM asked CROSS JOIN scores
                        ON scores.board = ?1 AND scores.season = ?2 AND scores.user_id = asked.user_id
                      WINDOW sorted AS (ORDER BY order_score, order_tie))
             SELECT user_id, score, reached, updated_at,
                    (SELECT count(*) FROM scores AS other
                     WHERE other.board = ?1 AND other.season = ?2
                       AND (other.order_score, other.order_tie) >= (placed.from_score, placed.from_tie)
                       AND (other.order_score, other.order_tie) < (placed.order_score, placed.order_tie)),
                    CASE WHEN ?4 = 'competition' THEN (SELECT count(*) FROM scores AS other
                         WHERE other.board = ?1 AND other.season = ?2
                           AND other.order_score >= placed.from_score AND other.order_score < placed.order_score)
                     ELSE 0 END,
                    CASE WHEN ?4 = 'dense' THEN (SELECT count(DISTINCT other.order_score) FROM scores AS other
                         WHERE other.board = ?1 AND other.season = ?2
                           AND other.order_score >= placed.from_score AND other.order_score < placed.order_score)
                     ELSE 0 END
             FROM placed ORDER BY order_score, order_tie",
        )
        .bind(self.no)
        .bind(self.season.get())
        .bind(hex_array(users.iter().map(UserId::as_bytes)))
        .bind(match style {
            RankStyle::Ordinal => "ordinal",
            RankStyle::Competition => "competition",
            RankStyle::Dense => "dense",
        })
        .fetch_all(tx)
        .await?;
        let mut ahead = Ahead::default();
        let mut ranked = HashMap::with_capacity(rows.len());
        for row in &rows {
            let mut columns = Columns::of(row);
            let (user_id, reached) = (columns.user()?, columns.reached()?);
            ahead.entries += columns.count()?;
            ahead.better += columns.count()?;
            ahead.better_scores += columns.count()?;
            let rank = ahead.rank(style);
            let Reached { score, version, at } = reached;
            ranked.insert(user_id, Ranked { rank, user_id, score, reached: version, updated_at: at });
        }
        Ok(ranked)
    }
}

fn entry(row: &SqliteRow) -> Result<Entry, Failure> {
    let mut columns = Columns::of(row);
    Ok((columns.user()?, columns.reached()?))
}

/// The key right behind this one.
fn behind(key: OrderKey) -> OrderKey {
    OrderKey { tie: key.tie.saturating_add(1), ..key }
}

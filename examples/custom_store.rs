//! A store of one's own: nothing but the log, and every read folds it again.
//!
//! Far too slow for a game and as short as a store can be, it shows what an adapter owes: hold what an atomic `apply` needs,
//! let [`Batch::decide`] say what happens, and keep the rows that it gives. Where the `Vec` is, put your database. That it is
//! a store like any other, the conformance kit proves: `tests/custom_store.rs` runs it with one line.
//!
//! Run with `cargo run --example custom_store`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use scoreboard::{
    ActionId, ActionKind, Admissions, Ahead, Batch, Board, BoardId, BoardSpec, BoardState, Change, ChangeBoard,
    CreateBoard, Epoch, IssueRequest, LogRow, Outcome, PageQuery, Points, PointsRule, Position, Range, RankStyle,
    Ranked, RankedPage, RankedUsers, Reached, Scan, Score, ScoreRank, ScoreStore, Scoreboard, Season, TopQuery, UserId,
    Version, rank_entries,
};

type Result<T, E = scoreboard::BackendError> = std::result::Result<T, E>;

/// A board is its spec and its log; the log's rows in order *are* the board.
#[derive(Debug)]
struct Log {
    spec: BoardSpec,
    /// The store's.
    epoch: Epoch,
    rows: Vec<LogRow>,
}

impl Log {
    fn position(&self) -> Position {
        Position { epoch: self.epoch, version: Version::new(self.rows.len() as u64) }
    }

    /// What the rows come to.
    fn scores(&self) -> BTreeMap<UserId, Reached> {
        self.rows.iter().filter_map(|row| Some((row.user_id, row.after()?))).collect()
    }

    /// All entries, best first, with one more if asked for.
    fn ranking(&self, style: RankStyle, guest: Option<(UserId, Reached)>) -> Vec<Ranked> {
        let order = self.spec.order();
        let mut entries: Vec<_> = self.scores().into_iter().chain(guest).collect();
        entries.sort_by_key(|(_, reached)| order.key(reached.score, reached.version));
        rank_entries(style, Ahead::default(), entries)
    }

    fn board(&self) -> Board {
        let Position { epoch, version } = self.position();
        let total = self.scores().len() as u64;
        let (spec, season, log_after) = (self.spec.clone(), Season::FIRST, Version::ZERO);
        let head = self.rows.last().and_then(|row| row.digest);
        Board { spec, season, epoch, version, total, log_after, head }
    }
}

/// Boards that are their logs, under one lock: so every answer is true at one version.
#[derive(Debug, Default)]
pub(crate) struct LogStore(Mutex<Logs>);

#[derive(Debug)]
struct Logs {
    epoch: Epoch,
    boards: BTreeMap<BoardId, Log>,
    /// Beside the log: when changes were admitted that may still matter to a quota.
    admissions: HashMap<(BoardId, UserId), Admissions>,
}

impl Default for Logs {
    fn default() -> Self {
        Self { epoch: Epoch::new(1), boards: BTreeMap::new(), admissions: HashMap::new() }
    }
}

impl LogStore {
    fn lock(&self) -> MutexGuard<'_, Logs> {
        self.0.lock().expect("nobody panics while holding the lock")
    }
}

#[async_trait]
impl ScoreStore for LogStore {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard> {
        let mut logs = self.lock();
        let Logs { epoch, boards, .. } = &mut *logs;
        if boards.contains_key(&spec.id) {
            return Ok(CreateBoard::AlreadyExists);
        }
        boards.insert(spec.id.clone(), Log { spec: spec.clone(), epoch: *epoch, rows: Vec::new() });
        Ok(CreateBoard::Created)
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
        let mut logs = self.lock();
        let Some(log) = logs.boards.get_mut(&to.id) else { return Ok(ChangeBoard::Unknown) };
        let changed = log.board().decide_change(from, to);
        if changed == ChangeBoard::Changed {
            log.spec = to.clone();
        }
        Ok(changed)
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>> {
        Ok(self.lock().boards.get(board).map(Log::board))
    }

    async fn boards(&self) -> Result<Vec<Board>> {
        Ok(self.lock().boards.values().map(Log::board).collect())
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>> {
        let mut logs = self.lock();
        let mut batch = Batch::default();
        for (id, log) in logs.boards.iter() {
            let Board { spec, season, total, head, .. } = log.board();
            let position = log.position();
            batch.boards.insert(id.clone(), BoardState { spec, season, position, total, head });
            batch.counted.extend(log.rows.iter().map(|row| (row.action_id, (id.clone(), row.clone()))));
            batch.scores.extend(log.scores().into_iter().map(|(user, reached)| ((id.clone(), user), reached)));
        }
        for change in changes {
            let (Some(at_most), Some(log)) = (change.at_most, logs.boards.get(&change.board)) else { continue };
            let same =
                |row: &&LogRow| row.user_id == change.user_id && row.kind == change.kind && row.at >= at_most.since;
            let count = log.rows.iter().filter(same).count() as u32;
            let key = (change.board.clone(), change.user_id, change.kind.clone(), at_most.since);
            batch.counts.insert(key, count);
        }
        batch.admissions = std::mem::take(&mut logs.admissions);
        let decided = batch.decide(changes);
        logs.admissions = decided.admissions;
        for (id, row) in decided.rows {
            logs.boards.get_mut(&id).expect("only boards that the batch was given").rows.push(row);
        }
        Ok(decided.outcomes)
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>> {
        let logs = self.lock();
        let mut rows = logs.boards.iter().flat_map(|(id, log)| log.rows.iter().map(move |row| (id, row)));
        Ok(rows.find(|(_, row)| row.action_id == action).map(|(id, row)| (id.clone(), row.clone())))
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        let logs = self.lock();
        let Some(log) = logs.boards.get(board).filter(|_| known(query.season)) else { return Ok(None) };
        let mut all = log.ranking(query.style, None);
        let total = all.len() as u64;
        let order = log.spec.order();
        let key = |entry: &Ranked| order.key(entry.score, entry.reached);
        let (start, end) = match query.range {
            Range::Top { limit } => (0, limit),
            Range::After { key: after, limit } => {
                let start = all.partition_point(|entry| key(entry) <= after);
                (start, start.saturating_add(limit))
            }
            Range::Before { key: before, limit } => {
                let end = all.partition_point(|entry| key(entry) < before);
                (end.saturating_sub(limit), end)
            }
            Range::Around { user, radius } => {
                let width = radius.saturating_mul(2).saturating_add(1);
                let found = all.iter().position(|entry| entry.user_id == user);
                if found.is_none() {
                    all.clear(); // around nobody there is nothing, neither before nor behind
                }
                let start = found.unwrap_or(0).saturating_sub(radius).min(all.len().saturating_sub(width));
                (start, start.saturating_add(width))
            }
        };
        let end = end.min(all.len());
        Ok(Some(RankedPage {
            season: Season::FIRST,
            position: log.position(),
            total,
            entries: all[start..end].to_vec(),
            has_previous: start > 0,
            has_next: end < all.len(),
        }))
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>> {
        let logs = self.lock();
        let Some(log) = logs.boards.get(board).filter(|_| known(season)) else { return Ok(None) };
        let all = log.ranking(style, None);
        let entries = users.iter().map(|user| all.iter().find(|entry| entry.user_id == *user).copied()).collect();
        let total = all.len() as u64;
        Ok(Some(RankedUsers { season: Season::FIRST, position: log.position(), total, entries }))
    }

    async fn score_rank(&self, board: &BoardId, style: RankStyle, score: Score) -> Result<Option<ScoreRank>> {
        let logs = self.lock();
        let Some(log) = logs.boards.get(board) else { return Ok(None) };
        let Board { epoch, version, total, .. } = log.board();
        let next = version.next();
        let guest = Reached { score, version: next, at: scoreboard::Timestamp::from_millis(0) };
        let all = log.ranking(style, Some((UserId::MAX, guest)));
        let rank = all.iter().find(|entry| entry.reached == next).map_or(1, |entry| entry.rank);
        Ok(Some(ScoreRank { rank, total, epoch, version }))
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        let logs = self.lock();
        let rows = logs.boards.get(board).into_iter().flat_map(|log| log.rows.iter().rev());
        let wanted = |row: &&LogRow| row.user_id == user && before.is_none_or(|before| row.position.version < before);
        Ok(rows.filter(wanted).take(limit).cloned().collect())
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        let logs = self.lock();
        let rows = logs.boards.get(board).into_iter().flat_map(|log| log.rows.iter());
        Ok(rows.filter(|row| row.position.version > after).take(limit).cloned().collect())
    }

    async fn scan(&self, board: &BoardId, season: Season, after: Option<UserId>, limit: usize) -> Result<Option<Scan>> {
        let logs = self.lock();
        let Some(log) = logs.boards.get(board).filter(|_| known(Some(season))) else { return Ok(None) };
        let scores = log.scores();
        let total = scores.len() as u64;
        let behind = scores.into_iter().filter(|(user, _)| after.is_none_or(|after| *user > after));
        Ok(Some(Scan { position: log.position(), total, scores: behind.take(limit).collect() }))
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch> {
        let mut logs = self.lock();
        logs.epoch = logs.epoch.max(above.next());
        let epoch = logs.epoch;
        logs.boards.values_mut().for_each(|log| log.epoch = epoch);
        Ok(epoch)
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A board of this store has one season.
fn known(season: Option<Season>) -> bool {
    season.is_none_or(|season| season == Season::FIRST)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(LogStore::default());
    let scoreboard = Scoreboard::builder(store.clone()).build();
    let lap = ActionKind {
        kind: "lap".parse()?,
        points: PointsRule::Fixed(Points::new(3)?),
        min_duration_seconds: 0,
        lifetime_seconds: 600,
        per_day: None,
    };
    let board = BoardId::main();
    scoreboard.create_board(BoardSpec { kinds: vec![lap], ..BoardSpec::new(board.clone()) }).await?;
    for name in ["ada", "ben", "ada"] {
        let user = UserId::for_name("my-game", name);
        let action = scoreboard.issue(user, IssueRequest::new(board.clone(), "lap".parse()?)).await?;
        scoreboard.submit(user, action).await?;
    }
    let top = scoreboard.top(&TopQuery::new(board.clone())).await?;
    assert_eq!(top.entries.iter().map(|entry| entry.score.get()).collect::<Vec<_>>(), [6, 3]);
    let audit = scoreboard::verify(&*store, &board, |_, _| ()).await?;
    assert!(matches!(audit, scoreboard::Audit::Clean { scores: 2, .. }));
    println!("Two users, three laps, and a log that folds to exactly that.");
    Ok(())
}

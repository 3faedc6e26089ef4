//! Reads on streaming replicas, where the version decides.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use scoreboard_core::{
    ActionId, BackendError, Board, BoardId, BoardSpec, Chain, Change, ChangeBoard, CreateBoard, Epoch, LogRow, Outcome,
    PageQuery, Position, RankStyle, RankedPage, RankedUsers, Scan, Score, ScoreRank, ScoreStore, Season, UserId,
    Version,
};
use tokio::time::Instant;

use crate::config::Config;
use crate::connection::PostgresStore;
use crate::error::Failure;
use crate::rows::Columns;

mod identity;

pub(crate) use identity::{Identity, is_standby};

/// How long a replica that had not come as far is left alone.
const BEHIND: Duration = Duration::from_millis(50);
/// How long one that does not answer is.
const AWAY: Duration = Duration::from_secs(1);

/// A [`PostgresStore`] whose pages, standings, ranks and scans are read on streaming replicas.
///
/// Every rule of [`ScoreStore`] holds as it does without replicas, "fresh" above all: the primary is asked where the board is, which
/// is one row by its key, and a replica's answer counts only if the replica itself had come as far when it gave it. Otherwise, and if it
/// does not answer, the primary is read. What decides about writes is never read on a replica: actions, logs, accounts.
///
/// A database that is no copy of the primary, or is a standby no longer, is never read: it could have a board of the same name and a
/// higher version that is another one.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use scoreboard_core::ScoreStore;
/// use scoreboard_postgres::{Config, PostgresStore, ReplicaReads};
///
/// let primary = PostgresStore::from_url("postgres://scores@primary/scores").await?;
/// let replica = Config::from_url("postgres://scores@replica/scores")?;
/// let store = ReplicaReads::open(primary, &[replica]).await?;
/// assert!(store.boards().await?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReplicaReads {
    primary: PostgresStore,
    replicas: Vec<Replica>,
    /// Whose turn it is.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Replica {
    store: PostgresStore,
    rests_until: Mutex<Option<Instant>>,
}

impl ReplicaReads {
    /// Reads on these replicas from now on. One that cannot be reached now is tried again when there is something to read.
    ///
    /// # Errors
    ///
    /// `Refused` if one can be reached and is no streaming replica of the primary; and whatever the primary causes.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn open(primary: PostgresStore, replicas: &[Config]) -> Result<Self, BackendError> {
        let identity = primary.reads("open", primary.identify()).await?;
        let mut opened = Vec::with_capacity(replicas.len());
        for config in replicas {
            if let Err(failure) = identity::check(config, &identity).await {
                match failure {
                    Failure::Refused(_) => return Err(failure.during("open a replica")),
                    away => {
                        let error = away.during("open a replica");
                        tracing::warn!(error = %Chain(&error), replica = %config.database, "a replica cannot be reached");
                    }
                }
            }
            let store = PostgresStore::replica(config, identity.clone());
            opened.push(Replica { store, rests_until: Mutex::new(None) });
        }
        metrics::describe_counter!(
            "scoreboard_replica_reads_total",
            "Reads tried on a replica, by what became of them."
        );
        Ok(Self { primary, replicas: opened, turn: AtomicUsize::new(0) })
    }

    /// Reads on a replica if one is there, awake, and as far as the primary was when this was called; else on the primary.
    async fn read<'a, T, R>(
        &'a self,
        board: &BoardId,
        position: impl Fn(&T) -> Position,
        read: impl Fn(&'a PostgresStore) -> R,
    ) -> Result<Option<T>, BackendError>
    where
        R: Future<Output = Result<Option<T>, BackendError>>,
    {
        let Some(replica) = self.awake() else { return read(&self.primary).await };
        let Some(floor) = self.position(board).await? else { return Ok(None) };
        match read(&replica.store).await {
            Ok(Some(answer)) if position(&answer) >= floor => {
                count("served");
                return Ok(Some(answer));
            }
            Ok(_) => {
                count("behind");
                replica.rest(BEHIND);
            }
            Err(error) => {
                count("failed");
                tracing::warn!(error = %Chain(&error), "a replica could not be read; it is left alone for a second");
                replica.rest(AWAY);
            }
        }
        read(&self.primary).await
    }

    fn awake(&self) -> Option<&Replica> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let in_turn =
            (0..self.replicas.len()).map(|step| &self.replicas[turn.wrapping_add(step) % self.replicas.len()]);
        in_turn.into_iter().find(|replica| replica.rests_until.lock().is_none_or(|until| until <= now))
    }

    /// Where the board is on the primary.
    async fn position(&self, board: &BoardId) -> Result<Option<Position>, BackendError> {
        let position = async {
            let row = sqlx::query("SELECT meta.epoch, boards.version FROM boards CROSS JOIN meta WHERE boards.id = $1")
                .bind(board.as_str())
                .fetch_optional(&mut *self.primary.pool.acquire().await?)
                .await?;
            row.map(|row| Columns::of(&row).position()).transpose()
        };
        self.primary.reads("position", position).await
    }
}

impl Replica {
    fn rest(&self, duration: Duration) {
        *self.rests_until.lock() = Some(Instant::now() + duration);
    }
}

fn count(result: &'static str) {
    metrics::counter!("scoreboard_replica_reads_total", "result" => result).increment(1);
}

#[async_trait]
impl ScoreStore for ReplicaReads {
    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        self.read(board, |page: &RankedPage| page.position, |store| store.page(board, query)).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        self.read(board, |found: &RankedUsers| found.position, |store| store.standings(board, season, style, users))
            .await
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        let position = |rank: &ScoreRank| Position { epoch: rank.epoch, version: rank.version };
        self.read(board, position, |store| store.score_rank(board, style, score)).await
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        self.read(board, |scan: &Scan| scan.position, |store| store.scan(board, season, after, limit)).await
    }

    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.primary.create_board(spec).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.primary.change_board(from, to).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        self.primary.board(board).await
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        self.primary.boards().await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        self.primary.apply(changes).await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        self.primary.action(action).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        self.primary.history(board, user, before, limit).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        self.primary.log(board, after, limit).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        self.primary.raise_epoch(above).await
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.primary.check().await
    }
}

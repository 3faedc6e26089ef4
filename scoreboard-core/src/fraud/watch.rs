//! The log followed for what statistical rules find.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use crate::board::Board;
use crate::error::{BackendError, Chain};
use crate::fraud::statistical::{Evidence, History, Neighbours, Rule, Rules, Seen, Stance, look};
use crate::fraud::{Case, Incident, IncidentStore, Measure, Recorded, Sightings};
use crate::ids::BoardId;
use crate::layers::RankIndexed;
use crate::pipeline::Scoreboard;
use crate::store::{AppliedChange, ScoreStore};
use crate::version::{Position, Version};

mod acquaintances;
mod hold;
mod rows;

use acquaintances::{Acquaintances, Known};

/// How many log rows are read at once.
const ROWS: usize = 4_000;

/// So many are looked at without a pause.
const TOGETHER: u64 = 256;

/// What is watched for, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FraudWatchConfig {
    /// The rules, with what is done about what they find. Default: all of them, and nobody but people is told.
    pub rules: Rules,
    /// How often the log is looked at, at least. Default: 2 s.
    pub poll_interval: Duration,
    /// So many users of each board are remembered, with some 3 KiB each, at most
    /// [`History::MAX_BYTES`](crate::statistical::History::MAX_BYTES); who was forgotten is read again from the store. Default: 20,000.
    pub max_users: usize,
    /// Whether whom a rule of the stance [`Hold`](Stance::Hold) finds is held at once, or that is left to people. Default: they are held. By
    /// default no rule has that stance.
    pub carry_out_holds: bool,
}

impl Default for FraudWatchConfig {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            poll_interval: Duration::from_secs(2),
            max_users: 20_000,
            carry_out_holds: true,
        }
    }
}

/// How far the logs were watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchProgress {
    /// The changes that were looked at in this look.
    pub changes: u64,
    /// The changes behind them that there were when it began and that were not looked at.
    pub lag: u64,
    /// Incidents that were written down and had not been there.
    pub incidents: u64,
}

/// Follows the logs of all boards, lets the rules look at each action that counted, and writes down what they find.
///
/// What is found is looked up: before it becomes an incident, the user's rows are read from the log again, and what they give is written
/// down, with the actions. So each incident can be [recomputed](crate::statistical::Evidence::recompute), whatever this process remembered.
///
/// Whom a rule is to hold is held by it, before it goes on ([`FraudWatchConfig::carry_out_holds`]): a moderation by the rule, whose id is made of
/// the incident's ([`Incident::hold_id`]). So it is carried out once; after a crash in between by whoever looks next; and never again after
/// people have let the user go, but for another incident, which a rule makes one of a day. What they did from the beginning of what was
/// found is pending, what they had before stays. Where there is no [`ModerationStore`](crate::ModerationStore), the incident says what is
/// proposed, and that is all.
///
/// How far it is, is kept beside the incidents, after what was found before. A row may be looked at again, after a restart or on another
/// node; what is found of a user by a rule on a board is one incident a day, so that this changes nothing. Where a log was never watched, it
/// begins at its end.
///
/// Cloning clones the handle.
#[derive(Debug, Clone)]
pub struct FraudWatch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    scoreboard: Scoreboard,
    config: FraudWatchConfig,
    ranks: Option<RankIndexed>,
    boards: Mutex<HashMap<BoardId, WatchedBoard>>,
}

/// How far a board's log was watched, and what is remembered of those who play.
#[derive(Debug)]
struct WatchedBoard {
    position: Position,
    users: Acquaintances,
}

impl FraudWatch {
    /// Watches over this scoreboard: its store's logs, and the sightings that were made on it. Does nothing by itself.
    #[must_use]
    pub fn new(scoreboard: Scoreboard, config: FraudWatchConfig) -> Self {
        Self { shared: Arc::new(Shared { scoreboard, config, ranks: None, boards: Mutex::default() }) }
    }

    /// The same beside ranks in memory, which stand before the same store: what they have taken in lately need not be read from the log again.
    /// What lies before, or was forgotten, is; and what another watch beside the same ranks has looked at, so one is enough.
    #[must_use]
    pub fn beside(scoreboard: Scoreboard, config: FraudWatchConfig, ranks: RankIndexed) -> Self {
        ranks.remember_for_watch();
        Self { shared: Arc::new(Shared { scoreboard, config, ranks: Some(ranks), boards: Mutex::default() }) }
    }

    /// Looks again and again; sooner where more happens than is remembered. Never returns: run it as a task, on each node.
    ///
    /// How far it is behind is in `scoreboard_fraud_watch_lag_changes`, what it has looked at in `scoreboard_fraud_watch_changes_total`, and
    /// what it has found in `scoreboard_fraud_findings_total`, by `rule` and `measure`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is watched any more; who watches next goes on from there.
    pub async fn follow(self) {
        let mut polls = interval(self.shared.config.poll_interval);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            tokio::select! {
                _ = polls.tick() => {}
                () = self.shared.crowded(), if !failed => polls.reset(),
            }
            let looked = self.look().await;
            failed = looked.is_err();
            if let Err(error) = looked {
                tracing::warn!(error = %Chain(&error), "the log could not be watched for fraud; trying again");
            }
        }
    }

    /// Looks at all that has happened since the last look, on all boards.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind): what was looked at before it happened is done, the next look goes on there.
    ///
    /// # Cancel safety
    ///
    /// As for an error.
    pub async fn look(&self) -> Result<WatchProgress, BackendError> {
        let mut progress = WatchProgress::default();
        let mut watched = self.shared.boards.lock().await;
        let boards = self.shared.store().boards().await?;
        let mut failed = None;
        for board in &boards {
            // One board that cannot be read keeps no other waiting.
            if let Err(error) = self.shared.look_at(&mut watched, board, &mut progress).await {
                failed.get_or_insert(error);
            }
            let seen = watched.get(&board.spec.id).map_or(board.version, |watched| watched.position.version);
            progress.lag += board.version.get().saturating_sub(seen.get());
        }
        watched.retain(|id, _| boards.iter().any(|board| board.spec.id == *id));
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("scoreboard_fraud_watch_lag_changes").set(progress.lag as f64);
        metrics::counter!("scoreboard_fraud_watch_changes_total").increment(progress.changes);
        failed.map_or(Ok(progress), Err)
    }
}

impl Shared {
    fn store(&self) -> Arc<dyn ScoreStore> {
        self.scoreboard.store()
    }

    fn incidents(&self) -> &dyn IncidentStore {
        self.scoreboard.incidents()
    }

    fn sightings(&self) -> &Sightings {
        self.scoreboard.sightings()
    }

    /// Returns once there is more to look at than will be remembered.
    async fn crowded(&self) {
        match &self.ranks {
            Some(ranks) => ranks.crowded().await,
            None => pending().await,
        }
    }

    async fn look_at(
        &self,
        boards: &mut HashMap<BoardId, WatchedBoard>,
        board: &Board,
        progress: &mut WatchProgress,
    ) -> Result<(), BackendError> {
        let id = &board.spec.id;
        if !boards.contains_key(id) {
            let position = self.begin(board).await?;
            boards.insert(id.clone(), WatchedBoard { position, users: Acquaintances::new(self.config.max_users) });
        }
        let watched = boards.get_mut(id).expect("it was just put there");
        if watched.position.epoch < board.epoch {
            // Back to where the new epoch began, if that was before; what is older and was not looked at still is to be.
            let version = self.begin_of_epoch(board).await?.min(watched.position.version);
            watched.position = Position { epoch: board.epoch, version };
            watched.users.forget();
        }
        while watched.position.version < board.version {
            let rows = self.rows_behind(id, watched.position).await?;
            let Some(first) = rows.first() else { break };
            let missed = first.position.version.get().saturating_sub(watched.position.version.get() + 1);
            if missed > 0 {
                tracing::warn!(board.id = %id, missed, "changes were archived before they were watched for fraud");
            }
            let looked = self.look_at_rows(id, watched, &rows, progress).await;
            if looked.is_err() {
                self.give_back(id, rows, watched.position.version);
            }
            // What was found up to there is written down, be it that the next was not.
            self.incidents().set_watched(id, watched.position).await?;
            looked?;
        }
        Ok(())
    }

    /// The next rows, from memory where this process knows them: written by it, or read for its ranks.
    async fn rows_behind(&self, board: &BoardId, position: Position) -> Result<Vec<AppliedChange>, BackendError> {
        let known = self.ranks.as_ref().map(|ranks| ranks.take_lately(board, position, ROWS)).unwrap_or_default();
        if !known.is_empty() {
            return Ok(known);
        }
        let rows = self.store().log(board, position.version, ROWS).await?;
        Ok(rows.iter().map(AppliedChange::from).collect())
    }

    /// What a look that broke off has left is not read for the next, as far as there is room for it: the store may be in trouble for long.
    fn give_back(&self, board: &BoardId, rows: Vec<AppliedChange>, seen: Version) {
        if let Some(ranks) = &self.ranks {
            ranks.take_back(board, rows.into_iter().filter(|row| row.position.version > seen));
        }
    }

    /// Where to begin: where a watch before has ended, or at the end.
    async fn begin(&self, board: &Board) -> Result<Position, BackendError> {
        if let Some(position) = self.incidents().watched(&board.spec.id).await? {
            return Ok(position);
        }
        self.incidents().set_watched(&board.spec.id, board.position()).await?;
        Ok(board.position())
    }

    /// The version before the first row of the board's epoch: a restore gives versions out again. Rows of later epochs are behind those of
    /// earlier ones, so it is found by halving.
    async fn begin_of_epoch(&self, board: &Board) -> Result<Version, BackendError> {
        let (mut low, mut high) = (board.log_after.get(), board.version.get());
        while low < high {
            let middle = low + (high - low) / 2;
            let rows = self.store().log(&board.spec.id, Version::new(middle), 1).await?;
            match rows.first() {
                Some(row) if row.position.epoch < board.epoch => low = row.position.version.get(),
                Some(_) | None => high = middle,
            }
        }
        Ok(Version::new(low))
    }

    async fn look_at_rows(
        &self,
        board: &BoardId,
        watched: &mut WatchedBoard,
        rows: &[AppliedChange],
        progress: &mut WatchProgress,
    ) -> Result<(), BackendError> {
        for row in rows {
            let user = match watched.users.look_at(row.user_id) {
                Some(user) => user,
                None => watched.users.put(row.user_id, Known::from(self.history_before(board, row).await?)),
            };
            let neighbours = self.sightings().neighbours(row.user_id, row.at);
            let found = self.found(user, row, &neighbours);
            if !found.is_empty()
                // Taken out meanwhile: if this breaks off, the user is read again, and the row looked at again.
                && let Some(mut user) = watched.users.take(row.user_id)
            {
                self.look_into(board, &mut user, row, &neighbours, found, progress).await?;
                watched.users.put(row.user_id, user);
            }
            watched.position.version = row.position.version;
            progress.changes += 1;
            if progress.changes.is_multiple_of(TOGETHER) {
                // Whoever else is to run on this thread.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// What the rules find in the user's next row, and was not told of them today.
    fn found<'r>(
        &'r self,
        user: &mut Known,
        row: &AppliedChange,
        neighbours: &Neighbours<'_>,
    ) -> Vec<(Stance, &'r dyn Rule)> {
        if !user.history.take(row) {
            return Vec::new();
        }
        let day = row.at.start_of_day();
        let seen = Seen { history: &user.history, neighbours };
        // Who plays as no person does goes on doing so.
        let is_news = |rule, stance| !user.was_told(rule, stance, day);
        let mut found = Vec::new();
        found.extend(self.config.rules.look(seen, is_news).map(|(rule, stance)| (stance, rule)));
        found
    }

    /// Looks again at what was found, and writes down what it was.
    async fn look_into(
        &self,
        board: &BoardId,
        user: &mut Known,
        row: &AppliedChange,
        neighbours: &Neighbours<'_>,
        mut found: Vec<(Stance, &dyn Rule)>,
        progress: &mut WatchProgress,
    ) -> Result<(), BackendError> {
        let day = row.at.start_of_day();
        // What one action gives one rule is one incident: the one with the graver measure.
        found.sort_by_key(|(stance, _)| Reverse(*stance));
        let mut told = Vec::new();
        for (stance, rule) in found {
            if told.contains(&(rule.id(), stance)) {
                continue;
            }
            told.push((rule.id(), stance));
            if let Some((evidence, measure)) = self.look_again(board, rule, stance, row, neighbours).await? {
                progress.incidents += u64::from(self.record(board, row, evidence, measure).await?);
            }
        }
        for (rule, stance) in told {
            user.tell(rule, stance, day);
        }
        Ok(())
    }

    /// What the rule finds in the rows of the log, and what is to be done; nothing in shadow.
    async fn look_again(
        &self,
        board: &BoardId,
        rule: &dyn Rule,
        stance: Stance,
        row: &AppliedChange,
        neighbours: &Neighbours<'_>,
    ) -> Result<Option<(Evidence, Measure)>, BackendError> {
        let measure = match stance {
            Stance::Off => return Ok(None),
            Stance::Shadow => {
                count(rule.id(), "shadow");
                return Ok(None);
            }
            Stance::Flag => Measure::Flag,
            Stance::Hold => Measure::Hold,
        };
        let rows = self.rows_up_to(board, row).await?;
        let history = History::of(&rows);
        let found = look(rule, Seen { history: &history, neighbours });
        if found.is_none() {
            tracing::warn!(board.id = %board, user.id = %row.user_id, rule = rule.id(), "the log does not bear out what was found");
        }
        Ok(found.map(|found| (found.with_actions(&rows), measure)))
    }

    /// Writes it down, and does what is to be done about it; whether it was new.
    async fn record(
        &self,
        board: &BoardId,
        row: &AppliedChange,
        evidence: Evidence,
        measure: Measure,
    ) -> Result<bool, BackendError> {
        let incident = Incident {
            id: Incident::id_of_day(board, row.user_id, &evidence.rule, measure, row.at),
            at: row.at,
            board: board.clone(),
            user_id: row.user_id,
            action_id: row.action_id,
            rule: evidence.rule.clone(),
            evidence: evidence.in_words(),
            measure,
            finding: Some(evidence),
            case: Case::default(),
        };
        let recorded = self.incidents().record_incident(&incident).await?;
        let is_new = matches!(recorded, Recorded::New(_));
        if is_new {
            count(&incident.rule, measure.as_str());
            tracing::warn!(
                incident.id = %incident.id, board.id = %board, user.id = %row.user_id, rule = incident.rule,
                measure = measure.as_str(), evidence = incident.evidence, "a user plays as no person does"
            );
        }
        if measure == Measure::Hold && self.config.carry_out_holds {
            self.hold(recorded.id()).await?;
        }
        Ok(is_new)
    }
}

fn count(rule: &str, measure: &'static str) {
    metrics::counter!("scoreboard_fraud_findings_total", "rule" => rule.to_owned(), "measure" => measure).increment(1);
}

//! The comparison of an index with its store, a slice of users at a time, while both move.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::BackendError;
use crate::ids::{BoardId, UserId};
use crate::layers::rank_indexed::RankIndexed;
use crate::layers::rank_indexed::absorb::ROWS;
use crate::layers::rank_indexed::indexed_board::IndexedBoard;
use crate::store::{LogRow, Origin, Reached, Visibility};
use crate::version::Version;

impl RankIndexed {
    /// Compares the next slice: of the same board, behind the users that were compared, or of the next board.
    pub(super) async fn check_next(&self, next: &mut (Option<BoardId>, Option<UserId>)) -> Result<(), BackendError> {
        let mut boards: Vec<Arc<IndexedBoard>> = self.shared.boards.read().values().cloned().collect();
        boards.sort_by(|a, b| a.id.cmp(&b.id));
        let (board, after) = next.clone();
        let goes_on = boards.iter().find(|indexed| after.is_some() && Some(&indexed.id) == board.as_ref());
        let (indexed, after) = match goes_on {
            Some(indexed) => (indexed, after),
            None => {
                let behind = boards.iter().find(|indexed| board.as_ref().is_none_or(|board| indexed.id > *board));
                let Some(indexed) = behind.or(boards.first()) else { return Ok(()) };
                (indexed, None)
            }
        };
        // Before it is done: one that fails is not tried for ever.
        *next = (Some(indexed.id.clone()), None);
        next.1 = self.check_slice(indexed, after).await?;
        Ok(())
    }

    /// Compares users behind `after`; answers with the last, if there are more behind it.
    pub(super) async fn check_slice(
        &self,
        indexed: &IndexedBoard,
        after: Option<UserId>,
    ) -> Result<Option<UserId>, BackendError> {
        let Some(season) = indexed.look(|live| live.season) else { return Ok(None) };
        let limit = self.shared.config.check_slice.max(1);
        let Some(scan) = self.shared.inner.scan(&indexed.id, season, after, limit).await? else { return Ok(None) };
        indexed.raise_floor(scan.position);
        if indexed.is_behind() {
            self.catch_up(indexed).await?;
        }
        let seen = indexed.look(|live| {
            let has: Vec<Option<Reached>> = scan.scores.iter().map(|(user, _)| live.index.get(*user)).collect();
            (live.season, live.position, live.index.total(), has)
        });
        let Some((now, position, total, has)) = seen else { return Ok(None) };
        if now != season || position.epoch != scan.position.epoch || position < scan.position {
            return Ok(after);
        }
        // What the index has seen beyond the scan: who moved there is not compared, and who came is not counted.
        let Some(beyond) = self.rows_between(indexed, scan.position.version, position.version).await? else {
            return Ok(after);
        };
        // Who comes and goes by a correction is compared when the log has gone on.
        if beyond.iter().any(|row| row.origin == Origin::Correction) {
            return Ok(after);
        }
        let beyond: Vec<_> = beyond.into_iter().filter(|row| row.visibility == Visibility::Shown).collect();
        let moved: HashSet<UserId> = beyond.iter().map(|row| row.user_id).collect();
        let mut first: HashMap<UserId, bool> = HashMap::new();
        for row in beyond.iter().filter(|row| row.season == season) {
            first.entry(row.user_id).or_insert(row.previous.is_none());
        }
        let came = first.values().filter(|came| **came).count() as u64;
        let differs =
            scan.scores.iter().zip(has).find(|((user, stored), has)| !moved.contains(user) && *has != Some(*stored));
        if differs.is_some() || total - came.min(total) != scan.total {
            metrics::counter!("scoreboard_rank_index_drift_total").increment(1);
            let user = differs.map(|((user, _), _)| *user);
            tracing::error!(board = %indexed.id, %position, ?user, total, expected = scan.total, "ranks have drifted from the store; they are made anew");
            indexed.start_anew("drift");
            self.shared.wake.notify_one();
            return Ok(None);
        }
        metrics::counter!("scoreboard_rank_index_checked_users_total").increment(scan.scores.len() as u64);
        let last = scan.scores.last().map(|(user, _)| *user);
        Ok(last.filter(|_| scan.scores.len() == limit))
    }

    /// The log rows behind one version up to another; `None` if they are too many to be worth it, or archived.
    async fn rows_between(
        &self,
        indexed: &IndexedBoard,
        after: Version,
        to: Version,
    ) -> Result<Option<Vec<LogRow>>, BackendError> {
        let count = usize::try_from(to.get() - after.get()).unwrap_or(usize::MAX);
        if count == 0 {
            return Ok(Some(Vec::new()));
        }
        if count > ROWS {
            return Ok(None);
        }
        let rows = self.shared.inner.log(&indexed.id, after, count).await?;
        Ok((rows.len() == count && rows.last().is_some_and(|row| row.position.version == to)).then_some(rows))
    }
}

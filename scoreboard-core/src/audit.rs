//! The proof that the scores are what the log says: folding it again.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Bound;

use crate::board::{Board, Season};
use crate::entry::{PageQuery, Range};
use crate::error::BackendError;
use crate::hash_chain::{HashChain, Head};
use crate::ids::{BoardId, UserId};
use crate::ranking::{OrderKey, RankStyle};
use crate::store::{LogRow, Origin, Reached, RowDigest, ScoreStore, Visibility};
use crate::version::{Epoch, Position, Version};

mod kept_head;

pub use kept_head::{KeptHead, compare_head};

/// How many rows and scores are read at once.
const CHUNK: usize = 2_000;

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Audit {
    /// The log folds to exactly the scores and totals, and each row comes to its digest.
    Clean {
        /// Up to where it was checked.
        position: Position,
        /// How many scores, over all seasons.
        scores: u64,
        /// The newest row that has a digest; `None` if none has one.
        head: Option<Head>,
        /// From this version on each row has a digest: what is before it, releases have written that knew of none. `None` if the newest
        /// row has none.
        digests_from: Option<Version>,
    },
    /// There is no such board.
    UnknownBoard,
    /// The first difference.
    Differs(Difference),
}

/// The first point at which the log and the rest do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The version at which it was seen.
    pub version: Version,
    /// What is wrong, in a sentence.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at version {}: {}", self.version, self.what)
    }
}

/// Folds a board's log from its first row and compares it with the scores, totals and ranks of every season, and its [hash chain](HashChain)
/// with its digests.
///
/// A correction is taken as it says: that it follows from the actions that are void is decided once, when it is made, by
/// [`Inquiry::decide`](crate::Inquiry::decide).
///
/// Where the log is whole only behind a [later version](Board::log_after), it is folded from there: each user's first row says what they had,
/// and who has no row keeps the score that the store has, if it is one from before. The first digest is then taken as it is found.
///
/// The board may be in use: each stretch of scores is compared with the fold at that stretch's own version. Memory: two entries a user.
/// `progress` is told the version reached and the board's version, now and then.
///
/// # Errors
///
/// If the store fails. A difference is no error: see [`Audit::Differs`].
///
/// # Cancel safety
///
/// Nothing is changed.
pub async fn verify(
    store: &dyn ScoreStore,
    board: &BoardId,
    mut progress: impl FnMut(Version, Version) + Send,
) -> Result<Audit, BackendError> {
    loop {
        let Some(found) = store.board(board).await? else { return Ok(Audit::UnknownBoard) };
        let begins = found.log_after;
        let audit = verify_board(store, found, &mut progress).await?;
        // What was archived meanwhile is missed by the fold, and is no difference.
        let is_sure = match &audit {
            Audit::Differs(_) => store.board(board).await?.is_none_or(|board| board.log_after == begins),
            Audit::Clean { .. } | Audit::UnknownBoard => true,
        };
        if is_sure {
            return Ok(audit);
        }
    }
}

async fn verify_board(
    store: &dyn ScoreStore,
    found: Board,
    progress: &mut (impl FnMut(Version, Version) + Send),
) -> Result<Audit, BackendError> {
    let begins = found.log_after;
    let chain = if begins == Version::ZERO { HashChain::of } else { HashChain::from_later };
    let mut fold = Fold {
        begins,
        seen: begins,
        chain: chain(&found.spec.id),
        board: found,
        epoch: Epoch::default(),
        users: BTreeMap::new(),
        order: BTreeMap::new(),
        withheld: BTreeMap::new(),
        told: HashSet::new(),
    };
    let target = fold.board.version;
    while fold.seen < target {
        if let Err(difference) = fold.advance(store, target).await? {
            return Ok(Audit::Differs(difference));
        }
        progress(fold.seen, target);
    }
    if let Err(difference) = fold.compare_head() {
        return Ok(Audit::Differs(difference));
    }
    let mut scores = 0;
    let mut position = fold.board.position();
    for season in 1..=fold.board.season.get() {
        match fold.compare(store, Season::new(season), &mut scores).await? {
            Ok(seen) => position = seen.max(position),
            Err(difference) => return Ok(Audit::Differs(difference)),
        }
        if let Err(difference) = fold.compare_order(store, Season::new(season)).await? {
            return Ok(Audit::Differs(difference));
        }
    }
    let beyond = Season::new(fold.board.season.get() + 1);
    if store
        .scan(&fold.board.spec.id, beyond, None, 1)
        .await?
        .is_some_and(|scan| scan.total > 0 || !scan.scores.is_empty())
    {
        return Ok(Audit::Differs(fold.differs(format!("there are scores of season {beyond}, which has not begun"))));
    }
    if let Err(difference) = fold.compare_end(store).await? {
        return Ok(Audit::Differs(difference));
    }
    let (head, digests_from) = (fold.chain.head(), fold.chain.whole_from());
    Ok(Audit::Clean { position, scores, head, digests_from })
}

struct Fold {
    board: Board,
    /// Behind which version it begins.
    begins: Version,
    /// Up to where the log has been folded.
    seen: Version,
    chain: HashChain,
    /// The epoch of the row there.
    epoch: Epoch,
    /// What is shown.
    users: BTreeMap<(Season, UserId), Reached>,
    /// The same in the board's order.
    order: BTreeMap<(Season, OrderKey), UserId>,
    /// What those have of whom something else is shown, or nothing.
    withheld: BTreeMap<(Season, UserId), Option<Reached>>,
    /// Of whom a row here has said what is shown. Only where the log begins later: of all others it is what the scores say.
    told: HashSet<(Season, UserId)>,
}

impl Fold {
    fn differs(&self, what: String) -> Difference {
        Difference { version: self.seen, what }
    }

    /// Folds the next rows, up to `target` at most.
    async fn advance(
        &mut self,
        store: &dyn ScoreStore,
        target: Version,
    ) -> Result<Result<(), Difference>, BackendError> {
        let limit = CHUNK.min(usize::try_from(target.get() - self.seen.get()).unwrap_or(CHUNK));
        let rows = store.log(&self.board.spec.id, self.seen, limit).await?;
        if rows.is_empty() {
            return Ok(Err(self.differs(format!("the log ends here, but the board says version {target}"))));
        }
        for row in rows {
            if let Err(difference) = self.fold(&row) {
                return Ok(Err(difference));
            }
        }
        Ok(Ok(()))
    }

    fn fold(&mut self, row: &LogRow) -> Result<(), Difference> {
        let expected = self.seen.next();
        if row.position.version != expected {
            return Err(self.differs(format!("the next row has version {}, expected {expected}", row.position.version)));
        }
        let epoch = row.position.epoch;
        if epoch < self.epoch {
            return Err(self.differs(format!("the next row is of epoch {epoch}, after one of epoch {}", self.epoch)));
        }
        if epoch > self.board.epoch {
            return Err(
                self.differs(format!("the next row is of epoch {epoch}, the board of epoch {}", self.board.epoch))
            );
        }
        if row.season > self.board.season {
            let what = format!("the next row is of season {}, the board in season {}", row.season, self.board.season);
            return Err(self.differs(what));
        }
        self.epoch = epoch;
        self.seen = expected;
        let user = (row.season, row.user_id);
        // Somebody's first row here says what they had when the log began.
        let at_begin = || row.previous.filter(|previous| previous.version <= self.begins);
        // Whose beginning is archived may have had more than the scores show.
        let may_have_more = row.origin == Origin::Correction || row.visibility != Visibility::Shown;
        let previous = match (self.withheld.get(&user), self.users.get(&user)) {
            (Some(withheld), _) => *withheld,
            (None, Some(shown)) if !may_have_more || self.is_told(user) => Some(*shown),
            (None, None) if self.is_told(user) => None,
            (None, _) => at_begin(),
        };
        if row.previous != previous {
            let what = format!("user {} had {}, the row says {}", row.user_id, show(previous), show(row.previous));
            return Err(self.differs(what));
        }
        if row.origin != Origin::Correction {
            let spec = &self.board.spec;
            let score = spec.operator.apply(spec.direction, previous.map(|previous| previous.score), row.points);
            if score != Some(row.score) {
                let folded = score.map_or("a score out of range".to_owned(), |score| score.to_string());
                return Err(self.differs(format!("user {} comes to {folded}, the row says {}", row.user_id, row.score)));
            }
        }
        let after = row.after();
        match row.visibility {
            Visibility::Shown => {
                self.withheld.remove(&user);
                self.place(user, after);
            }
            Visibility::AsBefore => drop(self.withheld.insert(user, after)),
            Visibility::Nothing => {
                self.withheld.insert(user, after);
                self.place(user, None);
            }
        }
        if self.begins > Version::ZERO && row.visibility != Visibility::AsBefore {
            self.told.insert(user);
        }
        if !self.chain.takes(row) {
            let what = "the row does not come to its digest: it was altered, or what is before it is not what was";
            return Err(self.differs(what.to_owned()));
        }
        Ok(())
    }

    /// At the version at which the board was read: its head is the digest of its newest row. A row without one leaves the head as it is.
    fn compare_head(&self) -> Result<(), Difference> {
        let head = self.chain.head().map(|head| head.digest);
        // Where all that has digests is archived, the head says what cannot be read here.
        let is_known = head.is_some() || self.begins == Version::ZERO;
        if is_known && head != self.board.head {
            let show = |head: Option<RowDigest>| head.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
            let what =
                format!("the log ends with digest {}, the board's head is {}", show(head), show(self.board.head));
            return Err(self.differs(what));
        }
        Ok(())
    }

    /// Whether the rows here have said what is shown of a user.
    fn is_told(&self, user: (Season, UserId)) -> bool {
        self.begins == Version::ZERO || self.told.contains(&user)
    }

    /// What is shown of a user is this from now on.
    fn place(&mut self, user: (Season, UserId), shown: Option<Reached>) {
        let order = self.board.spec.order();
        let key = |reached: Reached| (user.0, order.key(reached.score, reached.version));
        let before = match shown {
            Some(shown) => self.users.insert(user, shown),
            None => self.users.remove(&user),
        };
        if let Some(before) = before {
            self.order.remove(&key(before));
        }
        if let Some(shown) = shown {
            self.order.insert(key(shown), user.1);
        }
    }

    /// Walks a season's pages as a reader does: each must hold those who stand there at the page's own version, in order.
    async fn compare_order(
        &mut self,
        store: &dyn ScoreStore,
        season: Season,
    ) -> Result<Result<(), Difference>, BackendError> {
        let mut after: Option<OrderKey> = None;
        loop {
            let range = after.map_or(Range::Top { limit: CHUNK }, |key| Range::After { key, limit: CHUNK });
            let query = PageQuery { season: Some(season), range, style: RankStyle::Ordinal };
            let Some(page) = store.page(&self.board.spec.id, query).await? else {
                return Ok(Err(self.differs(format!("season {season} cannot be read"))));
            };
            while self.seen < page.position.version {
                if let Err(difference) = self.advance(store, page.position.version).await? {
                    return Ok(Err(difference));
                }
            }
            let from = after.map_or(Bound::Included((season, OrderKey::MIN)), |key| Bound::Excluded((season, key)));
            let rank =
                1 + after.map_or(0, |key| self.order.range((season, OrderKey::MIN)..=(season, key)).count()) as u64;
            let folded = self.order.range((from, Bound::Included((season, OrderKey::MAX)))).map(|(_, user)| *user);
            let folded: Vec<(u64, UserId)> = (rank..).zip(folded.take(CHUNK)).collect();
            let stored: Vec<(u64, UserId)> = page.entries.iter().map(|entry| (entry.rank, entry.user_id)).collect();
            if folded != stored {
                let at = folded.iter().zip(&stored).position(|(a, b)| a != b).unwrap_or(folded.len().min(stored.len()));
                let show = |side: &[(u64, UserId)]| {
                    side.get(at)
                        .map_or_else(|| "nobody".to_owned(), |(rank, user)| format!("user {user} at rank {rank}"))
                };
                let what = format!("the log puts {} next, the board shows {}", show(&folded), show(&stored));
                return Ok(Err(self.differs(what)));
            }
            let Some(last) = page.entries.last().filter(|_| page.entries.len() == CHUNK) else { return Ok(Ok(())) };
            after = Some(self.board.spec.order().key(last.score, last.reached));
        }
    }

    /// No row stands behind the board's version.
    async fn compare_end(&mut self, store: &dyn ScoreStore) -> Result<Result<(), Difference>, BackendError> {
        let rows = store.log(&self.board.spec.id, self.seen, 1).await?;
        let Some(row) = rows.first() else { return Ok(Ok(())) };
        // The board is read behind the row: if it is in use, it has reached the row's version by now.
        let board = store.board(&self.board.spec.id).await?;
        let version = board.map_or(Version::ZERO, |board| board.version);
        Ok(if row.position.version <= version {
            Ok(())
        } else {
            Err(self.differs(format!("the log has a version {}, but the board is at {version}", row.position.version)))
        })
    }

    /// Compares a season's scores, stretch by stretch, and its total.
    async fn compare(
        &mut self,
        store: &dyn ScoreStore,
        season: Season,
        scores: &mut u64,
    ) -> Result<Result<Position, Difference>, BackendError> {
        let mut after = None;
        loop {
            let Some(scan) = store.scan(&self.board.spec.id, season, after, CHUNK).await? else {
                return Ok(Err(self.differs(format!("season {season} cannot be read"))));
            };
            while self.seen < scan.position.version {
                if let Err(difference) = self.advance(store, scan.position.version).await? {
                    return Ok(Err(difference));
                }
            }
            let last = scan.scores.last().map(|(user, _)| *user);
            let ended = scan.scores.len() < CHUNK;
            // Who has no row since the log began, and a score from before it, is taken as found.
            for (user, reached) in &scan.scores {
                let user = (season, *user);
                if reached.version <= self.begins && !self.users.contains_key(&user) && !self.is_told(user) {
                    self.place(user, Some(*reached));
                }
            }
            let total = self.users.range((season, UserId::MIN)..=(season, UserId::MAX)).count() as u64;
            if scan.total != total && (ended || self.begins == Version::ZERO) {
                return Ok(Err(
                    self.differs(format!("season {season} has {total} entries, its total says {}", scan.total))
                ));
            }
            let first = after.map_or(Bound::Included((season, UserId::MIN)), |user| Bound::Excluded((season, user)));
            let end = if ended { UserId::MAX } else { last.unwrap_or(UserId::MAX) };
            let mut folded = self.users.range((first, Bound::Included((season, end))));
            let mut stored = scan.scores.iter();
            loop {
                let (folded, stored) =
                    (folded.next().map(|((_, user), reached)| (*user, *reached)), stored.next().copied());
                if folded == stored {
                    if folded.is_none() {
                        break;
                    }
                    *scores += 1;
                    continue;
                }
                // The smaller id is the one that the other side lacks.
                let user = [folded, stored].into_iter().flatten().map(|(user, _)| user).min();
                let of = |side: Option<(UserId, Reached)>| {
                    side.filter(|(u, _)| Some(*u) == user).map(|(_, reached)| reached)
                };
                let user = user.map_or_else(String::new, |user| user.to_string());
                let what = format!("user {user} comes to {}, the scores say {}", show(of(folded)), show(of(stored)));
                return Ok(Err(self.differs(what)));
            }
            if ended {
                return Ok(Ok(scan.position));
            }
            after = last;
        }
    }
}

fn show(reached: Option<Reached>) -> String {
    match reached {
        Some(Reached { score, version, at }) => format!("{score} (reached at version {version}, {at})"),
        None => "no score".to_owned(),
    }
}

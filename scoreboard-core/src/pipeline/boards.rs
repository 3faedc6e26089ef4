//! The boards and their catalogues, remembered for a moment so that an update does not read them again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use crate::board::{Board, BoardSpec};
use crate::clock::Timestamp;
use crate::error::{BackendError, InvalidValue, Rejection, Result};
use crate::flight::{Flights, apart};
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::store::{ChangeBoard, CreateBoard, ScoreStore};

/// How long a catalogue may be used after it was read: a change made by another process counts this much later. What must be
/// exact, the season above all, is checked again inside the transaction.
const LIFETIME: Duration = Duration::from_secs(2);

/// How many names without a board are remembered.
const MAX_MISSING: usize = 1_000;

/// What the store says of a name.
type Loaded = Result<Option<Arc<Board>>, BackendError>;

/// Boards as they were read, bounded by their number, and names that have none.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    boards: RwLock<HashMap<BoardId, (Arc<Board>, Timestamp)>>,
    missing: RwLock<HashMap<BoardId, Timestamp>>,
    /// How often this process has created or changed one. Who comes behind that does not share what was asked before.
    changed: AtomicU64,
    loads: Flights<(BoardId, u64), Loaded>,
}

impl Catalogue {
    fn get(&self, board: &BoardId, now: Timestamp) -> Option<Arc<Board>> {
        let boards = self.boards.read();
        let (board, read_at) = boards.get(board)?;
        (now >= *read_at && now.since(*read_at) < LIFETIME).then(|| board.clone())
    }

    /// Names without a board are remembered too, so that who asks for nonsense again and again does not keep the store busy.
    fn is_missing(&self, board: &BoardId, now: Timestamp) -> bool {
        let missing = self.missing.read();
        missing.get(board).is_some_and(|read_at| now >= *read_at && now.since(*read_at) < LIFETIME)
    }

    /// This process has created the board, or changed it.
    fn forget(&self, board: &BoardId) {
        self.changed.fetch_add(1, Ordering::Relaxed);
        self.missing.write().remove(board);
        self.boards.write().remove(board);
    }

    /// What the store says, for all that ask at this moment: what was remembered is over for all requests of a busy board at once.
    async fn load<F>(&self, board: &BoardId, now: Timestamp, ask: impl FnOnce() -> F) -> Loaded
    where
        F: Future<Output = Result<Option<Board>, BackendError>>,
    {
        let changed = self.changed.load(Ordering::Relaxed);
        let load = async || {
            let said = ask().await.map(|found| found.map(Arc::new));
            if let Ok(found) = &said {
                self.remember(board, found.as_ref(), now, changed);
            }
            // An error is shared too: else they would wait for the store one after the other, each as long as it may.
            Ok::<_, Infallible>(said)
        };
        let said = self.loads.run((board.clone(), changed), load).await;
        said.unwrap_or_else(|never| match never {})
    }

    /// Since it was asked for, and if nothing was changed here since: looked at under the lock, for who changes something forgets it behind that.
    fn remember(&self, board: &BoardId, found: Option<&Arc<Board>>, asked: Timestamp, changed: u64) {
        let is_current = || self.changed.load(Ordering::Relaxed) == changed;
        if let Some(found) = found {
            let mut boards = self.boards.write();
            if is_current() {
                boards.insert(board.clone(), (found.clone(), asked));
            }
            return;
        }
        let mut missing = self.missing.write();
        if missing.len() >= MAX_MISSING {
            missing.retain(|_, read_at| asked >= *read_at && asked.since(*read_at) < LIFETIME);
        }
        if is_current() && missing.len() < MAX_MISSING {
            missing.insert(board.clone(), asked);
        }
    }
}

/// Why a board could not be created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// The spec breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There is a board of this name.
    #[error("there is already a board `{0}`")]
    AlreadyExists(BoardId),
    /// There is no board of this name.
    #[error("there is no board `{0}`")]
    Unknown(BoardId),
    /// The board's log was made with its operator, direction and tie-break.
    #[error("the board `{0}` has a log already: its operator, direction and tie-break are fixed")]
    OrderIsFixed(BoardId),
    /// The spec is not the one that was to be replaced.
    #[error("the board `{0}` was changed by somebody else meanwhile")]
    ChangedMeanwhile(BoardId),
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] crate::BackendError),
}

impl Scoreboard {
    /// Creates a board, at version 0 in its first season.
    ///
    /// # Errors
    ///
    /// [`BoardError`] if the spec breaks a rule, the name is taken, or the store fails.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the board was created or was not.
    pub async fn create_board(&self, spec: BoardSpec) -> Result<(), BoardError> {
        spec.check()?;
        let created = self.parts.store.create_board(&spec).await?;
        self.parts.boards.forget(&spec.id);
        match created {
            CreateBoard::Created => Ok(()),
            CreateBoard::AlreadyExists => Err(BoardError::AlreadyExists(spec.id)),
        }
    }

    /// Replaces a board's spec, if it still is `from`. Its operator, direction and tie-break are fixed once it has a log. Other processes follow
    /// within two seconds.
    ///
    /// # Errors
    ///
    /// [`BoardError`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the spec is the old or the new one.
    pub async fn change_board(&self, from: &BoardSpec, to: BoardSpec) -> Result<(), BoardError> {
        to.check()?;
        let changed = self.parts.store.change_board(from, &to).await?;
        self.parts.boards.forget(&to.id);
        match changed {
            ChangeBoard::Changed => Ok(()),
            ChangeBoard::Unknown => Err(BoardError::Unknown(to.id)),
            ChangeBoard::OrderIsFixed => Err(BoardError::OrderIsFixed(to.id)),
            ChangeBoard::ChangedMeanwhile => Err(BoardError::ChangedMeanwhile(to.id)),
        }
    }

    /// All boards as they stand, sorted by id.
    ///
    /// # Errors
    ///
    /// If the store fails.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn boards(&self) -> Result<Vec<Board>> {
        Ok(self.parts.store.boards().await?)
    }

    /// The board with its catalogue; season, version and total may be those of a moment ago.
    pub(crate) async fn catalogue(&self, board: &BoardId, now: Timestamp) -> Result<Arc<Board>> {
        if let Some(board) = self.parts.boards.get(board, now) {
            return Ok(board);
        }
        self.not_missing(board, now)?;
        let (parts, name) = (self.parts.clone(), board.clone());
        let found = apart(async move { parts.boards.load(&name, now, || parts.store.board(&name)).await }).await?;
        found.ok_or_else(|| Rejection::UnknownBoard(board.clone()).into())
    }

    /// Refuses a name that had no board a moment ago.
    pub(super) fn not_missing(&self, board: &BoardId, now: Timestamp) -> Result<()> {
        if self.parts.boards.is_missing(board, now) {
            return Err(Rejection::UnknownBoard(board.clone()).into());
        }
        Ok(())
    }

    /// Why the store knows nothing of a board's season: the season, or the board itself, is unknown.
    pub(super) async fn missing(&self, board: &BoardId) -> crate::Error {
        match self.catalogue(board, self.parts.clock.now()).await {
            Ok(_) => Rejection::UnknownSeason.into(),
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};
    use tokio::sync::oneshot;

    use super::*;
    use crate::board::Season;
    use crate::error::ErrorKind;
    use crate::version::{Epoch, Version};

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn board() -> Board {
        Board {
            spec: BoardSpec::new(BoardId::main()),
            season: Season::FIRST,
            epoch: Epoch::new(1),
            version: Version::ZERO,
            total: 0,
            log_after: Version::ZERO,
            head: None,
        }
    }

    #[tokio::test]
    async fn those_who_ask_at_once_are_answered_by_one_look_at_the_store() {
        let (catalogue, main, asked) = (Catalogue::default(), BoardId::main(), AtomicU64::new(0));
        let ask = async |fails: bool| {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            if fails { Err(BackendError::new(ErrorKind::Unavailable, "test", "board")) } else { Ok(None) }
        };
        for (fails, looks) in [(false, 1), (true, 2)] {
            let answers = join_all((0..10).map(|_| catalogue.load(&main, NOW, || ask(fails)))).await;
            assert!(answers.iter().all(|answer| answer.is_err() == fails));
            assert_eq!(asked.load(Ordering::Relaxed), looks);
        }
    }

    #[tokio::test]
    async fn no_more_names_without_a_board_are_remembered_than_there_is_room_for() {
        let catalogue = Catalogue::default();
        let name = |number: usize| BoardId::new(&format!("missing-{number}")).expect("a slug");
        let ask = async |number: usize, now| {
            let said = catalogue.load(&name(number), now, async || Ok(None)).await.expect("it says");
            assert!(said.is_none());
        };
        for number in 0..MAX_MISSING + 10 {
            ask(number, NOW).await;
        }
        assert_eq!(catalogue.missing.read().len(), MAX_MISSING);
        assert!(catalogue.is_missing(&name(0), NOW), "what is remembered is not driven out by more");
        assert!(!catalogue.is_missing(&name(MAX_MISSING), NOW), "there is no room for it");
        // Half of them are asked for again by then, and remembered anew.
        let half = NOW.plus(LIFETIME / 2);
        for number in 0..MAX_MISSING / 2 {
            catalogue.forget(&name(number));
            ask(number, half).await;
        }
        let later = NOW.plus(LIFETIME);
        ask(MAX_MISSING, later).await;
        assert!(catalogue.is_missing(&name(MAX_MISSING), later), "what was remembered too long has made room");
        assert!(catalogue.is_missing(&name(0), later), "and what was not is still there");
        assert_eq!(catalogue.missing.read().len(), MAX_MISSING / 2 + 1);
    }

    #[tokio::test]
    async fn who_asks_behind_a_change_is_not_told_what_was_asked_before() {
        let (catalogue, main) = (Catalogue::default(), BoardId::main());
        let mut before = Box::pin(catalogue.load(&main, NOW, pending));
        assert!((&mut before).now_or_never().is_none(), "it is under way");
        let ask = async || Ok(None);
        assert!(catalogue.load(&main, NOW, ask).now_or_never().is_none(), "who asks meanwhile shares it");
        catalogue.forget(&main);
        assert!(matches!(catalogue.load(&main, NOW, ask).now_or_never(), Some(Ok(None))));
    }

    #[tokio::test]
    async fn what_was_asked_before_a_change_is_not_remembered_behind_it() {
        for found in [None, Some(board())] {
            let (catalogue, main) = (Catalogue::default(), BoardId::main());
            let is_remembered = || match &found {
                Some(_) => catalogue.get(&main, NOW).is_some(),
                None => catalogue.is_missing(&main, NOW),
            };
            let (says, said) = oneshot::channel();
            let mut before = Box::pin(catalogue.load(&main, NOW, async || Ok(said.await.expect("it says"))));
            assert!((&mut before).now_or_never().is_none(), "it is under way");
            catalogue.forget(&main);
            says.send(found.clone()).expect("it listens");
            assert!(matches!(before.await, Ok(of) if of.is_some() == found.is_some()));
            assert!(!is_remembered());
            catalogue.load(&main, NOW, async || Ok(found.clone())).await.expect("it says");
            assert!(is_remembered());
        }
    }
}

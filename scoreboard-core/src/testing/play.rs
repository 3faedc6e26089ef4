//! A board under test, and short ways to play on it: what keeps the cases short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::Fingerprint;
use crate::board::{Board, BoardSpec, Season};
use crate::clock::Timestamp;
use crate::entry::{PageQuery, Range, RankedPage};
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::ranking::{Direction, Operator, OrderKey, RankStyle};
use crate::score::{Points, Score};
use crate::store::{Change, CreateBoard, LogRow, Origin, Outcome, Receipt, Refusal, ScoreStore};
use crate::testing::ManualClock;
use crate::testing::fixture::ScoreStoreFixture;
use crate::version::Version;

/// The user of this number; users sort as their numbers do.
pub(crate) fn user(number: u64) -> UserId {
    UserId::from_bytes(u128::from(number).to_be_bytes())
}

/// The number of a [`user`].
pub(crate) fn number(user: UserId) -> u64 {
    u64::try_from(u128::from_be_bytes(*user.as_bytes())).expect("the suites make users of small numbers")
}

pub(crate) fn points(value: i64) -> Points {
    Points::new(value).expect("the suites stay in range")
}

pub(crate) fn score(value: i64) -> Score {
    Score::new(value).expect("the suites stay in range")
}

pub(crate) fn board_id(name: &str) -> BoardId {
    BoardId::new(name).expect("the suites name boards by slugs")
}

pub(crate) fn kind(name: &str) -> KindId {
    KindId::new(name).expect("the suites name kinds by slugs")
}

/// The moment this many milliseconds after the suites' first.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(ManualClock::START.as_millis() + millis)
}

/// A spec with this operator and direction.
pub(crate) fn spec(name: &str, operator: Operator, direction: Direction) -> BoardSpec {
    BoardSpec { operator, direction, ..BoardSpec::new(board_id(name)) }
}

/// One board of a store. Clones play on the same board.
#[derive(Debug, Clone)]
pub(crate) struct Play {
    pub(crate) store: Arc<dyn ScoreStore>,
    pub(crate) spec: BoardSpec,
    made: Arc<AtomicU64>,
}

impl Play {
    /// On a new board `main`: descending, incrementing, the earliest leads among equals.
    pub(crate) async fn new(f: &impl ScoreStoreFixture) -> Self {
        Self::on(f, BoardSpec::new(board_id("main"))).await
    }

    /// On a new board.
    pub(crate) async fn on(f: &impl ScoreStoreFixture, spec: BoardSpec) -> Self {
        let store = f.score_store();
        let created = store.create_board(&spec).await.expect("create_board answers");
        assert_eq!(created, CreateBoard::Created, "a fresh store has no boards");
        Self { store, spec, made: Arc::default() }
    }

    pub(crate) fn id(&self) -> &BoardId {
        &self.spec.id
    }

    /// A change of its own, not applied yet, some milliseconds after the last one made.
    pub(crate) fn change(&self, user_number: u64, value: i64) -> Change {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let hash = crate::encoding::sha256("test/action", &[self.id().as_str().as_bytes(), &made.to_le_bytes()]);
        let [mut id, mut fingerprint] = [[0; 16]; 2];
        id.copy_from_slice(&hash[..16]);
        fingerprint.copy_from_slice(&hash[16..]);
        Change {
            action_id: ActionId::from_bytes(id),
            fingerprint: Fingerprint::from_bytes(fingerprint),
            board: self.id().clone(),
            season: Season::FIRST,
            user_id: user(user_number),
            kind: kind("tap"),
            points: points(value),
            origin: Origin::Action,
            at: at(10 * i64::try_from(made).expect("few changes")),
            at_most: None,
            admitted: None,
        }
    }

    /// Applies a batch.
    pub(crate) async fn apply(&self, changes: &[Change]) -> Vec<Outcome> {
        let outcomes = self.store.apply(changes).await.expect("apply answers");
        assert_eq!(outcomes.len(), changes.len(), "each change has its own outcome");
        outcomes
    }

    /// Applies one change.
    pub(crate) async fn apply_one(&self, change: &Change) -> Outcome {
        self.apply(std::slice::from_ref(change)).await.remove(0)
    }

    /// Makes and applies a change that must count.
    pub(crate) async fn scored(&self, user_number: u64, value: i64) -> Receipt {
        applied(self.apply_one(&self.change(user_number, value)).await)
    }

    /// Makes and applies one change each, in order.
    pub(crate) async fn scored_all(&self, scores: &[(u64, i64)]) {
        for &(user_number, value) in scores {
            self.scored(user_number, value).await;
        }
    }

    pub(crate) async fn board(&self) -> Board {
        self.store.board(self.id()).await.expect("board answers").expect("the board is there")
    }

    pub(crate) async fn version(&self) -> u64 {
        self.board().await.version.get()
    }

    /// A page numbered in a style.
    pub(crate) async fn page_in(&self, style: RankStyle, range: Range) -> RankedPage {
        let query = PageQuery { season: None, range, style };
        self.store.page(self.id(), query).await.expect("page answers").expect("the board is there")
    }

    /// A page numbered 1, 2, 3 …
    pub(crate) async fn page(&self, range: Range) -> RankedPage {
        self.page_in(RankStyle::Ordinal, range).await
    }

    /// The first thousand.
    pub(crate) async fn top(&self) -> RankedPage {
        self.page(Range::Top { limit: 1000 }).await
    }

    /// All users with their scores, best first.
    pub(crate) async fn entries(&self) -> Vec<(u64, i64)> {
        self.top().await.entries.iter().map(|entry| (number(entry.user_id), entry.score.get())).collect()
    }

    /// The whole log.
    pub(crate) async fn log(&self) -> Vec<LogRow> {
        self.store.log(self.id(), Version::ZERO, 10_000).await.expect("log answers")
    }

    /// The keys of a page's entries.
    pub(crate) fn keys(&self, page: &RankedPage) -> Vec<OrderKey> {
        page.entries.iter().map(|entry| self.spec.order().key(entry.score, entry.reached)).collect()
    }
}

/// The users of a page by their numbers.
pub(crate) fn users(page: &RankedPage) -> Vec<u64> {
    page.entries.iter().map(|entry| number(entry.user_id)).collect()
}

/// The ranks of a page.
pub(crate) fn ranks(page: &RankedPage) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.rank).collect()
}

/// The receipt of a change that must count for the first time.
#[track_caller]
pub(crate) fn applied(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Applied(receipt) => receipt,
        other @ (Outcome::Replayed(_) | Outcome::Refused(_)) => panic!("a new change must be applied, but: {other:?}"),
    }
}

/// The receipt of a change that must have counted before.
#[track_caller]
pub(crate) fn replayed(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Replayed(receipt) => receipt,
        other @ (Outcome::Applied(_) | Outcome::Refused(_)) => panic!("a repeat must be replayed, but: {other:?}"),
    }
}

/// The reason of a change that must not count.
#[track_caller]
pub(crate) fn refused(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other @ (Outcome::Applied(_) | Outcome::Replayed(_)) => panic!("the change must be refused, but: {other:?}"),
    }
}

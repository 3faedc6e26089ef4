//! Group commit over a store that counts, waits and fails as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    ActionId, BackendError, Board, BoardId, BoardSpec, Change, ChangeBoard, CreateBoard, Epoch, ErrorKind, Fingerprint,
    GroupCommit, GroupCommitConfig, LogRow, Origin, Outcome, PageQuery, Points, RankStyle, RankedPage, RankedUsers,
    Refusal, Scan, Score, ScoreRank, ScoreStore, Season, Timestamp, UserId, Version, verify,
};
use tokio::sync::Semaphore;

/// Passes on to memory; `apply` waits for a permit each, then does as `fail` says.
#[derive(Debug)]
struct Gated {
    inner: MemoryScoreStore,
    gate: Semaphore,
    batches: parking_lot::Mutex<Vec<usize>>,
    /// How many applies still fail, and how.
    failures: AtomicUsize,
    failure: Failure,
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    None,
    /// Applied, but the answer is lost.
    LostAnswer,
    /// Refuses any batch that holds this user.
    Poison(UserId),
    /// A defect: panics, so many times.
    Panic,
    /// Applied, but the answer is lost, and nothing is answered after it.
    Silent,
    /// Somebody else holds the store.
    Contended,
}

impl Gated {
    async fn new(failure: Failure, failures: usize) -> Arc<Self> {
        let inner = MemoryScoreStore::default();
        let _ = inner.create_board(&BoardSpec::new(BoardId::main())).await.expect("memory");
        let (gate, batches) = (Semaphore::new(0), parking_lot::Mutex::default());
        Arc::new(Self { inner, gate, batches, failures: failures.into(), failure })
    }
}

#[async_trait]
impl ScoreStore for Gated {
    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        self.gate.acquire().await.expect("never closed").forget();
        self.batches.lock().push(changes.len());
        if let Failure::Poison(user) = self.failure
            && changes.iter().any(|change| change.user_id == user)
        {
            self.gate.add_permits(1);
            return Err(BackendError::new(ErrorKind::Refused, "gated", "apply"));
        }
        if matches!(self.failure, Failure::Contended) {
            self.gate.add_permits(1);
            tokio::time::sleep(Duration::from_millis(700)).await;
            return Err(BackendError::new(ErrorKind::Contended, "gated", "apply"));
        }
        let outcomes = self.inner.apply(changes).await?;
        let fail = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fail && matches!(self.failure, Failure::LostAnswer) {
            self.gate.add_permits(1);
            return Err(BackendError::new(ErrorKind::OutcomeUnknown, "gated", "apply"));
        }
        if fail && matches!(self.failure, Failure::Silent) {
            return Err(BackendError::new(ErrorKind::OutcomeUnknown, "gated", "apply"));
        }
        assert!(!fail || !matches!(self.failure, Failure::Panic), "as it was told");
        Ok(outcomes)
    }
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.inner.create_board(spec).await
    }
    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.inner.change_board(from, to).await
    }
    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        self.inner.board(board).await
    }
    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        self.inner.boards().await
    }
    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        self.inner.action(action).await
    }
    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        self.inner.page(board, query).await
    }
    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        self.inner.standings(board, season, style, users).await
    }
    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        self.inner.score_rank(board, style, score).await
    }
    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        self.inner.history(board, user, before, limit).await
    }
    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        self.inner.log(board, after, limit).await
    }
    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        self.inner.scan(board, season, after, limit).await
    }
    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        self.inner.raise_epoch(above).await
    }
    async fn check(&self) -> Result<(), BackendError> {
        self.inner.check().await
    }
}

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

fn change(n: u8) -> Change {
    Change {
        action_id: ActionId::from_bytes([n; 16]),
        fingerprint: Fingerprint::from_bytes([n; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: user(n),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        at: Timestamp::from_millis(1),
        at_most: None,
        admitted: None,
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("waited for: {what}"));
}

fn apply(store: &Arc<GroupCommit>, n: u8) -> tokio::task::JoinHandle<Result<Vec<Outcome>, BackendError>> {
    let store = store.clone();
    tokio::spawn(async move { store.apply(&[change(n)]).await })
}

#[tokio::test]
async fn what_waits_during_a_commit_goes_into_the_next() {
    let gated = Gated::new(Failure::None, 0).await;
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let mut calls = vec![apply(&store, 1)];
    // The first is in its commit, held by the gate; nine more come.
    tokio::task::yield_now().await;
    calls.extend((2..=10).map(|n| apply(&store, n)));
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    gated.gate.add_permits(2);
    for call in calls {
        let outcomes = call.await.expect("no panic").expect("applied");
        assert!(matches!(outcomes[..], [Outcome::Applied(_)]));
    }
    assert_eq!(*gated.batches.lock(), [1, 9]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let gated = Gated::new(Failure::None, 0).await;
    let config = GroupCommitConfig { queue: 2, ..GroupCommitConfig::default() };
    let store = Arc::new(GroupCommit::with_config(gated.clone(), config, None));
    let first = apply(&store, 1);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let waiting = [apply(&store, 2), apply(&store, 3)];
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let refused = store.apply(&[change(4)]).await.expect_err("the queue is full");
    assert_eq!(refused.kind(), ErrorKind::Overloaded);
    gated.gate.add_permits(9);
    first.await.expect("no panic").expect("applied");
    for call in waiting {
        call.await.expect("no panic").expect("applied");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_loses_nothing() {
    let gated = Gated::new(Failure::None, 0).await;
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let call = apply(&store, 1);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    call.abort();
    assert!(call.await.expect_err("aborted").is_cancelled());
    gated.gate.add_permits(9);
    until("the change is applied", || !gated.batches.lock().is_empty()).await;
    store.close().await;
    let again = gated.inner.apply(&[change(1)]).await.expect("memory");
    assert!(matches!(again[..], [Outcome::Replayed(_)]), "{again:?}");
}

#[tokio::test]
async fn one_that_the_store_cannot_take_fails_alone() {
    let gated = Gated::new(Failure::Poison(user(5)), 0).await;
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let first = apply(&store, 1);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let calls: Vec<_> = (2..=9).map(|n| (n, apply(&store, n))).collect();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    gated.gate.add_permits(100);
    first.await.expect("no panic").expect("applied");
    for (n, call) in calls {
        let result = call.await.expect("no panic");
        assert_eq!(result.is_err(), n == 5, "{n}: {result:?}");
    }
    assert_eq!(gated.inner.board(&BoardId::main()).await.expect("memory").expect("there").version, Version::new(8));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_settled_with_the_same_ids() {
    let gated = Gated::new(Failure::LostAnswer, 3).await;
    gated.gate.add_permits(100);
    let store = GroupCommit::new(gated.clone());
    let outcomes = store.apply(&[change(1), change(2)]).await.expect("settled");
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|outcome| outcome.receipt().is_some()));
    assert_eq!(gated.batches.lock().len(), 4);
    let audit = verify(&gated.inner, &BoardId::main(), |_, _| ()).await.expect("memory");
    assert!(matches!(audit, scoreboard_core::Audit::Clean { scores: 2, .. }), "{audit:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_stays_unknown_is_said_to_be_so() {
    let gated = Gated::new(Failure::LostAnswer, usize::MAX).await;
    gated.gate.add_permits(100);
    let store = GroupCommit::new(gated.clone());
    let error = store.apply(&[change(1)]).await.expect_err("never answered");
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn closing_drains_the_queue_and_takes_no_more() {
    let gated = Gated::new(Failure::None, 0).await;
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let calls: Vec<_> = (1..=20).map(|n| apply(&store, n)).collect();
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    gated.gate.add_permits(100);
    store.close().await;
    for call in calls {
        call.await.expect("no panic").expect("applied before the end");
    }
    assert_eq!(store.apply(&[change(99)]).await.expect_err("closed").kind(), ErrorKind::Unavailable);
}

/// A store that falls silent is asked again, but not for longer than anybody may wait.
#[tokio::test(start_paused = true)]
async fn what_stays_unknown_is_not_asked_for_ever() {
    let gated = Gated::new(Failure::Silent, 1).await;
    gated.gate.add_permits(1);
    let store = GroupCommit::new(gated.clone());
    let began = tokio::time::Instant::now();
    let error = store.apply(&[change(1)]).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_refusal_spoils_no_other() {
    let gated = Gated::new(Failure::None, 0).await;
    gated.gate.add_permits(100);
    let store = GroupCommit::new(gated.clone());
    let strange = Change { board: BoardId::new("nowhere").expect("slug"), ..change(2) };
    let outcomes = store.apply(&[change(1), strange, change(3)]).await.expect("applied");
    assert!(matches!(
        outcomes[..],
        [Outcome::Applied(_), Outcome::Refused(Refusal::UnknownBoard), Outcome::Applied(_)]
    ));
}

#[tokio::test]
async fn a_panic_is_an_unknown_outcome_and_not_the_end() {
    let gated = Gated::new(Failure::Panic, 1).await;
    gated.gate.add_permits(100);
    let store = GroupCommit::new(gated.clone());
    let error = store.apply(&[change(1)]).await.expect_err("it panicked");
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    let outcomes = store.apply(&[change(1), change(2)]).await.expect("the next is served");
    assert!(matches!(outcomes[..], [Outcome::Replayed(_), Outcome::Applied(_)]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_others_hold_is_given_up_in_time_and_nobody_waits_behind_it() {
    let gated = Gated::new(Failure::Contended, 0).await;
    gated.gate.add_permits(100);
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let began = tokio::time::Instant::now();
    let first = apply(&store, 1);
    tokio::task::yield_now().await;
    let second = apply(&store, 2);
    assert_eq!(first.await.expect("no panic").expect_err("held").kind(), ErrorKind::Contended);
    assert_eq!(second.await.expect("no panic").expect_err("refused with it").kind(), ErrorKind::Contended);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(gated.inner.board(&BoardId::main()).await.expect("memory").expect("there").version, Version::ZERO);
}

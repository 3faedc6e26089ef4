//! The update and the reads, over the in-memory adapters and a clock that is set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use scoreboard_core::memory::{MemoryIncidentStore, MemoryRateLimiter, MemoryScoreStore};
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionKind, AroundQuery, Audit, BackendError, BoardId, BoardSpec, Cell, Config, Decision, Error, HistoryQuery,
    IncidentFilter, IncidentStore, IssueRequest, KeyId, Points, PointsProblem, PointsRule, RateLimiter, Receipt,
    RecordRequest, Rejection, Scoreboard, SignedAction, StandingQuery, Timestamp, TopQuery, UserId, Version, verify,
};

struct World {
    clock: ManualClock,
    store: Arc<MemoryScoreStore>,
    incidents: Arc<MemoryIncidentStore>,
    limiter: Arc<Forgetful>,
    scoreboard: Scoreboard,
}

/// A limiter that can be made to forget, as a Redis does that is emptied.
#[derive(Debug, Default)]
struct Forgetful {
    limiter: Mutex<MemoryRateLimiter>,
    taken: AtomicU32,
}

impl Forgetful {
    fn forget(&self) {
        *self.limiter.lock() = MemoryRateLimiter::default();
    }
}

#[async_trait]
impl RateLimiter for Forgetful {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        let limiter = self.limiter.lock().clone();
        limiter.take(cells, now).await
    }
}

fn kind(name: &str, points: PointsRule, min_duration_seconds: u32, per_day: Option<u32>) -> ActionKind {
    let kind = name.parse().expect("a slug");
    ActionKind { kind, points, min_duration_seconds, lifetime_seconds: 600, per_day }
}

fn points(n: i64) -> Points {
    Points::new(n).expect("in range")
}

fn spec(id: &str) -> BoardSpec {
    BoardSpec {
        kinds: vec![
            kind("tap", PointsRule::Fixed(points(1)), 0, None),
            kind("quest", PointsRule::Fixed(points(10)), 2, None),
            kind("boss", PointsRule::Range(points(50), points(150)), 5, Some(2)),
            kind("max", PointsRule::Fixed(points(scoreboard_core::MAX_SCORE)), 0, None),
        ],
        ..BoardSpec::new(BoardId::new(id).expect("a slug"))
    }
}

async fn world_with(configure: impl FnOnce(&mut Config)) -> World {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let (store, incidents) = (Arc::new(MemoryScoreStore::default()), Arc::new(MemoryIncidentStore::default()));
    let mut config = Config::default();
    configure(&mut config);
    let limiter = Arc::new(Forgetful::default());
    let scoreboard = Scoreboard::builder(store.clone())
        .with_clock(Arc::new(clock.clone()))
        .with_incidents(incidents.clone())
        .with_limiter(limiter.clone())
        .with_config(config)
        .build();
    for board in ["main", "other"] {
        scoreboard.create_board(spec(board)).await.expect("created");
    }
    World { clock, store, incidents, limiter, scoreboard }
}

async fn world() -> World {
    world_with(|config| config.update_quota = None).await
}

fn user(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}

impl World {
    async fn start(&self, user: UserId, kind: &str) -> SignedAction {
        let request = IssueRequest::new(BoardId::main(), kind.parse().expect("a slug"));
        self.scoreboard.issue(user, request).await.expect("issued")
    }

    async fn tap(&self, user: UserId) -> Receipt {
        let action = self.start(user, "tap").await;
        self.scoreboard.submit(user, action).await.expect("counted")
    }

    async fn version(&self) -> Version {
        self.scoreboard.top(&TopQuery::new(BoardId::main())).await.expect("read").version
    }
}

fn rejection<T: std::fmt::Debug>(result: Result<T, Error>) -> Rejection {
    match result.expect_err("refused") {
        Error::Rejected(rejection) => rejection,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_action_counts_once_and_answers_the_same_receipt_ever_after() {
    let world = world().await;
    let action = world.start(user(1), "tap").await;
    let first = world.scoreboard.submit(user(1), action.clone()).await.expect("counted");
    assert_eq!((first.score.get(), first.previous_score, first.replayed), (1, None, false));
    world.clock.advance(Duration::from_secs(86_400 * 365));
    let again = world.scoreboard.submit(user(1), action).await.expect("though it has long expired");
    assert_eq!(again, Receipt { replayed: true, ..first });
    assert_eq!(world.version().await, Version::new(1));
}

#[tokio::test]
async fn an_action_holds_for_its_user_its_time_and_its_fields() {
    let world = world().await;
    let quest = world.start(user(1), "quest").await;
    assert_eq!(rejection(world.scoreboard.submit(user(2), quest.clone()).await), Rejection::Mismatch);
    assert_eq!(rejection(world.scoreboard.submit(user(1), quest.clone()).await), Rejection::NotYetValid);
    let mut forged = quest.clone();
    forged.claims.points = points(11);
    assert_eq!(rejection(world.scoreboard.submit(user(1), forged).await), Rejection::SignatureInvalid);
    let mut moved = quest.clone();
    moved.claims.board = BoardId::new("other").expect("slug");
    assert_eq!(rejection(world.scoreboard.submit(user(1), moved).await), Rejection::SignatureInvalid);
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(rejection(world.scoreboard.submit(user(1), quest).await), Rejection::Expired);
    assert_eq!(world.version().await, Version::ZERO);
}

#[tokio::test]
async fn points_come_from_the_catalogue() {
    let world = world().await;
    let issue = |kind: &str, asked: Option<i64>| {
        let kind = kind.parse().expect("slug");
        world.scoreboard.issue(user(1), IssueRequest { board: BoardId::main(), kind, points: asked.map(points) })
    };
    let problem = |problem| Rejection::PointsNotAllowed(problem);
    assert_eq!(rejection(issue("tap", Some(5)).await), problem(PointsProblem::Fixed));
    assert_eq!(rejection(issue("boss", None).await), problem(PointsProblem::Missing { min: 50, max: 150 }));
    assert_eq!(rejection(issue("boss", Some(151)).await), problem(PointsProblem::OutOfRange { min: 50, max: 150 }));
    assert_eq!(issue("boss", Some(150)).await.expect("in range").claims.points, points(150));
    assert!(matches!(rejection(issue("nothing", None).await), Rejection::UnknownKind(_)));
}

#[tokio::test]
async fn above_the_daily_number_is_blocked_with_one_incident_and_free_again_tomorrow() {
    let world = world().await;
    let boss = || async {
        let request = IssueRequest::new(BoardId::main(), "boss".parse().expect("slug")).with_points(points(60));
        let action = world.scoreboard.issue(user(1), request).await.expect("issued");
        world.clock.advance(Duration::from_secs(5));
        (action.clone(), world.scoreboard.submit(user(1), action).await)
    };
    let (first, result) = boss().await;
    result.expect("the first");
    boss().await.1.expect("the second");
    let (third, result) = boss().await;
    let Rejection::Blocked(incident) = rejection(result) else { panic!("not blocked") };
    assert_eq!(rejection(world.scoreboard.submit(user(1), third).await), Rejection::Blocked(incident), "one incident");
    let written = world.incidents.incidents(&IncidentFilter::default(), None, 10).await.expect("memory");
    assert_eq!((written.len(), written[0].id, &*written[0].rule), (1, incident, "above_daily_number"));
    assert!(world.scoreboard.submit(user(1), first).await.expect("a repeat is answered").replayed);
    world.clock.advance(Duration::from_secs(86_400));
    boss().await.1.expect("another day");
}

#[tokio::test]
async fn a_minimum_that_was_raised_after_the_start_holds() {
    let world = world().await;
    let action = world.start(user(1), "tap").await;
    let mut stricter = spec("main");
    stricter.kinds[0].min_duration_seconds = 3;
    world.scoreboard.change_board(&spec("main"), stricter).await.expect("changed");
    assert!(matches!(rejection(world.scoreboard.submit(user(1), action.clone()).await), Rejection::Blocked(_)));
    world.clock.advance(Duration::from_secs(3));
    world.scoreboard.submit(user(1), action).await.expect("long enough");
}

#[tokio::test]
async fn ten_a_minute_and_not_one_more() {
    let world = world_with(|_| ()).await;
    for _ in 0..10 {
        world.tap(user(1)).await;
    }
    let action = world.start(user(1), "tap").await;
    let Err(Error::RateLimited(usage)) = world.scoreboard.submit(user(1), action.clone()).await else {
        panic!("admitted")
    };
    assert_eq!((usage.policy, usage.remaining, usage.retry_after), ("update", 0, Duration::from_secs(60)));
    world.tap(user(2)).await;
    world.clock.advance(Duration::from_secs(60));
    world.scoreboard.submit(user(1), action).await.expect("a minute later");
}

/// What the limiter has forgotten the store knows, on its board.
#[tokio::test]
async fn ten_a_minute_stay_ten_when_the_limiter_forgets() {
    let world = world_with(|_| ()).await;
    for second in 0..10 {
        world.tap(user(1)).await;
        world.clock.advance(Duration::from_secs(u64::from(second == 3)));
    }
    // Of another's changes, of what a trusted server records, and of another board nothing is known here.
    world.tap(user(2)).await;
    let tap_on = async |board: &str| {
        let request = IssueRequest::new(board.parse().expect("a slug"), "tap".parse().expect("a slug"));
        let action = world.scoreboard.issue(user(1), request).await.expect("issued");
        world.scoreboard.submit(user(1), action).await
    };
    world.limiter.forget();
    tap_on("other").await.expect("another board");
    let action = world.start(user(1), "tap").await;
    for _ in 0..3 {
        world.limiter.forget();
        let refused = world.scoreboard.submit(user(1), action.clone()).await;
        let Err(Error::RateLimited(usage)) = refused else { panic!("an eleventh: {refused:?}") };
        assert_eq!((usage.policy, usage.quota), ("update", "10/min".parse().expect("a quota")));
        assert_eq!((usage.remaining, usage.retry_after), (0, Duration::from_secs(59)));
        assert!(usage.reset_after >= usage.retry_after);
    }
    assert_eq!(world.version().await, Version::new(11));
    assert!(matches!(tap_on("other").await, Err(Error::RateLimited(_))), "ten on one board are all that there are");
    assert_eq!(world.limiter.taken.load(Ordering::Relaxed), 13, "who is known to be over is not counted again");

    world.clock.advance(Duration::from_millis(58_999));
    world.limiter.forget();
    assert!(matches!(world.scoreboard.submit(user(1), action.clone()).await, Err(Error::RateLimited(_))));
    world.clock.advance(Duration::from_millis(1));
    for n in [1, 2] {
        world.limiter.forget();
        let receipt = world.scoreboard.submit(user(1), action.clone()).await.expect("when it was told");
        assert_eq!((receipt.score.get(), receipt.replayed), (11, n == 2), "it was still good, and counts once");
    }
}

/// A limiter that has counted all that it allows has no room either by the time that the store has.
#[tokio::test]
async fn who_is_over_is_told_when_both_have_room() {
    let world = world_with(|_| ()).await;
    for _ in 0..10 {
        world.tap(user(1)).await;
    }
    let action = world.start(user(1), "tap").await;
    world.limiter.forget();
    world.clock.advance(Duration::from_secs(30));
    let mut admissions = Vec::new();
    for _ in 0..10 {
        admissions.push(world.scoreboard.admit(user(1)).await.expect("it has forgotten"));
    }
    let waits = [admissions.remove(0), admissions.pop().expect("ten")];
    for (admission, wait) in waits.into_iter().zip([30, 60]) {
        let refused = world.scoreboard.submit_admitted(admission, action.clone()).await;
        let Err(Error::RateLimited(usage)) = refused else { panic!("an eleventh: {refused:?}") };
        assert_eq!((usage.retry_after, usage.reset_after), (Duration::from_secs(wait), Duration::from_secs(60)));
    }
    world.clock.advance(Duration::from_secs(60));
    world.scoreboard.submit(user(1), action).await.expect("when it was told");
}

#[tokio::test]
async fn five_may_be_under_way() {
    let world = world().await;
    let mut actions = Vec::new();
    for _ in 0..5 {
        actions.push(world.start(user(1), "tap").await);
    }
    let request = || IssueRequest::new(BoardId::main(), "tap".parse().expect("slug"));
    assert!(matches!(world.scoreboard.issue(user(1), request()).await, Err(Error::RateLimited(_))));
    world.scoreboard.submit(user(1), actions.remove(0)).await.expect("counted");
    world.scoreboard.issue(user(1), request()).await.expect("there is room again");
}

#[tokio::test]
async fn a_score_out_of_range_is_refused_whole() {
    let world = world().await;
    let max = world.start(user(1), "max").await;
    world.scoreboard.submit(user(1), max).await.expect("to the edge");
    let over = world.start(user(1), "tap").await;
    assert_eq!(rejection(world.scoreboard.submit(user(1), over).await), Rejection::ScoreOutOfRange);
    assert_eq!(world.version().await, Version::new(1));
}

#[tokio::test]
async fn a_record_is_idempotent_by_server_and_key() {
    let world = world().await;
    let server = KeyId::new("eu-1").expect("slug");
    let request = |points: Option<i64>| RecordRequest {
        board: BoardId::main(),
        user_id: user(1),
        kind: if points.is_some() { "boss" } else { "tap" }.parse().expect("slug"),
        points: points.map(|n| Points::new(n).expect("small")),
    };
    let first = world.scoreboard.record(&server, "match-1", request(None)).await.expect("counted");
    let again = world.scoreboard.record(&server, "match-1", request(None)).await.expect("repeated");
    assert_eq!(again, Receipt { replayed: true, ..first });
    let other = world.scoreboard.record(&server, "match-1", request(Some(60))).await;
    assert_eq!(rejection(other), Rejection::IdempotencyMismatch);
    let elsewhere = KeyId::new("us-1").expect("slug");
    assert!(!world.scoreboard.record(&elsewhere, "match-1", request(None)).await.expect("another's key").replayed);
    // The kind is withdrawn: the first call is still answered, a new one is not.
    world.scoreboard.change_board(&spec("main"), BoardSpec::new(BoardId::main())).await.expect("changed");
    assert!(world.scoreboard.record(&server, "match-1", request(None)).await.expect("repeated").replayed);
    assert!(matches!(
        rejection(world.scoreboard.record(&server, "new", request(None)).await),
        Rejection::UnknownKind(_)
    ));
    assert_eq!(
        rejection(world.scoreboard.record(&server, "match-1", request(Some(60))).await),
        Rejection::IdempotencyMismatch
    );
}

#[tokio::test]
async fn what_was_answered_is_seen_by_every_read_that_follows() {
    let world = world().await;
    for n in 1..=50_u64 {
        let receipt = world.tap(user((n % 7) as u8)).await;
        let encoded = world.scoreboard.top_encoded(&TopQuery::new(BoardId::main())).await.expect("read");
        assert_eq!(encoded.position.version, receipt.version, "the cache is not behind");
        let page: serde_json::Value = serde_json::from_slice(&encoded.bytes).expect("JSON");
        assert_eq!(page["version"], n);
    }
    let ahead = TopQuery { min_version: Version::new(51), ..TopQuery::new(BoardId::main()) };
    assert_eq!(rejection(world.scoreboard.top_encoded(&ahead).await), Rejection::VersionAhead(Version::new(50)));
}

#[tokio::test]
async fn cursors_walk_the_board_both_ways() {
    let world = world().await;
    for n in 0..23 {
        for _ in 0..=(n % 5) {
            world.tap(user(n)).await;
        }
    }
    let all = world.scoreboard.top(&TopQuery { limit: 100, ..TopQuery::new(BoardId::main()) }).await.expect("read");
    let mut query = TopQuery { limit: 4, ..TopQuery::new(BoardId::main()) };
    let mut pages = vec![world.scoreboard.top(&query).await.expect("read")];
    while let Some(cursor) = &pages.last().expect("one at least").next_cursor {
        query.cursor = Some(cursor.clone());
        pages.push(world.scoreboard.top(&query).await.expect("read"));
    }
    let walked: Vec<_> = pages.iter().flat_map(|page| page.entries.clone()).collect();
    assert_eq!(walked, all.entries);
    let mut back = pages.pop().expect("the last");
    while let Some(cursor) = &back.previous_cursor {
        query.cursor = Some(cursor.clone());
        back = world.scoreboard.top(&query).await.expect("read");
        assert_eq!(Some(&back.entries), pages.pop().map(|page| page.entries).as_ref());
    }
    assert!(pages.is_empty());
    let cursor = all.next_cursor.or(world
        .scoreboard
        .top(&TopQuery { limit: 4, ..TopQuery::new(BoardId::main()) })
        .await
        .expect("read")
        .next_cursor);
    let elsewhere = TopQuery { cursor, ..TopQuery::new(BoardId::new("other").expect("slug")) };
    assert_eq!(rejection(world.scoreboard.top(&elsewhere).await), Rejection::CursorInvalid);
}

#[tokio::test]
async fn standings_around_and_history_agree() {
    let world = world().await;
    for n in 1..=9 {
        for _ in 0..n {
            world.tap(user(n)).await;
        }
    }
    let standing = world.scoreboard.standing(user(5), &StandingQuery::new(BoardId::main())).await.expect("read");
    let own = standing.standing.expect("on the board");
    assert_eq!((own.rank, own.score.get()), (5, 5));
    let query = AroundQuery {
        board: BoardId::main(),
        user: user(5),
        radius: 2,
        style: Default::default(),
        min_version: Version::ZERO,
    };
    let around = world.scoreboard.around(&query).await.expect("read");
    assert_eq!(around.entries.iter().map(|entry| entry.rank).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    assert_eq!(around.entries[2], own);
    let mut cursor = None;
    let mut versions = Vec::new();
    loop {
        let page = world
            .scoreboard
            .history(&HistoryQuery { limit: 2, cursor: cursor.clone(), ..HistoryQuery::new(BoardId::main(), user(5)) })
            .await
            .expect("read");
        versions.extend(page.entries.iter().map(|entry| entry.version.get()));
        let Some(next) = page.next_cursor else { break };
        let strange = world
            .scoreboard
            .history(&HistoryQuery { cursor: Some(next.clone()), ..HistoryQuery::new(BoardId::main(), user(6)) })
            .await;
        assert_eq!(rejection(strange), Rejection::CursorInvalid);
        cursor = Some(next);
    }
    assert_eq!(versions, [15, 14, 13, 12, 11]);
    let strange =
        StandingQuery { season: Some(scoreboard_core::Season::new(2)), ..StandingQuery::new(BoardId::main()) };
    assert_eq!(rejection(world.scoreboard.standing(user(5), &strange).await), Rejection::UnknownSeason);
}

/// Drops `submit` after every number of polls: the action then counts wholly or not at all, the cache never lags behind the
/// store, and a retry settles it.
#[tokio::test]
async fn a_submit_dropped_anywhere_leaves_all_in_agreement() {
    let world = world().await;
    for polls in 0..12 {
        let action = world.start(user(1), "tap").await;
        let before = world.scoreboard.top_encoded(&TopQuery::new(BoardId::main())).await.expect("read").position;
        {
            let mut submit = Box::pin(world.scoreboard.submit(user(1), action.clone()));
            for _ in 0..polls {
                if futures_util::future::poll_immediate(&mut submit).await.is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let receipt = world.scoreboard.submit(user(1), action).await.expect("settled");
        assert_eq!(receipt.version, before.version.next());
        let after = world.scoreboard.top_encoded(&TopQuery::new(BoardId::main())).await.expect("read").position;
        assert_eq!(after.version, receipt.version);
    }
    let audit = verify(&*world.store, &BoardId::main(), |_, _| ()).await.expect("memory");
    assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
}

/// A history page that is read while its user scores is as long as asked, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_goes_on_while_its_user_scores() {
    let world = world().await;
    for _ in 0..10 {
        world.tap(user(1)).await;
    }
    let scoreboard = world.scoreboard.clone();
    let writer = tokio::spawn(async move {
        let server = KeyId::new("test").expect("slug");
        for n in 0..2000 {
            let kind = "tap".parse().expect("slug");
            let request = RecordRequest { board: BoardId::main(), user_id: user(1), kind, points: None };
            scoreboard.record(&server, &n.to_string(), request).await.expect("counted");
        }
    });
    while !writer.is_finished() {
        let query = HistoryQuery { limit: 3, ..HistoryQuery::new(BoardId::main(), user(1)) };
        let page = world.scoreboard.history(&query).await.expect("read");
        assert_eq!((page.entries.len(), page.next_cursor.is_some()), (3, true));
        assert!(page.entries.iter().all(|entry| entry.version <= page.version));
    }
    writer.await.expect("no panic");
}

#[tokio::test]
async fn what_is_early_by_no_more_than_clocks_may_be_apart_is_waited_for() {
    const APART: Duration = Duration::from_millis(250);
    let world = world_with(|config| config.clocks_apart = APART).await;
    let quest = world.start(user(1), "quest").await;
    let due = quest.claims.not_before;
    world.clock.set(due.minus(APART + Duration::from_millis(1)));
    let handed_in = async || world.scoreboard.submit(user(1), quest.clone()).await;
    assert_eq!(rejection(handed_in().await), Rejection::NotYetValid, "no clock explains that");
    world.clock.set(due.minus(APART));
    let began = tokio::time::Instant::now();
    let receipt = handed_in().await.expect("counted");
    assert!(began.elapsed() >= APART, "nothing counts before its time");
    assert_eq!(receipt.applied_at, due);
}

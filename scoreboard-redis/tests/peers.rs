//! What nodes say to each other, on one server and on a cluster.

mod support;

use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use scoreboard_core::{
    ActionId, Admitted, Answer, AppliedChange, AtMost, BackendError, BoardId, Change, Epoch, ErrorKind, Fingerprint,
    KindId, MAX_SCORE, Origin, Outcome, Peers, Points, Quota, Receipt, Refusal, Score, Season, Timestamp, UserId,
    Version,
};
use support::peers::{Dropped, Node, answer_of, change, ring, they_talk, until};
use support::{chain, config, shared_cluster, single};
use tokio::time::{Instant, timeout};

/// One node asks another, which is to answer so; and what it was asked. What else the other has written is told with it, field for field.
async fn exchange(
    asker: &Node,
    answerer: &mut Node,
    changes: &[Change],
    outcomes: Result<Vec<Outcome>, BackendError>,
) -> (Vec<Change>, Result<Vec<Outcome>, BackendError>) {
    let after = Version::new(u64::MAX - changes.len() as u64);
    let answer = outcomes.map(|outcomes| {
        let both = changes.iter().zip(&outcomes);
        let others = both.filter_map(|(change, outcome)| Some(AppliedChange::of(change, outcome.receipt()?))).collect();
        Answer { epoch: Epoch::new(3), outcomes, others }
    });
    let others = answer.as_ref().map(|answer| answer.others.clone()).unwrap_or_default();
    let answering = async {
        let ask = answerer.said.ask().await;
        assert_eq!(ask.after(), after);
        let changes = ask.changes().to_vec();
        ask.answer(answer);
        changes
    };
    let asking = timeout(Duration::from_secs(15), asker.peers.ask(answerer.peers.name(), changes, after));
    let (heard, told) = tokio::join!(answering, asking);
    let told = told.expect("it is answered").map(|answer| {
        assert_eq!((answer.epoch, answer.others), (Epoch::new(3), others));
        answer.outcomes
    });
    (heard, told)
}

fn slug() -> impl Strategy<Value = String> {
    prop_oneof![Just("main".to_owned()), "[a-z0-9][a-z0-9_-]{0,62}", "[a-z0-9]{63}"]
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn at_most() -> impl Strategy<Value = AtMost> {
    (any::<u32>(), time()).prop_map(|(count, since)| AtMost { count, since })
}

prop_compose! {
    fn admitted()(
        limit in 1..=Admitted::MAX_LIMIT,
        nanos in 0..=Admitted::MAX_PERIOD.as_nanos() as u64,
        at in time(),
    ) -> Admitted {
        let limit = limit.try_into().expect("not zero");
        Admitted::under(Quota::exact(limit, Duration::from_nanos(nanos)), at).expect("it is held")
    }
}

fn score() -> impl Strategy<Value = i64> {
    prop_oneof![Just(MAX_SCORE), Just(-MAX_SCORE), -MAX_SCORE..=MAX_SCORE, -9_i64..9]
}

prop_compose! {
    fn any_change()(
        (action_id, fingerprint, user_id) in any::<([u8; 16], [u8; 16], [u8; 16])>(),
        (board, kind) in (slug(), slug()),
        (season, points, at) in (any::<u32>(), score(), time()),
        origin in prop_oneof![Just(Origin::Action), Just(Origin::Record), Just(Origin::Correction)],
        (at_most, admitted) in (proptest::option::of(at_most()), proptest::option::of(admitted())),
    ) -> Change {
        Change {
            action_id: ActionId::from_bytes(action_id),
            fingerprint: Fingerprint::from_bytes(fingerprint),
            board: BoardId::new(&board).expect("a slug"),
            season: Season::new(season),
            user_id: UserId::from_bytes(user_id),
            kind: KindId::new(&kind).expect("a slug"),
            points: Points::new(points).expect("in range"),
            origin,
            at,
            at_most,
            admitted,
        }
    }
}

prop_compose! {
    fn any_receipt()(
        (action_id, user_id) in any::<([u8; 16], [u8; 16])>(),
        (board, season) in (slug(), any::<u32>()),
        (points, score, previous_score) in (score(), score(), proptest::option::of(score())),
        (rank, epoch, version, applied_at) in (any::<Option<u64>>(), any::<u64>(), any::<u64>(), time()),
        (replayed, is_shown) in any::<(bool, bool)>(),
    ) -> Receipt {
        Receipt {
            action_id: ActionId::from_bytes(action_id),
            board: BoardId::new(&board).expect("a slug"),
            season: Season::new(season),
            user_id: UserId::from_bytes(user_id),
            points: Points::new(points).expect("in range"),
            previous_score: previous_score.map(|score| Score::new(score).expect("in range")),
            score: Score::new(score).expect("in range"),
            rank,
            epoch: Epoch::new(epoch),
            version: Version::new(version),
            applied_at,
            replayed,
            is_shown,
        }
    }
}

const REFUSALS: [Refusal; 9] = [
    Refusal::UnknownBoard,
    Refusal::SeasonOver,
    Refusal::ScoreOutOfRange,
    Refusal::FingerprintMismatch,
    Refusal::AboveCount,
    Refusal::Banned,
    Refusal::Correction,
    Refusal::Archived,
    Refusal::OverQuota(Duration::new(59, 999_000_001)),
];

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any_receipt().prop_map(Outcome::Applied),
        any_receipt().prop_map(Outcome::Replayed),
        proptest::sample::select(&REFUSALS[..]).prop_map(Outcome::Refused),
    ]
}

#[test]
fn what_is_asked_and_answered_arrives_with_every_field() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for url in [single().to_owned(), shared_cluster().url()] {
        let config = config(&url);
        let (asker, answerer) = runtime.block_on(async { (Node::new(&config).await, Node::new(&config).await) });
        let answerer = Mutex::new(answerer);
        let batch = proptest::collection::vec((any_change(), any_outcome()), 0..20);
        let cases = Cases { cases: 64, failure_persistence: None, ..Cases::default() };
        TestRunner::new(cases)
            .run(&batch, |batch| {
                let (changes, outcomes): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
                let mut answerer = answerer.lock();
                let answered = exchange(&asker, &mut answerer, &changes, Ok(outcomes.clone()));
                let (heard, told) = runtime.block_on(answered);
                prop_assert_eq!(heard, changes);
                prop_assert_eq!(told.expect("it went well"), outcomes);
                Ok(())
            })
            .unwrap_or_else(|failed| panic!("{url}: {failed}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_come_with_their_kind() {
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    for kind in [
        ErrorKind::Unavailable,
        ErrorKind::Overloaded,
        ErrorKind::Contended,
        ErrorKind::OutcomeUnknown,
        ErrorKind::Full,
        ErrorKind::Corrupt,
        ErrorKind::Refused,
    ] {
        let failed = BackendError::new(kind, "store", "apply").because("disk I/O error at /secret/path");
        let (_, told) = exchange(&asker, &mut answerer, &[change(1)], Err(failed)).await;
        let error = told.expect_err("it failed");
        assert_eq!(error.kind(), kind, "{}", chain(&error));
        assert!(!chain(&error).contains("secret"), "{}", chain(&error));
    }
    assert!(asker.shows("waiting: 0"), "{asker:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_heard_by_all_others_and_not_by_who_makes_it() {
    for url in [single().to_owned(), shared_cluster().url()] {
        let config = config(&url);
        let (mut a, mut b, mut c) = (Node::new(&config).await, Node::new(&config).await, Node::new(&config).await);
        let mut stranger = Node::new(&support::config(&url)).await;
        for board in ["main", "weekly", "other"] {
            let board = BoardId::new(board).expect("a slug");
            a.peers.claim(&board).await.expect("it is said");
            let claimed = (a.peers.name().to_owned(), board);
            assert_eq!((b.said.claim().await, c.said.claim().await), (claimed.clone(), claimed), "{url}");
        }
        // The first that it hears itself is what another asks.
        they_talk(&b, &mut a).await;
        they_talk(&c, &mut b).await;
        assert!(stranger.said.now().is_none(), "it is of another namespace");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_other_stores_are_not_heard_whatever_keys_they_have() {
    let config = config(single());
    let (mut here, mut also) = (Node::new(&config).await, Node::new(&config).await);
    let mut elsewhere = Node::on("another store", &config, &ring()).await;
    for node in [&elsewhere, &here] {
        node.peers.claim(&BoardId::main()).await.expect("it is said");
    }
    assert_eq!(also.said.claim().await.0, here.peers.name(), "and not who is elsewhere, who said it first");
    they_talk(&also, &mut here).await;
    assert!(here.said.now().is_none() && elsewhere.said.now().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_there_is_missed_at_once() {
    let config = config(single());
    let (asker, gone) = (Node::new(&config).await, Node::new(&config).await);
    let name = gone.peers.name().to_owned();
    drop(gone);
    // Its connection is closed a moment later; what is asked until then waits, as of who is slow.
    let start = Instant::now();
    loop {
        let told = timeout(Duration::from_millis(100), asker.peers.ask(&name, &[change(1)], Version::ZERO)).await;
        if told.is_ok_and(|told| chain(&told.expect_err("nobody is there")).contains("no node of this name")) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "it is gone");
    }
    for name in [&name, "nobody", ""] {
        let told = timeout(Duration::from_secs(1), asker.peers.ask(name, &[change(1)], Version::ZERO)).await;
        let error = told.expect("it is told at once").expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
    }
    assert!(asker.shows("waiting: 0"), "{asker:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_does_not_say_who_is_there_and_the_caller_sets_the_limit() {
    let asker = Node::new(&config(&shared_cluster().url())).await;
    let waited = timeout(Duration::from_millis(200), asker.peers.ask("nobody", &[change(1)], Version::ZERO)).await;
    assert!(waited.is_err(), "{waited:?}");
    assert!(asker.shows("waiting: 0"), "{asker:?}");
}

#[tokio::test]
async fn who_asks_no_longer_leaves_nothing_behind() {
    let dropped = Dropped::default();
    let _recorder = metrics::set_default_local_recorder(&dropped);
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let changes = [change(1)];
    let mut asks = Vec::new();
    for _ in 0..3 {
        // Until the other has heard it.
        tokio::select! {
            told = asker.peers.ask(answerer.peers.name(), &changes, Version::ZERO) => panic!("{told:?}"),
            ask = answerer.said.ask() => asks.push(ask),
        }
        assert!(asker.shows("waiting: 0"), "{asker:?}");
    }
    assert!(answerer.shows("answering: 3"), "{answerer:?}");
    for ask in asks {
        ask.answer(Ok(answer_of(vec![])));
    }
    until("late answers are passed over", || dropped.count("unasked") == 3).await;
    until("nothing is left", || answerer.shows("answering: 0")).await;
    they_talk(&asker, &mut answerer).await;
    assert_eq!(dropped.all(), 3, "{dropped:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_requests_wait_and_more_are_too_many() {
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let changes = [change(1)];
    let name = answerer.peers.name().to_owned();
    let mut waiting: Vec<_> = (0..64).map(|_| asker.peers.ask(&name, &changes, Version::ZERO)).collect();
    for ask in &mut waiting {
        assert!(ask.as_mut().now_or_never().is_none());
    }
    let error = asker.peers.ask(&name, &changes, Version::ZERO).await.expect_err("there is no room");
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{}", chain(&error));
    // All that was asked is answered once the other gets to it.
    let answering = async {
        for _ in 0..64 {
            answerer.said.ask().await.answer(Ok(answer_of(vec![Outcome::Refused(Refusal::Banned)])));
        }
    };
    let (told, ()) = tokio::join!(futures_util::future::join_all(waiting), answering);
    for told in told {
        assert_eq!(told.expect("it is answered").outcomes, [Outcome::Refused(Refusal::Banned)]);
    }
    they_talk(&asker, &mut answerer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_nobody_takes_is_answered_all_the_same() {
    let config = config(single());
    let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
    let changes = [change(1)];
    let name = answerer.peers.name().to_owned();
    let (told, ask) =
        tokio::join!(asker.peers.ask(&name, &changes, Version::ZERO), async { drop(answerer.said.ask().await) });
    let ((), error) = (ask, told.expect_err("it was dropped"));
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{}", chain(&error));
    let told = {
        let answering =
            async { answerer.said.ask().await.answer(Ok(answer_of(vec![Outcome::Refused(Refusal::Banned); 2]))) };
        tokio::join!(asker.peers.ask(&name, &changes, Version::ZERO), answering).0
    };
    let error = told.expect_err("two outcomes of one change");
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{}", chain(&error));
    // Another listener takes over; once it is gone, nobody listens.
    let Node { peers, mut said } = answerer;
    let second = peers.listen().await.expect("it listens");
    assert!(said.next().await.is_none(), "the first ends");
    drop(second);
    let error = asker.peers.ask(&name, &changes, Version::ZERO).await.expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_batch_of_the_longest_names_fits() {
    let long = "n".repeat(63);
    for url in [single().to_owned(), shared_cluster().url()] {
        let config = config(&url);
        let (asker, mut answerer) = (Node::new(&config).await, Node::new(&config).await);
        let changes: Vec<Change> = (0..512)
            .map(|n| Change {
                board: BoardId::new(&long).expect("a slug"),
                kind: KindId::new(&long[1..]).expect("a slug"),
                season: Season::new(u32::MAX),
                points: Points::new(-MAX_SCORE).expect("in range"),
                at: Timestamp::from_millis(i64::MAX),
                at_most: Some(AtMost { count: u32::MAX, since: Timestamp::from_millis(i64::MAX) }),
                ..change(n)
            })
            .collect();
        let outcomes: Vec<Outcome> = changes
            .iter()
            .map(|change| {
                Outcome::Applied(Receipt {
                    action_id: change.action_id,
                    board: change.board.clone(),
                    season: change.season,
                    user_id: change.user_id,
                    points: change.points,
                    previous_score: Some(Score::new(-MAX_SCORE).expect("in range")),
                    score: Score::new(-MAX_SCORE).expect("in range"),
                    rank: Some(u64::MAX),
                    epoch: Epoch::new(u64::MAX),
                    version: Version::new(u64::MAX),
                    applied_at: change.at,
                    replayed: true,
                    is_shown: true,
                })
            })
            .collect();
        let (heard, told) = exchange(&asker, &mut answerer, &changes, Ok(outcomes.clone())).await;
        assert!(heard == changes && told.expect("it fits") == outcomes, "{url}");
        let too_many: Vec<Change> = std::iter::repeat_n(changes, 12).flatten().collect();
        let error =
            asker.peers.ask(answerer.peers.name(), &too_many, Version::ZERO).await.expect_err("no batch is so large");
        assert_eq!(error.kind(), ErrorKind::Refused, "{}", chain(&error));
        they_talk(&asker, &mut answerer).await;
    }
}

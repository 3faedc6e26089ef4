//! Decisions of moderators about a log of which a part is archived.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use scoreboard_core::{
    Audit, BoardId, Change, Clock, Effects, Moderated, Moderation, ModerationAct, ModerationId, ModerationRefusal,
    ModerationStore, Origin, Outcome, Restriction, ScoreStore, Season, SystemClock, Timestamp, UserId, verify,
};
use scoreboard_postgres::{Archive, PostgresStore};
use support::Schema;
use support::changes::{change, main_board};

const DAY: Duration = Duration::from_secs(86_400);
/// Before any part but the first.
const THEN: Timestamp = Timestamp::from_millis(1_600_000_000_000);

fn user(number: u64) -> UserId {
    UserId::for_name("test", &number.to_string())
}

/// A user's change in the first part.
fn old(of: u64, number: u64) -> Change {
    Change { user_id: user(of), ..change(number, THEN) }
}

/// A user's change in the second part.
fn new(of: u64, number: u64) -> Change {
    Change { user_id: user(of), ..change(number, SystemClock.now().plus(DAY * 10)) }
}

async fn count(store: &PostgresStore, changes: &[Change]) {
    for outcome in store.apply(changes).await.expect("a working store") {
        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    }
}

async fn moderate(store: &PostgresStore, number: u64, act: ModerationAct) -> Moderated {
    let id = ModerationId::from_bytes(u128::from(number).to_be_bytes());
    let (by, reason) = ("a test".to_owned(), "a test".to_owned());
    store.moderate(&Moderation { id, at: THEN, by, reason, act }).await.expect("a working store")
}

#[track_caller]
fn done(moderated: Moderated) -> Effects {
    match moderated {
        Moderated::Done(effects) => effects,
        Moderated::Refused(refusal) => panic!("{refusal}"),
    }
}

async fn scores(store: &PostgresStore) -> Vec<(UserId, i64)> {
    let scan = store.scan(&BoardId::main(), Season::FIRST, None, 100).await.expect("a working store");
    let scores = scan.expect("the board is there").scores.into_iter();
    let mut scores: Vec<_> = scores.map(|(user, reached)| (user, reached.score.get())).collect();
    scores.sort_unstable();
    scores
}

fn sorted(mut expected: Vec<(UserId, i64)>) -> Vec<(UserId, i64)> {
    expected.sort_unstable();
    expected
}

#[tokio::test]
async fn what_needs_archived_rows_is_refused_and_all_else_goes_on() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    let folder = tempfile::tempdir().expect("a folder");
    let [a, b, c, d] = [new(1, 2), new(2, 4), new(4, 6), Change { origin: Origin::Record, ..old(5, 8) }];
    let archived = old(2, 3);
    count(&store, &[old(1, 1), archived.clone(), old(3, 5), d.clone(), old(6, 9), a.clone(), b.clone(), c]).await;
    done(moderate(&store, 1, ModerationAct::Void { actions: vec![archived.action_id] }).await);
    done(moderate(&store, 2, ModerationAct::Restrict { user_id: user(4), restriction: Restriction::Shadowed }).await);
    done(moderate(&store, 3, ModerationAct::Restrict { user_id: user(6), restriction: Restriction::Banned }).await);
    let parts =
        Archive { now: SystemClock.now().plus(DAY * 20), older_than: DAY * 3, folder: folder.path().to_owned() };
    store.archive(&parts, |_, _| {}).await.expect("it is archived");
    let clean = async || {
        let audit = verify(&store, &BoardId::main(), |_, _| {}).await.expect("a working store");
        assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
        assert_eq!(store.check_archive(folder.path(), &[]).await.expect("a working store"), None);
    };
    clean().await;

    // Its row is in the file.
    let refused = moderate(&store, 4, ModerationAct::Unvoid { actions: vec![archived.action_id] }).await;
    assert_eq!(refused, Moderated::Refused(ModerationRefusal::UnknownActions(vec![archived.action_id])));
    // What is left of the user's rows does not say with what they begin.
    for (number, action) in [(5, &b), (6, &d)] {
        let refused = moderate(&store, number, ModerationAct::Void { actions: vec![action.action_id] }).await;
        let expected = ModerationRefusal::Archived { board: BoardId::main(), user: action.user_id };
        assert_eq!(refused, Moderated::Refused(expected));
    }
    assert_eq!(store.voided(&[b.action_id, d.action_id]).await.expect("a working store"), HashSet::new());

    // The row says what the user had before it.
    done(moderate(&store, 7, ModerationAct::Void { actions: vec![a.action_id] }).await);
    let expected = |of_first| sorted(vec![(user(1), of_first), (user(2), 1), (user(3), 1), (user(5), 1)]);
    assert_eq!(scores(&store).await, expected(1));
    clean().await;
    done(moderate(&store, 8, ModerationAct::Unvoid { actions: vec![a.action_id] }).await);
    assert_eq!(scores(&store).await, expected(2));
    done(moderate(&store, 9, ModerationAct::Lift { user_id: user(4) }).await);
    done(moderate(&store, 10, ModerationAct::Lift { user_id: user(6) }).await);
    count(&store, &[new(4, 10), new(6, 11)]).await;
    assert_eq!(scores(&store).await, sorted([expected(2), vec![(user(4), 2), (user(6), 2)]].concat()));
    clean().await;
}

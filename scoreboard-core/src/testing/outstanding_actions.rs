//! The suite of [`OutstandingActions`](crate::OutstandingActions): each function is one case, and its documentation the rule.
//!
//! Run by [`outstanding_actions_conformance!`](crate::outstanding_actions_conformance).

use std::num::NonZeroU32;
use std::time::Duration;

use crate::fraud::{OutstandingAction, Started};
use crate::ids::{ActionId, UserId};
use crate::testing::fixture::OutstandingActionsFixture;

const MINUTE: Duration = Duration::from_secs(60);
const FIVE: u32 = 5;

fn user(name: &str) -> UserId {
    UserId::for_name("outstanding", name)
}

fn id(n: u32) -> ActionId {
    ActionId::from_bytes(u128::from(n).to_be_bytes())
}

fn action(n: u32, expires_in: Duration) -> OutstandingAction {
    OutstandingAction { id: id(n), expires_in }
}

async fn start_of<F: OutstandingActionsFixture>(f: &F, user: UserId, action: OutstandingAction, max: u32) -> Started {
    let max = NonZeroU32::new(max).expect("the suite's numbers are not zero");
    f.outstanding_actions().start(user, action, max, f.now()).await.expect("start answers")
}

/// Starts an action of Alice for a minute, where five may be under way.
async fn start<F: OutstandingActionsFixture>(f: &F, n: u32) -> Started {
    start_of(f, user("alice"), action(n, MINUTE), FIVE).await
}

async fn counted<F: OutstandingActionsFixture>(f: &F, n: u32, why: &str) {
    assert_eq!(start(f, n).await, Started::Counted, "{why}");
}

async fn refused<F: OutstandingActionsFixture>(f: &F, n: u32, why: &str) -> Vec<OutstandingAction> {
    match start(f, n).await {
        Started::Full(under_way) => under_way,
        Started::Counted => panic!("must be refused: {why}"),
    }
}

async fn five<F: OutstandingActionsFixture>(f: &F) {
    for n in 0..FIVE {
        counted(f, n, "five may be under way").await;
    }
}

/// So many actions of a user are under way, and not one more.
pub async fn so_many_are_under_way<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    for n in 5..10 {
        let _ = refused(f, n, "five are under way").await;
    }
}

/// Who is refused is told what is under way and how long it still is, the soonest first.
pub async fn who_waits_is_told_for_what_and_how_long<F: OutstandingActionsFixture>(f: &F) {
    let times = [(3, 40), (1, 20), (4, 50), (0, 10), (2, 30)];
    for (n, seconds) in times {
        let started = start_of(f, user("alice"), action(n, Duration::from_secs(seconds)), FIVE).await;
        assert_eq!(started, Started::Counted);
    }
    f.advance(Duration::from_millis(4500)).await;
    let under_way = refused(f, 9, "five are under way").await;
    let expected = [5500, 15_500, 25_500, 35_500, 45_500].map(Duration::from_millis);
    assert_eq!(under_way, (0..5).zip(expected).map(|(n, left)| action(n, left)).collect::<Vec<_>>());
}

/// What was finished leaves its place to one other.
pub async fn a_finished_action_leaves_its_place<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    f.outstanding_actions().finish(user("alice"), id(3));
    counted(f, 5, "one is finished").await;
    let _ = refused(f, 6, "its place is taken").await;
    for n in [0, 1, 2, 4, 5] {
        f.outstanding_actions().finish(user("alice"), id(n));
    }
    for n in 10..15 {
        counted(f, n, "all are finished").await;
    }
    let _ = refused(f, 15, "five are under way again").await;
}

/// What is neither finished nor handed in leaves its place when its time is over, and not a millisecond sooner.
pub async fn an_expired_action_leaves_its_place<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    f.advance(MINUTE - Duration::from_millis(1)).await;
    let left = refused(f, 5, "a millisecond is left").await;
    assert!(left.iter().all(|action| action.expires_in == Duration::from_millis(1)), "{left:?}");
    f.advance(Duration::from_millis(1)).await;
    for n in 5..10 {
        counted(f, n, "their time is over").await;
    }
    let _ = refused(f, 10, "five are under way again").await;
}

/// One that lasts long does not keep others, nor do others end it.
pub async fn an_action_has_its_own_time<F: OutstandingActionsFixture>(f: &F) {
    let started = start_of(f, user("alice"), action(0, 60 * MINUTE), FIVE).await;
    assert_eq!(started, Started::Counted);
    for n in 1..5 {
        counted(f, n, "five may be under way").await;
    }
    f.advance(MINUTE).await;
    for n in 5..9 {
        counted(f, n, "the short ones are over").await;
    }
    let under_way = refused(f, 9, "the long one is under way").await;
    assert_eq!(under_way.last(), Some(&action(0, 59 * MINUTE)));
    f.advance(59 * MINUTE - Duration::from_millis(1)).await;
    for n in 10..14 {
        counted(f, n, "the others are over").await;
    }
    let _ = refused(f, 14, "the long one is under way to its end").await;
}

/// What was refused is not under way.
pub async fn a_refused_start_takes_no_place<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    for n in 5..20 {
        let under_way = refused(f, n, "five are under way").await;
        assert_eq!(under_way.len(), 5);
    }
    f.outstanding_actions().finish(user("alice"), id(0));
    counted(f, 20, "of those that were refused none took the place").await;
}

/// An action that is started again is under way once.
pub async fn a_repeat_takes_one_place<F: OutstandingActionsFixture>(f: &F) {
    for _ in 0..10 {
        counted(f, 0, "it is under way").await;
    }
    for n in 1..5 {
        counted(f, n, "five may be under way").await;
    }
    counted(f, 2, "it is one of the five").await;
    let _ = refused(f, 5, "five are under way").await;
}

/// What is not under way, or is another's, frees nothing.
pub async fn what_is_not_under_way_is_not_finished<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    f.outstanding_actions().finish(user("alice"), id(77));
    f.outstanding_actions().finish(user("bob"), id(1));
    let _ = refused(f, 5, "none of the five is finished").await;
    f.outstanding_actions().finish(user("alice"), id(1));
    f.outstanding_actions().finish(user("alice"), id(1));
    counted(f, 5, "one is finished").await;
    let _ = refused(f, 6, "finished twice, it leaves one place").await;
}

/// No user's actions are in another's way.
pub async fn users_have_places_of_their_own<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    for n in 0..FIVE {
        let started = start_of(f, user("bob"), action(100 + n, MINUTE), FIVE).await;
        assert_eq!(started, Started::Counted, "Bob has none under way");
    }
    let Started::Full(under_way) = start_of(f, user("bob"), action(200, MINUTE), FIVE).await else {
        panic!("Bob has five under way");
    };
    assert!(under_way.iter().all(|action| (100..105).map(id).any(|own| own == action.id)), "{under_way:?}");
}

/// The number is that of the call: where it was made lower, what is under way stays, and nothing more starts until there are fewer.
pub async fn a_lower_number_holds_at_once<F: OutstandingActionsFixture>(f: &F) {
    five(f).await;
    let alice = user("alice");
    assert!(matches!(start_of(f, alice, action(5, MINUTE), 2).await, Started::Full(under_way) if under_way.len() == 5));
    for n in 0..3 {
        f.outstanding_actions().finish(alice, id(n));
    }
    assert!(matches!(start_of(f, alice, action(5, MINUTE), 2).await, Started::Full(under_way) if under_way.len() == 2));
    f.outstanding_actions().finish(alice, id(3));
    assert_eq!(start_of(f, alice, action(5, MINUTE), 2).await, Started::Counted);
    assert_eq!(start_of(f, alice, action(6, MINUTE), 3).await, Started::Counted, "a higher one too");
}

/// Of many that start at once so many are under way.
pub async fn so_many_are_under_way_at_once<F: OutstandingActionsFixture>(f: &F) {
    for round in 0..10 {
        let (alice, now) = (user(&format!("alice {round}")), f.now());
        let starts = (0..30).map(|n| {
            let outstanding = f.outstanding_actions();
            tokio::spawn(async move {
                let five = NonZeroU32::new(FIVE).expect("five");
                outstanding.start(alice, action(n, MINUTE), five, now).await.expect("start answers")
            })
        });
        let mut under_way = 0;
        for start in starts.collect::<Vec<_>>() {
            under_way += u32::from(start.await.expect("no panic") == Started::Counted);
        }
        assert_eq!(under_way, FIVE);
    }
}

/// A crowd makes nobody's actions forgotten.
pub async fn many_users_are_told_apart<F: OutstandingActionsFixture>(f: &F) {
    const CROWD: u32 = 2000;
    let name = |n: u32| user(&n.to_string());
    for n in 0..CROWD {
        assert_eq!(start_of(f, name(n), action(n, MINUTE), 1).await, Started::Counted);
    }
    for n in (0..CROWD).step_by(7) {
        let started = start_of(f, name(n), action(CROWD + n, MINUTE), 1).await;
        assert_eq!(started, Started::Full(vec![action(n, MINUTE)]));
    }
}

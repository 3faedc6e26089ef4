//! Sessions and their refresh tokens.

use std::time::Duration;

use crate::accounts::{AccountStore, Rotation, Session, TokenHash};
use crate::clock::Timestamp;
use crate::ids::SessionId;
use crate::testing::drop_at::drop_after;
use crate::testing::fixture::AccountStoreFixture;
use crate::testing::play::{at, user};

const EXPIRES: i64 = 100_000;
const GRACE: Duration = Duration::from_secs(10);

fn session_id(number: u64) -> SessionId {
    SessionId::from_bytes(u128::from(number).to_be_bytes())
}

/// The session of a number, whose user is of that number too.
fn session(number: u64) -> Session {
    Session { id: session_id(number), user_id: user(number), created_at: at(1), expires_at: at(EXPIRES) }
}

fn token(text: &str) -> TokenHash {
    TokenHash::of(text.as_bytes())
}

async fn begin<F: AccountStoreFixture>(f: &F, number: u64, first: &str) {
    f.account_store().begin_session(&session(number), token(first)).await.expect("begin_session answers");
}

/// Without grace, but where a case is about it.
async fn rotate<F: AccountStoreFixture>(f: &F, old: &str, next: &str, now: Timestamp) -> Rotation {
    f.account_store().rotate(token(old), token(next), now, Duration::ZERO).await.expect("rotate answers")
}

async fn rotate_gracefully<F: AccountStoreFixture>(f: &F, old: &str, next: &str, now: Timestamp) -> Rotation {
    f.account_store().rotate(token(old), token(next), now, GRACE).await.expect("rotate answers")
}

fn repeated(number: u64, next: &str) -> Rotation {
    Rotation::Repeated { session: session(number), next: token(next) }
}

async fn ended(store: &dyn AccountStore, since: Timestamp) -> Vec<SessionId> {
    let mut ended = store.ended_since(since).await.expect("ended_since answers");
    ended.sort();
    ended
}

/// The newest token is used up and the next takes its place, again and again; each time the session is answered whole.
pub async fn the_newest_token_is_rotated<F: AccountStoreFixture>(f: &F) {
    begin(f, 1, "0").await;
    begin(f, 2, "other").await;
    for n in 0..30 {
        let rotation = rotate(f, &n.to_string(), &(n + 1).to_string(), at(10 + n)).await;
        assert_eq!(rotation, Rotation::Rotated(session(1)), "token {n} is the newest");
    }
    assert_eq!(rotate(f, "other", "next", at(99)).await, Rotation::Rotated(session(2)), "sessions do not mix");
    assert_eq!(ended(f.account_store().as_ref(), at(0)).await, [], "rotating ends nothing");
}

/// A token that never was one is refused, and ends nothing.
pub async fn an_unknown_token_is_refused<F: AccountStoreFixture>(f: &F) {
    begin(f, 1, "first").await;
    assert_eq!(rotate(f, "forged", "next", at(10)).await, Rotation::Refused, "it never was a token");
    assert_eq!(rotate(f, "next", "after", at(10)).await, Rotation::Refused, "a refused rotation makes no token");
    assert_eq!(rotate(f, "first", "next", at(10)).await, Rotation::Rotated(session(1)), "the session goes on");
}

/// A token that was used before, be it long ago, ends its session: the newest token is refused from then on.
pub async fn a_used_token_ends_its_session<F: AccountStoreFixture>(f: &F) {
    for (number, used, newest) in [(1, "1.0", "1.3"), (2, "2.2", "2.3")] {
        begin(f, number, &format!("{number}.0")).await;
        for n in 0..3 {
            let rotation = rotate(f, &format!("{number}.{n}"), &format!("{number}.{}", n + 1), at(10)).await;
            assert_eq!(rotation, Rotation::Rotated(session(number)));
        }
        assert_eq!(rotate(f, used, "x", at(20)).await, Rotation::Reused(session(number)), "{used} was used before");
        assert_eq!(rotate(f, newest, "y", at(21)).await, Rotation::Refused, "{newest}: the session is over");
        assert_eq!(rotate(f, used, "z", at(22)).await, Rotation::Refused, "{used} again: the session is over");
        for next in ["x", "y", "z"] {
            assert_eq!(rotate(f, next, "w", at(23)).await, Rotation::Refused, "{next} never came into force");
        }
    }
    assert_eq!(ended(f.account_store().as_ref(), at(20)).await, [session_id(1), session_id(2)], "reuse ends a session");
}

/// For a while a used token is answered with what took its place, however often and whatever is offered anew; then it ends its session.
pub async fn a_token_just_used_is_answered_as_before<F: AccountStoreFixture>(f: &F) {
    begin(f, 1, "old").await;
    assert_eq!(rotate_gracefully(f, "old", "next", at(1000)).await, Rotation::Rotated(session(1)));
    for (offered, now) in [("a", 1000), ("b", 5000), ("next", 10_999), ("c", 900)] {
        let rule = format!("{} ms after it was used", now - 1000);
        assert_eq!(rotate_gracefully(f, "old", offered, at(now)).await, repeated(1, "next"), "{rule}");
    }
    for offered in ["a", "b", "c"] {
        assert_eq!(rotate(f, offered, "x", at(2000)).await, Rotation::Refused, "{offered} never came into force");
    }
    assert_eq!(ended(f.account_store().as_ref(), at(0)).await, [], "a repeat ends nothing");
    let rotation = rotate_gracefully(f, "old", "d", at(11_000)).await;
    assert_eq!(rotation, Rotation::Reused(session(1)), "ten seconds after it was used");
    assert_eq!(rotate_gracefully(f, "next", "x", at(11_001)).await, Rotation::Refused, "the session is over");
    assert_eq!(rotate_gracefully(f, "old", "x", at(2000)).await, Rotation::Refused, "nor is there grace any more");
    assert_eq!(ended(f.account_store().as_ref(), at(11_000)).await, [session_id(1)], "reuse ends a session");
}

/// Once what took its place was used as well, a used token ends its session, however soon: its client had the answer.
pub async fn only_the_newest_is_given_again<F: AccountStoreFixture>(f: &F) {
    begin(f, 1, "0").await;
    assert_eq!(rotate_gracefully(f, "0", "1", at(10)).await, Rotation::Rotated(session(1)));
    assert_eq!(rotate_gracefully(f, "1", "2", at(11)).await, Rotation::Rotated(session(1)));
    assert_eq!(rotate_gracefully(f, "1", "x", at(12)).await, repeated(1, "2"), "the last one used");
    assert_eq!(rotate_gracefully(f, "0", "x", at(13)).await, Rotation::Reused(session(1)), "the one before");
    assert_eq!(rotate_gracefully(f, "2", "x", at(14)).await, Rotation::Refused, "the session is over");
}

/// Of many that present one token at once, one puts its own in its place, and all are told of that one.
pub async fn many_at_once_get_one_successor<F: AccountStoreFixture>(f: &F) {
    begin(f, 1, "old").await;
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (store, old, next) = (f.account_store(), token("old"), token(&n.to_string()));
            tokio::spawn(async move { (next, store.rotate(old, next, at(10), GRACE).await) })
        })
        .collect();
    let (mut winners, mut told) = (Vec::new(), Vec::new());
    for task in tasks {
        let (own, rotation) = task.await.expect("rotate does not panic");
        match rotation.expect("rotate answers") {
            Rotation::Rotated(found) => {
                assert_eq!(found, session(1));
                winners.push(own);
            }
            Rotation::Repeated { next, .. } => told.push(next),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((winners.len(), told.len()), (1, 49), "one rotates");
    assert!(told.iter().all(|next| *next == winners[0]), "all are told of the same");
    let rotation = f.account_store().rotate(winners[0], token("last"), at(11), GRACE).await.expect("rotate answers");
    assert_eq!(rotation, Rotation::Rotated(session(1)), "it is in force");
}

/// A session that was ended refuses its tokens; others go on, those of the same user too.
pub async fn an_ended_session_refuses_its_tokens<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    begin(f, 1, "one").await;
    let sibling = Session { id: session_id(2), ..session(1) };
    store.begin_session(&sibling, token("sibling")).await.expect("begin_session answers");
    store.end_session(session_id(1), at(10)).await.expect("end_session answers");
    assert_eq!(rotate(f, "one", "next", at(11)).await, Rotation::Refused, "the session was ended");
    assert_eq!(rotate(f, "sibling", "next", at(11)).await, Rotation::Rotated(sibling), "the other one goes on");
}

/// What was ended at or after a moment is listed; ending it again, or ending what never was, changes nothing.
pub async fn ended_sessions_are_listed<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    for (number, first) in [(1, "a"), (2, "b"), (3, "c")] {
        begin(f, number, first).await;
    }
    store.end_session(session_id(1), at(1000)).await.expect("end_session answers");
    store.end_session(session_id(2), at(2000)).await.expect("end_session answers");
    store.end_session(session_id(1), at(3000)).await.expect("a repeat is answered too");
    store.end_session(session_id(77), at(3000)).await.expect("an unknown id is answered too");
    let [one, two] = [1, 2].map(session_id);
    for (since, expected) in
        [(0, vec![one, two]), (1000, vec![one, two]), (1001, vec![two]), (2000, vec![two]), (2001, vec![])]
    {
        assert_eq!(ended(store.as_ref(), at(since)).await, expected, "ended at or after {since} ms");
    }
}

/// A user's sessions are listed, the one that began last first; not those of others, those that are over, and those that were ended.
pub async fn the_sessions_of_a_user_are_listed<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    let of_one = |number: u64, created: i64, expires: i64| {
        let user_id = user(1);
        Session { id: session_id(number), user_id, created_at: at(created), expires_at: at(expires) }
    };
    let own = [of_one(1, 10, EXPIRES), of_one(2, 30, EXPIRES), of_one(3, 20, 1000), of_one(4, 40, EXPIRES)];
    for session in own.iter().chain([&session(9)]) {
        let first = token(&session.id.to_string());
        store.begin_session(session, first).await.expect("begin_session answers");
    }
    store.end_session(session_id(4), at(50)).await.expect("end_session answers");
    let listed = async |now| store.sessions_of(user(1), at(now)).await.expect("sessions_of answers");
    let [first, second, short, _] = own;
    assert_eq!(listed(999).await, [second.clone(), short, first.clone()], "the one that began last comes first");
    assert_eq!(listed(1000).await, [second, first], "one is over");
    assert_eq!(store.sessions_of(user(77), at(0)).await.expect("sessions_of answers"), [], "nobody's");
}

/// All sessions of a user are ended but for one; which ones, is told once. Those of others go on.
pub async fn the_other_sessions_of_a_user_are_ended<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    for number in [1, 2, 3] {
        let own = Session { user_id: user(1), ..session(number) };
        store.begin_session(&own, token(&number.to_string())).await.expect("begin_session answers");
    }
    begin(f, 9, "of another").await;
    store.end_session(session_id(3), at(5)).await.expect("end_session answers");
    let end = async |except, now| {
        let mut ended = store.end_sessions_of(user(1), except, at(now)).await.expect("end_sessions_of answers");
        ended.sort();
        ended
    };
    assert_eq!(end(Some(session_id(2)), 10).await, [session_id(1)], "one was ended before, one stays");
    assert_eq!(rotate(f, "1", "x", at(11)).await, Rotation::Refused, "it was ended");
    let stays = Session { user_id: user(1), ..session(2) };
    assert_eq!(rotate(f, "2", "2b", at(11)).await, Rotation::Rotated(stays), "it stays");
    assert_eq!(rotate(f, "of another", "y", at(11)).await, Rotation::Rotated(session(9)), "another's goes on");
    assert_eq!(end(None, 20).await, [session_id(2)], "without an exception, the last one");
    assert_eq!(end(None, 30).await, [], "there is none left");
    assert_eq!(ended(store.as_ref(), at(6)).await, [session_id(1), session_id(2)], "they are among the ended ones");
    assert_eq!(ended(store.as_ref(), at(11)).await, [session_id(2)], "a repeat changes nothing");
}

/// A session is over at its end, however often it was refreshed, and is not listed as ended for that.
pub async fn a_session_expires<F: AccountStoreFixture>(f: &F) {
    begin(f, 1, "0").await;
    begin(f, 2, "late").await;
    let rotation = rotate(f, "0", "1", at(EXPIRES - 1)).await;
    assert_eq!(rotation, Rotation::Rotated(session(1)), "a millisecond before its end it goes on");
    assert_eq!(rotate(f, "1", "2", at(EXPIRES)).await, Rotation::Refused, "at its end it is over");
    assert_eq!(rotate(f, "0", "2", at(EXPIRES)).await, Rotation::Refused, "a used token of it too");
    assert_eq!(rotate(f, "late", "2", at(EXPIRES + 1)).await, Rotation::Refused, "behind its end it is over");
    assert_eq!(ended(f.account_store().as_ref(), at(0)).await, [], "nobody ended it");
}

/// Sessions that expired before a moment are forgotten with their tokens, others are not.
pub async fn expired_sessions_are_forgotten<F: AccountStoreFixture>(f: &F) {
    let store = f.account_store();
    for (number, expires) in [(1, 1000), (2, 2000), (3, 3000)] {
        let session = Session { expires_at: at(expires), ..session(number) };
        store.begin_session(&session, token(&number.to_string())).await.expect("begin_session answers");
    }
    let forget = async |before| store.forget_expired(at(before)).await.expect("forget_expired answers");
    assert_eq!(forget(1000).await, 0, "a session that expires at the moment did not expire before it");
    assert_eq!(forget(2001).await, 2, "two expired before");
    assert_eq!(forget(2001).await, 0, "they are forgotten by now");
    assert_eq!(rotate(f, "1", "x", at(500)).await, Rotation::Refused, "the token of a forgotten session is none");
    let third = Session { expires_at: at(3000), ..session(3) };
    assert_eq!(rotate(f, "3", "x", at(500)).await, Rotation::Rotated(third), "the third one goes on");
}

/// Of two that present one token at once, and there is no grace, one is rotated and the other finds it used.
pub async fn one_of_two_rotates<F: AccountStoreFixture>(f: &F) {
    for round in 1..=20 {
        let first = format!("{round}");
        begin(f, round, &first).await;
        let tasks = ["a", "b"].map(|next| {
            let (store, old, next) = (f.account_store(), token(&first), token(&format!("{round}{next}")));
            tokio::spawn(async move { store.rotate(old, next, at(10), Duration::ZERO).await })
        });
        let mut rotations = Vec::new();
        for task in tasks {
            rotations.push(task.await.expect("rotate does not panic").expect("rotate answers"));
        }
        let rotated = rotations.iter().filter(|rotation| **rotation == Rotation::Rotated(session(round))).count();
        let reused = rotations.iter().filter(|rotation| **rotation == Rotation::Reused(session(round))).count();
        assert_eq!((rotated, reused), (1, 1), "round {round}: {rotations:?}");
        for next in ["a", "b"] {
            let rotation = rotate(f, &format!("{round}{next}"), "x", at(11)).await;
            assert_eq!(rotation, Rotation::Refused, "round {round}: reuse ended the session");
        }
    }
}

/// A rotation whose caller goes away has put the next token in its place, or has not begun.
pub async fn a_dropped_rotation_is_all_or_nothing<F: AccountStoreFixture>(f: &F) {
    let mut number = 0;
    for polls in 0..100 {
        // A commit that was on its way to a server when the caller left may land between the two questions below, and then looks
        // like half of one. So it is tried again with more time before them: what is half stays half.
        for patience in [0, 50, 500, 2_000].map(Duration::from_millis) {
            number += 1;
            let (old, next) = (format!("{number} old"), format!("{number} next"));
            begin(f, number, &old).await;
            let store = f.account_store();
            let done = drop_after(polls, store.rotate(token(&old), token(&next), at(10), Duration::ZERO)).await;
            tokio::time::sleep(patience).await;
            let asked = rotate(f, &next, &format!("{number} after"), at(11)).await;
            assert!(!matches!(asked, Rotation::Reused(_)), "dropped after {polls} polls: {asked:?} of a new token");
            let is_next = asked == Rotation::Rotated(session(number));
            let told = rotate(f, &old, &format!("{number} other"), at(12)).await;
            let rule = format!("dropped after {polls} polls: one of the two tokens is in force");
            match (is_next, told) {
                (true, Rotation::Reused(found)) | (false, Rotation::Rotated(found)) => {
                    assert_eq!(found, session(number), "{rule}");
                    if done.is_some() {
                        assert!(is_next, "what is done is in force");
                        return;
                    }
                    break;
                }
                (false, Rotation::Reused(_)) if patience < Duration::from_secs(2) => {}
                (is_next, told) => panic!("{rule}: the next one is: {is_next}; the old one: {told:?}"),
            }
        }
    }
    panic!("rotate is not done after 99 polls");
}

use scoreboard_core::{LiveWindow, WindowKind};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::advance;

use super::*;
use crate::state::Cause;

fn follower() -> (Follower, watch::Receiver<Shown>) {
    let (shown, seen) = watch::channel(Shown::NOTHING);
    (Follower::new(Wish { number: 1, window: LiveWindow::top(3), shown: Arc::new(shown) }), seen)
}

fn whole(version: u64) -> LiveEvent {
    event(json!({"type": "snapshot", "version": version, "entries": []}))
}

fn step(from: u64) -> LiveEvent {
    event(json!({"type": "update", "from": from, "version": from + 1, "changes": []}))
}

/// As it comes over the wire, of a board that nobody is on.
fn event(mut message: Value) -> LiveEvent {
    for (field, value) in [("board", json!("main")), ("season", json!(1)), ("epoch", json!(1)), ("total", json!(0))] {
        message[field] = value;
    }
    serde_json::from_value(message).expect("a message")
}

fn asked(follower: &mut Follower) -> Value {
    follower.ask(&BoardId::main()).map_or(Value::Null, |message| serde_json::to_value(message).expect("it is encoded"))
}

#[tokio::test(start_paused = true)]
async fn it_asks_from_what_it_holds_and_whole_where_that_is_of_no_use() {
    let config = ClientConfig::default();
    let (mut follower, seen) = follower();
    follower.connected();
    assert_eq!(seen.borrow().state, State::CatchingUp);
    assert_eq!(asked(&mut follower), json!({"type": "subscribe", "board": "main", "limit": 3}));
    assert_eq!(asked(&mut follower), Value::Null, "once");
    follower.receive(step(6), &config);
    assert!(seen.borrow().view.is_none(), "an update before the snapshot is of a subscription before");
    follower.receive(whole(7), &config);
    assert_eq!(seen.borrow().state, State::Live);

    let lost = Offline { since: Instant::now(), cause: Cause::Lost, retry_at: Instant::now() };
    follower.offline(&lost);
    assert_eq!(seen.borrow().state, State::Offline(lost));
    assert_eq!(seen.borrow().view.as_ref().map(|view| view.position.version.get()), Some(7), "it stays");
    follower.connected();
    assert_eq!(asked(&mut follower)["since"], json!({"epoch": 1, "version": 7}));
    follower.receive(step(7), &config);
    assert!(follower.is_live(), "what was missed is no snapshot, and taken");

    follower.receive(step(9), &config);
    assert_eq!(seen.borrow().state, State::CatchingUp, "a gap");
    assert_eq!(asked(&mut follower).get("since"), None, "it is asked for whole");
    follower.receive(step(8), &config);
    assert_eq!(seen.borrow().view.as_ref().map(|view| view.position.version.get()), Some(8), "nothing is guessed");
    follower.receive(whole(12), &config);
    assert!(follower.is_live());
}

#[tokio::test(start_paused = true)]
async fn gaps_that_go_on_are_asked_for_ever_later_and_settled_ones_at_once() {
    let config = ClientConfig::default();
    let (mut follower, _seen) = follower();
    follower.connected();
    let gap = |follower: &mut Follower| {
        follower.receive(whole(1), &config);
        follower.receive(step(5), &config);
        follower.ask_at().expect("it is asked again") - Instant::now()
    };
    assert_eq!(gap(&mut follower), Duration::ZERO);
    for _ in 0..20 {
        let wait = gap(&mut follower);
        assert!(wait >= config.first_wait && wait <= config.first_wait + config.longest_wait, "{wait:?}");
    }
    advance(config.settled + config.longest_wait + Duration::from_secs(1)).await;
    assert_eq!(gap(&mut follower), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn some_refusals_pass_and_others_are_the_end() {
    let config = ClientConfig::default();
    let (mut follower, seen) = follower();
    let refused =
        |code: &str| Refused { code: code.to_owned(), detail: "no".to_owned(), board: None, window: WindowKind::Top };
    for code in ["unavailable", "rate_limited", "internal"] {
        assert!(!follower.refused(refused(code), &config));
        let wait = follower.ask_at().expect("it is asked again") - Instant::now();
        assert!(wait >= config.first_wait, "not at once: {wait:?}");
    }
    assert!(follower.refused(refused("not_found"), &config));
    let (code, detail) = ("not_found".to_owned(), "no".to_owned());
    assert_eq!(seen.borrow().state, State::Refused(Refusal::Board { code, detail }));
    assert!(seen.borrow().ended);
}

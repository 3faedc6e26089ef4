//! What two nodes answered, and what is in the log.

use std::sync::Arc;
use std::time::Duration;

use scoreboard::memory::MemoryScoreStore;
use scoreboard::{
    ActionKind, BoardId, BoardSpec, Encoded, LogRow, Points, PointsRule, Position, RecordRequest, ScoreStore,
    Scoreboard, TopQuery, UserId, Version,
};
use tokio::time::{Instant, advance};

use crate::failure;
use crate::support::history::History;

const UPDATES: u64 = 6;
const A_MOMENT: Duration = Duration::from_millis(1);

/// A right history, and what it is made of.
struct Played {
    history: History,
    store: Arc<dyn ScoreStore>,
    log: Vec<LogRow>,
    /// What was true at each version.
    answers: Vec<Encoded>,
}

/// Two nodes take turns. Who has written reads it; the other has not heard of it yet, and reads what it wrote itself before.
async fn play() -> Played {
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    let tap = ActionKind {
        kind: "tap".parse().expect("a kind"),
        points: PointsRule::Fixed(Points::new(1).expect("points")),
        min_duration_seconds: 0,
        lifetime_seconds: 60,
        per_day: None,
    };
    let spec = BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) };
    scoreboard.create_board(spec).await.expect("it is made");
    let query = TopQuery::new(BoardId::main());
    let mut answers = vec![scoreboard.top_encoded(&query).await.expect("it is answered")];
    let mut history = History::default();
    for update in 1..=UPDATES {
        let (node, other) = if update % 2 == 0 { (0, 1) } else { (1, 0) };
        let request = RecordRequest {
            board: BoardId::main(),
            user_id: UserId::for_name("checkers", &(update % 3).to_string()),
            kind: "tap".parse().expect("a kind"),
            points: None,
        };
        let (game, key) = ("game".parse().expect("a name"), update.to_string());
        let receipt = scoreboard.record(&game, &key, request).await.expect("it counts");
        history.acknowledged(node, receipt.version);
        let before = answers.last().cloned().expect("not empty");
        let answer = scoreboard.top_encoded(&query).await.expect("it is answered");
        advance(A_MOMENT).await;
        history.read(other, Instant::now(), before);
        // The last is read by nobody.
        if update < UPDATES {
            history.read(node, Instant::now(), answer.clone());
        }
        answers.push(answer);
    }
    let store = scoreboard.store();
    let log = store.log(&BoardId::main(), Version::ZERO, 100).await.expect("it is there");
    Played { history, store, log, answers }
}

/// What the checker says of a history into which a fault was put.
async fn caught(fault: impl FnOnce(&mut Played)) -> String {
    let mut played = play().await;
    fault(&mut played);
    let Played { history, log, .. } = played;
    failure(async { history.check_against(&log) }).await.unwrap_or_else(|| "nothing".to_owned())
}

/// The same of a true answer into which another text was put.
async fn caught_answer(version: usize, from: &str, to: &str) -> String {
    caught(|played| {
        let true_one = &played.answers[version];
        let text = String::from_utf8(true_one.bytes.to_vec()).expect("JSON");
        assert!(text.contains(from), "{text}");
        let answer = Encoded { bytes: text.replacen(from, to, 1).into(), ..true_one.clone() };
        // By a node of which nothing is known.
        played.history.read(2, Instant::now(), answer);
    })
    .await
}

#[track_caller]
fn assert_says(said: &str, what: &str) {
    assert!(said.contains(what), "{what}: {said}");
}

#[tokio::test(start_paused = true)]
async fn a_right_history_passes() {
    let Played { history, store, .. } = play().await;
    let seen = history.check(&*store, &BoardId::main()).await;
    assert_eq!((seen.reads, seen.answers, seen.max), (11, 6, A_MOMENT), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_read_below_its_nodes_floor_is_caught() {
    let said = caught(|played| played.history.read(0, Instant::now(), played.answers[5].clone())).await;
    assert_says(&said, "node 0 answered 5 below its floor 6");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_never_true_is_caught() {
    let untrue = "what was answered is not what the log says";
    assert_says(&caught_answer(0, "\"total\":0", "\"total\":1").await, untrue);
    assert_says(&caught_answer(5, "\"total\":3", "\"total\":2").await, untrue);
    assert_says(&caught_answer(5, "\"score\":2", "\"score\":3").await, untrue);
    assert_says(&caught_answer(5, "\"rank\":2", "\"rank\":1").await, untrue);
    let said = caught(|played| {
        // What was true at another version.
        let position = Position { version: Version::new(4), ..played.answers[4].position };
        played.history.read(2, Instant::now(), Encoded { position, ..played.answers[3].clone() });
    });
    assert_says(&said.await, untrue);
    let said = caught(|played| {
        let position = Position { version: Version::new(UPDATES + 1), ..played.answers[4].position };
        played.history.read(2, Instant::now(), Encoded { position, ..played.answers[4].clone() });
    });
    assert_says(&said.await, "answers at versions that the board has never reached");
}

#[tokio::test(start_paused = true)]
async fn an_update_that_counts_twice_is_caught() {
    let said = caught(|played| {
        let double = played.log[1].clone();
        played.log.insert(2, double);
        for (version, row) in (1..).zip(&mut played.log) {
            row.position.version = Version::new(version);
        }
    });
    assert_says(&said.await, "what was answered is not what the log says");
    let said = caught(|played| played.history.acknowledged(0, Version::new(3)));
    assert_says(&said.await, "a version was given out twice");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_update_that_is_lost_is_caught() {
    assert_says(&caught(|played| drop(played.log.pop())).await, "version 6 was acknowledged, and is not in the log");
}

#[tokio::test(start_paused = true)]
async fn a_log_with_a_gap_is_caught() {
    assert_says(&caught(|played| drop(played.log.remove(2))).await, "the log has a gap or a double");
}

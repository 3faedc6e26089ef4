//! The same scenario over every backend, chosen by one line, gives the same answers to the letter.

mod support;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use scoreboard::memory::MemoryScoreStore;
use scoreboard::testing::{ManualClock, SeededIds};
use scoreboard::{
    ActionKind, AroundQuery, BoardId, BoardSpec, Config, Direction, HistoryQuery, IssueRequest, KeyId, KeyRing,
    Operator, Points, PointsRule, RankStyle, RecordRequest, Score, ScoreStore, Scoreboard, Secret, StandingQuery,
    TopQuery, UserId, Version, verify,
};
use scoreboard_postgres::PostgresStore;
use scoreboard_sqlite::SqliteStore;
use support::postgres::Schema;

#[tokio::test]
async fn every_backend_answers_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("scoreboard.db").display());

    // All that chooses a backend is its one line.
    let memory = scenario(Arc::new(MemoryScoreStore::default())).await;
    let sqlite = scenario(Arc::new(SqliteStore::from_url(&url).await.expect("a new file opens"))).await;
    let schema = Schema::create().await;
    let postgres = scenario(Arc::new(PostgresStore::from_url(schema.url()).await.expect("a new schema opens"))).await;

    for (name, answers) in [("sqlite", sqlite), ("postgres", postgres)] {
        for (number, (memory, other)) in memory.iter().zip(&answers).enumerate() {
            assert_eq!(memory, other, "{name}: answer {number}");
        }
        assert_eq!(memory.len(), answers.len(), "{name}");
    }
    let all = memory.join("\n");
    // The scenario reaches what it is meant to reach.
    for part in [
        "replayed: true",
        "replayed: false",
        "AboveCount",
        "NotYetValid",
        "SignatureInvalid",
        "next_cursor: Some",
        "Clean",
    ] {
        assert!(all.contains(part) || part == "AboveCount" && all.contains("Blocked"), "no answer shows `{part}`");
    }
}

/// Everything that was answered, in order.
#[derive(Default)]
struct Answers(Vec<String>);

impl Answers {
    fn note(&mut self, what: &str, answer: impl Debug) {
        self.0.push(format!("{what}: {answer:?}"));
    }
}

/// Plays on three boards and asks everything there is to ask. Time, ids and keys are the same each time.
async fn scenario(store: Arc<dyn ScoreStore>) -> Vec<String> {
    let clock = ManualClock::default();
    let key = |id: &str| (KeyId::new(id).expect("a slug"), Secret::from_bytes([7; 32]));
    let mut config = Config::default();
    config.update_quota = None;
    let scoreboard = Scoreboard::builder(store)
        .with_clock(Arc::new(clock.clone()))
        .with_ids(Arc::new(SeededIds::new(1)))
        .with_keys(KeyRing::new(vec![key("k1")]).expect("one key"))
        .with_config(config)
        .build();

    let mut answers = Answers::default();
    for (name, direction, operator) in [
        ("main", Direction::Descending, Operator::Increment),
        ("laps", Direction::Ascending, Operator::Best),
        ("rating", Direction::Descending, Operator::Set),
    ] {
        let board = BoardId::new(name).expect("a slug");
        let spec = BoardSpec { direction, operator, kinds: kinds(), ..BoardSpec::new(board.clone()) };
        answers.note("create", scoreboard.create_board(spec.clone()).await.map_err(|error| error.to_string()));
        answers.note("create again", scoreboard.create_board(spec).await.map_err(|error| error.to_string()));
        play(&scoreboard, &clock, &board, &mut answers).await;
        ask(&scoreboard, &board, &mut answers).await;
        answers.note("audit", verify(&*scoreboard.store(), &board, |_, _| {}).await);
    }
    scoreboard.close().await;
    answers.0
}

fn kinds() -> Vec<ActionKind> {
    let points = |value| Points::new(value).expect("in range");
    let kind = |name: &str, points, min_duration_seconds, per_day| ActionKind {
        kind: name.parse().expect("a slug"),
        points,
        min_duration_seconds,
        lifetime_seconds: 60,
        per_day,
    };
    vec![
        kind("tap", PointsRule::Fixed(points(1)), 0, None),
        kind("quest", PointsRule::Fixed(points(10)), 2, Some(1)),
        kind("boss", PointsRule::Range(points(50), points(150)), 0, None),
    ]
}

fn user(number: u64) -> UserId {
    UserId::for_name("backend-swap", &number.to_string())
}

async fn play(scoreboard: &Scoreboard, clock: &ManualClock, board: &BoardId, answers: &mut Answers) {
    let issue = |kind: &str| IssueRequest::new(board.clone(), kind.parse().expect("a slug"));
    for round in 0..60_u64 {
        let user = user(round * 7 % 13);
        let request = match round % 4 {
            0 | 2 => issue("tap"),
            1 => issue("quest"),
            _ => issue("boss").with_points(Points::new(50 + (round as i64 * 37) % 101).expect("in range")),
        };
        let action = match scoreboard.issue(user, request).await {
            Ok(action) => action,
            Err(error) => {
                answers.note("issue", error);
                continue;
            }
        };
        answers.note("issued", &action);
        answers.note("at once", scoreboard.submit(user, action.clone()).await);
        clock.advance(Duration::from_millis(2_500));
        answers.note("later", scoreboard.submit(user, action.clone()).await);
        let mut forged = action;
        forged.claims.points = Points::new(149).expect("in range");
        answers.note("forged", scoreboard.submit(user, forged).await);
    }

    let server = KeyId::new("arena").expect("a slug");
    let result = |number| RecordRequest {
        board: board.clone(),
        user_id: user(number),
        kind: "tap".parse().expect("a slug"),
        points: None,
    };
    answers.note("recorded", scoreboard.record(&server, "match-1", result(1)).await);
    answers.note("recorded again", scoreboard.record(&server, "match-1", result(1)).await);
    answers.note("same key, other result", scoreboard.record(&server, "match-1", result(2)).await);
}

async fn ask(scoreboard: &Scoreboard, board: &BoardId, answers: &mut Answers) {
    for style in [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense] {
        let mut query = TopQuery { limit: 4, style, ..TopQuery::new(board.clone()) };
        loop {
            let page = scoreboard.top(&query).await.expect("a page");
            answers.note("page", &page);
            answers.note("encoded", scoreboard.top_encoded(&query).await);
            match page.next_cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => break,
            }
        }
        let around = AroundQuery { board: board.clone(), user: user(5), radius: 2, style, min_version: Version::ZERO };
        answers.note("around", scoreboard.around(&around).await);
        let users: Vec<UserId> = (0..15).map(user).collect();
        let query = StandingQuery { style, ..StandingQuery::new(board.clone()) };
        answers.note("standings", scoreboard.standings(&users, &query).await);
        let score = Score::new(11).expect("in range");
        answers.note("rank of 11", scoreboard.score_rank(board, style, score, Version::ZERO).await);
    }
    let history = HistoryQuery { limit: 3, ..HistoryQuery::new(board.clone(), user(7)) };
    let first = scoreboard.history(&history).await.expect("a history");
    answers.note("history", &first);
    answers.note("older", scoreboard.history(&HistoryQuery { cursor: first.next_cursor, ..history }).await);
    answers.note("log", scoreboard.changes(board, Version::ZERO, 1_000).await);
    let unknown = BoardId::new("nowhere").expect("a slug");
    answers.note("no such board", scoreboard.top(&TopQuery::new(unknown)).await);
    let ahead = TopQuery { min_version: Version::new(1_000_000), ..TopQuery::new(board.clone()) };
    answers.note("a version to come", scoreboard.top(&ahead).await);
}

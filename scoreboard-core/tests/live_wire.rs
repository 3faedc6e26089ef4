//! What watchers are told is read back as it was sent: by clients in Rust, and by whoever stores it.

use std::sync::Arc;

use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, KeyId, LiveEvent, MAX_SCORE, Points, PointsRule, RecordRequest, Scoreboard, UserId,
};

#[tokio::test]
async fn what_watchers_are_told_is_read_back_as_it_was_sent() {
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    let range = PointsRule::Range(Points::new(-MAX_SCORE).unwrap(), Points::new(MAX_SCORE).unwrap());
    let kind = "round".parse().unwrap();
    let kinds = vec![ActionKind { kind, points: range, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None }];
    scoreboard.create_board(BoardSpec { kinds, ..BoardSpec::new(BoardId::main()) }).await.unwrap();
    let record = async |name: &str, points| {
        let (board, user_id) = (BoardId::main(), UserId::for_name("test", name));
        let request = RecordRequest {
            board,
            user_id,
            kind: "round".parse().unwrap(),
            points: Some(Points::new(points).unwrap()),
        };
        scoreboard.record(&KeyId::new("test").unwrap(), name, request).await.unwrap();
    };
    let mut watcher = scoreboard.subscribe(&BoardId::main(), 2, None).await.unwrap();
    let mut events = vec![watcher.next().await.unwrap()];
    for (name, points) in [("ada", MAX_SCORE), ("ben", -MAX_SCORE), ("cem", 5)] {
        record(name, points).await;
        events.push(watcher.next().await.unwrap());
    }
    events.push(scoreboard.subscribe(&BoardId::main(), 2, None).await.unwrap().next().await.unwrap());
    let kinds: Vec<_> = events.iter().map(|event| matches!(event, LiveEvent::Update(_))).collect();
    assert_eq!(kinds, [false, true, true, true, false]);
    for event in events {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<LiveEvent>(&text).unwrap(), event);
        // A field that a later server adds is nothing to fail for.
        let more = text.replacen('{', "{\"later\":[1],", 1);
        assert_eq!(serde_json::from_str::<LiveEvent>(&more).unwrap(), event);
    }
    for bad in [r#"{"type":"update"}"#, r#"{"type":"snapshot","board":"Not A Slug"}"#, r#"{"board":"main"}"#] {
        assert!(serde_json::from_str::<LiveEvent>(bad).is_err(), "{bad}");
    }
}

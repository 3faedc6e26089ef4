//! Where somebody stands whom others do not see where they are: true at the version that the answer names, while everybody else moves.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without may end it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, Config, KeyId, LogRow, Moderation, ModerationAct, ModerationId, Points, PointsRule,
    RankIndexed, RankIndexedConfig, RankStyle, RecordRequest, Restriction, ScoreStore, Scoreboard, Standing,
    StandingQuery, UserId, Version,
};

const OTHERS: u8 = 12;
const ROUNDS: u32 = 400;
const STYLES: [RankStyle; 3] = [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense];

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

async fn play(scoreboard: &Scoreboard, key: &str, number: u8, points: i64) {
    let kind = "any".parse().unwrap();
    let points = Some(Points::new(points).unwrap());
    let request = RecordRequest { board: BoardId::main(), user_id: user(number), kind, points };
    scoreboard.record(&KeyId::new("test").unwrap(), key, request).await.unwrap();
}

/// The rank in a style among all others as they were at a version, by nothing but the log.
fn folded(log: &[LogRow], at: Version, style: RankStyle, own: (i64, u64)) -> (u64, u64) {
    let mut scores = BTreeMap::<UserId, (i64, u64)>::new();
    for row in log.iter().take_while(|row| row.position.version <= at).filter(|row| row.user_id != user(0)) {
        let before = scores.get(&row.user_id).map_or(0, |(score, _)| *score);
        if row.points.get() != 0 || !scores.contains_key(&row.user_id) {
            scores.insert(row.user_id, (before + row.points.get(), row.position.version.get()));
        }
    }
    let better: Vec<i64> = scores.values().map(|(score, _)| *score).filter(|score| *score > own.0).collect();
    let ahead = match style {
        RankStyle::Ordinal => scores.values().filter(|(score, at)| (-score, *at) < (-own.0, own.1)).count(),
        RankStyle::Competition => better.len(),
        RankStyle::Dense => better.iter().collect::<std::collections::BTreeSet<_>>().len(),
    };
    (ahead as u64 + 1, scores.len() as u64 + 1)
}

/// Whoever is restricted had shown points before, and has pending ones besides.
async fn stays_true(restriction: Restriction, has_ranks: bool, shown: i64, pending: i64) {
    let memory = Arc::new(MemoryScoreStore::default());
    let store: Arc<dyn ScoreStore> = match has_ranks {
        true => Arc::new(RankIndexed::new(memory.clone(), RankIndexedConfig::default())),
        false => memory.clone(),
    };
    let mut config = Config::default();
    config.update_quota = None;
    let scoreboard = Scoreboard::builder(store).with_moderation(memory.clone()).with_config(config).build();
    let points = PointsRule::Range(Points::new(-20).unwrap(), Points::new(20).unwrap());
    let kind = "any".parse().unwrap();
    let any = ActionKind { kind, points, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None };
    scoreboard.create_board(BoardSpec { kinds: vec![any], ..BoardSpec::new(BoardId::main()) }).await.unwrap();

    play(&scoreboard, "shown", 0, shown).await;
    let act = ModerationAct::Restrict { user_id: user(0), restriction };
    let (by, reason) = ("mona".to_owned(), "seen".to_owned());
    let decided = Moderation { id: ModerationId::MAX, at: ManualClock::START, by, reason, act };
    scoreboard.moderate(&decided).await.unwrap();
    play(&scoreboard, "pending", 0, pending).await;
    let log = async || memory.log(&BoardId::main(), Version::ZERO, usize::MAX).await.unwrap();
    let own = (shown + pending, log().await.last().unwrap().position.version.get());

    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|writer: u8| {
            let (scoreboard, is_over) = (scoreboard.clone(), is_over.clone());
            tokio::spawn(async move {
                let mut n = 0_i64;
                while !is_over.load(Ordering::Relaxed) {
                    n += 1;
                    let number = 1 + ((n * 7 + i64::from(writer)) % i64::from(OTHERS)) as u8;
                    play(&scoreboard, &format!("{writer}-{n}"), number, (n * 13) % 7 - 3).await;
                }
            })
        })
        .collect();
    let mut answers: Vec<(RankStyle, Standing)> = Vec::new();
    for _ in 0..ROUNDS {
        for style in STYLES {
            let query = StandingQuery { style, ..StandingQuery::new(BoardId::main()) };
            answers.push((style, scoreboard.own_standing(user(0), &query).await.unwrap()));
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let log = log().await;
    for (style, answer) in &answers {
        let standing = answer.standing.as_ref().unwrap();
        assert_eq!((standing.score.get(), answer.provisional), (own.0, restriction == Restriction::Held));
        assert_eq!(
            (standing.rank, answer.total),
            folded(&log, answer.version, *style, own),
            "{style:?} at {} of {}",
            answer.version,
            log.len()
        );
    }
    let versions = answers.iter().map(|(_, answer)| answer.version);
    assert!(versions.clone().min() < versions.max(), "the board moved meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_held_is_told_where_they_stand() {
    for has_ranks in [true, false] {
        stays_true(Restriction::Held, has_ranks, 3, 4).await;
        // What others see of them stands in front of where they are.
        stays_true(Restriction::Held, has_ranks, 3, -4).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_shadowed_is_told_where_they_stand() {
    for has_ranks in [true, false] {
        stays_true(Restriction::Shadowed, has_ranks, 3, 4).await;
    }
}

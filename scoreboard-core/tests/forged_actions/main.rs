//! Nobody forges an action: of a million that were altered in every way we know of, none is taken for more than it was.
//!
//! `SCOREBOARD_TEST_SCALE=100` makes it the whole million.

mod broken;
mod mutation;
#[path = "../../../tests/support/scale.rs"]
mod scale;
#[path = "../../../tests/support/seed.rs"]
mod seed;

use std::collections::BTreeMap;
use std::sync::Arc;

use mutation::{Mutations, ring, signed};
use scale::scaled;
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionKind, ActionVerifier, BoardId, BoardSpec, Config, Error, HmacVerifier, Points, PointsRule, Rejection,
    ScoreStore, Scoreboard, SignedAction, Timestamp, UserId,
};
use seed::Seeded;

/// What became of mutated actions.
#[derive(Debug, Default)]
struct Tally {
    tried: usize,
    /// Those that could be read at all.
    read: usize,
    /// Taken, and rightly: the same action, spelt otherwise.
    same: usize,
    forged: Vec<(&'static str, String)>,
    /// By kind of mutation: how many could be read.
    kinds: BTreeMap<&'static str, usize>,
}

/// Hands this many mutated actions to a verifier, and stops at the first that it takes though nobody signed it.
fn attack(verifier: &dyn ActionVerifier, genuine: &[SignedAction], seed: u64, count: usize) -> Tally {
    let mut mutations = Mutations::new(genuine, seed);
    let mut tally = Tally::default();
    while tally.tried < count && tally.forged.is_empty() {
        let (kind, bytes) = mutations.next();
        tally.tried += 1;
        let kinds = tally.kinds.entry(kind).or_default();
        let Ok(action) = serde_json::from_slice::<SignedAction>(&bytes) else { continue };
        tally.read += 1;
        *kinds += 1;
        if verifier.verify(&action).is_ok() {
            if genuine.contains(&action) {
                tally.same += 1;
            } else {
                tally.forged.push((kind, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    tally
}

#[test]
fn of_a_million_altered_actions_none_is_accepted() {
    let verifier = HmacVerifier::new(&ring(7));
    let mut genuine = signed(&verifier);
    // What was signed before the last rotation of keys counts too.
    genuine.extend(signed(&HmacVerifier::new(&mutation::ring_before(7))));
    for action in &genuine {
        assert_eq!(verifier.verify(action), Ok(()), "{action:?}");
    }
    let mut seeded = Seeded::new();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = scaled(1_000_000).div_ceil(threads);
    let seeds: Vec<u64> = (0..threads).map(|_| seeded.within(0..u64::MAX)).collect();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let attacks: Vec<_> =
            seeds.iter().map(|seed| scope.spawn(|| attack(&verifier, &genuine, *seed, count))).collect();
        attacks.into_iter().map(|attack| attack.join().expect("no reader panics")).collect()
    });
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    println!(
        "{} mutated actions: {} could be read, {} were the same action spelt otherwise, {} accepted",
        sum(|tally| tally.tried),
        sum(|tally| tally.read),
        sum(|tally| tally.same),
        sum(|tally| tally.forged.len()),
    );
    for tally in &tallies {
        assert!(tally.forged.is_empty(), "accepted, though nobody signed it: {:?}", tally.forged);
        assert_eq!(tally.tried, count);
        assert!(tally.read * 3 > tally.tried, "most are good enough to be read: {tally:?}");
        assert!(tally.same > 0, "spelling is no forgery: {tally:?}");
    }
}

/// Else the million would prove nothing: a verifier that forgets one thing is caught, whatever the thing.
#[test]
fn a_verifier_that_forgets_one_thing_is_caught() {
    let mut seeded = Seeded::new();
    for (what, verifier) in broken::verifiers() {
        let genuine = signed(&*verifier);
        assert!(genuine.iter().all(|action| verifier.verify(action).is_ok()), "{what}");
        let tally = attack(&*verifier, &genuine, seeded.within(0..u64::MAX), 100_000);
        assert!(!tally.forged.is_empty(), "not caught in {} tries: one that forgets {what}", tally.tried);
        println!("one that forgets {what}: caught by the mutation `{}` after {} tries", tally.forged[0].0, tally.tried);
    }
}

/// The whole pipeline: neither an altered action nor another's changes anything, and none is told why.
#[tokio::test]
async fn no_altered_action_and_no_strangers_changes_a_score() {
    let verifier = HmacVerifier::new(&ring(7));
    let genuine = signed(&verifier);
    let store = Arc::new(MemoryScoreStore::default());
    let mut config = Config::default();
    config.update_quota = None;
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_100_000));
    let scoreboard =
        Scoreboard::builder(store.clone()).with_keys(ring(7)).with_clock(Arc::new(clock)).with_config(config).build();
    for board in mutation::BOARDS {
        let kind = |kind: &str| ActionKind {
            kind: kind.parse().expect("a slug"),
            points: PointsRule::Range(Points::new(-1000).expect("small"), Points::new(1000).expect("small")),
            min_duration_seconds: 0,
            lifetime_seconds: 600,
            per_day: None,
        };
        let kinds = mutation::KINDS.iter().map(|name| kind(name)).collect();
        let spec = BoardSpec { kinds, ..BoardSpec::new(BoardId::new(board).expect("a slug")) };
        scoreboard.create_board(spec).await.expect("a board");
    }
    let mut mutations = Mutations::new(&genuine, Seeded::new().within(0..u64::MAX));
    let mut refused = 0;
    for _ in 0..scaled(20_000) {
        let (kind, bytes) = mutations.next();
        let Ok(action) = serde_json::from_slice::<SignedAction>(&bytes) else { continue };
        // Of a genuine one, whose owner alone may hand it in, a stranger's try is the attack.
        let user = if genuine.contains(&action) { UserId::MAX } else { action.claims.user_id };
        let answer = scoreboard.submit(user, action).await;
        let Err(Error::Rejected(rejection)) = answer else { panic!("{kind}: {answer:?}") };
        assert!(matches!(rejection, Rejection::SignatureInvalid | Rejection::Mismatch), "{kind}: {rejection:?}");
        refused += 1;
    }
    assert!(refused > 500, "{refused}");
    for board in mutation::BOARDS {
        let board = store.board(&BoardId::new(board).expect("a slug")).await.expect("memory").expect("it is there");
        assert_eq!(board.version.get(), 0, "{board:?}");
    }
    // And the owner's own counts.
    let mine = genuine.iter().find(|action| action.claims.season.get() == 1).expect("one of the first season");
    scoreboard.submit(mine.claims.user_id, mine.clone()).await.expect("it counts");
}

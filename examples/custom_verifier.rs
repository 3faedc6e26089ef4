//! A verifier of one's own: here one that also refuses what an old build of the game has begun.
//!
//! It signs through the library's own `HmacVerifier` and adds a rule. A verifier that asks a hardware module, or that signs with
//! another algorithm, looks the same: two methods, and one macro line in its tests
//! (`scoreboard_core::verifier_conformance!(MyFixture);`).
//!
//! Run with `cargo run --example custom_verifier`.

use std::sync::Arc;

use scoreboard::memory::MemoryScoreStore;
use scoreboard::{
    ActionKind, ActionVerifier, BoardId, BoardSpec, Claims, Error, HmacVerifier, IssueRequest, KeyRing, Points,
    PointsRule, RandomIds, Rejection, Scoreboard, SignedAction, Timestamp, UserId,
};

/// Takes no action that was begun before a moment: that of the last update of the game, say.
#[derive(Debug)]
struct NotBefore {
    inner: HmacVerifier,
    oldest: Timestamp,
}

impl ActionVerifier for NotBefore {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.inner.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        self.inner.verify(action)?;
        if action.claims.issued_at < self.oldest { Err(Rejection::Expired) } else { Ok(()) }
    }
}

/// A scoreboard with one board, `main`, whose actions this verifier looks at.
async fn open(verifier: NotBefore) -> Result<Scoreboard, Box<dyn std::error::Error>> {
    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = Scoreboard::builder(store).with_verifier(Arc::new(verifier)).build();
    let tap = ActionKind {
        kind: "tap".parse()?,
        points: PointsRule::Fixed(Points::new(1)?),
        min_duration_seconds: 0,
        lifetime_seconds: 60,
        per_day: None,
    };
    scoreboard.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) }).await?;
    Ok(scoreboard)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ring = KeyRing::random(&RandomIds);
    let ada = UserId::for_name("my-game", "ada");
    let tap = || -> Result<_, Box<dyn std::error::Error>> { Ok(IssueRequest::new(BoardId::main(), "tap".parse()?)) };

    let scoreboard = open(NotBefore { inner: HmacVerifier::new(&ring), oldest: Timestamp::from_millis(0) }).await?;
    let action = scoreboard.issue(ada, tap()?).await?;
    assert_eq!(scoreboard.submit(ada, action).await?.score.get(), 1);

    // An altered field is found by the signature, before the rule is asked.
    let mut forged = scoreboard.issue(ada, tap()?).await?;
    forged.claims.points = Points::new(1_000_000)?;
    assert!(matches!(scoreboard.submit(ada, forged).await, Err(Error::Rejected(Rejection::SignatureInvalid))));

    // The game is updated: what was begun before, even with a good signature, no longer counts.
    let begun = scoreboard.issue(ada, tap()?).await?;
    let oldest = Timestamp::from_millis(begun.claims.issued_at.as_millis() + 1);
    let updated = open(NotBefore { inner: HmacVerifier::new(&ring), oldest }).await?;
    assert!(matches!(updated.submit(ada, begun).await, Err(Error::Rejected(Rejection::Expired))));
    println!("One tap counted; a forged one and an outdated one did not.");
    Ok(())
}

//! Load whose every answer is kept, and the checks of what became of it: all that was acknowledged is there, once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::client::{Answer, Lost};
use super::user::{User, split_receipt};
use super::wait::until;

/// How long it may take until so many more are acknowledged.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than a server takes to come back; in between, clients ask again.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Many users who play as fast as they are answered, and settle every unknown outcome by asking again.
pub(crate) struct Load {
    progress: Arc<Progress>,
    players: Vec<JoinHandle<(User, Vec<Played>)>>,
}

#[derive(Default)]
struct Progress {
    /// Whether the server may settle an outcome by asking its store again: then a first answer can be a repeat.
    settles: bool,
    acknowledged: AtomicUsize,
    /// Updates that had to be sent again because nothing, or a 503, came back.
    asked_again: AtomicUsize,
    /// Those of them that had counted the first time.
    had_counted: AtomicUsize,
    /// Starts of actions that nothing, or a 503, came back for.
    not_issued: AtomicUsize,
    enough: AtomicBool,
}

/// How often nothing, or a 503, came back.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) asked_again: usize,
    pub(crate) had_counted: usize,
    /// Of those who start an action.
    pub(crate) not_issued: usize,
}

/// An action and the receipt that acknowledged it.
pub(crate) struct Played {
    action: Value,
    receipt: Value,
}

impl Load {
    /// So many users on one server whose store answers, or dies with it.
    pub(crate) async fn start(address: SocketAddr, clients: usize) -> Self {
        Self::of(User::register_many(address, "user", clients).await, false)
    }

    /// These users, on servers that may have to ask their store again.
    pub(crate) fn behind_faults(users: Vec<User>) -> Self {
        Self::of(users, true)
    }

    fn of(users: Vec<User>, settles: bool) -> Self {
        let progress = Arc::new(Progress { settles, ..Progress::default() });
        let players = users.into_iter().map(|user| tokio::spawn(play(user, progress.clone()))).collect();
        Self { progress, players }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    /// How many updates nothing, or a 503, came back for so far.
    pub(crate) fn asked_again(&self) -> usize {
        self.progress.asked_again.load(Ordering::Relaxed)
    }

    /// How many starts of actions nothing, or a 503, came back for so far.
    pub(crate) fn not_issued(&self) -> usize {
        self.progress.not_issued.load(Ordering::Relaxed)
    }

    pub(crate) async fn reach(&self, acknowledged: usize) {
        let what = format!("{acknowledged} updates are acknowledged");
        until(what, PATIENCE, async || {
            assert!(!self.players.iter().any(JoinHandle::is_finished), "a player has failed");
            (self.acknowledged() >= acknowledged).then_some(())
        })
        .await;
    }

    /// Each user ends with the action at hand, whose outcome is then known.
    pub(crate) async fn stop(self) -> (Vec<(User, Vec<Played>)>, Unknown) {
        self.progress.enough.store(true, Ordering::Relaxed);
        let users =
            join_all(self.players).await.into_iter().map(|played| played.expect("every player ends well")).collect();
        let Progress { asked_again, had_counted, not_issued, .. } = &*self.progress;
        let [asked_again, had_counted, not_issued] =
            [asked_again, had_counted, not_issued].map(|count| count.load(Ordering::Relaxed));
        (users, Unknown { asked_again, had_counted, not_issued })
    }
}

async fn play(mut user: User, progress: Arc<Progress>) -> (User, Vec<Played>) {
    let mut played = Vec::new();
    while !progress.enough.load(Ordering::Relaxed) {
        let Some(answer) = settled(user.issue("tap").await) else {
            progress.not_issued.fetch_add(1, Ordering::Relaxed);
            sleep(BETWEEN_TRIES).await;
            continue;
        };
        let action = answer.expect(201)["action"].take();
        let mut tries = 1;
        let answer = loop {
            match settled(user.update(&action).await) {
                Some(answer) => break answer,
                None => sleep(BETWEEN_TRIES).await,
            }
            tries += 1;
        };
        let (receipt, replayed) = split_receipt(answer);
        assert!(tries > 1 || !replayed || progress.settles, "a first try cannot be a repeat: {receipt}");
        progress.acknowledged.fetch_add(1, Ordering::Relaxed);
        progress.asked_again.fetch_add(usize::from(tries > 1), Ordering::Relaxed);
        progress.had_counted.fetch_add(usize::from(replayed), Ordering::Relaxed);
        played.push(Played { action, receipt });
    }
    (user, played)
}

/// `None` if whether the request did anything is unknown, or the server asks to come again.
fn settled(answer: Result<Answer, Lost>) -> Option<Answer> {
    answer.ok().filter(|answer| answer.status != 503)
}

/// Every acknowledged action is there once: asked again each answers its receipt, their versions are 1, 2, 3 … without a gap,
/// and the scores are their sums. Gives how many there are.
pub(crate) async fn check_all(users: Vec<(User, Vec<Played>)>) -> usize {
    let versions = check_each(users).await;
    assert!(versions.iter().copied().eq(1..=versions.len() as u64), "the log has a gap or a double: {versions:?}");
    versions.len()
}

/// The same where others played too: a gap is theirs. Gives the versions, sorted.
pub(crate) async fn check_each(users: Vec<(User, Vec<Played>)>) -> Vec<u64> {
    let checked = users.into_iter().map(|(user, played)| tokio::spawn(check(user, played)));
    let versions = join_all(checked).await.into_iter().flat_map(|versions| versions.expect("all is there, once"));
    let mut versions: Vec<u64> = versions.collect();
    versions.sort_unstable();
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "a version was given out twice: {versions:?}");
    versions
}

/// One user's part of it; gives the versions.
async fn check(mut user: User, played: Vec<Played>) -> Vec<u64> {
    let mut scores = HashMap::new();
    let mut versions = Vec::new();
    for Played { action, receipt } in &played {
        let (again, replayed) = split_receipt(user.update(action).await.expect("a repeat is answered"));
        assert!(replayed, "it was acknowledged, and lost: {receipt}");
        assert_eq!(again, *receipt, "a repeat answers the first receipt");
        let [score, version] = ["score", "version"].map(|field| receipt[field].as_u64().expect("a number"));
        scores.insert(score, version);
        versions.push(version);
    }
    let expected = played.len() as u64;
    assert_eq!(user.standing().await["score"], expected, "each acknowledged tap is worth one point");
    let mut in_order: Vec<_> = scores.into_iter().collect();
    in_order.sort_unstable();
    assert!(in_order.iter().map(|(score, _)| *score).eq(1..=expected), "each tap added one: {in_order:?}");
    assert!(in_order.is_sorted_by_key(|(_, version)| *version), "scores grow with versions: {in_order:?}");
    versions
}

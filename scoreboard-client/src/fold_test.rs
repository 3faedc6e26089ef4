use proptest::prelude::*;
use scoreboard_core::{BoardId, EntryChange, Epoch, Score, Season, Version};
use serde_json::{Value, json};

use super::*;

fn user(number: u8) -> UserId {
    UserId::for_name("test", &number.to_string())
}

/// A board of users and scores, as a server would tell of it.
#[derive(Debug, Clone)]
struct Board {
    epoch: u64,
    version: u64,
    scores: Vec<(u8, i64)>,
}

impl Board {
    fn view(&self, limit: usize) -> View {
        let mut order = self.scores.clone();
        order.sort_by_key(|&(number, score)| (-score, number));
        let entries = order.iter().take(limit).zip(1..).map(|(&(number, score), rank)| ViewEntry {
            rank,
            user_id: user(number),
            display_name: Some(number.to_string()),
            score: Score::new(score).expect("in range"),
        });
        View {
            board: BoardId::main(),
            season: Season::FIRST,
            position: Position { epoch: Epoch::new(self.epoch), version: Version::new(self.version) },
            total: order.len() as u64,
            entries: entries.collect(),
        }
    }

    fn add(&mut self, number: u8, points: i64) {
        self.version += 1;
        match self.scores.iter_mut().find(|(there, _)| *there == number) {
            Some((_, score)) => *score += points,
            None => self.scores.push((number, points)),
        }
    }
}

/// As it comes over the wire.
fn snapshot(view: &View) -> LiveEvent {
    let entries = view.entries.iter().map(|ViewEntry { rank, user_id, display_name, score }| {
        json!({"rank": rank, "userId": user_id, "displayName": display_name, "score": score, "updatedAt": "2026-01-01T00:00:00.000Z"})
    });
    event(view, json!({"type": "snapshot", "entries": entries.collect::<Vec<_>>()}))
}

fn update(held: &View, next: &View) -> LiveEvent {
    event(next, json!({"type": "update", "from": held.position.version, "changes": held.changes_to(next)}))
}

fn event(view: &View, mut message: Value) -> LiveEvent {
    let View { board, season, position: Position { epoch, version }, total, .. } = view;
    for (field, value) in [
        ("board", json!(board)),
        ("season", json!(season)),
        ("epoch", json!(epoch)),
        ("version", json!(version)),
        ("total", json!(total)),
    ] {
        message[field] = value;
    }
    serde_json::from_value(message).expect("a message")
}

const LIMIT: usize = 3;

proptest! {
    /// Whatever is lost, doubled or late, what is held is the board as it was at that position, or it is asked for anew.
    #[test]
    fn what_is_held_was_so(steps in prop::collection::vec((0..6_u8, 1..50_i64, 0..4_u8, any::<bool>()), 1..80)) {
        let mut board = Board { epoch: 1, version: 0, scores: Vec::new() };
        let mut views = vec![board.view(LIMIT)];
        let mut fold = Fold::new(LIMIT);
        prop_assert_eq!(fold.take(snapshot(&views[0])), Folded::Moved);
        let mut late = None;
        for (number, points, fate, asks) in steps {
            board.add(number, points);
            let message = update(views.last().expect("one"), &board.view(LIMIT));
            views.push(board.view(LIMIT));
            let arriving = match fate {
                0 => vec![],
                1 => vec![message.clone(), message],
                2 => { late = Some(message); vec![] }
                _ => late.take().into_iter().chain([message]).collect(),
            };
            for message in arriving {
                if fold.take(message) == Folded::Broken && asks {
                    prop_assert_eq!(fold.take(snapshot(views.last().expect("one"))), Folded::Moved);
                }
            }
            let held = fold.view().expect("something is held");
            let version = usize::try_from(held.position.version.get()).expect("small");
            prop_assert_eq!(&**held, &views[version]);
        }
    }
}

#[test]
fn what_does_not_join_on_changes_nothing() {
    let mut board = Board { epoch: 1, version: 5, scores: vec![(1, 10), (2, 20), (3, 30), (4, 40)] };
    let held = board.view(LIMIT);
    board.add(1, 15);
    let next = board.view(LIMIT);
    let LiveEvent::Update(good) = update(&held, &next) else { panic!("an update") };
    let change = |change: fn(&mut Update)| {
        let mut update = good.clone();
        change(&mut update);
        update
    };
    for (what, update) in [
        ("another epoch", change(|update| update.epoch = Epoch::new(2))),
        ("another season", change(|update| update.season = Season::new(2))),
        ("a gap", change(|update| (update.from, update.version) = (Version::new(6), Version::new(7)))),
        ("from before", change(|update| update.from = Version::new(4))),
        ("a row that is missing", change(|update| update.changes.truncate(1))),
        ("a row too many", change(|update| drop(update.changes.remove(0)))),
        ("no rank", change(|update| update.changes[1].rank = None)),
        ("a rank twice", change(|update| update.changes[1].rank = Some(1))),
        ("fewer than there are", change(|update| update.total = 2)),
    ] {
        let mut fold = Fold::new(LIMIT);
        assert_eq!(fold.take(LiveEvent::Update(good.clone())), Folded::Broken, "nothing is held");
        assert_eq!(fold.take(snapshot(&held)), Folded::Moved);
        assert_eq!(fold.take(LiveEvent::Update(update)), Folded::Broken, "{what}");
        assert_eq!(fold.view().map(|view| (**view).clone()), Some(held.clone()), "{what}");
        assert_eq!(fold.take(LiveEvent::Update(good.clone())), Folded::Moved);
        assert_eq!(fold.view().map(|view| (**view).clone()), Some(next.clone()));
        assert_eq!(fold.take(LiveEvent::Update(good.clone())), Folded::Held, "once more");
    }
    let EntryChange { op, .. } = good.changes[0];
    assert_eq!(op, ChangeOp::Remove, "the test is of what it says");
}

#[test]
fn a_snapshot_that_is_no_top_is_not_held() {
    let board = Board { epoch: 1, version: 5, scores: vec![(1, 10), (2, 20), (3, 30), (4, 40)] };
    let LiveEvent::Snapshot(good) = snapshot(&board.view(LIMIT)) else { panic!("a snapshot") };
    let change = |change: fn(&mut Snapshot)| {
        let mut snapshot = good.clone();
        change(&mut snapshot);
        LiveEvent::Snapshot(snapshot)
    };
    for broken in [
        change(|snapshot| snapshot.entries[0].rank = 2),
        change(|snapshot| drop(snapshot.entries.pop())),
        change(|snapshot| snapshot.total = 1),
    ] {
        let mut fold = Fold::new(LIMIT);
        assert_eq!(fold.take(broken), Folded::Broken);
        assert!(fold.view().is_none());
    }
    assert_eq!(Fold::new(5).take(LiveEvent::Snapshot(good)), Folded::Broken, "of another limit");
}

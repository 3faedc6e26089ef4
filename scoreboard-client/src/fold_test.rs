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
    fn view(&self, window: &LiveWindow) -> View {
        let mut order = self.scores.clone();
        order.sort_by_key(|&(number, score)| (-score, number));
        let entries = order.iter().zip(1..).map(|(&(number, score), rank)| ViewEntry {
            rank,
            user_id: user(number),
            display_name: Some(number.to_string()),
            score: Score::new(score).expect("in range"),
        });
        let all: Vec<_> = entries.collect();
        let entries = match window.extent() {
            WindowExtent::Top { limit } => all.into_iter().take(*limit).collect(),
            WindowExtent::Around { user, radius } => match all.iter().position(|entry| entry.user_id == *user) {
                Some(place) => {
                    let length = all.len().min(2 * radius + 1);
                    let first = place.saturating_sub(*radius).min(all.len() - length);
                    all[first..first + length].to_vec()
                }
                None => Vec::new(),
            },
            WindowExtent::Users(users) => all.into_iter().filter(|entry| users.contains(&entry.user_id)).collect(),
        };
        View {
            board: BoardId::main(),
            season: Season::FIRST,
            position: Position { epoch: Epoch::new(self.epoch), version: Version::new(self.version) },
            total: order.len() as u64,
            entries,
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

fn top() -> LiveWindow {
    LiveWindow::top(3)
}

fn around() -> LiveWindow {
    LiveWindow::around(user(2), 1)
}

fn some() -> LiveWindow {
    LiveWindow::users([0, 3, 5, 9].map(user)).expect("a few")
}

proptest! {
    /// Whatever is lost, doubled or late, what is held is the board as it was at that position, or it is asked for anew.
    #[test]
    fn what_is_held_was_so(
        window in prop::sample::select(vec![top(), around(), some()]),
        steps in prop::collection::vec((0..6_u8, 1..50_i64, 0..4_u8, any::<bool>()), 1..80),
    ) {
        let mut board = Board { epoch: 1, version: 0, scores: Vec::new() };
        let mut views = vec![board.view(&window)];
        let mut fold = Fold::new(window.clone());
        prop_assert_eq!(fold.take(snapshot(&views[0])), Folded::Moved);
        let mut late = None;
        for (number, points, fate, asks) in steps {
            board.add(number, points);
            let message = update(views.last().expect("one"), &board.view(&window));
            views.push(board.view(&window));
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
    let held = board.view(&top());
    board.add(1, 15);
    let next = board.view(&top());
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
        let mut fold = Fold::new(top());
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
    let LiveEvent::Snapshot(good) = snapshot(&board.view(&top())) else { panic!("a snapshot") };
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
        let mut fold = Fold::new(top());
        assert_eq!(fold.take(broken), Folded::Broken);
        assert!(fold.view().is_none());
    }
    assert_eq!(Fold::new(LiveWindow::top(5)).take(LiveEvent::Snapshot(good)), Folded::Broken, "of another limit");
}

#[test]
fn a_snapshot_of_anything_but_the_part_that_is_followed_is_not_held() {
    let board = Board { epoch: 1, version: 5, scores: vec![(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)] };
    let near = board.view(&around());
    assert_eq!(near.entries.iter().map(|entry| entry.rank).collect::<Vec<_>>(), [3, 4, 5]);
    let listed = board.view(&some());
    assert_eq!(listed.entries.iter().map(|entry| entry.rank).collect::<Vec<_>>(), [1, 3]);
    let change = |view: &View, change: fn(&mut View)| {
        let mut view = view.clone();
        change(&mut view);
        view
    };
    for (window, what, view) in [
        (
            around(),
            "shifted beyond the end",
            change(&near, |view| view.entries.iter_mut().for_each(|entry| entry.rank += 1)),
        ),
        (around(), "one short", change(&near, |view| drop(view.entries.pop()))),
        (around(), "a gap", change(&near, |view| view.entries[0].rank = 2)),
        (around(), "without the user", change(&near, |view| view.entries[1].user_id = user(9))),
        (
            around(),
            "from nought",
            change(&near, |view| view.entries.iter_mut().zip(0..).for_each(|(entry, rank)| entry.rank = rank)),
        ),
        (
            around(),
            "beyond all numbers",
            change(&near, |view| {
                view.entries.iter_mut().zip(u64::MAX - 2..=u64::MAX).for_each(|(entry, rank)| entry.rank = rank);
            }),
        ),
        (around(), "somebody else's", board.view(&LiveWindow::around(user(5), 1))),
        (LiveWindow::around(user(2), 2), "of another radius", near.clone()),
        (some(), "a stranger", change(&listed, |view| view.entries[0].user_id = user(7))),
        (some(), "two at one place", change(&listed, |view| view.entries[1].rank = 1)),
        (some(), "beyond the end", change(&listed, |view| view.entries[1].rank = 6)),
        (some(), "from nought", change(&listed, |view| view.entries[0].rank = 0)),
    ] {
        let mut fold = Fold::new(window);
        assert_eq!(fold.take(snapshot(&view)), Folded::Broken, "{what}");
        assert!(fold.view().is_none());
    }
    let nobody = change(&near, |view| view.entries.clear());
    for (window, view) in [(around(), near), (around(), nobody.clone()), (some(), listed), (some(), nobody)] {
        let mut fold = Fold::new(window);
        assert_eq!(fold.take(snapshot(&view)), Folded::Moved);
        assert_eq!(fold.view().map(|held| (**held).clone()), Some(view));
    }
}

//! A part of a board as somebody holds it, and as the log says it was.

use std::collections::{BTreeMap, HashMap};

use scoreboard_core::{ChangeOp, LiveEvent, LiveWindow, LogRow, Position, UserId};

/// Entries as somebody holds them: user and score, by rank.
pub(crate) type Rows = BTreeMap<u64, (UserId, i64)>;

/// What somebody holds. One that is broken on purpose does not let go of who has left.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Copy {
    pub(crate) position: Position,
    pub(crate) total: u64,
    pub(crate) rows: Rows,
    pub(crate) is_broken: bool,
}

impl Copy {
    pub(crate) fn apply(&mut self, event: &LiveEvent) {
        match event {
            LiveEvent::Snapshot(snapshot) => {
                let rows = snapshot.entries.iter();
                self.rows = rows.map(|entry| (entry.rank, (entry.user_id, entry.score.get()))).collect();
                self.total = snapshot.total;
            }
            LiveEvent::Update(update) => {
                assert_eq!(update.from, self.position.version, "an update follows on what came before");
                let mut users: HashMap<_, _> =
                    self.rows.iter().map(|(rank, (user, score))| (*user, (*rank, *score))).collect();
                for change in &update.changes {
                    let before = match change.op {
                        ChangeOp::Upsert => {
                            users.insert(change.user_id, (change.rank.expect("it has one"), change.score.get()))
                        }
                        ChangeOp::Remove if self.is_broken => continue,
                        ChangeOp::Remove => users.remove(&change.user_id),
                    };
                    assert!(self.is_broken || before.map(|(rank, _)| rank) == change.previous_rank);
                }
                let rows: Rows = users.iter().map(|(user, (rank, score))| (*rank, (*user, *score))).collect();
                assert!(self.is_broken || rows.len() == users.len(), "no two have one rank");
                (self.rows, self.total) = (rows, update.total);
            }
        }
        assert!(event.position() >= self.position, "nobody goes back");
        self.position = event.position();
    }
}

/// A board at one version: all who are on it, best first.
pub(crate) struct Folded(Vec<(UserId, i64)>);

/// The board at each version, folded from the log by itself.
pub(crate) fn fold(log: &[LogRow]) -> Vec<Folded> {
    let mut scores: HashMap<UserId, (i64, u64)> = HashMap::new();
    let mut folded = vec![Folded(Vec::new())];
    for (index, row) in log.iter().enumerate() {
        assert_eq!(row.position.version.get(), index as u64 + 1);
        let score = scores.get(&row.user_id).map_or(0, |(score, _)| *score) + row.points.get();
        scores.insert(row.user_id, (score, row.position.version.get()));
        let mut order: Vec<_> = scores.iter().map(|(user, (score, version))| (-score, *version, *user)).collect();
        order.sort_unstable();
        folded.push(Folded(order.into_iter().map(|(score, _, user)| (user, -score)).collect()));
    }
    folded
}

/// What is watched, as these tests know it.
#[derive(Debug, Clone)]
pub(crate) enum Watched {
    Top(usize),
    Around(UserId, usize),
    Users(Vec<UserId>),
}

impl Watched {
    pub(crate) fn window(&self) -> LiveWindow {
        match self {
            Self::Top(limit) => LiveWindow::top(*limit),
            Self::Around(user, radius) => LiveWindow::around(*user, *radius),
            Self::Users(users) => LiveWindow::users(users.iter().copied()).expect("a few"),
        }
    }
}

impl Folded {
    pub(crate) fn total(&self) -> u64 {
        self.0.len() as u64
    }

    /// What is in the window, by the words of its definition.
    pub(crate) fn within(&self, watched: &Watched) -> Rows {
        let ranked = (1..).zip(self.0.iter().copied());
        match watched {
            Watched::Top(limit) => ranked.take(*limit).collect(),
            Watched::Around(user, radius) => {
                let Some(place) = self.0.iter().position(|(other, _)| other == user) else { return Rows::new() };
                let length = (2 * radius + 1).min(self.0.len());
                let first = place.saturating_sub(*radius).min(self.0.len() - length);
                ranked.skip(first).take(length).collect()
            }
            Watched::Users(users) => ranked.filter(|(_, (user, _))| users.contains(user)).collect(),
        }
    }
}

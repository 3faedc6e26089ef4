//! What was acknowledged, answered and pushed while a simulation ran, and whether that may be: everything is compared with the fold of the log.

use std::collections::HashMap;

use parking_lot::Mutex;
use scoreboard_core::{LogRow, Position, UserId};

/// Rank, user and score.
pub(crate) type Row = (u64, UserId, i64);

/// What somebody was told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// The first `limit` entries.
    Top { limit: usize, total: u64, rows: Vec<Row> },
    /// A user's place.
    Standing(UserId, Option<Row>),
    /// Where a score would stand.
    Rank { score: i64, rank: u64, total: u64 },
}

#[derive(Debug)]
struct Answer {
    who: String,
    /// What was known when it was asked for, below which it must not be.
    floor: Position,
    position: Position,
    told: Told,
}

/// Everything that happened, in its order.
#[derive(Debug)]
pub(crate) struct History {
    acknowledged: Mutex<Vec<Position>>,
    answers: Mutex<Vec<Answer>>,
    wrong: Mutex<Vec<String>>,
}

impl History {
    pub(crate) fn of(nodes: usize) -> Self {
        let acknowledged = Mutex::new(vec![Position::default(); nodes]);
        Self { acknowledged, answers: Mutex::default(), wrong: Mutex::default() }
    }

    /// A node has told the one who wrote that it counts.
    pub(crate) fn acknowledge(&self, node: usize, position: Position) {
        let mut acknowledged = self.acknowledged.lock();
        acknowledged[node] = acknowledged[node].max(position);
    }

    /// The newest that a node has acknowledged, in all its lives.
    pub(crate) fn acknowledged(&self, node: usize) -> Position {
        self.acknowledged.lock()[node]
    }

    pub(crate) fn answer(&self, who: String, floor: Position, position: Position, told: Told) {
        self.answers.lock().push(Answer { who, floor, position, told });
    }

    /// Something that is wrong whatever the log says.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.lock().push(what);
    }

    /// Compares all of it with the log; gives the number of answers, or the first that cannot be.
    pub(crate) fn check(&self, log: &[LogRow]) -> Result<usize, String> {
        if let Some(wrong) = self.wrong.lock().first() {
            return Err(wrong.clone());
        }
        let folded = fold(log);
        let answers = self.answers.lock();
        for Answer { who, floor, position, told } in &*answers {
            if position < floor {
                return Err(format!("{who} was answered at {position}, below {floor}"));
            }
            let Some(board) = folded.get(position.version.get() as usize) else {
                return Err(format!("{who} was answered at {position}, and the log ends before"));
            };
            let true_answer = board.tell(told);
            if *told != true_answer {
                return Err(format!("{who} was told at {position}\n{told:?}\ninstead of\n{true_answer:?}"));
            }
        }
        Ok(answers.len())
    }
}

/// A board at a version: who leads first.
struct Board(Vec<(UserId, i64)>);

impl Board {
    /// What the answer to the same question is.
    fn tell(&self, told: &Told) -> Told {
        let rows = (1..).zip(&self.0).map(|(rank, (user, score))| (rank, *user, *score));
        let total = self.0.len() as u64;
        match *told {
            Told::Top { limit, .. } => Told::Top { limit, total, rows: rows.take(limit).collect() },
            Told::Standing(user, _) => Told::Standing(user, rows.into_iter().find(|(_, who, _)| *who == user)),
            Told::Rank { score, .. } => {
                let ahead = self.0.iter().filter(|(_, other)| *other >= score).count() as u64;
                Told::Rank { score, rank: ahead + 1, total }
            }
        }
    }
}

/// The board at each version, from the log alone: points add up, and of equals leads who was there first.
fn fold(log: &[LogRow]) -> Vec<Board> {
    let mut scores: HashMap<UserId, (i64, u64)> = HashMap::new();
    let mut boards = vec![Board(Vec::new())];
    for (version, row) in (1..).zip(log) {
        assert_eq!(row.position.version.get(), version, "the log has no gap");
        let before = scores.get(&row.user_id).map_or(0, |(score, _)| *score);
        if row.points.get() != 0 || !scores.contains_key(&row.user_id) {
            scores.insert(row.user_id, (before + row.points.get(), version));
        }
        let mut order: Vec<_> = scores.iter().map(|(user, (score, reached))| (-score, *reached, *user)).collect();
        order.sort_unstable();
        boards.push(Board(order.into_iter().map(|(score, _, user)| (user, -score)).collect()));
    }
    boards
}

//! What the last batches on a connection have left in the database: while nobody else writes to the boards, the next ones need not read it.

use std::collections::HashMap;

use scoreboard_core::{ActionId, Admissions, BoardId, BoardState, Change, Reached, UserId};

use crate::apply::at_once::Left;
use crate::apply::state::{Ground, State};
use crate::place_of_row::PlaceOfRow;

/// So many users are remembered, of all boards together: some megabytes.
const MOST_USERS: usize = 16 * 1024;

/// After it was wrong, so many batches read what they are decided on. Where several servers take turns, it would mostly be.
const DOUBTED_FOR: u32 = 16;

/// Boards as they were left, and users with their scores and where these lie: of nobody who is restricted.
///
/// It may be wrong, as what is read may be by the time that it is written upon; and is found out in the same way, by the same marks
/// ([`Ground`]): a store that changes anything of it leaves another mark.
#[derive(Default)]
pub(super) struct Remembered {
    boards: HashMap<BoardId, Remains>,
    users: usize,
    actions_from: Option<ActionId>,
    meta: i64,
    decision: i64,
    doubted_for: u32,
}

struct Remains {
    state: BoardState,
    /// The transaction that left it.
    written: i64,
    users: HashMap<UserId, Standing>,
}

/// What a user has, and where it lies.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) place: PlaceOfRow,
    pub(super) reached: Reached,
    pub(super) admissions: Admissions,
}

impl Remembered {
    /// What the batch is decided on, if all of it is remembered.
    pub(super) fn recall(&mut self, changes: &[Change]) -> Option<State> {
        if self.doubted_for > 0 {
            self.doubted_for -= 1;
            return None;
        }
        let mut state = State { actions_from: self.actions_from, ..State::default() };
        (state.ground.meta, state.ground.decision) = (self.meta, self.decision);
        for change in changes {
            let remains = self.boards.get(&change.board)?;
            let Standing { place, reached, admissions } = remains.users.get(&change.user_id)?;
            let key = (change.board.clone(), change.user_id);
            if !admissions.is_empty() {
                state.admissions.insert(key.clone(), admissions.clone());
            }
            state.scores.insert(key.clone(), *reached);
            state.rows.insert(key, *place);
            if !state.boards.contains_key(&change.board) {
                state.boards.insert(change.board.clone(), remains.state.clone());
                state.ground.boards.insert(change.board.clone(), remains.written);
            }
        }
        Some(state)
    }

    /// Remembers what a batch has left that was decided on this ground.
    pub(super) fn learn(&mut self, ground: &Ground, actions_from: Option<ActionId>, left: Left) {
        // A decision may restrict anybody, on all boards.
        if (self.meta, self.decision) != (ground.meta, ground.decision) {
            self.forget();
        }
        (self.meta, self.decision, self.actions_from) = (ground.meta, ground.decision, actions_from);
        for (board, state) in left.boards {
            let found = ground.boards.get(&board).copied();
            match self.boards.get_mut(&board) {
                Some(remains) if found == Some(remains.written) => {
                    (remains.state, remains.written) = (state, left.by);
                }
                _ => {
                    let remains = Remains { state, written: left.by, users: HashMap::new() };
                    let before = self.boards.insert(board, remains);
                    self.users -= before.map_or(0, |before| before.users.len());
                }
            }
        }
        if self.users + left.users.len() > MOST_USERS {
            self.boards.values_mut().for_each(|remains| remains.users = HashMap::new());
            self.users = 0;
        }
        for (board, user, standing) in left.users {
            let Some(remains) = self.boards.get_mut(&board) else { continue };
            self.users += usize::from(remains.users.insert(user, standing).is_none());
        }
    }

    /// It was wrong.
    pub(super) fn doubt(&mut self) {
        self.forget();
        self.doubted_for = DOUBTED_FOR;
    }

    /// Nothing of it is to be relied on.
    pub(super) fn forget(&mut self) {
        self.boards.clear();
        self.users = 0;
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::{BoardSpec, Epoch, Fingerprint, Origin, Points, Position, Score, Season, Timestamp, Version};

    use super::*;

    fn user(number: usize) -> UserId {
        UserId::for_name("test", &number.to_string())
    }

    fn change(of: usize) -> Change {
        Change {
            action_id: ActionId::from_bytes([7; 16]),
            fingerprint: Fingerprint::from_bytes([1; 16]),
            board: BoardId::main(),
            season: Season::FIRST,
            user_id: user(of),
            kind: "win".parse().expect("a kind"),
            points: Points::new(1).expect("points"),
            origin: Origin::Action,
            at: Timestamp::from_millis(0),
            at_most: None,
            admitted: None,
        }
    }

    /// What the batch with this number has left, that raised the scores of these users, on what the one before it had left.
    fn batch(remembered: &mut Remembered, number: i64, users: std::ops::Range<usize>) {
        let position = Position { epoch: Epoch::new(1), version: Version::new(number.cast_unsigned()) };
        let reached = Reached {
            score: Score::new(number).expect("a score"),
            version: position.version,
            at: Timestamp::from_millis(number),
        };
        let spec = BoardSpec::new(BoardId::main());
        let state = BoardState { spec, season: Season::FIRST, position, total: 1, head: None };
        let standing = Standing { place: PlaceOfRow::first(), reached, admissions: Admissions::default() };
        let left = Left {
            by: number,
            boards: HashMap::from([(BoardId::main(), state)]),
            users: users.map(|of| (BoardId::main(), user(of), standing.clone())).collect(),
        };
        let boards = HashMap::from([(BoardId::main(), number - 1)]);
        remembered.learn(&Ground { boards, meta: 1, decision: 0 }, None, left);
    }

    #[test]
    fn as_much_is_remembered_as_has_room() {
        let mut remembered = Remembered::default();
        for number in 1..10 {
            let first = MOST_USERS / 2 * usize::try_from(number).expect("small");
            batch(&mut remembered, number, first..first + MOST_USERS / 2);
            let held: usize = remembered.boards.values().map(|remains| remains.users.len()).sum();
            assert_eq!(held, remembered.users);
            assert!(held <= MOST_USERS);
            let state = remembered.recall(&[change(first)]).expect("the last ones are known");
            assert_eq!(state.boards[&BoardId::main()].position.version.get(), number.cast_unsigned());
            assert!(remembered.recall(&[change(first), change(0)]).is_none(), "all or nothing");
        }
    }

    #[test]
    fn a_board_that_somebody_else_has_written_is_remembered_anew() {
        let mut remembered = Remembered::default();
        batch(&mut remembered, 1, 0..2);
        batch(&mut remembered, 2, 0..1);
        assert!(remembered.recall(&[change(1)]).is_some(), "nobody else has");
        batch(&mut remembered, 4, 0..1);
        assert!(remembered.recall(&[change(1)]).is_none() && remembered.recall(&[change(0)]).is_some());
    }

    #[test]
    fn who_was_wrong_reads_for_a_while() {
        let mut remembered = Remembered::default();
        batch(&mut remembered, 1, 0..1);
        remembered.doubt();
        batch(&mut remembered, 2, 0..1);
        let reads = (0..100).take_while(|_| remembered.recall(&[change(0)]).is_none()).count();
        assert_eq!(reads, usize::try_from(DOUBTED_FOR).expect("small"));
    }
}

//! One board's index: where it is, what it may answer, and what it is told.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::board::Season;
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::ids::{BoardId, UserId};
use crate::layers::rank_indexed::ahead::Ahead;
use crate::layers::rank_indexed::gate::Gate;
use crate::layers::rank_indexed::lately::Lately;
use crate::layers::rank_indexed::progress::Progress;
use crate::rank_index::{IndexPage, RankIndex};
use crate::ranking::{Order, RankStyle};
use crate::score::Score;
use crate::store::Becomes;
use crate::version::{Position, Version};

/// So many changes take no longer than a reader may wait.
const TOGETHER: usize = 8;

/// Who has written within this time goes on writing.
const WRITES: Duration = Duration::from_millis(100);

pub(super) struct IndexedBoard {
    pub(super) id: BoardId,
    /// Nothing below this is answered.
    floor: Mutex<Position>,
    state: Gate<State>,
    /// What this node did itself, behind what it does not have yet.
    ahead: Mutex<Ahead>,
    /// The newest of what it did itself, and when.
    written: Mutex<Option<(Position, Instant)>>,
    /// For who follows the log as well.
    pub(super) lately: Mutex<Lately>,
    /// Held by who reads the store for this index.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) progress: Mutex<Progress>,
}

enum State {
    /// To be filled, or being filled.
    Filling,
    Ready(Box<Live>),
    /// It does not fit.
    TooLarge,
}

/// An index, and when it is true.
pub(super) struct Live {
    pub(super) season: Season,
    pub(super) position: Position,
    pub(super) index: RankIndex,
}

/// What a change of the board did, as the index needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) position: Position,
    pub(super) season: Season,
    pub(super) user: UserId,
    pub(super) becomes: Becomes,
}

/// What became of the changes that an index was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is at the last of them, or beyond.
    Current,
    /// There are others between it and them.
    Gap,
    /// They do not belong to what it has: it is to be made anew.
    Foreign(&'static str),
}

impl IndexedBoard {
    pub(super) fn new(id: BoardId) -> Self {
        Self {
            id,
            floor: Mutex::default(),
            state: Gate::new(State::Filling),
            ahead: Mutex::default(),
            written: Mutex::default(),
            lately: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            progress: Mutex::default(),
        }
    }

    /// Whether it is behind now.
    pub(super) fn raise_floor(&self, position: Position) -> bool {
        {
            let mut floor = self.floor.lock();
            *floor = position.max(*floor);
        }
        self.is_behind()
    }

    pub(super) fn floor(&self) -> Position {
        *self.floor.lock()
    }

    pub(super) fn is_behind(&self) -> bool {
        self.is_below(self.floor())
    }

    pub(super) fn is_below(&self, goal: Position) -> bool {
        self.position().is_some_and(|position| position < goal)
    }

    /// This node has written up to here.
    pub(super) fn wrote(&self, newest: Position) {
        *self.written.lock() = Some((newest, Instant::now()));
    }

    /// Up to where it is brought while nobody asks: to what this node wrote last, as long as it goes on writing. What others did behind that is read, or told, with
    /// what lies before the next that it writes.
    pub(super) fn goal(&self) -> Position {
        match *self.written.lock() {
            Some((newest, when)) if when.elapsed() < WRITES => newest,
            _ => self.floor(),
        }
    }

    /// Where it is, if it is ready.
    pub(super) fn position(&self) -> Option<Position> {
        self.look(|live| live.position)
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Live) -> T) -> Option<T> {
        match &*self.state.read() {
            State::Ready(live) => Some(look(live)),
            State::Filling | State::TooLarge => None,
        }
    }

    /// What the index says of a season, if it has it and is not below this floor.
    pub(super) fn answer<T>(&self, floor: Position, season: Option<Season>, ask: impl Fn(&Live) -> T) -> Option<T> {
        let asks = |live: &Live| {
            (live.position >= floor && season.is_none_or(|season| season == live.season)).then(|| ask(live))
        };
        self.look(asks).flatten()
    }

    pub(super) fn is_ordered(&self, order: Order) -> bool {
        self.look(|live| live.index.order() == order).unwrap_or(true)
    }

    pub(super) fn is_filling(&self) -> bool {
        matches!(*self.state.read(), State::Filling)
    }

    pub(super) fn is_too_large(&self) -> bool {
        matches!(*self.state.read(), State::TooLarge)
    }

    pub(super) fn publish(&self, live: Live) {
        self.replace(State::Ready(Box::new(live)));
    }

    pub(super) fn give_up(&self) {
        self.replace(State::TooLarge);
    }

    /// Forgets what it has: it is filled again.
    pub(super) fn start_anew(&self, why: &'static str) {
        metrics::counter!("scoreboard_rank_index_rebuilds_total", "why" => why).increment(1);
        self.replace(State::Filling);
    }

    fn replace(&self, state: State) {
        self.ahead.lock().clear();
        let old = std::mem::replace(&mut *self.state.write(), state);
        // Ten million users are given back without the lock.
        drop(old);
    }

    /// Takes changes in, in the order of their versions; those that it has are passed over. A few are seen together or not at all, as a call of
    /// so many is; of more, which are many calls' or one that is large, readers see one after the other.
    pub(super) fn take(&self, steps: &[Step]) -> Told {
        // A row at a time: readers wait for no more, and with four they wait ten times as long (`benches/rank_index`).
        for together in steps.chunks(if steps.len() <= TOGETHER { TOGETHER } else { 1 }) {
            let mut state = self.state.write();
            let State::Ready(live) = &mut *state else { return Told::Current };
            match together.iter().map(|step| live.take(step)).find(|told| *told != Told::Current) {
                None => {}
                Some(told) => return told,
            }
            self.state.pause(state);
        }
        Told::Current
    }

    /// The same for this node's own changes: those behind others that it does not have yet are kept until it has.
    pub(super) fn take_own(&self, steps: &[Step]) -> Told {
        let told = self.take(steps);
        if told == Told::Gap {
            self.ahead.lock().keep(steps);
        }
        told
    }

    /// Takes in what is kept, as far as it goes on from here. If there are others before what is left, this is their number.
    pub(super) fn take_ahead(&self) -> Result<Option<u64>, &'static str> {
        let Some(position) = self.position() else { return Ok(None) };
        let (steps, next) = self.ahead.lock().go_on_from(position.version);
        if let Told::Foreign(why) = self.take(&steps) {
            return Err(why);
        }
        let version = position.version.get() + steps.len() as u64;
        Ok(next.map(|next| next.get() - version - 1))
    }
}

impl Live {
    pub(super) fn take(&mut self, step: &Step) -> Told {
        if step.position.epoch > self.position.epoch {
            return Told::Foreign("epoch");
        }
        if step.position.version <= self.position.version {
            return Told::Current;
        }
        // Of a database that is no more.
        if step.position.epoch < self.position.epoch {
            return Told::Foreign("epoch");
        }
        // Until its first change a board's order may change, at any node.
        if self.position.version == Version::ZERO {
            return Told::Foreign("first");
        }
        if step.position.version != self.position.version.next() {
            return Told::Gap;
        }
        if step.season > self.season {
            return Told::Foreign("season");
        }
        if step.season == self.season {
            match step.becomes {
                Becomes::Same => {}
                Becomes::At(reached) => drop(self.index.set(step.user, reached)),
                Becomes::Gone => drop(self.index.remove(step.user)),
            }
        }
        self.position.version = step.position.version;
        Told::Current
    }

    pub(super) fn page(&self, query: PageQuery) -> RankedPage {
        let IndexPage { entries, has_previous, has_next } = self.index.page(query.range, query.style);
        let (season, position, total) = (self.season, self.position, self.index.total());
        RankedPage { season, position, total, entries, has_previous, has_next }
    }

    pub(super) fn standings(&self, style: RankStyle, users: &[UserId]) -> RankedUsers {
        let entries = self.index.standings(style, users);
        RankedUsers { season: self.season, position: self.position, total: self.index.total(), entries }
    }

    pub(super) fn score_rank(&self, style: RankStyle, score: Score) -> ScoreRank {
        let Position { epoch, version } = self.position;
        let key = self.index.order().key(score, version.next());
        ScoreRank { rank: self.index.ahead_of(key).rank(style), total: self.index.total(), epoch, version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::Reached;
    use crate::version::Epoch;

    fn step(epoch: u64, version: u64, season: u32, score: i64) -> Step {
        let position = Position { epoch: Epoch::new(epoch), version: Version::new(version) };
        let score = Score::new(score).expect("small");
        let reached = Reached { score, version: position.version, at: Timestamp::from_millis(0) };
        Step { position, season: Season::new(season), user: UserId::MIN, becomes: Becomes::At(reached) }
    }

    #[test]
    fn each_change_is_taken_once_and_in_its_turn() {
        let indexed = IndexedBoard::new(BoardId::main());
        assert_eq!(indexed.take(&[step(1, 2, 1, 5)]), Told::Current, "nothing is taken before it is filled");
        let position = step(1, 1, 1, 0).position;
        indexed.publish(Live { season: Season::FIRST, position, index: RankIndex::new(Order::default()) });
        let score = || {
            indexed.look(|live| (live.position.version.get(), live.index.get(UserId::MIN).map(|has| has.score.get())))
        };
        assert_eq!(indexed.take(&[step(1, 2, 1, 10), step(1, 3, 1, 20)]), Told::Current);
        assert_eq!(score(), Some((3, Some(20))));
        // Read from the log before another had told of the newer one.
        assert_eq!(indexed.take(&[step(1, 2, 1, 10)]), Told::Current);
        assert_eq!(score(), Some((3, Some(20))));
        assert_eq!(indexed.take(&[step(1, 5, 1, 30)]), Told::Gap);
        assert_eq!(indexed.take(&[step(2, 4, 1, 30)]), Told::Foreign("epoch"));
        assert_eq!(indexed.take(&[step(1, 4, 2, 30)]), Told::Foreign("season"));
        assert_eq!(score(), Some((3, Some(20))));
        assert_eq!(indexed.take(&[step(1, 4, 1, 30)]), Told::Current);
        assert_eq!(score(), Some((4, Some(30))));
    }
}

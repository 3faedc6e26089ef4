//! Random histories, each repeated by its seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::action::Fingerprint;
use crate::board::{BoardSpec, Season};
use crate::ids::{ActionId, IncidentId, KindId, ModerationId, UserId};
use crate::limiter::Quota;
use crate::ranking::{Direction, Operator, TieBreak};
use crate::score::{MAX_SCORE, Points};
use crate::store::{Admitted, AtMost, Change, Moderation, ModerationAct, Origin, Restriction};
use crate::testing::play::{at, board_id, kind, points};
use crate::version::Version;

/// What happens to a store, step by step.
#[derive(Debug, Clone)]
pub struct History {
    /// What repeats it.
    pub seed: u64,
    /// The boards that are created first.
    pub boards: Vec<BoardSpec>,
    /// What is done to them then.
    pub steps: Vec<Step>,
}

/// One call of a store.
#[derive(Debug, Clone)]
pub enum Step {
    /// Changes are applied.
    Apply(Vec<Change>),
    /// A board's spec is changed, or its order cannot be.
    Change(BoardSpec),
    /// A moderator decides.
    Moderate(Moderation),
}

impl History {
    /// The history of a seed. Sixteen seeds in a row give every operator, direction and tie-break to a first board.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        Teller::new(seed).tell()
    }

    /// The same, with decisions of moderators in between.
    #[must_use]
    pub fn moderated(seed: u64) -> Self {
        Teller { moderates: true, ..Teller::new(seed) }.tell()
    }

    /// The seeds to run: the first `count`, or the one that the variable `SCOREBOARD_SEED` names.
    ///
    /// # Panics
    ///
    /// If the variable holds no number.
    pub fn seeds(count: u64) -> impl Iterator<Item = u64> {
        match std::env::var("SCOREBOARD_SEED") {
            Ok(text) => {
                let seed = text.parse().expect("SCOREBOARD_SEED must be a number");
                seed..=seed
            }
            Err(_) => 0..=count.saturating_sub(1),
        }
    }
}

/// Makes a history up.
struct Teller {
    seed: u64,
    random: StdRng,
    boards: Vec<BoardSpec>,
    users: Vec<UserId>,
    kinds: [KindId; 2],
    told: Vec<Change>,
    moderates: bool,
    decided: Vec<Moderation>,
}

impl Teller {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let users = (0..random.random_range(1..=12)).map(|_| UserId::from_bytes(random.random())).collect();
        let mut boards = vec![spec("first", seed)];
        for name in ["second", "third"] {
            if random.random_bool(0.4) {
                boards.push(spec(name, random.random()));
            }
        }
        Self {
            seed,
            random,
            boards,
            users,
            kinds: [kind("tap"), kind("lap")],
            told: Vec::new(),
            moderates: false,
            decided: Vec::new(),
        }
    }

    fn tell(mut self) -> History {
        let mut steps = Vec::new();
        for _ in 0..self.random.random_range(5..=25) {
            steps.push(if self.moderates && self.random.random_bool(0.4) {
                Step::Moderate(self.decision())
            } else if self.random.random_bool(0.05) {
                let name = ["first", "second", "nowhere"].choose(&mut self.random).expect("not empty");
                Step::Change(spec(name, self.random.random()))
            } else {
                let long = self.random.random_bool(0.1);
                let size = self.random.random_range(0..=if long { 40 } else { 6 });
                Step::Apply((0..size).map(|_| self.change()).collect())
            });
        }
        History { seed: self.seed, boards: self.boards, steps }
    }

    fn change(&mut self) -> Change {
        let change = match self.random.random_range(0..100) {
            0..15 if !self.told.is_empty() => self.again(),
            _ => self.new_change(),
        };
        self.told.push(change.clone());
        change
    }

    /// One about some of the actions that were told, of which few were refused, or about somebody; sometimes one from before.
    fn decision(&mut self) -> Moderation {
        let random = &mut self.random;
        if random.random_bool(0.1)
            && let Some(again) = self.decided.choose(random)
        {
            let mut again = again.clone();
            if random.random_bool(0.3) {
                again.reason.push('!');
            }
            return again;
        }
        let user_id = *self.users.choose(random).expect("not empty");
        let some = |random: &mut StdRng| {
            // Of a few users as well as of all: void and not void then meet.
            let of_one = random.random_bool(0.5);
            let mut actions: Vec<ActionId> = self
                .told
                .iter()
                .filter(|change| !of_one || change.user_id == user_id)
                .map(|change| change.action_id)
                .collect();
            let share = *[0.1, 0.5, 1.0].choose(random).expect("not empty");
            actions.retain(|_| random.random_bool(share));
            actions
        };
        let of_user = |random: &mut StdRng| {
            let of_user = self.told.iter().filter(|change| change.user_id == user_id).map(|change| change.action_id);
            of_user.filter(|_| random.random_bool(0.5)).collect()
        };
        let act = match random.random_range(0..14) {
            0..3 => ModerationAct::Void { actions: some(random) },
            3..6 => ModerationAct::Unvoid { actions: some(random) },
            6 => ModerationAct::Restrict { user_id, restriction: Restriction::Held },
            7 => ModerationAct::Restrict { user_id, restriction: Restriction::Shadowed },
            8 => ModerationAct::Restrict { user_id, restriction: Restriction::Banned },
            9..11 => {
                let board = self.boards.choose(random).expect("not empty").id.clone();
                ModerationAct::Hold { user_id, board, since: Version::new(random.random_range(1..40)) }
            }
            11..13 => {
                let (incident, confirmed) = (IncidentId::from_bytes(random.random()), random.random());
                let release = random.random_bool(0.6);
                ModerationAct::Conclude { incident, confirmed, user_id, actions: of_user(random), release }
            }
            _ => ModerationAct::Lift { user_id },
        };
        let decision = Moderation {
            id: ModerationId::from_bytes(random.random()),
            at: at(random.random_range(0..20)),
            by: "a moderator".to_owned(),
            reason: "it was \"too\" good".to_owned(),
            act,
        };
        self.decided.push(decision.clone());
        decision
    }

    /// One that was told before, perhaps refused then; sometimes with another fingerprint, or for another board.
    fn again(&mut self) -> Change {
        let mut change = self.told.choose(&mut self.random).expect("not empty").clone();
        if self.random.random_bool(0.2) {
            change.fingerprint = Fingerprint::from_bytes(self.random.random());
        }
        if self.random.random_bool(0.1) {
            change.board = self.boards.choose(&mut self.random).expect("not empty").id.clone();
        }
        change
    }

    fn new_change(&mut self) -> Change {
        let random = &mut self.random;
        let board = self.boards.choose(random).expect("not empty").id.clone();
        // Few moments, so that many changes lie at the very one from which others count.
        let since = at(random.random_range(0..20));
        Change {
            action_id: ActionId::from_bytes(random.random()),
            fingerprint: Fingerprint::from_bytes(random.random()),
            board: if random.random_bool(0.03) { board_id("nowhere") } else { board },
            season: if random.random_bool(0.03) { Season::new(random.random_range(0..4)) } else { Season::FIRST },
            user_id: *self.users.choose(random).expect("not empty"),
            kind: self.kinds.choose(random).expect("not empty").clone(),
            points: some_points(random),
            origin: if random.random_bool(0.3) { Origin::Record } else { Origin::Action },
            at: at(random.random_range(0..20)),
            at_most: random.random_bool(0.15).then(|| AtMost { count: random.random_range(0..4), since }),
            // Over a moderator's decision a store may forget.
            admitted: (!self.moderates && random.random_bool(0.3)).then(|| some_admission(random)).flatten(),
        }
    }
}

/// Few a moment, so that many are over.
fn some_admission(random: &mut StdRng) -> Option<Admitted> {
    let limit = random.random_range(1..=3).try_into().expect("not zero");
    let period = Duration::from_millis(random.random_range(1..=10));
    Admitted::under(Quota::exact(limit, period), at(random.random_range(0..20)))
}

/// Mostly few values, for ties; sometimes the edges of the range.
fn some_points(random: &mut StdRng) -> Points {
    points(match random.random_range(0..20) {
        0 => MAX_SCORE,
        1 => -MAX_SCORE,
        2 => MAX_SCORE - random.random_range(0..3),
        3 => random.random_range(-MAX_SCORE..=MAX_SCORE),
        4..7 => random.random_range(-1000..=1000),
        _ => random.random_range(-2..=3),
    })
}

/// A board whose operator, direction and tie-break the last four bits of a number choose.
fn spec(name: &str, choice: u64) -> BoardSpec {
    let operators = [Operator::Increment, Operator::Best, Operator::Set, Operator::Decrement];
    BoardSpec {
        name: format!("{name} {choice}"),
        operator: operators[usize::try_from(choice % 4).expect("below 4")],
        direction: if choice & 4 == 0 { Direction::Descending } else { Direction::Ascending },
        tie_break: if choice & 8 == 0 { TieBreak::Earliest } else { TieBreak::Latest },
        ..BoardSpec::new(board_id(name))
    }
}

//! Previews: what is told before a decision is what it makes.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Moderator;
use crate::board::BoardSpec;
use crate::entry::{Entry, Ranked, RankedPage};
use crate::ids::{ActionId, BoardId, IncidentId, UserId};
use crate::pipeline::{Preview, Scoreboard};
use crate::ranking::{Direction, Operator, TieBreak};
use crate::store::{ModerationAct, Outcome, Restriction};
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, spec, user};
use crate::version::Version;

const USERS: u64 = 16;
const DECISIONS: usize = 12;
/// How many entries a preview shows.
const TOP: usize = 10;

/// A preview of the pipeline keeps its word: scores, ranks, totals and tops are those that the decision then makes, with all kinds of boards, in both
/// orders, among equals, whoever is held, shadowed or banned meanwhile; and what it refuses is refused.
pub async fn a_preview_keeps_its_word<F: ModerationStoreFixture>(f: &F) {
    let moderator = Moderator::new(f);
    let scoreboard = Scoreboard::builder(f.score_store()).with_moderation(f.moderation_store()).build();
    let mut plays = Vec::new();
    for (number, spec) in specs().into_iter().enumerate() {
        let play = Play::on(f, spec).await;
        plays.push((play, StdRng::seed_from_u64(number as u64), Vec::new()));
    }
    for _ in 0..DECISIONS {
        for (play, random, actions) in &mut plays {
            for _ in 0..random.random_range(1..8) {
                // Few different points: many are equal.
                let change = play.change(random.random_range(0..USERS), random.random_range(0..4));
                if let Outcome::Applied(receipt) = play.apply_one(&change).await {
                    actions.push(receipt.action_id);
                }
            }
        }
        for turn in 0..plays.len() {
            let (play, random, actions) = &mut plays[turn];
            let act = some_act(random, actions, play.id());
            let before = tops(&plays).await;
            let decision = moderator.decision(act);
            let preview = scoreboard.preview(&decision).await;
            assert_eq!(tops(&plays).await, before, "it changes nothing");
            let effects = scoreboard.moderate(&decision).await;
            for (play, ..) in &plays {
                play.board().await;
            }
            let (preview, effects) = match (preview, effects) {
                (Ok(preview), Ok(effects)) => (preview, effects),
                (Err(told), Err(refused)) => {
                    assert_eq!(told.to_string(), refused.to_string());
                    continue;
                }
                (preview, effects) => panic!("told: {preview:?}, done: {effects:?}"),
            };
            assert_eq!((&preview.would_be, preview.replayed), (&effects.carried_out, false));
            assert_is_what_became(&preview, &before, &tops(&plays).await);
        }
    }
}

/// All kinds of boards.
fn specs() -> Vec<BoardSpec> {
    let mut specs = Vec::new();
    for operator in [Operator::Best, Operator::Set, Operator::Increment] {
        for direction in [Direction::Ascending, Direction::Descending] {
            let tie_break = if specs.len() % 3 == 1 { TieBreak::Latest } else { TieBreak::Earliest };
            let name = format!("board{}", specs.len());
            specs.push(BoardSpec { tie_break, ..spec(&name, operator, direction) });
        }
    }
    specs
}

fn some_act(random: &mut StdRng, actions: &[ActionId], board: &BoardId) -> ModerationAct {
    let user_id = user(random.random_range(0..USERS));
    let some = |random: &mut StdRng| {
        let share = random.random_range(0.0..0.6);
        actions.iter().copied().filter(|_| random.random_bool(share)).collect()
    };
    match random.random_range(0..12) {
        0..4 => ModerationAct::Void { actions: some(random) },
        4..6 => ModerationAct::Unvoid { actions: some(random) },
        6 => ModerationAct::Restrict { user_id, restriction: Restriction::Held },
        7 => ModerationAct::Restrict { user_id, restriction: Restriction::Shadowed },
        8 => ModerationAct::Restrict { user_id, restriction: Restriction::Banned },
        9 => {
            let since = Version::new(random.random_range(1..=actions.len() as u64 + 1));
            ModerationAct::Hold { user_id, board: board.clone(), since }
        }
        10 => ModerationAct::Conclude {
            incident: IncidentId::from_bytes([1; 16]),
            confirmed: true,
            user_id,
            actions: some(random),
            release: random.random_bool(0.7),
        },
        _ => ModerationAct::Lift { user_id },
    }
}

async fn tops(plays: &[(Play, StdRng, Vec<ActionId>)]) -> Vec<RankedPage> {
    let mut tops = Vec::new();
    for (play, ..) in plays {
        tops.push(play.top().await);
    }
    tops
}

#[track_caller]
fn assert_is_what_became(preview: &Preview, before: &[RankedPage], after: &[RankedPage]) {
    let (mut boards, mut shifted) = (preview.boards.iter(), BTreeMap::new());
    for (number, (before, after)) in before.iter().zip(after).enumerate() {
        let [were, are] = [before, after].map(places);
        let users = were.keys().chain(are.keys());
        let moved = users.filter(|user| were.get(user).map(scored) != are.get(user).map(scored));
        let mut moved: Vec<_> =
            moved.map(|user| ((number, *user), (were.get(user).copied(), are.get(user).copied()))).collect();
        if moved.is_empty() {
            assert_eq!(ranks(before), ranks(after));
            continue;
        }
        shifted.extend(moved.drain(..));
        let board = boards.next().expect("a board whose places change is told");
        assert_eq!(board.board.as_str(), format!("board{number}"));
        assert_eq!((board.position, board.total, board.total_after), (before.position, before.total, after.total));
        assert_eq!(told(&board.top), shown(before));
        assert_eq!(told(&board.top_after), shown(after), "of {}", board.board);
    }
    assert_eq!(boards.next(), None, "no board is told of that stays as it is");
    assert_eq!(preview.shifted, shifted.len() as u64);
    let expected: Vec<_> = shifted
        .into_iter()
        .map(|((number, user), (before, after))| {
            let place = |ranked: Option<Ranked>| ranked.map(|ranked| (ranked.score, ranked.rank)).unzip();
            (format!("board{number}"), user, place(before), place(after))
        })
        .collect();
    let shifts: Vec<_> = preview
        .shifts
        .iter()
        .map(|shift| {
            let (before, after) = ((shift.score, shift.rank), (shift.score_after, shift.rank_after));
            (shift.board.to_string(), shift.user_id, before, after)
        })
        .collect();
    assert_eq!(shifts, expected);
}

fn places(page: &RankedPage) -> BTreeMap<UserId, Ranked> {
    page.entries.iter().map(|entry| (entry.user_id, *entry)).collect()
}

/// What somebody has, wherever that puts them.
fn scored(ranked: &Ranked) -> Ranked {
    Ranked { rank: 0, ..*ranked }
}

fn ranks(page: &RankedPage) -> Vec<(u64, UserId)> {
    page.entries.iter().map(|entry| (entry.rank, entry.user_id)).collect()
}

fn shown(page: &RankedPage) -> Vec<(u64, UserId, i64, i64)> {
    let line = |entry: &Ranked| (entry.rank, entry.user_id, entry.score.get(), entry.updated_at.as_millis());
    page.entries.iter().take(TOP).map(line).collect()
}

fn told(entries: &[Entry]) -> Vec<(u64, UserId, i64, i64)> {
    let line = |entry: &Entry| (entry.rank, entry.user_id, entry.score.get(), entry.updated_at.as_millis());
    entries.iter().map(line).collect()
}

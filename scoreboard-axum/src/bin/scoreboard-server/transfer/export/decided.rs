//! Where the decisions of moderators lie among the rows of the logs.

use std::collections::{BTreeMap, HashMap};

use scoreboard_core::{ActionId, Board, BoardId, CarriedOut, ModerationAct, ModerationId, Origin, Version};

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::store::Stores;
use crate::transfer::export::{CHUNK, ends_early};

/// How many decisions are read at once: one may name ten thousand actions.
const AT_ONCE: usize = 20;

/// A decision, and the rows that it stands between.
pub(super) struct Decided {
    pub(super) carried_out: CarriedOut,
    /// Up to which version each board's log is before it: the actions that it names, and all in front of its corrections. A board that is left
    /// out has nothing of it.
    pub(super) behind: BTreeMap<BoardId, Version>,
    /// Up to which version its corrections go.
    pub(super) through: BTreeMap<BoardId, Version>,
    /// What took the version to which it reaches back.
    pub(super) since_action: Option<ActionId>,
}

/// The corrections of one decision on one board: they are made at once, and so lie together.
struct Stretch {
    first: Version,
    last: Version,
}

/// What the logs say of decisions, up to the versions of the boards.
#[derive(Default)]
struct Found {
    /// Where the actions are that decisions name.
    actions: HashMap<ActionId, Option<(BoardId, Version)>>,
    corrections: HashMap<ModerationId, BTreeMap<BoardId, Stretch>>,
    /// What took the versions to which holds reach back.
    since: HashMap<(BoardId, Version), Option<ActionId>>,
}

/// All decisions that these boards are behind, in the order in which they were carried out. The boards are of one moment, so the first that they are not
/// wholly behind, and whatever was decided after it, is later than they are.
pub(super) async fn decided(stores: &Stores, boards: &[Board]) -> Result<Vec<Decided>> {
    let all = all(stores).await?;
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Found::default();
    let named = all.iter().flat_map(|carried_out| carried_out.moderation.act.actions());
    found.actions.extend(named.map(|action| (*action, None)));
    let since = all.iter().filter_map(|carried_out| since(&carried_out.moderation.act));
    found.since.extend(since.map(|since| (since, None)));
    for board in boards {
        found.read(stores, board).await?;
    }
    let decided: Vec<_> = all.into_iter().map_while(|carried_out| found.take(carried_out)).collect();
    match found.corrections.keys().next() {
        None => Ok(decided),
        Some(id) => {
            Err(Failure::new(format_args!("a log has corrections of decision {id}, which is not whole: run `verify`")))
        }
    }
}

async fn all(stores: &Stores) -> Result<Vec<CarriedOut>> {
    let mut all: Vec<CarriedOut> = Vec::new();
    loop {
        let before = all.last().map(|oldest| oldest.moderation.id);
        let chunk = stores.moderation.moderations(before, AT_ONCE).await?;
        if chunk.is_empty() {
            all.reverse();
            return Ok(all);
        }
        all.extend(chunk);
    }
}

/// The version to which a decision reaches back.
fn since(act: &ModerationAct) -> Option<(BoardId, Version)> {
    match act {
        ModerationAct::Hold { board, since, .. } => Some((board.clone(), *since)),
        ModerationAct::Void { .. }
        | ModerationAct::Unvoid { .. }
        | ModerationAct::Restrict { .. }
        | ModerationAct::Lift { .. }
        | ModerationAct::Conclude { .. } => None,
    }
}

impl Found {
    async fn read(&mut self, stores: &Stores, board: &Board) -> Result<()> {
        let (id, end) = (&board.spec.id, board.version);
        let mut progress = Progress::new(format!("looking for decisions in {id}"), end.get(), "changes");
        let mut done = Version::ZERO;
        while done < end {
            let left = usize::try_from(end.get() - done.get()).unwrap_or(CHUNK);
            let rows = stores.scores.log(id, done, CHUNK.min(left)).await?;
            let Some(last) = rows.last() else { return Err(ends_early(board, done)) };
            done = last.position.version;
            for row in &rows {
                let version = row.position.version;
                if let Some(action) = self.since.get_mut(&(id.clone(), version)) {
                    *action = Some(row.action_id);
                }
                if row.origin == Origin::Correction {
                    let decision = ModerationId::from_bytes(*row.fingerprint.as_bytes());
                    let of_boards = self.corrections.entry(decision).or_default();
                    of_boards.entry(id.clone()).or_insert(Stretch { first: version, last: version }).last = version;
                } else if let Some(place) = self.actions.get_mut(&row.action_id) {
                    *place = Some((id.clone(), version));
                }
            }
            progress.at(done.get(), end.get());
        }
        Ok(())
    }

    /// Where a decision lies; `None` if the boards are not behind all of it.
    fn take(&mut self, carried_out: CarriedOut) -> Option<Decided> {
        let mut behind: BTreeMap<BoardId, Version> = BTreeMap::new();
        for action in carried_out.moderation.act.actions() {
            let (board, version) = self.actions.get(action)?.as_ref()?;
            let upto = behind.entry(board.clone()).or_default();
            *upto = (*upto).max(*version);
        }
        let id = carried_out.moderation.id;
        let stretches = self.corrections.get(&id);
        let lengths = stretches.into_iter().flatten().map(|(_, Stretch { first, last })| last.get() - first.get() + 1);
        if lengths.sum::<u64>() != carried_out.corrections {
            return None;
        }
        let mut through = BTreeMap::new();
        for (board, Stretch { first, last }) in self.corrections.remove(&id).unwrap_or_default() {
            behind.insert(board.clone(), Version::new(first.get() - 1));
            through.insert(board, last);
        }
        // One that corrects nothing there holds nothing back.
        let since = since(&carried_out.moderation.act).filter(|(board, _)| through.contains_key(board));
        let since_action = since.and_then(|since| self.since.get(&since).copied().flatten());
        Some(Decided { carried_out, behind, through, since_action })
    }
}

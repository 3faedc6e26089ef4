//! Decisions of moderators.

use std::fmt::Write;

use scoreboard_core::{
    Chain, Effects, Entry, IdSourceExt, Moderation, ModerationAct, ModerationId, Preview, RandomIds, Restriction,
    Scoreboard, Selection, UserId,
};

use crate::cli::{DecisionFlags, WhichActions};
use crate::failure::{Failure, Result};
use crate::store::Stores;

pub(super) async fn void(stores: &Stores, which: WhichActions, flags: DecisionFlags) -> Result<String> {
    turn(stores, which, flags, |actions| ModerationAct::Void { actions }).await
}

pub(super) async fn unvoid(stores: &Stores, which: WhichActions, flags: DecisionFlags) -> Result<String> {
    turn(stores, which, flags, |actions| ModerationAct::Unvoid { actions }).await
}

pub(super) async fn restrict(
    stores: &Stores,
    user_id: UserId,
    restriction: Restriction,
    flags: DecisionFlags,
) -> Result<String> {
    decide(stores, flags, ModerationAct::Restrict { user_id, restriction }).await
}

pub(super) async fn lift(stores: &Stores, user_id: UserId, flags: DecisionFlags) -> Result<String> {
    decide(stores, flags, ModerationAct::Lift { user_id }).await
}

pub(super) async fn list(stores: &Stores, limit: usize) -> Result<String> {
    let decisions = scoreboard(stores).moderations(None, limit).await.map_err(|error| refused(&error))?;
    if decisions.is_empty() {
        return Ok("no decisions".to_owned());
    }
    let mut text = String::new();
    for decision in decisions {
        let line = serde_json::to_string(&decision).map_err(|error| Failure::new(Chain(&error)))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// Servers that run learn of what is decided here as they learn of each other: by asking, within seconds.
pub(super) fn scoreboard(stores: &Stores) -> Scoreboard {
    Scoreboard::builder(stores.scores.clone())
        .with_moderation(stores.moderation.clone())
        .with_incidents(stores.incidents.clone())
        .with_names(stores.accounts.clone())
        .build()
}

async fn turn(
    stores: &Stores,
    which: WhichActions,
    flags: DecisionFlags,
    act: fn(Vec<scoreboard_core::ActionId>) -> ModerationAct,
) -> Result<String> {
    let scoreboard = scoreboard(stores);
    // What is selected may be something else the second time; the decision is the same.
    if let Some(id) = flags.id
        && let Some(known) = scoreboard.carried_out(id).await.map_err(|error| refused(&error))?
        && known.moderation.act.kind() == act(Vec::new()).kind()
    {
        return decide(stores, flags, known.moderation.act).await;
    }
    let WhichActions { actions, board, user, rule, from, until } = which;
    let actions = if actions.is_empty() {
        let mut selection = Selection::default();
        (selection.board, selection.user, selection.rule) = (board, user, rule);
        (selection.from, selection.until) = (from, until);
        scoreboard.select_for(&act(Vec::new()), &selection).await.map_err(|error| refused(&error))?
    } else {
        actions
    };
    decide(stores, flags, act(actions)).await
}

async fn decide(stores: &Stores, flags: DecisionFlags, act: ModerationAct) -> Result<String> {
    let scoreboard = scoreboard(stores);
    let DecisionFlags { reason, by, id, dry_run } = flags;
    let at = stores.now().await?;
    let id = id.unwrap_or_else(|| ModerationId::from_uuid(RandomIds.uuid(at)));
    let moderation = Moderation { id, at, by, reason, act };
    if dry_run {
        return Ok(told(&scoreboard.preview(&moderation).await.map_err(|error| refused(&error))?));
    }
    let effects = scoreboard.moderate(&moderation).await.map_err(|error| refused(&error))?;
    let Effects { carried_out, replayed, .. } = effects;
    let before = if replayed { " was carried out before" } else { "" };
    Ok(format!(
        "decision {id}{before}: {} actions count otherwise, {} corrections in the logs",
        carried_out.changed, carried_out.corrections
    ))
}

pub(super) fn refused(error: &scoreboard_core::Error) -> Failure {
    Failure::because("the decision is not carried out", error)
}

/// A preview in lines.
fn told(preview: &Preview) -> String {
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{arguments}");
    };
    let Preview { would_be, replayed, shifted, boards, shifts } = preview;
    if *replayed {
        line(format_args!("decision {} was carried out before: nothing would change", would_be.moderation.id));
        return text;
    }
    line(format_args!(
        "{} actions would count otherwise; {shifted} places would change, by {} corrections",
        would_be.changed, would_be.corrections
    ));
    for board in boards {
        let (id, version) = (&board.board, board.position.version);
        line(format_args!("{id} at version {version}: {} entries, then {}", board.total, board.total_after));
        let rows = board.top.len().max(board.top_after.len());
        let show = |entry: Option<&Entry>| {
            entry.map_or_else(String::new, |entry| {
                let name = entry.display_name.clone().unwrap_or_else(|| entry.user_id.to_string());
                format!("{}. {name} {}", entry.rank, entry.score)
            })
        };
        for row in 0..rows {
            line(format_args!("  {:<40} | {}", show(board.top.get(row)), show(board.top_after.get(row))));
        }
    }
    for shift in shifts {
        let show = |score: Option<scoreboard_core::Score>, rank: Option<u64>| match (score, rank) {
            (Some(score), Some(rank)) => format!("{score} at rank {rank}"),
            _ => "not on the board".to_owned(),
        };
        let (before, after) = (show(shift.score, shift.rank), show(shift.score_after, shift.rank_after));
        line(format_args!("{}: user {}: {before}, then {after}", shift.board, shift.user_id));
    }
    if *shifted > shifts.len() as u64 {
        line(format_args!("… and {} more", shifted - shifts.len() as u64));
    }
    text
}

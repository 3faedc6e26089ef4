//! The board as lines, for files, pipes and logs: one for each entry that came, moved or went, and for each change of the connection.

use std::collections::HashMap;
use std::io::{self, Write};

use scoreboard_client::{Event, Moved, State, Subscription};
use scoreboard_core::{ChangeOp, UserId};

use crate::cli::WatchFlags;
use crate::failure::{Failure, Result};
use crate::signals::Signals;
use crate::watch::hopeless;
use crate::watch::text::{name, now, outlook, word};

pub(super) async fn run(flags: &WatchFlags, mut subscription: Subscription, mut signals: Signals) -> Result<()> {
    let mut was_there = false;
    loop {
        let event = tokio::select! {
            event = subscription.next() => event,
            _ = signals.next() => None,
        };
        let Some(event) = event else { return Ok(()) };
        if let Some(failure) = hopeless(flags, &event, was_there) {
            return Err(failure);
        }
        was_there |= matches!(event, Event::Moved(_));
        match write(flags, &event) {
            Ok(()) => {}
            // Whoever read has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::because("cannot write to standard output", &error)),
        }
    }
}

fn write(flags: &WatchFlags, event: &Event) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let now = now();
    for line in lines(event) {
        writeln!(out, "{now} {} {line}", flags.board)?;
    }
    out.flush()
}

fn lines(event: &Event) -> Vec<String> {
    match event {
        Event::State(State::Offline(offline)) => vec![format!("offline: {}", outlook(offline))],
        Event::State(state) => vec![word(state).to_owned()],
        Event::Moved(moved) => changes(moved),
    }
}

fn changes(moved: &Moved) -> Vec<String> {
    let Moved { view, previous, changes, .. } = moved;
    let previous = previous.as_ref().map_or(&[][..], |previous| &previous.entries);
    let before: HashMap<UserId, i64> = previous.iter().map(|entry| (entry.user_id, entry.score.get())).collect();
    // A board may move without its top, and one may be empty.
    if changes.is_empty() {
        return vec![format!("{} the same, of {} in all", view.position, view.total)];
    }
    let line = |change: &scoreboard_core::EntryChange| {
        let name = name(change.user_id, change.display_name.as_deref());
        let score = change.score;
        let what = match (change.op, change.rank, change.previous_rank) {
            (ChangeOp::Upsert, Some(rank), Some(before)) if rank != before => format!("#{rank} (was #{before})"),
            (ChangeOp::Upsert, Some(rank), _) => format!("#{rank}"),
            (ChangeOp::Upsert | ChangeOp::Remove, _, _) => "out".to_owned(),
        };
        let points = before.get(&change.user_id).map_or(0, |before| score.get() - before);
        let by = if points == 0 { String::new() } else { format!(" ({points:+})") };
        format!("{} {what} {name} {score}{by}", view.position)
    };
    changes.iter().map(line).collect()
}

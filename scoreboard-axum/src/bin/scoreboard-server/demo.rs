//! `demo`: bots that play against a running server, over HTTP like anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scoreboard_core::{IdSource, RandomIds};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use crate::cli::DemoFlags;
use crate::failure::{Failure, Result};
use crate::progress::note;

use bot::Bot;
use client::Client;

mod bot;
mod client;

/// How often the state is shown where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What the bots have done so far.
#[derive(Debug, Default)]
struct Tally {
    playing: AtomicU64,
    updates: AtomicU64,
    points: AtomicU64,
    waits: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [playing, updates, points, waits, failures] =
            [&self.playing, &self.updates, &self.points, &self.waits, &self.failures]
                .map(|n| n.load(Ordering::Relaxed));
        write!(
            f,
            "{playing} bots, {updates} updates, {points} points, {waits} times asked to wait, {failures} failures"
        )
    }
}

/// Lets so many bots play for so long.
pub(crate) async fn run(flags: DemoFlags) -> Result<()> {
    let DemoFlags { url, bots, seconds, board } = flags;
    let client = Client::new(&url)?;
    let kinds = bot::kinds(&client, &board).await?;
    if kinds.is_empty() {
        return Err(Failure::new(format_args!("the board `{board}` has no kinds of actions to play")));
    }
    let kinds = Arc::new(kinds);
    let tally = Arc::new(Tally::default());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut playing = JoinSet::new();
    for number in 1..=bots {
        let bot = Bot::new(client.clone(), board.clone(), kinds.clone(), tally.clone(), number);
        playing.spawn(bot.play());
    }

    let shown = show(&tally, end);
    let stopped = tokio::signal::ctrl_c();
    let first_failure = tokio::select! {
        () = shown => None,
        _ = stopped => None,
        // A bot never stops by itself unless nothing works.
        Some(ended) = playing.join_next() => Some(ended),
    };
    playing.abort_all();
    note(&tally);
    match first_failure {
        Some(Ok(failure)) => Err(failure),
        Some(Err(join)) => Err(Failure::because("a bot broke down", &join)),
        None => Ok(()),
    }
}

/// Shows the state each moment until the end.
async fn show(tally: &Tally, end: Instant) {
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        line.set_style(style);
    }
    let every = if line.is_hidden() { LINE_EVERY } else { Duration::from_millis(200) };
    let mut ticks = interval(every);
    let until = sleep_until(end);
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => break,
            _ = ticks.tick() => {
                let left = end.saturating_duration_since(Instant::now()).as_secs();
                let state = format!("{tally}; {left} s to go");
                if line.is_hidden() { note(state) } else { line.set_message(state); line.tick() }
            }
        }
    }
    line.finish_and_clear();
}

/// A number below `bound`, evenly enough for a game.
fn below(bound: u64) -> u64 {
    let mut bytes = [0; 8];
    RandomIds.fill(&mut bytes);
    u64::from_le_bytes(bytes) % bound.max(1)
}

//! `watch`: a board of a running server, live on a terminal.

use std::io::{self, IsTerminal};

use scoreboard_client::{Cause, Client, Event, State};

use crate::cli::WatchFlags;
use crate::failure::{Failure, Result};
use crate::signals::Signals;

mod board;
mod draw;
mod lines;
mod screen;
mod text;

/// Watches until the user quits, a signal asks for it, or the server will not have it.
pub(crate) async fn run(flags: &WatchFlags) -> Result<()> {
    let client = Client::connect(&flags.url).map_err(|error| Failure::new(format_args!("`{}`: {error}", flags.url)))?;
    let subscription = match flags.around {
        Some(user) => client.subscribe_around(&flags.board, user, usize::from(flags.radius)),
        None => client.subscribe(&flags.board, usize::from(flags.limit)),
    };
    let subscription = subscription.map_err(|error| Failure::because("cannot watch", &error))?;
    let signals = Signals::listen()?;
    if flags.plain || !io::stdout().is_terminal() {
        lines::run(flags, subscription, signals).await
    } else {
        screen::run(flags, subscription, signals).await
    }
}

/// Whether going on is of no use: the server refuses the board, or what is there was never a scoreboard. A server that is not there may come.
fn hopeless(flags: &WatchFlags, event: &Event, was_there: bool) -> Option<Failure> {
    let WatchFlags { url, board, .. } = flags;
    match event {
        Event::State(State::Refused(refusal)) => {
            Some(Failure::new(format_args!("the board `{board}` cannot be watched at {url}: {refusal}")))
        }
        Event::State(State::Offline(offline)) if !was_there => match &offline.cause {
            // 408, 425 and 429 ask to come again; so do 500 and what is above.
            cause @ Cause::Answered(400..=407 | 409..=424 | 426..=428 | 430..=499) | cause @ Cause::Stranger(_) => {
                Some(Failure::new(format_args!("{url} is no scoreboard: {cause}")))
            }
            _ => None,
        },
        Event::State(_) | Event::Moved(_) => None,
    }
}

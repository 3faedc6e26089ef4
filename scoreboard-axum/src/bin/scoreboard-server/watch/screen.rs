//! The board on a terminal, which is as it was when this ends, however it ends.

use std::io;
use std::time::Duration;

use crossterm::event::{Event as Input, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use scoreboard_client::{Event, State, Subscription};
use tokio::time::interval;

use crate::cli::WatchFlags;
use crate::failure::{Failure, Result};
use crate::signals::Signals;
use crate::watch::board::Board;
use crate::watch::draw::{Picture, draw};
use crate::watch::hopeless;

/// How often what depends on the time is drawn anew: marks that fade, and waits.
const TICK: Duration = Duration::from_millis(250);

/// A terminal that is drawn on. Dropped, it is as it was; a panic gives it back before it says why.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has done it already, and a second time would put the cursor above what the panic said.
        if !std::thread::panicking() {
            // The cursor comes back with the terminal's own end. Where this fails, the terminal is gone.
            let _ = ratatui::try_restore();
        }
    }
}

/// What a key asks for.
enum Asked {
    Quit,
    ConnectNow,
    Nothing,
}

pub(super) async fn run(flags: &WatchFlags, mut subscription: Subscription, mut signals: Signals) -> Result<()> {
    let failed = |error: io::Error| Failure::because("cannot use the terminal", &error);
    let mut screen = Screen::open().map_err(failed)?;
    let mut input = EventStream::new();
    let mut ticks = interval(TICK);
    let (mut board, mut state) = (Board::default(), State::Connecting);
    loop {
        let picture =
            Picture { url: &flags.url, name: flags.board.as_str(), around: flags.around, board: &board, state: &state };
        screen.0.draw(|frame| draw(frame, &picture)).map_err(failed)?;
        tokio::select! {
            event = subscription.next() => {
                let Some(event) = event else { return Ok(()) };
                if let Some(failure) = hopeless(flags, &event, board.view().is_some()) {
                    return Err(failure);
                }
                match event {
                    Event::Moved(moved) => board.take(&moved),
                    Event::State(now) => state = now,
                }
            }
            input = input.next() => match input {
                Some(Ok(input)) => match asked(&input) {
                    Asked::Quit => return Ok(()),
                    Asked::ConnectNow => subscription.client().connect_now(),
                    // Resized, say: it is drawn anew in any case.
                    Asked::Nothing => {}
                },
                Some(Err(error)) => return Err(failed(error)),
                // The terminal is gone.
                None => return Ok(()),
            },
            _ = ticks.tick() => {}
            _ = signals.next() => return Ok(()),
        }
    }
}

fn asked(input: &Input) -> Asked {
    let Input::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = input else { return Asked::Nothing };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => Asked::Quit,
        KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => Asked::Quit,
        KeyCode::Char('r') => Asked::ConnectNow,
        _ => Asked::Nothing,
    }
}

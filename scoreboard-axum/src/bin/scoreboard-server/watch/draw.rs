//! How the screen looks.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use scoreboard_client::State;
use scoreboard_core::UserId;

use crate::watch::board::{Board, Mark, Step};
use crate::watch::text::{name, outlook, span, time_of_day, word};

/// What is on the screen.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    pub(super) url: &'a str,
    pub(super) name: &'a str,
    /// Whom it is watched around: the one to be found at a glance.
    pub(super) around: Option<UserId>,
    pub(super) board: &'a Board,
    pub(super) state: &'a State,
}

pub(super) fn draw(frame: &mut Frame<'_>, picture: &Picture<'_>) {
    let layout = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ]);
    let [title, facts, news, rows, foot] = layout.areas(frame.area());
    let badge = badge(picture.state);
    let width = u16::try_from(badge.width()).unwrap_or(u16::MAX);
    let [place, corner] = Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).areas(title);
    let names = Line::from(vec![format!(" {}", picture.name).bold(), format!("  {}", picture.url).dim()]);
    frame.render_widget(names, place);
    frame.render_widget(badge, corner);
    frame.render_widget(facts_of(picture.board), facts);
    frame.render_widget(trouble(picture.state), news);
    frame.render_widget(table(picture), rows);
    frame.render_widget(Paragraph::new(" q quits, r connects now").dim(), foot);
}

fn badge(state: &State) -> Line<'static> {
    let text = match state {
        State::Offline(offline) => {
            format!(" OFFLINE since {} UTC, {} ", time_of_day(offline.since), span(offline.since.elapsed()))
        }
        state => format!(" {} ", word(state).to_uppercase()),
    };
    let color = match state {
        State::Live => Color::Green,
        State::Connecting | State::CatchingUp => Color::Yellow,
        State::Offline(_) | State::Refused(_) => Color::Red,
    };
    Line::from(Span::styled(text, Style::new().fg(color).add_modifier(Modifier::BOLD | Modifier::REVERSED)))
        .alignment(Alignment::Right)
}

/// What is known of the board.
fn facts_of(board: &Board) -> Line<'static> {
    board.view().map_or_else(Line::default, |view| {
        let position = view.position;
        Line::from(format!(" version {} of epoch {}, {} in all", position.version, position.epoch, view.total))
    })
}

/// What is wrong, if something is.
fn trouble(state: &State) -> Line<'static> {
    match state {
        State::Offline(offline) => Line::from(format!(" {}", outlook(offline)).red()),
        State::Connecting | State::CatchingUp | State::Live | State::Refused(_) => Line::default(),
    }
}

fn table(picture: &Picture<'_>) -> Table<'static> {
    let Picture { board, state, around, .. } = picture;
    let entries = board.view().map_or(&[][..], |view| &view.entries);
    let rows = entries.iter().map(|entry| {
        let mark = board.mark(entry.user_id);
        let score = Line::from(entry.score.to_string()).alignment(Alignment::Right);
        let shown = [
            Cell::from(Line::from(entry.rank.to_string()).alignment(Alignment::Right)),
            Cell::from(mark.map_or_else(Span::default, step)),
            Cell::from(name(entry.user_id, entry.display_name.as_deref())),
            Cell::from(score),
            Cell::from(mark.map_or_else(Span::default, points)),
        ];
        let row = Row::new(shown);
        let style = if mark.is_some() { Style::new().bold() } else { Style::new() };
        row.style(if *around == Some(entry.user_id) { style.reversed() } else { style })
    });
    let widths = [
        Constraint::Length(5),
        Constraint::Length(5),
        Constraint::Min(8),
        Constraint::Length(17),
        Constraint::Length(8),
    ];
    let head = Row::new([
        Cell::from(Line::from("rank").alignment(Alignment::Right)),
        Cell::from(""),
        Cell::from("name"),
        Cell::from(Line::from("score").alignment(Alignment::Right)),
        Cell::from(""),
    ]);
    let table = Table::new(rows, widths).header(head.style(Style::new().underlined())).column_spacing(1);
    // What is not live is old, and looks it.
    if matches!(state, State::Live | State::CatchingUp) { table } else { table.style(Style::new().dim()) }
}

fn step(mark: &Mark) -> Span<'static> {
    match mark.step {
        Step::Up(by) => format!("▲{by}").green(),
        Step::Down(by) => format!("▼{by}").red(),
        Step::New => "new".cyan(),
        Step::Stayed => Span::default(),
    }
}

fn points(mark: &Mark) -> Span<'static> {
    match mark.points {
        0 => Span::default(),
        points @ 1.. => format!("+{points}").green(),
        points => points.to_string().red(),
    }
}

#[cfg(test)]
#[path = "draw_test.rs"]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use scoreboard_client::{Cause, Moved, Offline, View, ViewEntry};
use scoreboard_core::{BoardId, Epoch, Position, Score, Season, UserId, Version};
use tokio::time::Instant;

use super::*;

fn view(version: u64, scores: &[(&str, i64)]) -> Arc<View> {
    let entry = |(index, &(name, score)): (usize, &(&str, i64))| ViewEntry {
        rank: index as u64 + 1,
        user_id: UserId::for_name("test", name),
        display_name: Some(name.to_owned()),
        score: Score::new(score).unwrap(),
    };
    Arc::new(View {
        board: BoardId::main(),
        season: Season::FIRST,
        position: Position { epoch: Epoch::new(1), version: Version::new(version) },
        total: 12,
        entries: scores.iter().enumerate().map(entry).collect(),
    })
}

fn moved(board: &mut Board, previous: Option<&Arc<View>>, view: &Arc<View>) {
    let changes = previous.map_or_else(Vec::new, |previous| previous.changes_to(view));
    board.take(&Moved { view: view.clone(), previous: previous.cloned(), changes, recovered: true });
}

fn screen(board: &Board, state: &State, width: u16, height: u16) -> String {
    drawn(board, state, width, height).backend().to_string()
}

fn drawn(board: &Board, state: &State, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let picture = Picture {
        url: "http://127.0.0.1:8080",
        name: "main",
        around: Some(UserId::for_name("test", "Ben")),
        board,
        state,
    };
    terminal.draw(|frame| draw(frame, &picture)).unwrap();
    terminal
}

#[tokio::test(start_paused = true)]
async fn rows_show_how_they_moved_and_for_how_long() {
    let mut board = Board::default();
    let first = view(7, &[("Ada", 30), ("Ben", 20), ("Cem", 10)]);
    moved(&mut board, None, &first);
    let shown = screen(&board, &State::Live, 70, 10);
    assert!(shown.contains(" LIVE ") && shown.contains("version 7 of epoch 1, 12 in all"), "{shown}");
    assert!(!shown.contains("new") && !shown.contains('▲'), "nothing is news yet: {shown}");

    let second = view(8, &[("Cem", 45), ("Ada", 30), ("Dan", 25)]);
    moved(&mut board, Some(&first), &second);
    let shown = screen(&board, &State::Live, 70, 10);
    let line = |name: &str| shown.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {shown}"));
    assert!(line("Cem").contains("1 ▲2") && line("Cem").contains("+35"), "{shown}");
    assert!(line("Ada").contains("2 ▼1") && !line("Ada").contains('+'), "{shown}");
    assert!(line("Dan").contains("3 new"), "{shown}");
    tokio::time::advance(Duration::from_secs(5)).await;
    let shown = screen(&board, &State::Live, 70, 10);
    assert!(!shown.contains('▲') && !shown.contains('+') && !shown.contains("new"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_told_with_its_cause_and_the_board_stays() {
    let mut board = Board::default();
    let since = Instant::now();
    tokio::time::advance(Duration::from_secs(75)).await;
    let cause = Cause::Unreachable("Connection refused".to_owned());
    let state = State::Offline(Offline { since, cause, retry_at: Instant::now() + Duration::from_millis(2500) });
    let shown = screen(&board, &state, 100, 10);
    assert!(shown.contains("UTC, 75 s") && shown.contains("refused; trying again in 3 s"), "{shown}");
    moved(&mut board, None, &view(7, &[("Ada", 30)]));
    let shown = screen(&board, &state, 100, 10);
    assert!(shown.contains("Ada") && shown.contains("version 7") && shown.contains("OFFLINE since "), "{shown}");
}

#[tokio::test]
async fn whom_it_is_watched_around_stands_out() {
    let mut board = Board::default();
    moved(&mut board, None, &view(7, &[("Ada", 30), ("Ben", 20)]));
    let terminal = drawn(&board, &State::Live, 40, 10);
    let buffer = terminal.backend().buffer();
    let is_reversed = |name: &str| {
        let rows = (4..9).map(|y| (0..40).map(|x| &buffer[(x, y)]).collect::<Vec<_>>());
        let mut found = rows.filter(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().contains(name));
        found.next().is_some_and(|row| row.iter().all(|cell| cell.modifier.contains(Modifier::REVERSED)))
    };
    assert!(is_reversed("Ben") && !is_reversed("Ada"));
}

#[tokio::test]
async fn no_screen_is_too_small() {
    let mut board = Board::default();
    moved(&mut board, None, &view(7, &[("Ada", 30), ("Ben", 20)]));
    let offline = Offline { since: Instant::now(), cause: Cause::Lost, retry_at: Instant::now() };
    for state in [State::Live, State::Connecting, State::Offline(offline)] {
        for (width, height) in [(0, 0), (1, 1), (3, 2), (10, 3), (200, 4), (5, 60)] {
            drawn(&board, &state, width, height);
        }
    }
}

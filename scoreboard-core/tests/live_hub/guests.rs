//! What is remembered of who has gone: so much of each guest, and of nobody all there is room for.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{BoardId, LiveEvent, LiveWindow, Position, Scoreboard, UserId};

use crate::rigged::Counts;
use crate::{record, spec, user};
use tokio::time::Instant;

const GUEST: NonZeroU64 = NonZeroU64::new(7).expect("seven");
const OTHER: NonZeroU64 = NonZeroU64::new(8).expect("eight");

fn window(number: u16) -> LiveWindow {
    let someone = UserId::for_name("guests", &number.to_string());
    LiveWindow::users([user(1), someone]).expect("two")
}

/// Whether who was at this position, and comes again after the board has moved, is told what was missed and not sent the whole: so the window was
/// remembered.
async fn is_remembered(scoreboard: &Scoreboard, number: u16, since: Position) -> bool {
    let mut again = scoreboard.watch(&BoardId::main(), window(number), Some(since)).await.expect("watched");
    matches!(again.next().await.expect("an event"), LiveEvent::Update(_))
}

#[tokio::test]
async fn one_guest_leaves_others_room() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    scoreboard.create_board(spec()).await.expect("created");
    record(&scoreboard, "first", 1, 5).await;
    let watch = async |number: u16, guest| {
        let watcher = scoreboard.watch(&BoardId::main(), window(number), None).await.expect("watched");
        let mut watcher = watcher.of_guest(guest);
        let event = watcher.next().await.expect("an event");
        (watcher, event.position())
    };
    // One comes to more than an eighth of all that are remembered, and goes from each.
    let mut gone = Vec::new();
    for number in 0..600 {
        let (watcher, position) = watch(number, GUEST).await;
        drop(watcher);
        gone.push(position);
    }
    let (watcher, position) = watch(10_000, OTHER).await;
    drop(watcher);
    let patience = Instant::now() + Duration::from_secs(20);
    while counts.gauge("scoreboard_live_windows") > 513.0 {
        assert!(Instant::now() < patience, "the others have ended: {}", counts.gauge("scoreboard_live_windows"));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    record(&scoreboard, "meanwhile", 1, 5).await;
    let mut remembered = 0;
    for (number, position) in (0..600).zip(gone) {
        remembered += usize::from(is_remembered(&scoreboard, number, position).await);
    }
    assert_eq!(remembered, 512);
    assert!(is_remembered(&scoreboard, 10_000, position).await, "another has room as ever");
}

//! Step 6, **publish**: tell whoever watches that the board has moved.

use crate::broadcast::Broadcaster;
use crate::error::Chain;
use crate::ids::BoardId;
use crate::version::Position;

/// Announces the new position; to this process alone, where another node has announced it. A failure costs watchers time, never a change, so the update stands.
pub(super) async fn publish(broadcaster: &dyn Broadcaster, board: &BoardId, position: Position, is_announced: bool) {
    let told = match is_announced {
        false => broadcaster.publish(board, position).await,
        true => broadcaster.publish_here(board, position).await,
    };
    if let Err(error) = told {
        metrics::counter!("scoreboard_publish_failures_total").increment(1);
        tracing::warn!(board.id = %board, error = %Chain(&error), "a change was not announced; watchers and other nodes will ask for it");
    }
}

//! Step 6, **publish**: tell whoever watches that the board has moved.

use crate::broadcast::Broadcaster;
use crate::error::Chain;
use crate::ids::BoardId;
use crate::version::Position;

/// Announces the new position. A failure costs watchers time, never a change, so the update stands.
pub(super) async fn publish(broadcaster: &dyn Broadcaster, board: &BoardId, position: Position) {
    if let Err(error) = broadcaster.publish(board, position).await {
        metrics::counter!("scoreboard_publish_failures_total").increment(1);
        tracing::warn!(board.id = %board, error = %Chain(&error), "a change was not announced; watchers and other nodes will ask for it");
    }
}

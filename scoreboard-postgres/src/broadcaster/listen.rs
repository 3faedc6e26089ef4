//! Hearing of the other nodes.

use std::time::Duration;

use scoreboard_core::memory::InProcessBroadcaster;
use scoreboard_core::{BackendError, BoardId, Broadcaster, Chain, Epoch, Position, Version};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{Instant, timeout, timeout_at};

use super::announcement::{Announcement, CHANNEL, Node};
use super::backoff::Backoff;

/// How often it is read where the boards are. This is also what shows that the connection is still one.
const READ_EVERY: Duration = Duration::from_secs(2);
/// How long that may take, and a new connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why it is to be connected anew.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the connection was lost")]
    Ended,
    #[error("no answer within {PATIENCE:?}")]
    Silent,
    #[error(transparent)]
    Driver(#[from] sqlx::Error),
}

/// Tells what is heard, and what was missed. Never returns.
pub(super) async fn listen(options: PgConnectOptions, node: Node, here: InProcessBroadcaster) {
    let mut backoff = Backoff::default();
    loop {
        let lost = match timeout(PATIENCE, connect(&options)).await {
            Ok(Ok(listener)) => hear(listener, node, &here, &mut backoff).await,
            Ok(Err(error)) => error.into(),
            Err(_) => Lost::Silent,
        };
        if backoff.is_first() {
            tracing::warn!(error = %Chain(&lost), "nothing is heard of other nodes until the database is reached again");
        }
        backoff.wait().await;
    }
}

/// A pool of its own for each: where the network swallows everything, the driver goes on for minutes to take leave of a listener that
/// was dropped, and keeps its place.
async fn connect(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.ignore_pool_close_event(true);
    listener.eager_reconnect(false);
    let channel: String = sqlx::query_scalar(CHANNEL).fetch_one(&mut listener).await?;
    listener.listen(&channel).await?;
    Ok(listener)
}

/// Listens until the connection is lost.
async fn hear(mut listener: PgListener, node: Node, here: &InProcessBroadcaster, backoff: &mut Backoff) -> Lost {
    loop {
        // What was announced before it listened, or could not be, is found here.
        match timeout(PATIENCE, positions(&mut listener)).await {
            Ok(Ok(positions)) => {
                for (board, position) in &positions {
                    tell(here, board, *position).await;
                }
            }
            Ok(Err(error)) => return error.into(),
            Err(_) => return Lost::Silent,
        }
        if !backoff.is_first() {
            tracing::info!("other nodes are heard of again");
            backoff.reset();
        }
        let next_read = Instant::now() + READ_EVERY;
        while let Ok(heard) = timeout_at(next_read, listener.try_recv()).await {
            match heard {
                Ok(Some(heard)) => {
                    if let Some(said) = Announcement::parse(heard.payload()).filter(|said| said.node != node) {
                        tell(here, &said.board, said.position).await;
                    }
                }
                Ok(None) => return Lost::Ended,
                Err(error) => return error.into(),
            }
        }
    }
}

async fn tell(here: &InProcessBroadcaster, board: &BoardId, position: Position) {
    // In this process it cannot fail.
    let _: Result<(), BackendError> = here.publish(board, position).await;
}

/// Where each board is.
async fn positions(listener: &mut PgListener) -> Result<Vec<(BoardId, Position)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> =
        sqlx::query_as("SELECT boards.id, meta.epoch, boards.version FROM boards CROSS JOIN meta")
            .fetch_all(listener)
            .await?;
    let position = |(board, epoch, version): (String, i64, i64)| {
        let position =
            Position { epoch: Epoch::new(epoch.cast_unsigned()), version: Version::new(version.cast_unsigned()) };
        // What is no board's name is for the store to tell, not for a hint.
        Some((BoardId::new(&board).ok()?, position))
    };
    Ok(rows.into_iter().filter_map(position).collect())
}

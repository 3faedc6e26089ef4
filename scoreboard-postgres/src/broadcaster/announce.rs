//! Telling the other nodes.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use scoreboard_core::{BoardId, Chain, Position};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::announcement::{Announcement, CHANNEL, Node};
use super::backoff::Backoff;

/// How long a statement, or a new connection, may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What happens this close together is announced as one: watchers gather changes for longer than that.
const GATHER: Duration = Duration::from_millis(10);

/// What is to be announced: of each board, only its newest position.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    newest: Mutex<HashMap<BoardId, Position>>,
    filled: Notify,
}

impl Outbox {
    pub(super) fn put(&self, board: &BoardId, position: Position) {
        {
            let mut newest = self.newest.lock();
            match newest.get_mut(board) {
                Some(known) => *known = position.max(*known),
                None => drop(newest.insert(board.clone(), position)),
            }
        }
        self.filled.notify_one();
    }

    async fn take(&self) -> HashMap<BoardId, Position> {
        loop {
            let newest = std::mem::take(&mut *self.newest.lock());
            if !newest.is_empty() {
                return newest;
            }
            self.filled.notified().await;
        }
    }
}

/// Announces what is in the outbox. Never returns.
pub(super) async fn announce(options: PgConnectOptions, node: Node, outbox: std::sync::Arc<Outbox>) {
    // A notification is written like any change. Nothing is lost with one, so it need not wait for the device.
    let options = options.options([("synchronous_commit", "off")]);
    let mut backoff = Backoff::default();
    let mut open = None;
    loop {
        let newest = outbox.take().await;
        let said = Vec::from_iter(
            newest
                .iter()
                .map(|(board, position)| Announcement { node, position: *position, board: board.clone() }.to_string()),
        );
        match timeout(PATIENCE, say(&options, &mut open, &said)).await {
            Ok(Ok(())) => {
                backoff.reset();
                sleep(GATHER).await;
            }
            failed => {
                // Whatever state it is in.
                open = None;
                for (board, position) in &newest {
                    outbox.put(board, *position);
                }
                if backoff.is_first() {
                    match failed {
                        Ok(Err(error)) => tracing::warn!(error = %Chain(&error), "other nodes are not told of changes"),
                        _ => tracing::warn!(patience = ?PATIENCE, "other nodes are not told of changes: no answer"),
                    }
                }
                backoff.wait().await;
            }
        }
    }
}

/// An open connection, and its channel.
struct Open {
    connection: PgConnection,
    channel: String,
}

async fn say(options: &PgConnectOptions, open: &mut Option<Open>, said: &[String]) -> Result<(), sqlx::Error> {
    let Open { connection, channel } = match open {
        Some(open) => open,
        None => {
            let mut connection = options.connect().await?;
            let channel = sqlx::query_scalar(CHANNEL).fetch_one(&mut connection).await?;
            open.insert(Open { connection, channel })
        }
    };
    sqlx::query("SELECT pg_notify($1, said) FROM unnest($2::text[]) AS said")
        .bind(channel.as_str())
        .bind(said)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_each_board_the_newest_waits() {
        let outbox = Outbox::default();
        let (main, other) = (BoardId::main(), BoardId::new("other").unwrap());
        for (board, position) in [(&main, "1.3"), (&other, "1.1"), (&main, "1.4"), (&main, "1.2")] {
            outbox.put(board, position.parse().unwrap());
        }
        let newest = outbox.take().await;
        assert_eq!((newest.len(), newest[&main], newest[&other]), (2, "1.4".parse().unwrap(), "1.1".parse().unwrap()));
        assert!(outbox.newest.lock().is_empty());
    }
}

//! Announcements between nodes by datagrams, which the network loses, holds and overtakes as it likes.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use scoreboard_core::memory::InProcessBroadcaster;
use scoreboard_core::{BackendError, BoardId, Broadcaster, Epoch, Position, Version};
use turmoil::net::UdpSocket;

const PORT: u16 = 9_000;

/// Tells this node at once, and the others by a datagram each.
#[derive(Debug)]
pub(crate) struct Announcer {
    here: InProcessBroadcaster,
    socket: UdpSocket,
    others: Vec<String>,
}

impl Announcer {
    /// Begins to listen to the others, as a task of this node.
    pub(crate) async fn start(others: Vec<String>) -> std::io::Result<Arc<Self>> {
        let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
        let announcer = Arc::new(Self { here: InProcessBroadcaster::new(), socket, others });
        let listener = announcer.clone();
        tokio::spawn(async move {
            let mut bytes = [0; 16];
            while let Ok((16, _)) = listener.socket.recv_from(&mut bytes).await {
                let number = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| bytes[at + byte]));
                let position = Position { epoch: Epoch::new(number(0)), version: Version::new(number(8)) };
                let _ = listener.here.publish(&BoardId::main(), position).await;
            }
        });
        Ok(announcer)
    }
}

#[async_trait]
impl Broadcaster for Announcer {
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.here.publish(board, position).await?;
        let bytes = [position.epoch.get().to_be_bytes(), position.version.get().to_be_bytes()].concat();
        for other in &self.others {
            // Whoever does not hear of it looks for himself.
            let _ = self.socket.send_to(&bytes, (other.as_str(), PORT)).await;
        }
        Ok(())
    }

    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        self.here.subscribe(board).await
    }
}

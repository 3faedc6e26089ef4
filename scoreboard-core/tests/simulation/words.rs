//! Words between nodes by datagrams, which the network loses, holds and overtakes as it likes: a datagram bears a word's number, and the word lies
//! with the world.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use scoreboard_core::{Answer, Answered, Ask, BackendError, BoardId, Change, ErrorKind, Peers, Said, Version};
use tokio::sync::{mpsc, oneshot};
use turmoil::net::UdpSocket;

use crate::world::World;

const PORT: u16 = 9_001;

/// How many words a node may be behind with.
const ROOM: usize = 16;

/// What is said.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    Claim { node: String, board: BoardId },
    Ask { from: String, number: u64, changes: Vec<Change>, after: Version },
    Answer { number: u64, answer: Result<Answer, BackendError> },
}

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Result<Answer, BackendError>>>>;

/// One node's end. Its name is that of its machine.
pub(crate) struct Words {
    world: Arc<World>,
    name: String,
    others: Vec<String>,
    socket: UdpSocket,
    waiting: Waiting,
    said: Mutex<Option<mpsc::Receiver<Said>>>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Words {
    /// Begins to hear, as a task of this node.
    pub(crate) async fn start(world: Arc<World>, name: String, others: Vec<String>) -> std::io::Result<Arc<Self>> {
        let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
        let (says, said) = mpsc::channel(ROOM);
        let waiting = Waiting::default();
        let words = Arc::new(Self { world, name, others, socket, waiting, said: Mutex::new(Some(said)) });
        let listener = words.clone();
        tokio::spawn(async move {
            let mut bytes = [0; 8];
            while let Ok((8, _)) = listener.socket.recv_from(&mut bytes).await {
                listener.hear(u64::from_be_bytes(bytes), &says);
            }
        });
        Ok(words)
    }

    fn hear(self: &Arc<Self>, word: u64, says: &mpsc::Sender<Said>) {
        let word = self.world.words.lock().get(&word).cloned().expect("it was said");
        match word {
            Word::Claim { node, board } => drop(says.try_send(Said::Claim { node, board })),
            Word::Ask { from, number, changes, after } => {
                let (ask, answer) = Ask::new(from.clone(), changes, after);
                if says.try_send(Said::Ask(ask)).is_ok() {
                    tokio::spawn(self.clone().pass_back(from, number, answer));
                }
            }
            Word::Answer { number, answer } => {
                let asked = self.waiting.lock().remove(&number);
                if let Some(asked) = asked {
                    self.world
                        .for_others
                        .fetch_add(answer.as_ref().map_or(0, |answer| answer.outcomes.len()), Ordering::Relaxed);
                    let _ = asked.send(answer);
                }
            }
        }
    }

    async fn pass_back(self: Arc<Self>, to: String, number: u64, answer: Answered) {
        if let Ok(answer) = answer.await {
            self.say(&to, Word::Answer { number, answer }).await;
        }
    }

    async fn say(&self, to: &str, word: Word) {
        let number = self.world.number();
        self.world.words.lock().insert(number, word);
        let _ = self.socket.send_to(&number.to_be_bytes(), (to, PORT)).await;
    }
}

#[async_trait]
impl Peers for Words {
    fn name(&self) -> &str {
        &self.name
    }

    async fn claim(&self, board: &BoardId) -> Result<(), BackendError> {
        for other in &self.others {
            self.say(other, Word::Claim { node: self.name.clone(), board: board.clone() }).await;
        }
        Ok(())
    }

    async fn ask(&self, node: &str, changes: &[Change], after: Version) -> Result<Answer, BackendError> {
        let (asked, answer) = oneshot::channel();
        let number = self.world.number();
        self.waiting.lock().insert(number, asked);
        self.say(node, Word::Ask { from: self.name.clone(), number, changes: changes.to_vec(), after }).await;
        answer.await.map_err(|_| BackendError::new(ErrorKind::Unavailable, "words", "ask"))?
    }

    async fn listen(&self) -> Result<BoxStream<'static, Said>, BackendError> {
        let said = self.said.lock().take().ok_or(BackendError::new(ErrorKind::Unavailable, "words", "listen"))?;
        Ok(stream::unfold(said, async |mut said| Some((said.recv().await?, said))).boxed())
    }
}

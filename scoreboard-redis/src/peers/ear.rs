//! The task that listens to what other nodes say, and has their requests answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::Msg;
use scoreboard_core::{Answered, Ask, Chain, ErrorKind, Said};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::watch;

use super::Shared;
use super::waiting::Told;
use super::wire;
use super::word::{self, Header, Kind, Why};
use crate::listening::{Connection, Ended, Heard, Listening};
use crate::measures::WORDS_DROPPED;

#[derive(Debug)]
pub(super) struct Ear {
    shared: Arc<Shared>,
    listening: Listening,
    /// How many words were not signed by a key in force.
    forged: AtomicU64,
}

impl Ear {
    pub(super) fn new(shared: Arc<Shared>, listens: watch::Sender<bool>) -> Self {
        let names = shared.redis.namespace();
        let channels = vec![names.peers(&shared.store), names.peer(&shared.name)];
        let listening = Listening::new(shared.redis.clone(), "words of other nodes", channels, listens);
        Self { shared, listening, forged: AtomicU64::new(0) }
    }

    /// Listens until the task is ended.
    pub(super) async fn run(mut self) {
        loop {
            let connection = self.listening.connect().await;
            let ended = self.follow(connection).await;
            self.listening.lost(ended).await;
        }
    }

    async fn follow(&self, mut connection: Connection) -> Ended {
        let mut said = 0;
        loop {
            match connection.next().await {
                Ok(Heard::Message(message)) => self.hear(&message),
                // A connection that answers and still hears nothing (its server is cut off from the others, or the master no longer) is
                // worth nothing.
                Ok(Heard::Alive) if self.shared.echoed.load(Ordering::Relaxed) < said => return Ended::Deaf,
                Ok(Heard::Alive) => said = self.shared.call().await.unwrap_or(said),
                Err(ended) => return ended,
            }
        }
    }

    /// What is no word of another node is passed over.
    fn hear(&self, message: &Msg) {
        let channel = message.get_channel_name();
        let Err(why) = self.shared.hear(channel, message.get_payload_bytes()) else { return };
        metrics::counter!(WORDS_DROPPED, "why" => why.label()).increment(1);
        let forged = if why == Why::Forged { self.forged.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        // The first, the second, the fourth …: whoever sends many does not fill the log.
        if forged.is_power_of_two() {
            tracing::warn!(
                channel,
                words = forged,
                "words that no key in force has signed are passed over; have all servers the same keys?"
            );
        } else {
            tracing::debug!(channel, why = why.label(), "a word was passed over");
        }
    }
}

impl Shared {
    fn hear(self: &Arc<Self>, channel: &str, word: &[u8]) -> Result<(), Why> {
        let (header, body) = word::open(&self.ring, channel, word)?;
        let Header { kind, from, number, .. } = header;
        match kind {
            Kind::Claim if from == self.name => Ok(()),
            Kind::Claim => {
                self.is_first(from, number)?;
                let board = wire::board(body).ok_or(Why::Unreadable)?;
                // Where nobody listens, nobody misses it.
                match self.tell(Said::Claim { node: from.to_owned(), board }) {
                    Err(TrySendError::Full(_)) => Err(Why::Full),
                    _ => Ok(()),
                }
            }
            Kind::Ask => {
                self.is_first(from, number)?;
                let (changes, after) = wire::changes(body).ok_or(Why::Unreadable)?;
                let place = self.answering.clone().try_acquire_owned().map_err(|_| Why::Full)?;
                let (ask, answer) = Ask::new(from.to_owned(), changes, after);
                let heard = self.tell(Said::Ask(ask));
                let is_full = matches!(heard, Err(TrySendError::Full(_)));
                let (shared, asker) = (self.clone(), from.to_owned());
                tokio::spawn(async move {
                    let _place = place;
                    let told = match heard {
                        Ok(()) => what_becomes_of(answer).await,
                        Err(TrySendError::Full(_)) => Err(ErrorKind::Overloaded),
                        Err(TrySendError::Closed(_)) => Err(ErrorKind::Unavailable),
                    };
                    shared.answer(&asker, number, &told).await;
                });
                if is_full { Err(Why::Full) } else { Ok(()) }
            }
            Kind::Answer => {
                if !self.waiting.waits_for(from, number) {
                    return Err(Why::Unasked);
                }
                self.waiting.answer(from, number, wire::told(body).ok_or(Why::Unreadable)?);
                Ok(())
            }
            Kind::Echo => {
                self.echoed.fetch_max(number, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Says something to itself, of this number, by another connection.
    async fn call(&self) -> Option<u64> {
        let (channel, number) = (self.redis.namespace().peer(&self.name), self.number());
        let said = self.say(&channel, Kind::Echo, number, &()).await;
        said.is_ok().then_some(number)
    }

    fn is_first(&self, from: &str, number: u64) -> Result<(), Why> {
        if self.once.is_first(from, number) { Ok(()) } else { Err(Why::Repeated) }
    }
}

/// As the node that asked is told it: of an error no more than its kind.
async fn what_becomes_of(answer: Answered) -> Told {
    match answer.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::debug!(error = %Chain(&error), "what another node asked for failed");
            Err(error.kind())
        }
        // It was dropped without an answer: whether it was applied, nobody says.
        Err(_) => Err(ErrorKind::OutcomeUnknown),
    }
}

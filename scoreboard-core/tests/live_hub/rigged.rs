//! What surrounds the windows here: a broadcaster that lies, and names and readings that are counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::{BackendError, BoardId, Broadcaster, DisplayNames, Epoch, Position, UserId, Version};

/// A broadcaster as bad as can be: it loses, doubles, delays, reorders, and tells of positions that never were.
#[derive(Debug)]
pub(crate) struct Rigged {
    told: Mutex<Vec<tokio::sync::mpsc::UnboundedSender<Position>>>,
    held_back: Mutex<Vec<Position>>,
    random: Mutex<StdRng>,
}

impl Rigged {
    pub(crate) fn new(seed: u64) -> Self {
        Self { told: Mutex::default(), held_back: Mutex::default(), random: Mutex::new(StdRng::seed_from_u64(seed)) }
    }
}

#[async_trait]
impl Broadcaster for Rigged {
    async fn publish(&self, _board: &BoardId, position: Position) -> Result<(), BackendError> {
        let mut random = self.random.lock();
        let mut said = match random.random_range(0..6) {
            0 => vec![],
            1 => vec![position, position],
            2 => vec![Position { version: Version::new(position.version.get() + 1_000), ..position }],
            3 => vec![Position { epoch: Epoch::new(position.epoch.get() + 1), ..position }],
            4 => {
                self.held_back.lock().push(position);
                vec![]
            }
            _ => vec![position],
        };
        if random.random_bool(0.3) {
            said.extend(self.held_back.lock().drain(..));
        }
        self.told.lock().retain(|told| said.iter().all(|position| told.send(*position).is_ok()));
        Ok(())
    }

    async fn subscribe(&self, _board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        self.told.lock().push(sender);
        let ends_early = self.random.lock().random_bool(0.3);
        let stream = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        Ok(if ends_early { stream.take(20).boxed() } else { stream.boxed() })
    }
}

/// Counts how often names are asked for, and of how many. It may take its time, between the reading of a board and its publication.
#[derive(Debug, Default)]
pub(crate) struct CountedNames {
    pub(crate) calls: AtomicUsize,
    pub(crate) users: AtomicUsize,
    pub(crate) takes: Duration,
}

#[async_trait]
impl DisplayNames for CountedNames {
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.users.fetch_add(users.len(), Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        Ok(users.iter().map(|user| (*user, format!("user {user}"))).collect())
    }
}

/// Counts by name what is counted on the thread on which it listens: how often boards are read, for one.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Counts {
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.0.lock().get(name).map_or(0, |count| count.load(Ordering::SeqCst))
    }

    pub(crate) fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.of(name))
    }
}

impl metrics::Recorder for Counts {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

    fn register_counter(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::from_arc(self.0.lock().entry(key.name().to_owned()).or_default().clone())
    }

    fn register_gauge(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::from_arc(self.0.lock().entry(key.name().to_owned()).or_default().clone())
    }

    fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}

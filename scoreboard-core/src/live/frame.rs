//! One event, and its encoding, for all who are sent it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::live::LiveEvent;
use crate::version::{Position, Version};

/// One event, shared by all who are sent it.
///
/// Cloning clones the handle. It is encoded when the first asks for that, and never again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::sync::Arc;
/// # use scoreboard_core::memory::MemoryScoreStore;
/// # use scoreboard_core::{BoardId, BoardSpec, Scoreboard};
/// # let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
/// # scoreboard.create_board(BoardSpec::new(BoardId::main())).await?;
/// let mut ada = scoreboard.subscribe(&BoardId::main(), 10, None).await?;
/// let mut bob = scoreboard.subscribe(&BoardId::main(), 10, None).await?;
/// let (to_ada, to_bob) = (ada.next_frame().await?.json(), bob.next_frame().await?.json());
/// assert!(to_ada.starts_with(br#"{"type":"snapshot","board":"main""#));
/// assert_eq!(to_ada.as_ptr(), to_bob.as_ptr(), "the same bytes, not equal ones");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LiveFrame(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    event: LiveEvent,
    json: OnceLock<Bytes>,
}

impl LiveFrame {
    pub(super) fn new(event: LiveEvent) -> Self {
        Self(Arc::new(Shared { event, json: OnceLock::new() }))
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> &LiveEvent {
        &self.0.event
    }

    /// The position of the view after it.
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.event.position()
    }

    /// The event as JSON, in UTF-8: the same bytes for all.
    #[must_use]
    pub fn json(&self) -> Bytes {
        let encode =
            || serde_json::to_vec(&self.0.event).expect("an event is numbers, strings and lists of them").into();
        self.0.json.get_or_init(encode).clone()
    }

    /// The version that it applies to; `None` of a snapshot.
    pub(super) fn from(&self) -> Option<Version> {
        match &self.0.event {
            LiveEvent::Update(update) => Some(update.from),
            LiveEvent::Snapshot(_) => None,
        }
    }

    /// About how long it is, in entries.
    pub(super) fn length(&self) -> usize {
        1 + match &self.0.event {
            LiveEvent::Update(update) => update.changes.len(),
            LiveEvent::Snapshot(snapshot) => snapshot.entries.len(),
        }
    }
}

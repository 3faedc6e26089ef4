//! One stream of server-sent events.

use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};

use scoreboard_core::{IdSource, RandomIds};

use crate::Lifecycle;
use crate::live::connections::Connection;
use crate::live::feed::{FeedItem, Notice};
use crate::live::message::ServerMessage;

/// How often a silent stream sends a comment, so that nothing between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long whoever comes while the server ends is sent away for, at least.
const SOONEST: Duration = Duration::from_secs(1);

/// Sends what a feed says, each event under its position as its id, until the feed or the server ends.
pub(crate) fn events(feed: BoxStream<'static, FeedItem>, connection: Connection, lifecycle: Lifecycle) -> Response {
    let share = connection.share();
    let drained = async move { lifecycle.drained(share).await };
    let events = encoded(feed, connection).take_until(Box::pin(drained));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// A stream that ends at once and says when to come again: a browser (`EventSource`) that is answered by an error never does.
pub(crate) fn later() -> Response {
    let mut random = [0; 2];
    RandomIds.fill(&mut random);
    // Spread, for all who come now have been sent away by the same server.
    let wait = SOONEST + Duration::from_millis(u64::from(u16::from_le_bytes(random) % 3_000));
    Sse::new(stream::iter([Ok::<_, axum::Error>(Event::default().retry(wait))])).into_response()
}

/// The stream holds the connection's place as long as it lives.
fn encoded(
    feed: BoxStream<'static, FeedItem>,
    connection: Connection,
) -> impl Stream<Item = Result<Event, axum::Error>> + Send {
    feed.map(move |item| {
        let _held = &connection;
        match item {
            FeedItem::Frame(frame) => {
                let json = frame.json();
                let json = std::str::from_utf8(&json).map_err(axum::Error::new)?;
                Ok(Event::default().id(frame.position().to_string()).data(json))
            }
            // Nobody signs in on a stream; were it a message, it would be for nobody else.
            FeedItem::Notice(Notice::Private(event)) => Event::default().json_data(event),
            FeedItem::Notice(Notice::Refused(problem)) => Event::default().json_data(ServerMessage::error(&problem)),
        }
    })
}

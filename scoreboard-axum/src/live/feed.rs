//! What happens on one board, without end: a board that cannot be watched yet is asked for again.

use std::num::NonZeroU64;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use scoreboard_core::{
    BoardId, Chain, Error, LiveFrame, LiveWindow, Position, PrivateEvent, PrivateSubscription, Scoreboard,
    Subscription, UserId,
};

use crate::live::connections::Connection;
use crate::problem::Problem;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What a feed says.
#[derive(Debug)]
pub(crate) enum FeedItem {
    /// Something happened: the bytes are those of all who watch the same.
    Frame(LiveFrame),
    /// Something else, for this client alone.
    Notice(Notice),
}

/// What is for one client alone.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Something concerns the user for whom the board is watched.
    Private(PrivateEvent),
    /// The board cannot be watched; nothing follows.
    Refused(Problem),
}

/// What is asked for, and then watched.
enum State {
    Asked { scoreboard: Scoreboard, board: BoardId, window: LiveWindow, since: Option<Position>, guest: NonZeroU64 },
    Watching(Subscription),
    AskedFor { scoreboard: Scoreboard, board: BoardId, user: UserId },
    WatchingFor(PrivateSubscription),
}

struct Feed {
    state: State,
    /// Spreads the waits of many feeds.
    share: f64,
}

/// A part of a board as it changes, for who is at the other end of a connection.
pub(crate) fn feed(
    scoreboard: Scoreboard,
    board: BoardId,
    window: LiveWindow,
    since: Option<Position>,
    connection: &Connection,
) -> BoxStream<'static, FeedItem> {
    let guest = connection.guest();
    Feed { state: State::Asked { scoreboard, board, window, since, guest }, share: connection.share() }.stream()
}

/// The same, of what is watched already.
pub(crate) fn feed_of(watched: Subscription, connection: &Connection) -> BoxStream<'static, FeedItem> {
    let watched = watched.of_guest(connection.guest());
    Feed { state: State::Watching(watched), share: connection.share() }.stream()
}

/// What concerns a user on a board. `share` (0 to 1) tells this feed's waits from those of others.
pub(crate) fn feed_for(
    scoreboard: Scoreboard,
    board: BoardId,
    user: UserId,
    share: f64,
) -> BoxStream<'static, FeedItem> {
    Feed { state: State::AskedFor { scoreboard, board, user }, share }.stream()
}

impl Feed {
    fn stream(self) -> BoxStream<'static, FeedItem> {
        // In a box, so that it stays where it is for every item.
        stream::unfold(Some(Box::new(self)), |feed| async {
            let mut feed = feed?;
            match feed.next().await {
                Ok(item) => Some((item, Some(feed))),
                Err(problem) => Some((FeedItem::Notice(Notice::Refused(problem)), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<FeedItem, Problem> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.state.next().await {
                Ok(item) => return Ok(item),
                Err(Error::Backend(error)) => {
                    tracing::debug!(error = %Chain(&error), "a watcher waits for the store");
                    tokio::time::sleep(wait.mul_f64(0.5 + self.share)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                Err(refused) => return Err(refused.into()),
            }
        }
    }
}

impl State {
    async fn next(&mut self) -> Result<FeedItem, Error> {
        match self {
            Self::Asked { scoreboard, board, window, since, guest } => {
                let watched = scoreboard.watch(board, window.clone(), *since).await?;
                *self = Self::Watching(watched.of_guest(*guest));
            }
            Self::AskedFor { scoreboard, board, user } => {
                *self = Self::WatchingFor(scoreboard.watch_for(board, *user).await?);
            }
            Self::Watching(_) | Self::WatchingFor(_) => {}
        }
        match self {
            Self::Watching(subscription) => subscription.next_frame().await.map(FeedItem::Frame),
            Self::WatchingFor(subscription) => subscription.next().await.map(Notice::Private).map(FeedItem::Notice),
            Self::Asked { .. } | Self::AskedFor { .. } => unreachable!("it was replaced above"),
        }
    }
}

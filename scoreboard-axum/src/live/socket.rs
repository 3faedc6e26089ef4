//! One WebSocket connection.

use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use scoreboard_core::{BoardId, IdSourceExt, RandomIds};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::live::connections::Connection;
use crate::live::feed::{Notice, feed};
use crate::live::feeds::About;
use crate::live::heartbeat::{Beat, Heartbeat};
use crate::live::identity::Identity;
use crate::live::message::{ClientMessage, ServerMessage, Subscribe, Ticket};
use crate::live::unreadable::Unreadable;
use crate::live::wire::{Next, Wire};
use crate::problem::{Code, Problem};
use crate::state::Shared;

/// The longest message that is read at all, in bytes. Above what is allowed, so that a client that sends too much is told so before
/// the connection is closed.
pub(crate) const HARD_MAX_MESSAGE: usize = 16 * 1024;

/// How long a client may take to agree to a close.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed it, or is gone.
    Gone,
    /// 1012: the server ends; come again.
    Restart,
    /// 4008: the client stopped reading or answering; come again.
    TooSlow,
    /// 4008: the client opened a connection and then asked for nothing; come again.
    Silent,
    /// 4008: the client says more than it may; come again, for what it said may all have been right.
    TooMuch,
    /// 4500: the session of who is here was ended; do not come again as the same.
    SignedOut,
    /// 4501: the client said what is not in the protocol; do not come again.
    BadMessage,
    /// 1002, 1007 or 1009: no message could be made of what was sent.
    Unreadable(Unreadable),
}

struct Session {
    app: Shared,
    connection: Connection,
    wire: Wire,
    heartbeat: Heartbeat,
    allowance: Allowance,
    identity: Identity,
    /// Until when the client must have asked for something; `None` while it watches something, or has said who it is.
    idle_until: Option<Instant>,
}

/// Serves a connection until it ends.
pub(crate) async fn watch(app: Shared, connection: Connection, socket: WebSocket) {
    let heartbeat = Heartbeat::new(&app.config.live, connection.share());
    let allowance = Allowance::new(app.config.live.messages_per_minute);
    let idle_until = Some(Instant::now() + app.config.live.first_message);
    let (wire, identity) = (Wire::new(socket, app.config.live.write_timeout), Identity::default());
    let mut session = Session { app, connection, wire, heartbeat, allowance, identity, idle_until };
    let end = match session.run().await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    session.close(end).await;
}

impl Session {
    async fn run(&mut self) -> Result<std::convert::Infallible, End> {
        let (lifecycle, share) = (self.app.lifecycle.clone(), self.connection.share());
        let mut drained = pin!(lifecycle.drained(share));
        self.greet().await?;
        loop {
            let Self { identity, idle_until, heartbeat, .. } = self;
            let elsewhere = async {
                tokio::select! {
                    biased;
                    () = &mut drained => Err(End::Restart),
                    () = identity.signed_out() => Err(End::SignedOut),
                    () = over(*idle_until) => Err(End::Silent),
                    beat = heartbeat.due() => Ok(beat),
                }
            };
            match self.wire.next(elsewhere).await? {
                Next::Noticed(board, about, notice) => self.tell(board, about, notice).await?,
                Next::Heard(Some(Ok(message))) => self.receive(message).await?,
                Next::Heard(Some(Err(error))) => return Err(Unreadable::of(&error).map_or(End::Gone, End::Unreadable)),
                Next::Heard(None) => return Err(End::Gone),
                Next::Elsewhere(Err(end)) => return Err(end),
                Next::Elsewhere(Ok(Beat::Ping)) => self.wire.send(Message::Ping(Default::default())).await?,
                Next::Elsewhere(Ok(Beat::Dead)) => return Err(End::TooSlow),
            }
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        let mut buffer = [0; 36];
        let connection_id: &str = RandomIds.uuid(self.app.clock.now()).hyphenated().encode_lower(&mut buffer);
        let heartbeat_seconds = self.app.config.live.heartbeat.as_secs();
        tracing::debug!(connection.id = connection_id, "a WebSocket connection is open");
        self.send(&ServerMessage::Connected { connection_id, heartbeat_seconds }).await
    }

    async fn receive(&mut self, message: Message) -> Result<(), End> {
        self.heartbeat.heard();
        if !self.allowance.take() {
            return self.refuse("too many messages", End::TooMuch).await;
        }
        match message {
            Message::Text(text) => match ClientMessage::read(&text) {
                Some(message) => self.obey(message).await,
                None => self.refuse("this is not a message of the protocol `scoreboard.v1`", End::BadMessage).await,
            },
            Message::Binary(_) => self.refuse("messages are text", End::BadMessage).await,
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), End> {
        let obeyed = self.obey_message(message).await;
        self.look_whether_idle();
        obeyed
    }

    async fn obey_message(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Subscribe(subscribe) => self.subscribe(subscribe).await,
            ClientMessage::Unsubscribe { board, window } => {
                self.wire.feeds.remove(&board, window);
                Ok(())
            }
            ClientMessage::Ping {} => self.send(&ServerMessage::Pong).await,
            ClientMessage::Authenticate { ticket: Ticket(ticket) } => {
                match self.identity.authenticate(&self.app.accounts, self.app.clock.now(), &ticket).await {
                    Ok(user_id) => {
                        self.wire.feeds.tell(&self.app.scoreboard, user_id, self.connection.share());
                        self.send(&ServerMessage::Authenticated { user_id }).await
                    }
                    Err(problem) => self.send(&ServerMessage::error(&problem)).await,
                }
            }
        }
    }

    async fn subscribe(&mut self, Subscribe { board, window, since }: Subscribe) -> Result<(), End> {
        let (max_boards, kind) = (self.app.config.live.max_boards, window.kind());
        if self.wire.feeds.boards() >= max_boards && !self.wire.feeds.has(&board) {
            let problem = Problem::new(Code::InvalidRequest, format!("a connection may watch {max_boards} boards"));
            return self.send(&ServerMessage::error_of(&problem, &board, kind)).await;
        }
        let (scoreboard, share) = (&self.app.scoreboard, self.connection.share());
        let watched = feed(scoreboard.clone(), board.clone(), window, since, &self.connection);
        self.wire.feeds.insert(&board, kind, watched);
        if let Some(user) = self.identity.user_id() {
            self.wire.feeds.tell(scoreboard, user, share);
        }
        Ok(())
    }

    /// Tells what a feed of a board, about this, has for this client alone.
    async fn tell(&mut self, board: BoardId, about: About, notice: Notice) -> Result<(), End> {
        match (about, notice) {
            // Whose session has ended is told nothing more, though the end of it may be noticed only next.
            (_, Notice::Private(_)) if self.identity.is_signed_out() => Err(End::SignedOut),
            (_, Notice::Private(event)) => self.send(&event).await,
            (About::Window(window), Notice::Refused(problem)) => {
                self.wire.feeds.remove(&board, window);
                self.look_whether_idle();
                self.send(&ServerMessage::error_of(&problem, &board, window)).await
            }
            // Who watches the board is told so.
            (About::User, Notice::Refused(_)) => Ok(()),
        }
    }

    /// Who watches nothing, be it no longer, and is nobody, has as long as at the beginning to ask for something: else a place would be had for
    /// nothing by asking once.
    fn look_whether_idle(&mut self) {
        if self.identity.user_id().is_some() || !self.wire.feeds.is_empty() {
            self.idle_until = None;
        } else if self.idle_until.is_none() {
            self.idle_until = Some(Instant::now() + self.app.config.live.first_message);
        }
    }

    async fn refuse(&mut self, detail: &'static str, end: End) -> Result<(), End> {
        self.send(&ServerMessage::error(&Problem::new(Code::InvalidRequest, detail))).await?;
        Err(end)
    }

    async fn send<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), End> {
        let text = serde_json::to_string(message).map_err(|error| {
            tracing::error!(%error, "a message could not be encoded");
            End::Restart
        })?;
        self.wire.send(Message::text(text)).await
    }

    /// Says why, and leaves the client a moment to read it: what is dropped with unread input takes back what was sent last.
    async fn close(self, end: End) {
        let (code, reason) = match end {
            End::Gone => return agree(self.wire.into_socket()).await,
            End::Restart => (1012, "the server restarts"),
            End::TooSlow => (4008, "too slow"),
            End::Silent => (4008, "nothing was asked for"),
            End::TooMuch => (4008, "too many messages"),
            End::SignedOut => (4500, "signed out"),
            End::BadMessage => (4501, "bad message"),
            End::Unreadable(why) => why.close(),
        };
        metrics::counter!("scoreboard_ws_closes_total", "code" => code.to_string()).increment(1);
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let mut socket = self.wire.into_socket();
        let goodbye = async {
            socket.send(Message::Close(Some(frame))).await?;
            if let End::Unreadable(_) = end {
                // Nothing more can be read, so nothing tells when the client has read this.
                std::future::pending::<()>().await;
            }
            while let Some(Ok(_)) = socket.recv().await {}
            Ok::<_, axum::Error>(())
        };
        if timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!(code, "a client did not agree to a close");
        }
    }
}

/// The client closes: it is answered by who reads on, and what it sends behind its close is nothing.
async fn agree(mut socket: WebSocket) {
    let _ = timeout(GOODBYE, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
}

/// Returns once it is this late; never, where there is no such time.
async fn over(by: Option<Instant>) {
    match by {
        Some(by) => tokio::time::sleep_until(by).await,
        None => std::future::pending().await,
    }
}

/// How many messages a client may still send.
#[derive(Debug)]
struct Allowance {
    /// The time that one message costs.
    each: Duration,
    /// All that may be used up at once.
    burst: Duration,
    /// When everything would be free again.
    free_at: Instant,
}

impl Allowance {
    fn new(per_minute: u32) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self { each: MINUTE / per_minute.max(1), burst: MINUTE, free_at: Instant::now() }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let free_at = self.free_at.max(now) + self.each;
        let allowed = free_at <= now + self.burst;
        if allowed {
            self.free_at = free_at;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_allowance_is_a_burst_and_a_rate() {
        let mut allowance = Allowance::new(100);
        assert_eq!((0..150).filter(|_| allowance.take()).count(), 100);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!((0..150).filter(|_| allowance.take()).count(), 10);
    }
}

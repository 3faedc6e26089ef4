//! One connection from its first message to its end.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use scoreboard_core::{LiveEvent, RandomIds, Snapshot, Update};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::backoff::full_jitter;
use crate::connection::{Socket, lost};
use crate::echo::Echo;
use crate::heartbeat::{Beat, Heartbeat};
use crate::message::{ClientMessage, Refused, ServerMessage};
use crate::private::Private;
use crate::state::Cause;
use crate::ticket::TicketError;
use crate::worker::Worker;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Stands for a close that names no code (RFC 6455 §7.1.5).
const NO_CODE: u16 = 1005;

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum Over {
    /// Nothing is followed any more.
    Unwanted,
    /// The client is closed.
    Closed,
    /// It was lost.
    Lost(Cause),
    /// The server closed it.
    Ended { code: u16, reason: String },
}

type Ticket = Pin<Box<dyn Future<Output = Result<String, TicketError>> + Send>>;

pub(crate) struct Session<'a> {
    worker: &'a mut Worker,
    socket: Socket,
    heartbeat: Heartbeat,
    echo: Echo,
    /// The server has spoken.
    begun: bool,
    /// Is being asked for.
    ticket: Option<Ticket>,
    /// One was shown, and is not answered yet.
    is_showing: bool,
    /// How many were refused on this connection for what passes.
    tickets_refused: u32,
    /// When the connection counts as one that holds: all that is followed is live since a while.
    settled_at: Option<Instant>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(worker: &'a mut Worker, socket: Socket) -> Self {
        let heartbeat = Heartbeat::new(worker.config.answer);
        Self {
            worker,
            socket,
            heartbeat,
            echo: Echo::default(),
            begun: false,
            ticket: None,
            is_showing: false,
            tickets_refused: 0,
            settled_at: None,
        }
    }

    pub(crate) async fn run(mut self) -> Over {
        let over = match self.follow().await {
            Ok(never) => match never {},
            Err(over) => over,
        };
        // What was received is answered, and what is over is said: within bounds, for nobody may be there.
        let goodbye = async {
            match &over {
                Over::Unwanted | Over::Closed => drop(self.socket.close(None).await),
                Over::Ended { .. } => drop(self.socket.next().await),
                Over::Lost(_) => {}
            }
        };
        drop(timeout(GOODBYE, goodbye).await);
        over
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Over> {
        let shared = self.worker.shared.clone();
        loop {
            self.ask().await?;
            let ask_at = self.worker.followers.values().filter_map(|follower| follower.ask_at()).min();
            tokio::select! {
                received = self.socket.next() => self.receive(received).await?,
                () = shared.woken.notified() => self.look().await?,
                () = at(ask_at.filter(|_| self.begun)) => {}
                () = at(self.settled_at) => {
                    self.settled_at = None;
                    self.worker.attempt = 0;
                }
                beat = self.heartbeat.due() => match beat {
                    Beat::Ask => self.ping().await?,
                    Beat::Dead => return Err(Over::Lost(Cause::Silent)),
                },
                ticket = given(&mut self.ticket) => {
                    self.ticket = None;
                    self.authenticate(ticket).await?;
                }
            }
        }
    }

    /// Asks for what is due.
    async fn ask(&mut self) -> Result<(), Over> {
        if !self.begun {
            return Ok(());
        }
        let followers = self.worker.followers.iter_mut();
        let due = followers.filter_map(|((board, _), follower)| Some(encoded(&follower.ask(board)?)));
        let questions: Vec<_> = due.collect();
        for question in questions {
            self.send_text(question).await?;
        }
        Ok(())
    }

    /// Takes up what is wanted now.
    async fn look(&mut self) -> Result<(), Over> {
        let before: Vec<u64> = self.worker.followers.values().map(|follower| follower.number()).collect();
        let left = self.worker.sync().ok_or(Over::Closed)?;
        if !self.worker.is_wanted() {
            return Err(Over::Unwanted);
        }
        if !self.begun {
            return Ok(());
        }
        for follower in self.worker.followers.values_mut().filter(|follower| !before.contains(&follower.number())) {
            follower.connected();
        }
        for (board, window) in &left {
            self.send(&ClientMessage::Unsubscribe { board, window: *window }).await?;
        }
        if !left.is_empty() {
            self.ping().await?;
            self.echo.leave(left);
        }
        Ok(())
    }

    async fn receive(&mut self, received: Option<Result<Message, Error>>) -> Result<(), Over> {
        let message = match received {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(Over::Lost(lost(&error))),
            None => return Err(Over::Lost(Cause::Lost)),
        };
        self.heartbeat.heard(&RandomIds);
        match message {
            Message::Text(text) => {
                let message = ServerMessage::read(&text).ok_or(Over::Lost(Cause::Nonsense))?;
                self.obey(message).await
            }
            Message::Close(frame) => {
                let (code, reason) = frame
                    .map_or((NO_CODE, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                Err(Over::Ended { code, reason })
            }
            Message::Binary(_) => Err(Over::Lost(Cause::Nonsense)),
            // Pings are answered by the WebSocket itself.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn obey(&mut self, message: ServerMessage) -> Result<(), Over> {
        match message {
            ServerMessage::Connected { heartbeat_seconds } => self.begin(heartbeat_seconds).await,
            ServerMessage::Event(event) => {
                let (LiveEvent::Snapshot(Snapshot { board, .. }) | LiveEvent::Update(Update { board, .. })) = &event;
                let key = (board.clone(), event.window());
                // Of what is followed no more, something may still be on its way.
                if let Some(follower) = self.worker.followers.get_mut(&key)
                    && !self.echo.is_of_before(&key)
                {
                    follower.receive(event, &self.worker.config);
                }
                self.settle();
                Ok(())
            }
            ServerMessage::Refused(refused) => self.refused(refused),
            ServerMessage::Pong => {
                self.echo.answered();
                Ok(())
            }
            ServerMessage::Authenticated => {
                self.is_showing = false;
                Ok(())
            }
            ServerMessage::Private(message) => {
                self.worker.shared.tell(Private::Message(message));
                Ok(())
            }
        }
    }

    async fn begin(&mut self, heartbeat_seconds: u64) -> Result<(), Over> {
        self.heartbeat.every(heartbeat_seconds);
        self.heartbeat.heard(&RandomIds);
        self.begun = true;
        self.worker.connected();
        self.ask_for_ticket();
        self.settle();
        self.ask().await
    }

    /// Now; later, and ever later, where tickets were refused.
    fn ask_for_ticket(&mut self) {
        let Some(tickets) = self.worker.tickets.clone() else { return };
        let config = &self.worker.config;
        let wait = match self.tickets_refused.checked_sub(1) {
            Some(before) => config.first_wait + full_jitter(&RandomIds, config, before, Duration::ZERO),
            None => Duration::ZERO,
        };
        self.ticket = Some(Box::pin(async move {
            sleep(wait).await;
            tickets.ticket().await
        }));
    }

    async fn authenticate(&mut self, ticket: Result<String, TicketError>) -> Result<(), Over> {
        match ticket {
            Ok(ticket) => {
                self.is_showing = true;
                self.send(&ClientMessage::Authenticate { ticket: &ticket }).await
            }
            // Boards can be followed by anyone, so they are.
            Err(error) => {
                let (code, detail) = ("ticket".to_owned(), error.to_string());
                self.worker.shared.tell(Private::Refused { code, detail });
                Ok(())
            }
        }
    }

    fn refused(&mut self, refused: Refused) -> Result<(), Over> {
        let Some(board) = refused.board.clone() else {
            if std::mem::take(&mut self.is_showing) && refused.passes() {
                // The ticket may have been a good one, and may be used up: until another is shown, the connection is nobody's.
                self.tickets_refused = self.tickets_refused.saturating_add(1);
                self.ask_for_ticket();
            }
            let Refused { code, detail, .. } = refused;
            self.worker.shared.tell(Private::Refused { code, detail });
            return Ok(());
        };
        let key = (board, refused.window);
        if self.echo.is_of_before(&key) {
            return Ok(());
        }
        let worker = &mut *self.worker;
        if let Some(follower) = worker.followers.get_mut(&key)
            && follower.refused(refused, &worker.config)
        {
            let number = follower.number();
            worker.followers.remove(&key);
            worker.shared.unwant(&key, number);
        }
        if worker.is_wanted() { Ok(()) } else { Err(Over::Unwanted) }
    }

    /// Only a connection that lasted starts the waits anew: a server that takes everyone in and drops them again must not be met by all
    /// at once each time.
    fn settle(&mut self) {
        let live = self.worker.followers.values().all(|follower| follower.is_live());
        if live && self.settled_at.is_none() && self.worker.attempt > 0 {
            self.settled_at = Some(Instant::now() + self.worker.config.settled);
        }
    }

    async fn ping(&mut self) -> Result<(), Over> {
        self.echo.asked();
        self.send(&ClientMessage::Ping {}).await
    }

    async fn send(&mut self, message: &ClientMessage<'_>) -> Result<(), Over> {
        self.send_text(encoded(message)).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), Over> {
        match timeout(self.worker.config.answer, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            // Why it ended lies before what could not be sent: it is read next.
            Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => Ok(()),
            Ok(Err(_)) => Err(Over::Lost(Cause::Lost)),
            Err(_) => Err(Over::Lost(Cause::Silent)),
        }
    }
}

fn encoded(message: &ClientMessage<'_>) -> String {
    serde_json::to_string(message).expect("a message is numbers and strings")
}

/// Returns at this moment; never, where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The ticket that was asked for; never, where none was.
async fn given(ticket: &mut Option<Ticket>) -> Result<String, TicketError> {
    match ticket {
        Some(ticket) => ticket.await,
        None => std::future::pending().await,
    }
}

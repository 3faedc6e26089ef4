//! Opening live connections.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use scoreboard_core::{LiveEvent, Position};

use crate::dto::WatchParams;
use crate::live::{self, HARD_MAX_MESSAGE, ServerMessage, Transport};
use crate::origin::check_origin;
use crate::problem::{Problem, invalid_value};
use crate::query::{no_query, query};
use crate::rate_limit::{Subject, limited};
use crate::state::{AppState, Shared};

/// The one subprotocol.
const PROTOCOL: &str = "scoreboard.v1";

/// How much is read at once, in bytes: clients say little, and each connection holds as much.
const READ_BUFFER: usize = 2 * 1024;

/// How much is gathered before it is written, and how much may wait to be written, in bytes. What is larger than the latter is an
/// error: the largest snapshot has some 20 KiB.
const WRITE_BUFFER: usize = 16 * 1024;
const MAX_WRITE_BUFFER: usize = 256 * 1024;

/// Watches boards over a WebSocket, by messages of the subprotocol `scoreboard.v1`.
///
/// A client sends `{"type":"subscribe","board","since"?: {"epoch","version"},"limit"?}` for the top of a board,
/// `{"type":"subscribe","board","window":"around","userId","radius"?,"since"?}` for a user and those next to them, 1 to 50 (5) to each side,
/// and `{"type":"subscribe","board","window":"users","userIds":[…],"since"?}` for 1 to 100 users wherever they stand;
/// `{"type":"unsubscribe","board","window"?}`, `{"type":"ping"}`, and `{"type":"authenticate","ticket"}` with a ticket of
/// `/api/auth/ws-ticket`, which is answered by `authenticated`, or by an `error` that leaves the connection as it was. A message has 8 KiB
/// at most. The first `subscribe` or `authenticate` comes within 10 seconds. Of each board a connection watches one window of each kind: another
/// `subscribe` takes its place.
///
/// `snapshot`, `update` and `error` bear the `window` they are of, where it is not the top, and around a user the `userId`. Who resumes (`since`)
/// is sent what was missed, or a snapshot with `"recovered":false`: it names the position of a view of the very same window, of as many entries, and
/// who holds another leaves it out. To whom a ticket has let in, `overtaken` and `enteredTop` are sent besides, of
/// each board that is watched, each once in a second at most.
///
/// Close codes: 1012 the server restarts, 4008 the client is too slow to read, answer or begin, or sends more than 100 messages a minute: come again. 4500 the session of
/// the user who is there was ended, 4501 what was sent is no message: do not. What cannot be read at all is answered by the codes of
/// RFC 6455: 1002 no frames, 1007 no UTF-8, 1009 more than 16 KiB.
#[utoipa::path(
    get, path = "/api/scoreboard/ws", tag = "live",
    responses(
        (status = 101, description = "A WebSocket, on which the server sends these, `snapshot` and `update` (`LiveEvent`), `overtaken` and `enteredTop` (`PrivateEvent`)", body = ServerMessage<'_>),
        (status = 400, description = "`invalid_request`: this is no WebSocket handshake"),
        (status = 403, description = "`forbidden`: the page's origin is not allowed"),
    ),
)]
pub(super) async fn socket(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let usage = app.limits.read(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        check_origin(&parts, &app.config.allowed_origins)?;
        no_query(&parts)?;
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
            .await
            .map_err(|_| Problem::invalid("", "this path speaks WebSocket (RFC 6455) only"))?;
        let upgrade = upgrade
            .protocols([PROTOCOL])
            .max_message_size(HARD_MAX_MESSAGE)
            .max_frame_size(HARD_MAX_MESSAGE)
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_write_buffer_size(MAX_WRITE_BUFFER);
        if upgrade.selected_protocol().is_none() && parts.headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
            return Err(Problem::invalid("/header/Sec-WebSocket-Protocol", "the subprotocol is `scoreboard.v1`"));
        }
        let connection = admit(&app, &parts, Transport::WebSocket)?;
        let app = app.clone();
        Ok(upgrade.on_upgrade(move |socket| live::watch(app, connection, socket)))
    })
    .await
}

/// Watches a part of a board as server-sent events: the same messages as over a WebSocket.
///
/// The top, or by `around` a user with those next to them, or by `users` some users wherever they stand. `Last-Event-ID` is of use for the same
/// part alone, as a browser sends it that comes back.
#[utoipa::path(
    get, path = "/api/scoreboard/events", tag = "live",
    params(WatchParams, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event received (`epoch.version`): what has happened since is sent", pattern = "^(0|[1-9][0-9]{0,14})\\.(0|[1-9][0-9]{0,14})$", nullable = false)),
    responses(
        (status = 200, description = "The events, each with its position (`epoch.version`) as its id; while the server drains, none but when to come again", body = LiveEvent, content_type = "text/event-stream"),
        (status = 403, description = "`forbidden`: the page's origin is not allowed"),
        (status = 404, description = "`not_found`: there is no such board"),
    ),
)]
pub(super) async fn events(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let usage = app.limits.read(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        check_origin(&parts, &app.config.allowed_origins)?;
        let params: WatchParams = query(&parts)?;
        let (window, since) = (params.window()?, last_event_id(&parts)?);
        if app.lifecycle.is_draining() {
            return Ok(live::later());
        }
        // Asked here, so that a board that is not there is a 404 and no stream.
        let watched = app.scoreboard.watch(&params.board, window, since).await?;
        let connection = admit(&app, &parts, Transport::ServerSentEvents)?;
        let feed = live::feed_of(watched, &connection);
        Ok(live::events(feed, connection, app.lifecycle.clone()))
    })
    .await
}

fn admit(app: &AppState, parts: &Parts, transport: Transport) -> Result<live::Connection, Problem> {
    if app.lifecycle.is_draining() {
        return Err(Problem::unavailable("the server is draining"));
    }
    let place = app.connections.admit(app.address(parts), transport, &app.lifecycle);
    place.ok_or_else(|| Problem::unavailable("there are too many live connections"))
}

fn last_event_id(parts: &Parts) -> Result<Option<Position>, Problem> {
    const POINTER: &str = "/header/Last-Event-ID";
    let Some(id) = parts.headers.get("last-event-id").map(HeaderValue::to_str) else { return Ok(None) };
    let id = id.map_err(|_| Problem::invalid(POINTER, "must be `epoch.version`"))?;
    id.parse().map(Some).map_err(|error| invalid_value(POINTER, &error))
}

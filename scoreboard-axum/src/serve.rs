//! Serving requests on a socket: with bounds on time and number, which `axum::serve` has not, and with a drain that ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, ready};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use scoreboard_core::{Clock, SystemClock};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::head_timer::HeadTimer;
use crate::host::check_host;
use crate::places::Places;
use crate::problem::{self, Problem};
use crate::request_id::{X_REQUEST_ID, request_id};
use crate::stalled::Unstalled;
use crate::{Lifecycle, Network};

/// About how many bytes a connection holds of a request's head, or of an answer that its client takes slowly: it reads in steps, so up to twice as many.
const MAX_BUFFER: usize = 96 * 1024;

/// The bounds of the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeConfig {
    /// How many HTTP connections at once; a further one gets a 503 and is closed. WebSockets are counted apart: see
    /// [`LiveConfig`](crate::LiveConfig). Default: 10,000.
    pub max_connections: usize,
    /// How many of them from one address, so that one cannot take all places; a further one gets the same. Default: 6,000, as for live
    /// connections, whose streams of server-sent events are among these: many players can share one address.
    pub max_connections_per_address: usize,
    /// Proxies, whose one address stands for many clients: their connections count in all, not by address. Give them as to
    /// [`HttpConfig`](crate::HttpConfig). Default: none.
    pub trusted_proxies: Vec<Network>,
    /// How long the headers of a request may take to arrive, and how long a connection may be idle. Default: 10 s.
    pub header_timeout: Duration,
    /// How long a client may take nothing of what is sent to it. Default: 20 s.
    pub write_timeout: Duration,
    /// How many bytes the system keeps for a connection that its client has no room for yet (`TCP_NOTSENT_LOWAT`, or `SO_SNDBUF` where there is
    /// none); some megabytes if nobody bounds it, on which a slow reader of a board would lag behind, and which nobody counts. Default: 32 KiB.
    pub send_buffer: u32,
    /// For how long after the shutdown began new connections are taken at least, though readiness is 503: a proxy that asks for it needs some
    /// time to learn that it shall send nothing more. Default: none.
    pub notice: Duration,
    /// The drain window: live connections are closed spread over it. Default: 10 s.
    pub drain: Duration,
    /// How long requests that are under way may take after the drain window. Default: 10 s.
    pub finish: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 6_000,
            trusted_proxies: Vec::new(),
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(20),
            send_buffer: 32 * 1024,
            notice: Duration::ZERO,
            drain: Duration::from_secs(10),
            finish: Duration::from_secs(10),
        }
    }
}

/// Serves [`service`](crate::service), or one's own [`Router`](axum::Router), until `shutdown` is done, then drains: readiness turns to 503, live connections are closed spread over the drain window,
/// new requests are still answered meanwhile and end their connections; then nothing new is accepted, and requests that are under way get their answers.
/// Returns when all connections are closed, at the latest `drain` (or `notice`) and `finish` and a second after the shutdown.
///
/// Give the same lifecycle to the [`App`](crate::App). Only HTTP/1.1 is spoken; what speaks HTTP/2 or TLS stands in front.
///
/// # Cancel safety
///
/// If the future is dropped, nothing new is accepted, and open connections are left to their own ends.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    config: ServeConfig,
    lifecycle: Lifecycle,
    shutdown: impl Future<Output = ()> + Send,
) where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let server = Server::new(service, &config);
    let mut drained = pin!(async {
        shutdown.await;
        tracing::info!(drain_seconds = config.drain.as_secs_f64(), "the server drains");
        lifecycle.drain(config.drain);
        // The last connection is closed at the end of the window; then its goodbye takes up to a second.
        let live_ended = timeout(config.drain + Duration::from_secs(1), lifecycle.live_ended());
        let _ = tokio::join!(sleep(config.notice), live_ended);
    });
    loop {
        tokio::select! {
            biased;
            () = &mut drained => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => server.accept(stream, peer),
                Err(error) => refused(&error).await,
            },
        }
    }
    drop(listener);
    server.finish(config.finish).await;
}

struct Server<S> {
    service: S,
    http: http1::Builder,
    header_timeout: Duration,
    write_timeout: Duration,
    send_buffer: u32,
    places: Arc<Places>,
    connections: TaskTracker,
    /// No connection takes a further request.
    finishing: CancellationToken,
    /// All connections end as they are.
    ending: CancellationToken,
}

impl<S> Server<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    fn new(service: S, config: &ServeConfig) -> Self {
        let mut http = http1::Builder::new();
        // A client may say that it has said all (RFC 9112 §9.6), and still wants its answer.
        http.header_read_timeout(config.header_timeout).half_close(true);
        // Of a head, and of what waits to be written.
        http.max_buf_size(MAX_BUFFER);
        // Answers are small: copied behind their head they cost less than a write of several parts.
        http.writev(false);
        Self {
            service,
            http,
            header_timeout: config.header_timeout,
            write_timeout: config.write_timeout,
            send_buffer: config.send_buffer,
            places: Arc::new(Places::new(config)),
            connections: TaskTracker::new(),
            finishing: CancellationToken::new(),
            ending: CancellationToken::new(),
        }
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.places.take(peer) else {
            turn_away(&stream);
            return;
        };
        // Small answers must not wait for the acknowledgement of the one before; a socket that refuses this, or the bound, works all the same.
        let _ = stream.set_nodelay(true);
        let _ = bound_unsent(&stream, self.send_buffer);
        let service = self.service.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            match check_host(request.version(), request.headers()) {
                Ok(()) => Either::Left(service.clone().oneshot(request)),
                Err(problem) => Either::Right(ready(Ok(refusal(problem, request.headers())))),
            }
        });
        let stream = TokioIo::new(Unstalled::new(stream, self.write_timeout));
        let timer = HeadTimer::new(self.header_timeout);
        let connection = self.http.clone().timer(timer).serve_connection(stream, service).with_upgrades();
        let (finishing, ending) = (self.finishing.clone(), self.ending.clone());
        self.connections.spawn(async move {
            let _place = place;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = finishing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = ending.cancelled() => Ok(()),
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }

    async fn finish(self, patience: Duration) {
        self.finishing.cancel();
        self.connections.close();
        if timeout(patience, self.connections.wait()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "requests were still under way at the end");
            self.ending.cancel();
            self.connections.wait().await;
        }
    }
}

/// What is on its way is not counted, where the system can tell: how much that is, is the client's affair.
#[cfg(target_os = "linux")]
fn bound_unsent(stream: &TcpStream, bytes: u32) -> std::io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(bytes)
}

#[cfg(not(target_os = "linux"))]
fn bound_unsent(stream: &TcpStream, bytes: u32) -> std::io::Result<()> {
    SockRef::from(stream).set_send_buffer_size(bytes as usize)
}

/// A refusal from before the router, which looks like one of its own.
fn refusal(problem: Problem, headers: &HeaderMap) -> Response {
    let id = request_id(headers, SystemClock.now());
    let mut response = problem.into_response();
    problem::render(&mut response, id.to_str().unwrap_or_default());
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

/// Answers without reading: as much as can be done for one who is too many.
fn turn_away(stream: &TcpStream) {
    metrics::counter!("scoreboard_connections_refused_total").increment(1);
    let id = request_id(&HeaderMap::new(), SystemClock.now());
    let id = id.to_str().unwrap_or_default();
    let body = Problem::unavailable("there are too many connections").to_json(id);
    let mut answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncache-control: no-store\r\n\
         x-content-type-options: nosniff\r\nx-request-id: {id}\r\n\
         content-type: application/problem+json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    // The socket is new, so its buffer takes this whole; if not, the client is told by the close alone.
    let _ = stream.try_write(&answer);
}

/// A connection that could not be accepted: it has gone again, or the process is out of descriptors and must wait for some.
async fn refused(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "a connection could not be accepted");
        sleep(Duration::from_millis(100)).await;
    }
}

//! A small HTTP/1 client: one connection, kept alive, JSON both ways.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than the server lets any request take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to one server, then the next, over one connection for as long as that lasts.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// `null` if the body is empty, a string if it is not JSON.
    pub(crate) body: Value,
}

/// There was no answer: whether the request did anything is unknown.
#[derive(Debug)]
pub(crate) struct Lost(String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Answer {
    /// The body, if the status is the expected one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "the server answered {}", self.body);
        self.body
    }
}

impl Client {
    /// Connects with the first request.
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// `GET`s a path.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Lost> {
        self.send("GET", path, None, None).await
    }

    /// `POST`s JSON to a path.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, Lost> {
        self.send("POST", path, None, Some(body)).await
    }

    /// Sends a request, with a bearer token if there is one.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Lost> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.address.to_string());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::from(body.map(Value::to_string).unwrap_or_default());
        self.answer_to(request.body(body).expect("tests send sound requests")).await
    }

    /// `POST`s a result as a trusted game server, under a key by which a repeat is known.
    pub(crate) async fn record(&mut self, server_key: &str, once: &str, result: &Value) -> Result<Answer, Lost> {
        let request = Request::post("/api/scoreboard/record")
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {server_key}"))
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", once);
        let request = request.body(Full::from(result.to_string())).expect("tests send sound requests");
        self.answer_to(request).await
    }

    async fn answer_to(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        match timeout(PATIENCE, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Lost(format!("no answer within {PATIENCE:?}"))),
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        let lost = |error: hyper::Error| Lost(format!("the connection was lost: {error:?}"));
        // Taken out meanwhile: a connection that fails, or whose answer nobody waited for, is not used again.
        let mut connection = match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => connect(self.address).await?,
        };
        connection.ready().await.map_err(lost)?;
        let (head, body) = connection.send_request(request).await.map_err(lost)?.into_parts();
        let bytes = body.collect().await.map_err(lost)?.to_bytes();
        self.connection = Some(connection);
        let body = match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Lost> {
    let lost = |error: &dyn fmt::Display| Lost(format!("cannot connect to {address}: {error}"));
    let stream = TcpStream::connect(address).await.map_err(|error| lost(&error))?;
    stream.set_nodelay(true).map_err(|error| lost(&error))?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    // Its failure is told to whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}

//! Who calls the server, and keeps every answer that is to bear no secret.

use std::net::SocketAddr;

use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Each call on a connection of its own: one that breaks is no other's.
#[derive(Debug)]
pub(crate) struct Caller {
    address: SocketAddr,
    /// Answers that are to bear nothing, with their heads.
    pub(crate) kept: Vec<(String, Vec<u8>)>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// A text of the answer.
    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.json().pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        found.unwrap_or_else(|| panic!("no {pointer} in {}", self.text))
    }
}

/// What is asked.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: String,
}

impl Caller {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, kept: Vec::new() }
    }

    /// An answer that bears secrets for who asked: it is not kept.
    pub(crate) async fn bearing(&self, call: Call<'_>) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(call.method).uri(call.path).header("host", self.address.to_string());
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if !call.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::<Bytes>::from(call.body)).expect("a request");
        let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
        let bytes = body.collect().await.expect("a whole answer").to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// An answer that is to bear nothing.
    pub(crate) async fn call(&mut self, call: Call<'_>) -> Answer {
        let what = format!("the answer to {} {}", call.method, call.path.split('?').next().unwrap_or_default());
        let answer = self.bearing(call).await;
        self.kept.push((what, format!("{:?}\n{}", answer.headers, answer.text).into_bytes()));
        answer
    }

    /// Several at once, whose answers are to bear nothing.
    pub(crate) async fn all(&mut self, calls: Vec<Call<'_>>) -> Vec<Answer> {
        let what: Vec<_> = calls.iter().map(|call| format!("the answer to {} {}", call.method, call.path)).collect();
        let answers = join_all(calls.into_iter().map(|call| self.bearing(call))).await;
        let kept = what.into_iter().zip(&answers);
        let kept = kept.map(|(what, answer)| (what, format!("{:?}\n{}", answer.headers, answer.text).into_bytes()));
        self.kept.extend(kept);
        answers
    }

    pub(crate) async fn post(&mut self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.call(Call { method: "POST", path, headers: &headers, body: body.to_string() }).await
    }

    /// The same, whose answer bears secrets.
    pub(crate) async fn take(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.bearing(Call { method: "POST", path, headers: &headers, body: body.to_string() }).await
    }

    pub(crate) async fn get(&mut self, path: &str, token: Option<&str>) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.call(Call { method: "GET", path, headers: &headers, body: String::new() }).await
    }
}

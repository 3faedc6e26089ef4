//! A client that sends what it is told to, byte for byte, and takes nothing for granted of what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::frame::{BINARY, CLOSE, Frame, PING, PONG, TEXT};

/// How long an answer may take, on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The longest that the server sends: its largest snapshot has some 20 KiB.
const LONGEST: usize = 64 * 1024;

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Text(String),
    Pong(Vec<u8>),
    /// The code, where there is one.
    Close(Option<u16>),
    /// Nothing more: the connection has ended.
    Ended,
}

/// What a message of the kind `ping` is answered by.
pub(crate) const ANSWER: &str = r#"{"type":"pong"}"#;

impl Said {
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Self::Text(text) if text == ANSWER)
    }

    pub(crate) fn is_error(&self, code: &str) -> bool {
        matches!(self, Self::Text(text) if text.starts_with(&format!(r#"{{"type":"error","code":"{code}""#)))
    }
}

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Driver {
    /// What is written, while what comes is read: the server may say something before it has taken all.
    pieces: UnboundedSender<Bytes>,
    from: OwnedReadHalf,
    unread: Vec<u8>,
}

impl Driver {
    /// Connects, and takes the greeting.
    pub(crate) async fn connect(server: SocketAddr) -> Result<Self, String> {
        let mut driver = Self::shake_hands(server).await.map_err(|error| error.to_string())?;
        match driver.next().await? {
            Said::Text(text) if text.contains(r#""type":"connected""#) => Ok(driver),
            other => Err(format!("greeted by {other:?}")),
        }
    }

    async fn shake_hands(server: SocketAddr) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        // The key and what is made of it are those of RFC 6455 §1.3.
        let request = format!(
            "GET /api/scoreboard/ws HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: scoreboard.v1\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let agreed = head.starts_with("http/1.1 101 ")
            && head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n")
            && head.contains("sec-websocket-protocol: scoreboard.v1\r\n")
            && !head.contains("sec-websocket-extensions");
        if !agreed {
            return Err(std::io::Error::other(format!("no such WebSocket was asked for: {head}")));
        }
        let (from, mut to) = stream.into_split();
        let (pieces, mut queue) = unbounded_channel::<Bytes>();
        tokio::spawn(async move {
            while let Some(piece) = queue.recv().await {
                // A server that has ended the connection does not take the rest.
                if to.write_all(&piece).await.is_err() {
                    return;
                }
            }
            // The last has been said, and the stream ends with it.
            let _ = to.shutdown().await;
        });
        Ok(Self { pieces, from, unread: Vec::new() })
    }

    /// Sends bytes, as they are.
    pub(crate) fn send(&self, bytes: impl Into<Bytes>) {
        // Where nobody takes them any more, what was answered says so.
        let _ = self.pieces.send(bytes.into());
    }

    /// Sends nothing more, and says so; what the server still says can be read.
    pub(crate) fn say_no_more(&mut self) {
        let (nobody, _) = unbounded_channel();
        self.pieces = nobody;
    }

    /// What the server says next; an error if it may not say so.
    pub(crate) async fn next(&mut self) -> Result<Said, String> {
        match timeout(PATIENCE, self.read()).await {
            Ok(said) => said,
            Err(_) => Err(format!("nothing was said for {PATIENCE:?}")),
        }
    }

    async fn read(&mut self) -> Result<Said, String> {
        loop {
            if let Some(said) = self.take()? {
                return Ok(said);
            }
            // A connection may end in a reset: the server had no use for what it has not read.
            match self.from.read_buf(&mut self.unread).await {
                Ok(0) | Err(_) if self.unread.is_empty() => return Ok(Said::Ended),
                Ok(0) | Err(_) => return Err(format!("ended within a frame: {:?}", self.unread)),
                Ok(_) => {}
            }
        }
    }

    /// The first frame, if it is whole. The server has no reason to send but whole, unmasked ones of the base protocol.
    fn take(&mut self) -> Result<Option<Said>, String> {
        let [first, second, ..] = self.unread[..] else { return Ok(None) };
        let (opcode, length) = (first & 0x0F, usize::from(second));
        if first & 0xF0 != 0x80 || second & 0x80 != 0 {
            return Err(format!("a frame that begins with {first:#x} {second:#x}"));
        }
        let (head, length) = match (length, &self.unread[2..]) {
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (126, _) => return Ok(None),
            (127, _) => return Err("a frame of more than 64 KiB".to_owned()),
            (short, _) => (2, short),
        };
        if length > LONGEST || (opcode >= CLOSE && length > 125) || (head == 4 && length < 126) {
            return Err(format!("a frame of {length} bytes with opcode {opcode}"));
        }
        if self.unread.len() < head + length {
            return Ok(None);
        }
        let payload: Vec<u8> = self.unread.drain(..head + length).skip(head).collect();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string());
        match opcode {
            TEXT => Ok(Some(Said::Text(text(&payload)?))),
            PONG => Ok(Some(Said::Pong(payload))),
            // A heartbeat; none is due within a case.
            PING => {
                self.send(Frame::pong(payload).encode());
                Ok(None)
            }
            CLOSE => match payload[..] {
                [] => Ok(Some(Said::Close(None))),
                [a, b, ref reason @ ..] => {
                    text(reason)?;
                    Ok(Some(Said::Close(Some(u16::from_be_bytes([a, b])))))
                }
                [_] => Err("a close of one byte".to_owned()),
            },
            BINARY => Err("a binary frame".to_owned()),
            other => Err(format!("a frame with opcode {other}")),
        }
    }
}

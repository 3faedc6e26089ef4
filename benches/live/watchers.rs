//! Those who watch: they count messages, and look at no more of them than they must.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

const HANDSHAKE: &str = "GET /api/scoreboard/ws HTTP/1.1\r\nhost: scoreboard\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: scoreboard.v1\r\n\r\n";

const SUBSCRIBE: &[u8] = br#"{"type":"subscribe","board":"main"}"#;

const OPCODE: u8 = 0x0f;
const TEXT: u8 = 0x1;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// How many open a connection at once.
const AT_ONCE: usize = 50;

/// Connections that read whatever comes. Dropped, they are closed.
pub(crate) struct Watchers {
    taken: Arc<Taken>,
    last: watch::Receiver<Vec<u8>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Default)]
struct Taken {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Watchers {
    pub(crate) async fn connect(address: SocketAddr, count: usize) -> Self {
        let taken = Arc::new(Taken::default());
        let (sender, last) = watch::channel(Vec::new());
        let mut tasks = Vec::with_capacity(count);
        while tasks.len() < count {
            let opened = join_all((0..AT_ONCE.min(count - tasks.len())).map(|_| open(address))).await;
            tasks.extend(opened.into_iter().map(|stream| {
                // One of them shows what it is told.
                let shown = (count == 1).then(|| sender.clone());
                tokio::task::spawn_local(read(stream, taken.clone(), shown))
            }));
        }
        Self { taken, last, tasks }
    }

    /// How many messages, and bytes of them, have arrived by now.
    pub(crate) fn taken(&self) -> (u64, u64) {
        (self.taken.messages.load(Ordering::Relaxed), self.taken.bytes.load(Ordering::Relaxed))
    }

    /// What the only one was told last.
    pub(crate) async fn last(&mut self) -> Vec<u8> {
        let last = self.last.wait_for(|message| !message.is_empty());
        tokio::time::timeout(Duration::from_secs(10), last).await.expect("in time").expect("it reads").clone()
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|task| task.abort());
    }
}

async fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the server takes connections");
    stream.set_nodelay(true).expect("TCP knows TCP_NODELAY");
    stream.write_all(HANDSHAKE.as_bytes()).await.expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the server answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream.write_all(&masked(TEXT, SUBSCRIBE)).await.expect("the server reads");
    stream
}

/// A whole frame of less than 126 bytes, masked by zeros (RFC 6455 §5.2).
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

async fn read(mut stream: TcpStream, taken: Arc<Taken>, shown: Option<watch::Sender<Vec<u8>>>) {
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => filled += read,
        }
        let mut at = 0;
        while let Some((head, length)) = frame(&buffer[at..filled]) {
            let payload = &buffer[at + head..at + head + length];
            match buffer[at] & OPCODE {
                TEXT => {}
                PING => {
                    stream.write_all(&masked(PONG, payload)).await.expect("the server reads");
                    at += head + length;
                    continue;
                }
                other => panic!("the server sent a frame of the kind {other}"),
            }
            taken.messages.fetch_add(1, Ordering::Relaxed);
            taken.bytes.fetch_add(length as u64, Ordering::Relaxed);
            if let Some(shown) = &shown {
                shown.send_replace(payload.to_vec());
            }
            at += head + length;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
}

/// The lengths of the head and the payload of a server's frame, if all of it is here: servers mask nothing (RFC 6455 §5.1).
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (head, length) = match *bytes {
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [_, 127, ..] => panic!("no message is that long"),
        [_, length, ..] if length < 126 => (2, usize::from(length)),
        _ => return None,
    };
    (bytes.len() >= head + length).then_some((head, length))
}

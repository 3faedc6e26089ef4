//! The load: connections that send a request, wait for its answer, and send the next. It looks at no more of an answer than
//! it must, so that the server is what limits.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub(crate) const READ: &[u8] = b"GET /api/scoreboard HTTP/1.1\r\nhost: scoreboard\r\n\r\n";

/// The bytes of an update.
pub(crate) fn update_request(token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = "POST /api/scoreboard/update HTTP/1.1\r\nhost: scoreboard\r\ncontent-type: application/json\r\n";
    format!("{head}authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Connections to one server.
pub(crate) struct Load {
    address: SocketAddr,
    connections: usize,
}

/// What came of a round.
pub(crate) struct Done {
    pub(crate) answered: u64,
    pub(crate) elapsed: Duration,
}

type Requests = Rc<RefCell<Box<dyn Iterator<Item = Vec<u8>>>>>;

impl Load {
    pub(crate) async fn connect(address: SocketAddr, connections: usize) -> Self {
        TcpStream::connect(address).await.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self { address, connections }
    }

    /// Sends requests over all connections for this long, or until they run out. Each must be answered 200.
    pub(crate) async fn run(&self, requests: Box<dyn Iterator<Item = Vec<u8>>>, duration: Duration) -> Done {
        self.open().await.run(requests, duration).await
    }

    /// Opens all connections.
    pub(crate) async fn open(&self) -> Opened {
        let opened = join_all((0..self.connections).map(|_| TcpStream::connect(self.address))).await;
        Opened(opened.into_iter().map(|stream| stream.expect("the server takes connections")).collect())
    }
}

/// Connections that are open, and over which nothing was sent yet.
pub(crate) struct Opened(Vec<TcpStream>);

impl Opened {
    /// As [`Load::run`].
    pub(crate) async fn run(self, requests: Box<dyn Iterator<Item = Vec<u8>>>, duration: Duration) -> Done {
        let requests: Requests = Rc::new(RefCell::new(requests));
        let started = Instant::now();
        let deadline = started + duration;
        let converse = |stream| tokio::task::spawn_local(converse(stream, requests.clone(), deadline));
        let tasks = self.0.into_iter().map(converse);
        let answered =
            join_all(tasks.collect::<Vec<_>>()).await.into_iter().map(|answered| answered.expect("no panic")).sum();
        Done { answered, elapsed: started.elapsed() }
    }
}

/// One request after the other; gives how many were answered.
async fn converse(mut stream: TcpStream, requests: Requests, deadline: Instant) -> u64 {
    stream.set_nodelay(true).expect("TCP knows TCP_NODELAY");
    let mut buffer = vec![0; 64 * 1024];
    let mut answered = 0;
    while Instant::now() < deadline {
        let next = requests.borrow_mut().next();
        let Some(request) = next else { break };
        stream.write_all(&request).await.expect("the server reads");
        read_answer(&mut stream, &mut buffer).await;
        answered += 1;
    }
    answered
}

pub(crate) async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.expect("the server answers");
        assert!(read > 0, "the server closed: {}", String::from_utf8_lossy(&buffer[..filled]));
        filled += read;
        if let Some(length) = whole(&buffer[..filled]) {
            assert!(
                filled == length && buffer.starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&buffer[..filled])
            );
            return;
        }
    }
}

/// The length of the answer, if all of it is here.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    const NAME: &[u8] = b"content-length: ";
    let at = bytes[..head].windows(NAME.len()).position(|name| name.eq_ignore_ascii_case(NAME)).expect("a length")
        + NAME.len();
    let digits = bytes[at..head].iter().take_while(|byte| byte.is_ascii_digit());
    let length = head + digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    (bytes.len() >= length).then_some(length)
}

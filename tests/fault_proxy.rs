//! The fault proxy does what it says: what is tested with it depends on that.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use support::fault_proxy::{Fault, FaultProxy, Trap, Upstream};
use support::postgres_wire::Commits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// How long nothing must come where nothing is to come.
const SILENCE: Duration = Duration::from_millis(200);

/// Says everything back, on a port of its own.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

struct Line(TcpStream);

impl Line {
    async fn through(proxy: &FaultProxy) -> Self {
        Self(TcpStream::connect(proxy.address()).await.expect("it listens"))
    }

    /// What comes back for `text`; an empty text if the connection ends.
    async fn say(&mut self, text: &str) -> std::io::Result<String> {
        self.0.write_all(text.as_bytes()).await?;
        let mut back = vec![0; text.len()];
        let mut filled = 0;
        while filled < back.len() {
            match self.0.read(&mut back[filled..]).await? {
                0 => break,
                read => filled += read,
            }
        }
        back.truncate(filled);
        Ok(String::from_utf8(back).expect("an echo"))
    }
}

async fn proxied() -> (FaultProxy, Line) {
    let proxy = FaultProxy::start(Upstream::Port(echo().await)).await;
    let mut line = Line::through(&proxy).await;
    assert_eq!(line.say("hello").await.expect("it is carried"), "hello");
    (proxy, line)
}

#[tokio::test]
async fn late_and_slow_take_their_time() {
    let (proxy, mut line) = proxied().await;
    let latency = Duration::from_millis(40);
    proxy.set(Fault::Late { latency, jitter: Duration::from_millis(10) });
    let began = Instant::now();
    assert_eq!(line.say("late").await.unwrap(), "late");
    assert!(began.elapsed() >= 2 * latency, "there and back: {:?}", began.elapsed());

    proxy.set(Fault::Slow { bytes_per_second: 10_000 });
    let began = Instant::now();
    assert_eq!(line.say(&"s".repeat(1000)).await.unwrap().len(), 1000);
    assert!(began.elapsed() >= Duration::from_millis(200), "there and back: {:?}", began.elapsed());
    proxy.set(Fault::None);
    assert_eq!(line.say("again").await.unwrap(), "again");
}

#[tokio::test]
async fn cut_and_reset_end_connections_old_and_new() {
    let (proxy, mut line) = proxied().await;
    proxy.set(Fault::Cut);
    assert!(line.say("cut").await.is_ok_and(|back| back.is_empty()) || line.say("cut").await.is_err());
    assert_eq!(Line::through(&proxy).await.say("cut").await.ok().filter(|back| !back.is_empty()), None);
    proxy.set(Fault::None);
    let mut line = Line::through(&proxy).await;
    assert_eq!(line.say("again").await.unwrap(), "again");
    proxy.set(Fault::Reset);
    let ended = line.0.read(&mut [0]).await;
    assert_eq!(ended.expect_err("a reset").kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn half_open_says_nothing_and_stays_so() {
    let (proxy, mut line) = proxied().await;
    proxy.set(Fault::HalfOpen);
    assert!(timeout(SILENCE, line.say("hello?")).await.is_err(), "nobody is told");
    let mut new = Line::through(&proxy).await;
    assert!(timeout(SILENCE, new.say("hello?")).await.is_err(), "a new one is taken, and no better");
    proxy.set(Fault::None);
    assert!(timeout(SILENCE, line.say("now?")).await.is_err(), "what was dead stays dead");
    assert_eq!(Line::through(&proxy).await.say("again").await.unwrap(), "again");
}

#[tokio::test]
async fn a_reply_is_dropped_as_often_as_it_was_told() {
    let (proxy, mut line) = proxied().await;
    proxy.arm(Trap::DropReply, 1);
    assert_eq!(line.say("lost").await.unwrap(), "", "it is closed instead");
    assert_eq!(proxy.sprung(), 1);
    assert_eq!(Line::through(&proxy).await.say("again").await.unwrap(), "again");
}

#[tokio::test]
async fn announcements_are_lost_and_nothing_else() {
    let announcement = "*3\r\n$7\r\nmessage\r\n$4\r\nlive\r\n$3\r\n1.7\r\n";
    let (proxy, mut line) = proxied().await;
    assert_eq!(line.say(announcement).await.unwrap(), announcement);
    proxy.set(Fault::Lossy { percent: 100, jitter: Duration::ZERO });
    assert_eq!(line.say("+OK\r\n").await.unwrap(), "+OK\r\n");
    assert!(timeout(SILENCE, line.say(announcement)).await.is_err(), "it is lost");
    assert_eq!(line.say("+OK\r\n").await.unwrap(), "+OK\r\n", "the connection is as it was");
    assert_eq!(proxy.lost(), 1);
    proxy.set(Fault::Lossy { percent: 0, jitter: Duration::from_millis(1) });
    assert_eq!(line.say(announcement).await.unwrap(), announcement);
}

#[test]
fn a_commit_is_seen_in_whatever_pieces_it_comes() {
    let message = |kind: &[u8], body: &[u8]| {
        let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
        [kind, &length, body].concat()
    };
    let first = message(b"", b"\x00\x03\x00\x00user\x00me\x00\x00");
    let ssl = message(b"", &80_877_103_u32.to_be_bytes());
    let begin = message(b"Q", b"BEGIN\0");
    let simple = message(b"Q", b"COMMIT\0");
    let extended = message(b"P", b"sqlx_s_1\0COMMIT\0\0\0");
    let other = message(b"P", b"COMMIT\0SELECT 'COMMIT'\0\0\0");
    let sync = message(b"S", b"");
    let prepared = [message(b"P", b"sqlx_s_2\0WITH moved AS (SELECT)\0\0\0"), sync.clone()].concat();
    let write = [message(b"B", b"\0sqlx_s_2\0\0\0"), message(b"E", b"\0\0\0\0\0"), sync].concat();
    let rollback = message(b"Q", b"ROLLBACK\0");
    // In a transaction a batch's write commits nothing; by itself it is one.
    let inside = [&prepared[..], &write, &simple].concat();
    let alone = [&rollback[..], &prepared, &write].concat();
    for commit in [&simple, &extended, &inside, &alone] {
        let all = [&ssl[..], &first, &begin, &other, commit].concat();
        for size in [1, 2, 7, all.len()] {
            let mut commits = Commits::default();
            let seen: Vec<bool> = all.chunks(size).map(|piece| commits.see(piece)).collect();
            let (last, before) = seen.split_last().expect("pieces");
            assert!(*last && !before.contains(&true), "pieces of {size}: {seen:?}");
        }
    }
}

//! A TCP proxy that does to connections what networks do: delays, cuts, swallows, resets, slows down; and at the very moment that hurts
//! most, between a question and its answer.
//!
//! It listens on a free port of the loopback address, and leads to another port or to a Unix socket. Its randomness comes from a seed
//! that a failing test prints. What it is told holds for connections that are open already too.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Mutex, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::postgres_wire::Commits;
use super::redis_wire::is_announcement;
use super::seed::Seeded;

/// How much is passed on at once.
const CHUNK: usize = 16 * 1024;

/// What happens to what goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Each piece arrives this much later, and up to `jitter` more.
    Late { latency: Duration, jitter: Duration },
    /// So many bytes a second, each way.
    Slow { bytes_per_second: u32 },
    /// Redis: of its announcements so many of a hundred are lost, and the others arrive up to `jitter` later. All else goes through.
    Lossy { percent: u64, jitter: Duration },
    /// Nothing arrives any more, and nobody is told: not even of an end. New connections are taken, and no better. What was on its
    /// way is lost, so these connections stay dead when the fault is over.
    HalfOpen,
    /// Every connection is closed, and every new one too.
    Cut,
    /// The same by a reset, which also loses what was on its way.
    Reset,
}

/// Where it leads.
#[derive(Debug, Clone)]
pub(crate) enum Upstream {
    Port(SocketAddr),
    Socket(PathBuf),
}

/// What it does when it hears a certain question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// PostgreSQL: a `COMMIT`, or what is a transaction by itself, is passed on, and the connection is reset before its answer comes back.
    AfterCommit,
    /// PostgreSQL: the connection is reset before such gets there. Who sent it cannot tell this from the former.
    BeforeCommit,
    /// Any protocol where a question is a piece: it is passed on, its answer is thrown away, and the connection is closed.
    DropReply,
}

/// A running proxy. Dropped, it is gone with all its connections.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    upstream: Upstream,
    fault: watch::Sender<Fault>,
    random: Mutex<Seeded>,
    /// What is to happen, how often still, and how often it did.
    trap: std::sync::Mutex<Option<Trap>>,
    left: AtomicUsize,
    sprung: AtomicUsize,
    /// How many pieces with announcements were lost.
    lost: AtomicUsize,
}

impl FaultProxy {
    /// One that does nothing yet.
    pub(crate) async fn start(upstream: Upstream) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let random = Seeded::new();
        // Shown if the test fails.
        println!("the fault proxy at {address} draws by {}", random.told());
        let shared = Arc::new(Shared {
            upstream,
            fault: watch::Sender::new(Fault::None),
            random: Mutex::new(random),
            trap: std::sync::Mutex::new(None),
            left: AtomicUsize::new(0),
            sprung: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Self { address, shared, task }
    }

    /// Where to connect to.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, this happens, to connections that are open too.
    pub(crate) fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
    }

    /// The next `times` that the question comes by, on whatever connection.
    pub(crate) fn arm(&self, trap: Trap, times: usize) {
        *self.shared.trap.lock().expect("nobody panics with it") = Some(trap);
        self.shared.left.store(times, Ordering::SeqCst);
    }

    /// How often a trap has sprung so far.
    pub(crate) fn sprung(&self) -> usize {
        self.shared.sprung.load(Ordering::SeqCst)
    }

    /// How many pieces with announcements it has lost.
    pub(crate) fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn trap(&self) -> Option<Trap> {
        let armed = self.left.load(Ordering::SeqCst) > 0;
        self.trap.lock().expect("nobody panics with it").filter(|_| armed)
    }

    /// Whether it springs now: each time only once.
    fn spring(&self) -> bool {
        let took = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        self.sprung.fetch_add(usize::from(took), Ordering::SeqCst);
        took
    }

    /// Whether an announcement is lost.
    async fn loses(&self, percent: u64) -> bool {
        let loses = self.random.lock().await.within(0..100) < percent;
        self.lost.fetch_add(usize::from(loses), Ordering::SeqCst);
        loses
    }

    async fn within(&self, range: Duration) -> Duration {
        let most = u64::try_from(range.as_micros()).expect("a short time");
        let mut random = self.random.lock().await;
        Duration::from_micros(random.within(0..most + 1))
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Gone with this task.
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            // How a connection ends is what the test is about: it sees it at its own end.
            let _: io::Result<()> = carry(client, &shared).await;
        });
    }
}

async fn carry(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut fault = shared.fault.subscribe();
    let now = *fault.borrow_and_update();
    if now == Fault::HalfOpen {
        // Taken by the kernel, and then nothing.
        return swallow(client).await;
    }
    match &shared.upstream {
        Upstream::Port(address) => {
            let server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            both_ways(client, server, shared, fault).await
        }
        Upstream::Socket(path) => both_ways(client, UnixStream::connect(path).await?, shared, fault).await,
    }
}

/// Whatever comes is lost, until the proxy goes.
async fn swallow(_kept: TcpStream) -> io::Result<()> {
    std::future::pending().await
}

async fn both_ways(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    shared: &Shared,
    mut fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let (mut asked, mut answered) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut commits = Commits::default();
    // The answer to what was just passed on is not to arrive.
    let mut sprung = None;
    loop {
        let now = *fault.borrow_and_update();
        match now {
            Fault::HalfOpen => return swallow(client).await,
            Fault::Cut => return Ok(()),
            Fault::Reset => return reset(&client),
            Fault::None | Fault::Late { .. } | Fault::Slow { .. } | Fault::Lossy { .. } => {}
        }
        tokio::select! {
            _ = fault.changed() => {}
            read = client.read(&mut asked) => {
                let read = read?;
                if read == 0 {
                    return server.shutdown().await;
                }
                disturb(now, shared, read).await;
                // Looked at even while no trap is set: a message may begin in one piece and end in another.
                let commit = commits.see(&asked[..read]);
                sprung = match shared.trap() {
                    Some(Trap::AfterCommit) if commit && shared.spring() => Some(Trap::AfterCommit),
                    Some(Trap::BeforeCommit) if commit && shared.spring() => return reset(&client),
                    Some(Trap::DropReply) if shared.spring() => Some(Trap::DropReply),
                    Some(_) | None => None,
                };
                server.write_all(&asked[..read]).await?;
            }
            read = server.read(&mut answered) => {
                let read = read?;
                if read == 0 {
                    return client.shutdown().await;
                }
                match sprung {
                    // The server has answered, so it has done it; the client does not hear of it.
                    Some(Trap::AfterCommit) => return reset(&client),
                    Some(Trap::DropReply) => return Ok(()),
                    Some(Trap::BeforeCommit) | None => {}
                }
                if let Fault::Lossy { percent, jitter } = now
                    && is_announcement(&answered[..read])
                {
                    if shared.loses(percent).await {
                        continue;
                    }
                    sleep(shared.within(jitter).await).await;
                }
                disturb(now, shared, read).await;
                client.write_all(&answered[..read]).await?;
            }
        }
    }
}

async fn disturb(fault: Fault, shared: &Shared, bytes: usize) {
    match fault {
        Fault::Late { latency, jitter } => sleep(latency + shared.within(jitter).await).await,
        Fault::Slow { bytes_per_second } => {
            sleep(Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_second))).await;
        }
        Fault::None | Fault::Lossy { .. } | Fault::HalfOpen | Fault::Cut | Fault::Reset => {}
    }
}

/// Closed with nothing to wait for, a socket sends a reset.
fn reset(client: &TcpStream) -> io::Result<()> {
    client.set_zero_linger()
}

//! What stands on another machine, called over a connection that may break, stall, or end with its machine.
//!
//! Only the number of a call travels; the call itself lies on a desk that both sides reach. So nothing need be encoded, and whatever befalls
//! the bytes of a real call befalls this one: its request may not arrive, or arrive when nobody waits any more and be obeyed all the same, and
//! its answer may be lost.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use scoreboard_core::{BackendError, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use turmoil::net::{TcpListener, TcpStream};

/// The machine of the truth, where it listens, and how long a call of it may take.
pub(crate) const TRUTH: &str = "truth";
const PORT: u16 = 7_000;
pub(crate) const CALL: Duration = Duration::from_millis(400);

type Job = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The calls that are under way.
#[derive(Default)]
pub(crate) struct Desk(Mutex<(u64, HashMap<u64, Job>)>);

impl Desk {
    fn put(&self, job: Job) -> u64 {
        let mut desk = self.0.lock();
        desk.0 += 1;
        let number = desk.0;
        desk.1.insert(number, job);
        number
    }

    fn take(&self, number: u64) -> Option<Job> {
        self.0.lock().1.remove(&number)
    }
}

/// The machine at the other end: obeys each call that arrives.
pub(crate) async fn serve(desk: Arc<Desk>) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let desk = desk.clone();
        tokio::spawn(async move {
            let Ok(number) = stream.read_u64().await else { return };
            if let Some(job) = desk.take(number) {
                job().await;
            }
            // Whoever asked may have given up.
            let _ = stream.write_u8(1).await;
        });
    }
}

/// `T` on the machine of the truth.
pub(crate) struct Remote<T> {
    pub(crate) there: Arc<T>,
    pub(crate) desk: Arc<Desk>,
}

impl<T> fmt::Debug for Remote<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl<T: Send + Sync + 'static> Remote<T> {
    /// Calls it. An error says whether it may have been obeyed.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(Arc<T>) -> BoxFuture<'static, R> + Send + 'static,
    ) -> Result<R, BackendError> {
        let (there, answer) = (self.there.clone(), Arc::new(Mutex::new(None)));
        let slot = answer.clone();
        let job = move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                let done = work(there).await;
                *slot.lock() = Some(done);
            })
        };
        let number = self.desk.put(Box::new(job));
        let failed = |kind| BackendError::new(kind, "remote", operation);
        let connected = timeout(CALL, TcpStream::connect((TRUTH, PORT))).await;
        let Ok(Ok(mut stream)) = connected else { return Err(failed(ErrorKind::Unavailable)) };
        let asked = async {
            stream.write_u64(number).await?;
            stream.read_u8().await
        };
        match timeout(CALL, asked).await {
            Ok(Ok(_)) => answer.lock().take().ok_or(failed(ErrorKind::OutcomeUnknown)),
            Ok(Err(_)) | Err(_) => Err(failed(ErrorKind::OutcomeUnknown)),
        }
    }
}

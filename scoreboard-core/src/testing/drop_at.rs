//! Callers that go away while they wait.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Polls a future at most so often, then drops it: what it gave, if it was done by then.
///
/// It is dropped while what it waits for is under way, not once that is done.
pub(crate) async fn drop_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    if polls == 0 {
        return None;
    }
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

//! Load that does not wait for answers before it sends more: what is late is late, and counted as that.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::load::read_answer;

/// Sends requests at a steady pace over so many connections, whatever the answers take; gives how long after its time each was answered.
pub(crate) async fn at_pace(
    address: SocketAddr,
    connections: usize,
    per_second: f64,
    requests: Vec<Vec<u8>>,
) -> Vec<Duration> {
    let opened = join_all((0..connections).map(|_| TcpStream::connect(address))).await;
    let started = Instant::now();
    let due = move |number: usize| started + Duration::from_secs_f64(number as f64 / per_second);
    let requests = Rc::new(RefCell::new(requests.into_iter().enumerate()));
    let tasks = opened.into_iter().map(|stream| {
        let (mut stream, requests) = (stream.expect("the server takes connections"), requests.clone());
        tokio::task::spawn_local(async move {
            stream.set_nodelay(true).expect("TCP knows TCP_NODELAY");
            let mut buffer = vec![0; 64 * 1024];
            let mut took = Vec::new();
            loop {
                let next = requests.borrow_mut().next();
                let Some((number, request)) = next else { return took };
                sleep_until(due(number)).await;
                stream.write_all(&request).await.expect("the server reads");
                read_answer(&mut stream, &mut buffer).await;
                took.push(due(number).elapsed());
            }
        })
    });
    join_all(tasks.collect::<Vec<_>>()).await.into_iter().flat_map(|took| took.expect("no panic")).collect()
}

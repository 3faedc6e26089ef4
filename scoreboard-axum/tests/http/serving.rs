//! `serve`, on real sockets: bounds on time and number, and the drain.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use scoreboard_axum::{Lifecycle, ServeConfig, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::support::{Setup, World};
use crate::watcher::Watcher;

/// A server on a free port.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(world: &World) -> Self {
        let mut config = ServeConfig::default();
        config.drain = Duration::from_millis(200);
        Self::start_with(world, config).await
    }

    async fn start_with(world: &World, config: ServeConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let ended = tokio::spawn(serve(listener, world.router.clone(), config, world.lifecycle.clone(), shutdown));
        world.lifecycle.ready();
        Self { address, stop, ended }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        timeout(Duration::from_secs(20), self.ended).await.expect("the drain ends").unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// All that comes until the server closes, and how long that took.
async fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let (started, mut bytes) = (Instant::now(), Vec::new());
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.expect("the server closes");
    assert!(read.is_ok() || bytes.is_empty(), "{read:?}");
    (String::from_utf8_lossy(&bytes).into_owned(), started.elapsed())
}

/// A problem, whole, that names the request as the header does.
#[track_caller]
fn assert_named_problem(head: &str, body: &str, status: u16, code: &str) {
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert_eq!(header("content-type:"), Some("application/problem+json"), "{head}");
    assert_eq!(header("x-content-type-options:"), Some("nosniff"), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)));
    assert_eq!(problem["type"], format!("urn:scoreboard:problem:{code}"));
    let id = header("x-request-id:").unwrap_or_default();
    assert!(!id.is_empty() && problem["requestId"] == id, "{head} {body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_headers_are_cut_off() {
    let world = World::new().await;
    let mut config = ServeConfig::default();
    config.header_timeout = Duration::from_millis(500);
    let served = Served::start_with(&world, config).await;
    // Nothing at all; half a head; a head in small pieces; idle after an answer.
    for start in ["", "GET / HTTP/1.1\r\nHost: x\r\n", "PRI * HTTP/2.0\r\n"] {
        let mut stream = served.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let (_, took) = rest(&mut stream).await;
        assert!(took < Duration::from_secs(5), "{start:?}: {took:?}");
    }
    let mut stream = served.connect().await;
    let drip = async {
        for piece in "GET / HTTP/1.1\r\nA: b\r\n".repeat(100).as_bytes() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if stream.write_all(&[*piece]).await.is_err() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(5), drip).await.expect("the connection is cut");
    let mut stream = served.connect().await;
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (text, took) = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && took < Duration::from_secs(5), "{took:?} {text}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_is_408() {
    let mut setup = Setup::default();
    setup.http.body_timeout = Duration::from_millis(200);
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let mut stream = served.connect().await;
    let head =
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"em";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (text, _) = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("\"code\":\"request_timeout\""), "{text}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_no_http_are_refused() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(500));
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(200_000));
    let far = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(65_534));
    for (head, status) in [
        ("\u{0}\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 400),
        ("GET /\u{1} HTTP/1.1\r\n\r\n", 400),
        (&far, 414),
        (&many, 431),
        (&long, 431),
    ] {
        let mut stream = served.connect().await;
        let _ = stream.write_all(head.as_bytes()).await;
        let (text, _) = rest(&mut stream).await;
        // Written by hyper alone. Of what was sent beyond, the answer may be lost with the connection.
        assert!(text.is_empty() || text.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text}");
        assert!(text.is_empty() || text.ends_with("\r\n\r\n"), "it has no body: {text}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_is_turned_away() {
    let world = World::new().await;
    let mut config = ServeConfig::default();
    config.max_connections = 1;
    let served = Served::start_with(&world, config).await;
    let mut held = served.connect().await;
    held.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    held.read_exact(&mut start).await.unwrap();
    let mut second = served.connect().await;
    let (text, _) = rest(&mut second).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"), "{text}");
    assert!(head.contains(&format!("content-length: {}", body.len())));
    assert_named_problem(head, body, 503, "unavailable");
    drop(held);
    served.stop().await;
}

/// What this client is told, whether it is kept or turned away.
async fn told(served: &Served) -> (TcpStream, String) {
    let mut stream = served.connect().await;
    let _ = stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    (stream, String::from_utf8_lossy(&start).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_all_places() {
    let world = World::new().await;
    let mut config = ServeConfig::default();
    config.max_connections_per_address = 2;
    let served = Served::start_with(&world, config.clone()).await;
    let (first, _) = told(&served).await;
    let (_second, start) = told(&served).await;
    assert_eq!(start, "HTTP/1.1 200");
    let mut third = served.connect().await;
    let (text, _) = rest(&mut third).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_named_problem(head, body, 503, "unavailable");
    drop(first);
    let again = async {
        loop {
            let mut stream = served.connect().await;
            let _ = stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            let mut text = String::new();
            let _ = stream.read_to_string(&mut text).await;
            if text.starts_with("HTTP/1.1 200") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), again).await.expect("the place is free again");
    served.stop().await;

    // Behind a proxy that is trusted, one address is many clients.
    let world = World::new().await;
    config.trusted_proxies.push("127.0.0.0/8".parse().unwrap());
    let served = Served::start_with(&world, config).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let (stream, start) = told(&served).await;
        assert_eq!(start, "HTTP/1.1 200");
        held.push(stream);
    }
    drop(held);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_one_host() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ask = async |line: &str, headers: &str| {
        let mut stream = served.connect().await;
        let head = format!("GET /health/live {line}\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        rest(&mut stream).await.0
    };
    let (new, old) = ("HTTP/1.1", "HTTP/1.0");
    for (version, headers) in [
        (new, ""),
        (new, "Host: a\r\nHost: a\r\n"),
        (new, "Host: a\r\nHost: b\r\n"),
        (old, "Host: a\r\nHost: b\r\n"),
        (new, "Host: a b\r\n"),
        (new, "Host: a/b\r\n"),
        (new, "Host: user@a\r\n"),
        (new, "Host: a, b\r\n"),
    ] {
        let text = ask(version, headers).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_named_problem(&head.replace("HTTP/1.0", "HTTP/1.1"), body, 400, "invalid_request");
        assert!(body.contains("/header/Host"), "{body}");
    }
    for (version, headers) in [
        (new, "Host: a\r\n"),
        (new, "Host: [::1]:8080\r\n"),
        (new, "Host: a_b.example:80\r\n"),
        (new, "Host:\r\n"),
        (old, ""),
    ] {
        let text = ask(version, headers).await;
        assert!(text.get(8..12) == Some(" 200"), "{headers:?}: {text}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_is_cut_off() {
    let world = World::new().await;
    let mut config = ServeConfig::default();
    config.write_timeout = Duration::from_millis(300);
    let served = Served::start_with(&world, config).await;
    let mut stream = served.connect().await;
    // Answers of some megabytes, which fill every buffer on the way.
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
    stream.write_all(request.as_bytes()).await.unwrap();
    // Once the server has closed, it refuses what is sent.
    let closed = async {
        while stream.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), closed).await.expect("the server closes");
    let mut taken = 0;
    let mut buffer = vec![0; 1 << 20];
    let end = async {
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(n) => taken += n,
            }
        }
    };
    timeout(Duration::from_secs(20), end).await.expect("the server has closed");
    assert!(taken < 50 << 20, "{taken}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_spreads_the_ends_and_answers_to_the_last() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let mut config = ServeConfig::default();
    config.drain = Duration::from_secs(2);
    let served = Served::start_with(&world, config).await;
    let mut watchers = Vec::new();
    for _ in 0..40 {
        let mut watcher = Watcher::connect(&served).await;
        watcher.say(json!({ "type": "subscribe" })).await;
        watchers.push(watcher);
    }
    let address = served.address;
    let started = Instant::now();
    let ends = watchers.into_iter().map(|mut watcher| {
        tokio::spawn(async move {
            let (_, code) = watcher.closed().await;
            (code, started.elapsed())
        })
    });
    let ends: Vec<_> = ends.collect();
    let stopping = tokio::spawn(served.stop());
    while world.lifecycle.is_ready() {
        tokio::task::yield_now().await;
    }
    // Still there, and says so.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut stream).await.0.starts_with("HTTP/1.1 503"));
    world.tap(&ada).await;
    let mut bins = [0; 4];
    for end in ends {
        let (code, at) = end.await.unwrap();
        assert_eq!(code, 1012);
        bins[((at.as_secs_f64() / 0.5) as usize).min(3)] += 1;
    }
    assert!(bins.iter().all(|&bin| bin <= 20), "{bins:?}");
    stopping.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

/// What stands in front, and asks whether to send more, is given time to hear that it shall not; meanwhile all is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_told_before_it_comes() {
    let world = World::new().await;
    let mut config = ServeConfig::default();
    config.notice = Duration::from_millis(1500);
    let served = Served::start_with(&world, config).await;
    let mut kept = served.connect().await;
    let ask = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    kept.write_all(ask).await.unwrap();
    let mut answer = [0; 1024];
    let read = kept.read(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer[..read]).contains("connection: close"), "it may be used again");

    let (address, began) = (served.address, Instant::now());
    let stopping = tokio::spawn(served.stop());
    while world.lifecycle.is_ready() {
        tokio::task::yield_now().await;
    }
    // The last on its connection, and a new one.
    kept.write_all(ask).await.unwrap();
    let mut new = TcpStream::connect(address).await.expect("nothing is live, and it is there all the same");
    new.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    for (stream, status) in [(&mut kept, 200), (&mut new, 503)] {
        let (text, _) = rest(stream).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains("connection: close"), "{text}");
    }
    stopping.await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_gets_its_answer() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let mut stream = served.connect().await;
    let body = r#"{"email":"a@b.org","password":"x"}"#;
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Said once the route asks for the body.
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut go_on).await.unwrap();
    stream.write_all(&body.as_bytes()[..5]).await.unwrap();
    let address = served.address;
    let stopping = tokio::spawn(served.stop());
    // Until nobody else is let in.
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stream.write_all(&body.as_bytes()[5..]).await.unwrap();
    let (text, _) = rest(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    stopping.await.unwrap();
}

/// What a client does not take stays with who sends it, who can then send something newer instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_waits_in_the_system_for_a_client_that_does_not_read() {
    const CHUNK: usize = 4 * 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let endless = move || {
        let counted = counted.clone();
        async move {
            Body::from_stream(stream::repeat_with(move || {
                counted.fetch_add(CHUNK, Ordering::Relaxed);
                Ok::<_, Infallible>(Bytes::from_static(&[b'x'; CHUNK]))
            }))
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(endless));
    let server =
        tokio::spawn(serve(listener, router, ServeConfig::default(), Lifecycle::default(), std::future::pending()));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // Until no more is taken for a while.
    let mut taken = 0;
    while taken == 0 || taken != sent.load(Ordering::Relaxed) {
        taken = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(taken < 512 * 1024, "{taken} bytes were taken");
    drop(stream);
    server.abort();
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    for _ in 0..20 {
        let mut stream = served.connect().await;
        stream.write_all(b"GET /api/scoreboard HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let (answer, _) = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    served.stop().await;
}

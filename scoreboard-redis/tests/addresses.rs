//! Wrong URLs, wrong passwords and TLS: clear errors, and no secrets in them.

mod support;

use std::process::Command;
use std::time::Duration;

use scoreboard_core::{BackendError, Cell, Decision, ErrorKind, RateLimiter, Timestamp};
use scoreboard_redis::{Config, Redis, RedisRateLimiter};
use support::cluster::{Cluster, Sentinels};
use support::server::{Process, folder, free_port};
use support::{chain, config};

const SECRET: &str = "s3cret-never-shown";

/// What a call on this URL fails with, and that nothing that can be shown holds the secret.
async fn failure(config: &Config) -> BackendError {
    let redis = Redis::new(config).expect("a handle");
    let cells = [Cell { policy: "p", subject: "alice", quota: "10/min".parse().expect("a quota") }];
    let limiter = RedisRateLimiter::new(redis.clone());
    let taken = limiter.take(&cells, Timestamp::from_millis(0)).await.expect_err("it cannot work");
    let checked = redis.check().await.expect_err("it cannot work");
    for shown in [chain(&taken), chain(&checked), format!("{taken:?} {config:?} {redis:?} {limiter:?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_unavailable() {
    let port = free_port();
    for scheme in ["redis", "rediss"] {
        let error = failure(&config(&format!("{scheme}://user:{SECRET}@127.0.0.1:{port}"))).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
    }
    let error = failure(&config(&format!("redis+cluster://user:{SECRET}@127.0.0.1:{port}"))).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_refused() {
    let server = Process::start(&["--requirepass", "right"]);
    for user in ["", ":", "nobody:", "default:"] {
        let user = if user.is_empty() { String::new() } else { format!("{user}{SECRET}@") };
        let error = failure(&config(&format!("redis://{user}127.0.0.1:{}", server.port))).await;
        assert_eq!(error.kind(), ErrorKind::Refused, "{}", chain(&error));
    }
    let right = format!("redis://:right@127.0.0.1:{}", server.port);
    Redis::new(&config(&right)).expect("a handle").check().await.expect("the right one works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_may_not_write_is_refused() {
    let server = Process::start(&[]);
    let rule = format!(">{SECRET}");
    server.cli(&["acl", "setuser", "reader", "on", &rule, "~*", "&*", "-@all", "+@read", "+@connection"]);
    let error = failure_of_take(&format!("redis://reader:{SECRET}@127.0.0.1:{}", server.port)).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", chain(&error));
    let rule = format!(">{SECRET}");
    server.cli(&["acl", "setuser", "writer", "on", &rule, "~test-*", "&test-*", "+@all"]);
    let redis = support::redis(&format!("redis://writer:{SECRET}@127.0.0.1:{}", server.port));
    redis.check().await.expect("a user for the namespace alone is enough");
}

async fn failure_of_take(url: &str) -> BackendError {
    let cells = [Cell { policy: "p", subject: "alice", quota: "10/min".parse().expect("a quota") }];
    let limiter = RedisRateLimiter::new(support::redis(url));
    let error = limiter.take(&cells, Timestamp::from_millis(0)).await.expect_err("it cannot work");
    assert!(!chain(&error).contains(SECRET), "{}", chain(&error));
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_a_cluster_is_no_server() {
    let cluster = Cluster::start(&[]);
    let mut refused = 0;
    for n in 0..20 {
        let limiter = RedisRateLimiter::new(support::redis(&cluster.nodes[0].url()));
        let subject = n.to_string();
        let cells = [Cell { policy: "p", subject: &subject, quota: "10/min".parse().expect("a quota") }];
        if let Err(error) = limiter.take(&cells, Timestamp::from_millis(0)).await {
            assert_eq!(error.kind(), ErrorKind::Refused, "{}", chain(&error));
            refused += 1;
        }
    }
    assert!(refused > 5, "two thirds of the keys lie elsewhere: {refused} of 20");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_no_cluster_and_no_sentinel() {
    let server = Process::start(&[]);
    for url in [
        format!("redis+cluster://:{SECRET}@127.0.0.1:{}", server.port),
        format!("redis+sentinel://:{SECRET}@127.0.0.1:{}/scores", server.port),
    ] {
        let error = failure(&config(&url)).await;
        assert!(matches!(error.kind(), ErrorKind::Refused | ErrorKind::Unavailable), "{}", chain(&error));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_no_sentinel_knows_is_refused() {
    let sentinels = Sentinels::start();
    let url = sentinels.url().replace("/scores", "/others").replace("://", &format!("://:{SECRET}@"));
    let error = failure(&config(&url)).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "{}", chain(&error));
}

/// A server that speaks TLS, and the certificate to trust.
fn tls_server() -> (Process, u16, Vec<u8>) {
    let folder = folder();
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    // Of the program's own defaults one would make it an authority, which no server may be.
    let defaults = folder.join("openssl.cnf");
    std::fs::write(&defaults, "[req]\ndistinguished_name = name\n[name]\n").expect("it is written");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-config"])
        .arg(&defaults)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_port();
    let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
    let server = Process::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ]);
    let roots = std::fs::read(&certificate).expect("it was made");
    std::fs::remove_dir_all(folder).expect("the server has read them");
    (server, port, roots)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_where_it_is_asked_for_and_nowhere_else() {
    let (server, port, roots) = tls_server();
    let trusting = |url: &str| Config { tls_roots: Some(roots.clone()), ..config(url) };
    let url = format!("rediss://:{SECRET}@127.0.0.1:{port}");
    server.cli(&["config", "set", "requirepass", SECRET]);

    let redis = Redis::new(&trusting(&url)).expect("a handle");
    redis.check().await.expect("the certificate is trusted");
    let limiter = RedisRateLimiter::new(redis);
    let cells = [Cell { policy: "p", subject: "alice", quota: "10/min".parse().expect("a quota") }];
    let decision = limiter.take(&cells, Timestamp::from_millis(0)).await.expect("it answers");
    assert!(matches!(decision, Decision::Allowed(_)));

    let error = failure(&config(&url)).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "the machine does not trust it: {}", chain(&error));
    let error = failure(&trusting(&format!("rediss://:{SECRET}@localhost:{port}"))).await;
    assert_eq!(error.kind(), ErrorKind::Refused, "it was made for another name: {}", chain(&error));
    // Such a server waits for the rest of what it takes for a command; one that speaks TLS alone ends the connection.
    let hasty = |config| Config { call_timeout: Duration::from_millis(300), ..config };
    for wrong in [
        hasty(trusting(&format!("rediss://:{SECRET}@127.0.0.1:{}", server.port))),
        hasty(config(&url.replace("rediss", "redis"))),
    ] {
        let error = failure(&wrong).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_socket_is_an_address() {
    let folder = folder();
    let socket = folder.join("redis.sock");
    let _server = Process::start(&["--unixsocket", &socket.display().to_string()]);
    let redis = support::redis(&format!("redis+unix://{}", socket.display()));
    redis.check().await.expect("it answers");
    std::fs::remove_dir_all(folder).expect("it goes");
}

#[test]
fn certificates_that_are_none_are_refused_at_once() {
    let config =
        Config { tls_roots: Some(b"-----BEGIN CERTIFICATE-----\n%%\n".to_vec()), ..config("rediss://localhost") };
    let error = Redis::new(&config).expect_err("they cannot be read");
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn a_url_that_is_none_is_refused_without_a_word_of_it() {
    for url in ["", "http://host", &format!("redis://:{SECRET}@host:port"), &format!("redis+cluster://:{SECRET}@a,,b")]
    {
        let error = Redis::from_url(url).expect_err("it is none");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(!chain(&error).contains(SECRET), "{}", chain(&error));
    }
}

//! What a server says of a Redis that it cannot use.

use std::process::Command;

use crate::folder::{Ended, Folder};
use crate::keys::until;
use crate::redis_server::{Process, free_port};
use crate::served::Served;

const SECRET: &str = "s3cret-never-shown";

/// With its own 50 ms, a busy machine would decide who finds what.
const PATIENT: [&str; 4] = ["--set", "redis.timeout_ms=5000", "--listen", "127.0.0.1:0"];

/// A server with this Redis; its URL is in the environment, as secrets are.
fn command(folder: &Folder, url: &str) -> Command {
    let mut command = folder.command(&PATIENT);
    command.env("SCOREBOARD_REDIS__URL", url);
    command
}

/// The one line with which a server does not start on this Redis. One that starts all the same is ended after half a minute.
fn refused(folder: &Folder, url: &str) -> String {
    let server = command(folder, url);
    let mut bounded = Command::new("timeout");
    bounded.arg("30").arg(server.get_program()).args(server.get_args()).current_dir(folder.path("."));
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    Ended::of(bounded, "").one_line(1)
}

#[test]
fn a_wrong_password_of_redis_is_refused_at_the_start_in_one_line_without_it() {
    let redis = Process::start(&["--requirepass", "right"]);
    let folder = Folder::new();
    for (user, part) in [
        (format!(":{SECRET}@"), "Password authentication failed"),
        (format!("somebody:{SECRET}@"), "Password authentication failed"),
        (String::new(), "Authentication required"),
    ] {
        let refusal = refused(&folder, &format!("redis://{user}127.0.0.1:{}", redis.port));
        assert!(refusal.starts_with("error: cannot use the Redis of `redis.url`: "), "{refusal}");
        assert!(refusal.contains(part) && !refusal.contains(SECRET), "{refusal}");
    }
    let right = command(&folder, &format!("redis://:right@127.0.0.1:{}", redis.port));
    let server = Served::start_command(&folder, right);
    assert_eq!(server.get("/health").1["parts"]["cache"]["status"], "up");
    assert_eq!(server.stop(), Some(0));
    assert!(!folder.read("server.log").contains("Redis is not there yet"));
}

/// A Redis that speaks TLS alone on the port that is told, with a certificate that nobody trusts.
fn speaks_tls(folder: &Folder) -> (Process, u16) {
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.path(name).display().to_string());
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"])
        .args(["-subj", "/CN=localhost", "-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_port();
    let tls = ["--tls-port", &port.to_string(), "--tls-cert-file", &certificate, "--tls-key-file", &key];
    (Process::start(&[&tls[..], &["--tls-auth-clients", "no"]].concat()), port)
}

#[test]
fn a_server_starts_without_a_redis_that_does_not_speak_as_the_url_says_and_says_where_to_look() {
    let folder = Folder::new();
    let (redis, tls_port) = speaks_tls(&folder);
    for (scheme, port) in [("rediss", redis.port), ("redis", tls_port)] {
        let folder = Folder::new();
        let server =
            Served::start_command(&folder, command(&folder, &format!("{scheme}://:{SECRET}@127.0.0.1:{port}")));
        let log = until("it says that Redis is not there", || {
            Some(folder.read("server.log")).filter(|log| log.contains("Redis is not there yet"))
        });
        let warning = log.lines().find(|line| line.contains("Redis is not there yet")).unwrap_or_default();
        assert!(warning.contains("`redis.url` begins with rediss where Redis speaks TLS"), "{scheme}: {warning}");
        assert!(!log.contains(SECRET), "{log}");
        // It serves all the same, and its health says what is missing.
        let (status, report) = server.get("/health");
        assert_eq!((status, &report["parts"]["cache"]["status"]), (200, &"degraded".into()), "{scheme}: {report}");
        assert_eq!(server.stop(), Some(0));
    }
}

//! Servers that the tests start, on free loopback ports and in folders of their own. Each goes with what started it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::started::started;

/// Starts the server and reads its own input until a line or the end of that. Then the server is ended by its number, and the folder goes unless
/// it is to be kept. So nothing stays behind, however the tests end.
const WATCH: &str = r#"
folder=$1; shift
"$@" >>"$folder/log" 2>&1 </dev/null &
server=$!
echo "$server" >"$folder/pid.new"; mv "$folder/pid.new" "$folder/pid"
read -r word
kill -KILL "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// One process of Redis.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    watcher: Option<(Child, ChildStdin)>,
}

impl Process {
    /// A `redis-server` with these options, on a free port, keeping nothing on disk unless they say so.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_with(options, &[])
    }

    pub(crate) fn start_with(options: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = folder();
        let port = free_port();
        Self::start_in(folder, port, &["--save", "", "--appendonly", "no"], options, environment)
    }

    /// A `redis-server` that is a sentinel, with this configuration, which it writes into.
    pub(crate) fn start_sentinel(configuration: &str) -> Self {
        let (folder, port) = (folder(), free_port());
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, format!("port {port}\n{configuration}\n")).expect("it is written");
        let command = ["redis-server", &file.display().to_string(), "--sentinel"].map(str::to_owned).to_vec();
        let mut process = Self { port, folder, command, environment: Vec::new(), watcher: None };
        process.run();
        process
    }

    fn start_in(folder: PathBuf, port: u16, defaults: &[&str], options: &[&str], environment: &[(&str, &str)]) -> Self {
        let own = ["redis-server", "--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"].map(str::to_owned);
        let folder_name = folder.display().to_string();
        let given = defaults.iter().chain(options).map(|option| (*option).to_owned());
        let command = own.into_iter().chain([folder_name]).chain(given).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut process = Self { port, folder, command, environment, watcher: None };
        process.run();
        process
    }

    fn run(&mut self) {
        // That of before, which the watcher may write anew only after the server answers.
        let written = self.folder.join("pid");
        drop(std::fs::remove_file(&written));
        let mut child = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(&self.folder)
            .args(&self.command)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What interrupts the tests is for them alone: the watcher has to clean up behind them.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("it has an input");
        self.watcher = Some((child, input));
        let limit = Instant::now() + Duration::from_secs(20);
        while !(answers(self.port) && written.exists()) {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(
                Instant::now() < limit,
                "redis-server is not there after 20 s (scripts/setup installs it, TEST_REDIS_URL names another):\n{log}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let kinds =
            [("--sentinel", "Sentinel"), ("--cluster-enabled", "Redis Cluster node"), ("--replicaof", "Redis replica")];
        let kind = kinds.iter().find(|(option, _)| self.command.iter().any(|word| word == option));
        let pid = self.number().parse().expect("a number");
        started(kind.map_or("Redis", |(_, kind)| kind), pid, format_args!("127.0.0.1:{}", self.port), &self.folder);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What `redis-cli` prints for a command.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        cli(self.port, arguments)
    }

    fn number(&self) -> String {
        std::fs::read_to_string(self.folder.join("pid")).expect("it was written").trim().to_owned()
    }

    /// Sends the server a signal: `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.number()]).status().expect("kill runs");
        assert!(sent.success(), "the server is there");
    }

    /// Ends the server without a word, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some((mut watcher, mut input)) = self.watcher.take() {
            let _ = input.write_all(b"keep\n");
            drop(input);
            let _ = watcher.wait();
        }
    }

    /// Starts the same server again after [`kill`](Self::kill), on the same port and folder.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.run();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some((mut watcher, input)) = self.watcher.take() {
            drop(input);
            let _ = watcher.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether a server answers here, be it that it wants a password. That it takes connections is not enough: the system does that for it before it
/// has opened its other addresses.
fn answers(port: u16) -> bool {
    let asked = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        stream.read_exact(&mut [0])
    };
    asked().is_ok()
}

pub(crate) fn cli(port: u16, arguments: &[&str]) -> String {
    let output =
        Command::new("redis-cli").args(["-p", &port.to_string()]).args(arguments).output().expect("redis-cli runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn folder() -> PathBuf {
    tempfile::Builder::new().prefix("scoreboard-redis-").tempdir().expect("a temporary folder").keep()
}

/// A port that nobody listens on, and that these tests give out once: a server that was killed finds its own free when it comes back, and no
/// other test's answers there. Below those that the system gives to clients: else one that tries again meanwhile may be given it, and connect to itself.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    const PORTS: std::ops::Range<u16> = 10_000..15_000;
    let count = u32::from(PORTS.end - PORTS.start);
    // Each process of tests begins elsewhere.
    let first = std::process::id() % count * 97;
    let next = || PORTS.start + ((first + GIVEN.fetch_add(1, Ordering::Relaxed)) % count) as u16;
    let mut ports = std::iter::repeat_with(next).take(PORTS.len());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("one of them is free")
}

/// Compiles the clock that a test can move, and says what a server is started with to go by it.
pub(crate) fn moved_clock(folder: &Path) -> [(&'static str, String); 2] {
    let (library, file) = (folder.join("clock.so"), folder.join("clock"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", source, "-o"]).arg(&library).status();
    assert!(compiled.expect("there is a C compiler").success(), "the clock compiles");
    std::fs::write(&file, 0_i64.to_ne_bytes()).expect("it is written");
    [("LD_PRELOAD", library.display().to_string()), ("TEST_CLOCK", file.display().to_string())]
}

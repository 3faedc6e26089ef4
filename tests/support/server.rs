//! The real server, as a process on a folder of its own.

use std::fs::{File, OpenOptions, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::binary::server_binary;
use super::client::Client;
use super::place::Place;
use super::started::started;
use super::wait::until;

/// A debug build on a busy machine, with the folder's database to open.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings under which a test may ask as often as it likes.
pub(crate) const UNLIMITED: [(&str, &str); 6] = [
    ("SCOREBOARD_LIMITS__UPDATE", "off"),
    ("SCOREBOARD_LIMITS__GENERATE_ACTION", "off"),
    ("SCOREBOARD_LIMITS__REGISTER", "off"),
    ("SCOREBOARD_LIMITS__LOGIN", "off"),
    ("SCOREBOARD_LIMITS__READ", "off"),
    ("SCOREBOARD_LIMITS__ADDRESS", "off"),
];

/// A running server, and the folder that outlives its restarts. Dropped, both are gone.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    settings: Vec<(String, String)>,
    /// What stands before the server's own command line, like `taskset -c 0`.
    wrapper: Vec<String>,
    folder: TempDir,
    place: Place,
    child: Child,
}

impl Server {
    /// Starts one on a fresh folder, with no limits, and returns when it is ready.
    pub(crate) async fn start() -> Self {
        Self::start_on(Place::Sqlite).await
    }

    /// The same that keeps everything in this place.
    pub(crate) async fn start_on(place: Place) -> Self {
        Self::start_as(place, &UNLIMITED, &[]).await
    }

    /// Starts one on a fresh folder with these settings, behind this wrapper.
    pub(crate) async fn start_with(settings: &[(&str, &str)], wrapper: &[&str]) -> Self {
        Self::start_as(Place::Sqlite, settings, wrapper).await
    }

    /// Starts another on what this one keeps, with its keys and its settings: only where that can be.
    pub(crate) async fn start_beside(&self) -> Self {
        self.start_beside_at(self.place.url(self.folder.path())).await
    }

    /// The same by another way to the same database.
    pub(crate) async fn start_beside_at(&self, url: String) -> Self {
        self.start_another(url, &[]).await
    }

    /// The same behind a wrapper.
    pub(crate) async fn start_beside_behind(&self, wrapper: &[String]) -> Self {
        let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
        self.start_another(self.place.url(self.folder.path()), &wrapper).await
    }

    async fn start_another(&self, url: String, wrapper: &[&str]) -> Self {
        let place = Place::At(url);
        let keys = std::fs::read(key_file(self.folder.path())).expect("it has keys");
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Self::start_with_keys(place, &settings, wrapper, Some(keys)).await
    }

    /// Starts one on a fresh folder with these settings, behind this wrapper, that keeps everything in this place.
    pub(crate) async fn start_as(place: Place, settings: &[(&str, &str)], wrapper: &[&str]) -> Self {
        Self::start_with_keys(place, settings, wrapper, None).await
    }

    async fn start_with_keys(place: Place, settings: &[(&str, &str)], wrapper: &[&str], keys: Option<Vec<u8>>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("scoreboard-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("cargo's folder for tests takes files");
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
        let wrapper = wrapper.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let address = free_address();
        match keys {
            Some(keys) => write_keys(folder.path(), &keys),
            None if place.is_shared() => make_keys(folder.path(), &place),
            None => {}
        }
        let child = spawn(address, &settings, &wrapper, folder.path(), &place);
        let mut server = Self { address, settings, wrapper, folder, place, child };
        server.ready().await;
        server
    }

    /// Where it listens, also after a restart.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it keeps beside its place: its keys, its log, its database if that is a file.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("scoreboard.db")
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().expect("it is ours to kill");
        self.child.wait().expect("what was killed can be waited for");
    }

    /// Starts it again on the same folder and address.
    pub(crate) async fn restart(&mut self) {
        self.start_again();
        self.ready().await;
    }

    /// The same without waiting until it is ready.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.address, &self.settings, &self.wrapper, self.folder.path(), &self.place);
    }

    /// Whether its process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_some()
    }

    /// Sends it a signal: `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{signal} could not be sent");
    }

    /// Ends it with SIGTERM and gives its exit status.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        until("the server has stopped after SIGTERM", PATIENCE, async || self.child.try_wait().expect("it is ours"))
            .await
    }

    /// Runs another command of the binary on this server's database.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        run(self.folder.path(), &self.place, &[], words)
    }

    /// The same behind a wrapper.
    pub(crate) fn command_behind(&self, wrapper: &[String], words: &[&str]) -> Output {
        run(self.folder.path(), &self.place, wrapper, words)
    }

    /// The same by another way to the same database.
    pub(crate) fn command_at(&self, url: String, words: &[&str]) -> Output {
        run(self.folder.path(), &Place::At(url), &[], words)
    }

    /// Fails unless `verify` finds that every log folds to its scores; gives what it printed.
    pub(crate) fn assert_verified(&self) -> String {
        let output = self.command(&["verify"]);
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "verify: {}\n{out}{err}", output.status);
        out
    }

    async fn ready(&mut self) {
        let address = self.address;
        let mut client = Client::new(address);
        let ready = async || {
            let status = self.child.try_wait().expect("it is ours");
            assert!(status.is_none(), "the server ended while starting: {status:?}\n{}", self.log());
            client.get("/health/ready").await.ok().filter(|answer| answer.status == 200)
        };
        until("the server is ready", PATIENCE, ready).await;
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(log_file(self.folder.path())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the server's last words:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }
}

fn spawn(
    address: SocketAddr,
    settings: &[(String, String)],
    wrapper: &[String],
    folder: &Path,
    place: &Place,
) -> Child {
    let child = without_settings(behind(wrapper))
        .args(["serve", "--listen", &address.to_string(), "--database-url", &place.url(folder)])
        .arg("--keys")
        .arg(key_file(folder))
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log_handle(folder))
        .stderr(log_handle(folder))
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start the server: {error}"));
    started("scoreboard-server", child.id(), address, folder);
    child
}

/// The binary behind what is to stand before it.
fn behind(wrapper: &[String]) -> Command {
    match wrapper {
        [] => Command::new(server_binary()),
        [program, words @ ..] => {
            let mut command = Command::new(program);
            command.args(words).arg(server_binary());
            command
        }
    }
}

/// The test's own environment must not decide what it tests.
fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SCOREBOARD_")) {
        command.env_remove(name);
    }
    command
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

fn log_handle(folder: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(log_file(folder)).expect("the folder takes a log")
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("scoreboard.keys")
}

fn write_keys(folder: &Path, keys: &[u8]) {
    let file = key_file(folder);
    std::fs::write(&file, keys).expect("the folder takes a key file");
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
}

fn make_keys(folder: &Path, place: &Place) {
    let made = run(folder, place, &[], &["admin", "rotate-keys"]);
    assert!(made.status.success(), "rotate-keys: {}", String::from_utf8_lossy(&made.stderr));
}

/// Runs a command of the binary to its end.
fn run(folder: &Path, place: &Place, wrapper: &[String], words: &[&str]) -> Output {
    let mut command = without_settings(behind(wrapper));
    command.args(words).args(["--database-url", &place.url(folder)]).arg("--keys").arg(key_file(folder));
    command.output().expect("the server's binary starts")
}

/// An address nobody listens on, with a port below those that the system gives to clients: else a client that retries while
/// the server is down may be given the server's port, connect to itself, and keep the server from coming back.
pub(crate) fn free_address() -> SocketAddr {
    let ports = std::iter::repeat_with(|| rand::random_range(15_000..32_000));
    let mut addresses = ports.take(1000).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    addresses.find(|address| TcpListener::bind(address).is_ok()).expect("one of a thousand ports is free")
}

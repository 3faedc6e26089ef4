//! The server that the tests run on: the one in `TEST_DATABASE_URL`, or one that is started here and goes with the tests.
//!
//! A started one listens on a local socket in a folder of its own, and on no port: nobody else on the machine can reach it, and
//! any number of test runs go side by side. It keeps its defaults for durability.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::super::started::started;

/// Where the tests' databases are.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    /// `None` for somebody's own.
    started: Option<Started>,
}

/// What was started here. Its watcher ends it when this process is gone, however it went: its input is then at its end.
#[derive(Debug)]
struct Started {
    folder: PathBuf,
    watcher: Child,
}

impl Drop for Started {
    /// Returns when the server and its folder are gone: what they stood on may go next.
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

impl Server {
    /// A server with these settings, each `name=value`. It goes when this does.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, &std::env::temp_dir(), |_| {})
    }

    /// The same in a folder inside `parent`, where `prepare` can put files, or alter them, before it starts.
    pub(crate) fn start_with(settings: &[&str], parent: &Path, prepare: impl FnOnce(&Path)) -> Self {
        start(settings, parent, prepare)
    }

    /// A streaming replica of one that was started here. It goes when this does.
    pub(crate) fn replica_of(primary: &Self) -> Self {
        replicate(primary)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its URL, if it is somebody's own.
    pub(crate) fn given(&self) -> Option<&str> {
        self.started.is_none().then_some(self.url.as_str())
    }

    /// The folder of its socket, of its log, and of `data`; only of one that was started here.
    pub(crate) fn folder(&self) -> &Path {
        &self.started.as_ref().expect("it was started here").folder
    }

    /// The socket that it listens on.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder().join(".s.PGSQL.5432")
    }

    /// Ends the server with SIGKILL, in the middle of whatever it does. Its watcher starts it again.
    pub(crate) fn kill9(&self) {
        self.signal("KILL");
    }

    /// Sends a signal to the first of the server's processes.
    pub(crate) fn signal(&self, name: &str) {
        let number = std::fs::read_to_string(self.folder().join("pid")).expect("the watcher has written it");
        let sent = Command::new("kill").args([format!("-{name}").as_str(), number.trim()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} could not be sent");
    }
}

/// The one server of this test binary.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => Server { url, started: None },
        Err(_) => Server::start(&[]),
    })
}

/// Starts the server, and starts it again whenever it has ended, until its own input ends. Then the server is told to stop at
/// once, by its number, and the folder goes.
const WATCH: &str = r#"
folder=$1; shift
while [ -d "$folder/data" ] && [ ! -e "$folder/stop" ]; do
    "$@" >>"$folder/server.log" 2>&1 </dev/null &
    echo $! >"$folder/pid.new"; mv "$folder/pid.new" "$folder/pid"
    wait $!
    sleep 0.05
done &
loop=$!
cat >/dev/null
: >"$folder/stop"
while kill -0 "$loop" 2>/dev/null; do
    kill -QUIT "$(cat "$folder/pid")" 2>/dev/null
    sleep 0.05
done
rm -rf "$folder"
"#;

/// See [`Server::start_with`].
fn start(settings: &[&str], parent: &Path, prepare: impl FnOnce(&Path)) -> Server {
    let (folder, as_user) = new_folder(parent);
    let made = command(&as_user, &program("initdb"))
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--pgdata"])
        .arg(folder.join("data"))
        .current_dir("/")
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    prepare(&folder);
    run("PostgreSQL", folder, &as_user, settings)
}

/// See [`Server::replica_of`].
fn replicate(primary: &Server) -> Server {
    let (folder, as_user) = new_folder(&std::env::temp_dir());
    let made = command(&as_user, &program("pg_basebackup"))
        .args(["--username=postgres", "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--host"])
        .arg(primary.folder())
        .arg("--pgdata")
        .arg(folder.join("data"))
        .current_dir("/")
        .output()
        .expect("pg_basebackup runs");
    assert!(made.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&made.stderr));
    run("PostgreSQL replica", folder, &as_user, &[])
}

/// An empty folder that its owner alone can enter, and what stands before commands as that owner.
fn new_folder(parent: &Path) -> (PathBuf, Vec<&'static str>) {
    let folder =
        tempfile::Builder::new().prefix("scoreboard-pg-").tempdir_in(parent).expect("a temporary folder").keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("its rights are set");
    let as_user = as_ordinary_user(&folder);
    (folder, as_user)
}

/// Runs the server on the data in this folder until it is dropped.
fn run(what: &str, folder: PathBuf, as_user: &[&str], settings: &[&str]) -> Server {
    let data = folder.join("data");
    let server = command(as_user, &program("postgres"));
    let mut watcher = Command::new("sh")
        .args(["-c", WATCH, "sh"])
        .arg(&folder)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&folder)
        .args(["-c", "listen_addresses=", "-c", "port=5432", "-c", "max_connections=300"])
        .args(settings.iter().flat_map(|setting| ["-c", *setting]))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What interrupts the tests, a ^C or a time limit, is for them alone: the watcher has to clean up behind them.
        .process_group(0)
        .spawn()
        .expect("a shell");
    let state = wait_until_ready(&folder, &mut watcher);
    let mut lines = state.lines();
    let mut line = |skipped: usize| lines.nth(skipped).expect("what is ready has written all lines");
    // The number first; then, behind its data and its start, its port, the folder of its socket, and the address that it listens on besides, if any.
    let (pid, port, place, host) = (line(0).parse().expect("a number"), line(2), line(0), line(0));
    match host {
        "" => started(what, pid, format_args!("{place}/.s.PGSQL.{port}"), &folder),
        host => started(what, pid, format_args!("{host}:{port}"), &folder),
    }
    let host = folder.display().to_string().replace('/', "%2F");
    let url = format!("postgres://postgres@{host}/postgres");
    Server { url, started: Some(Started { folder, watcher }) }
}

/// The last line of `postmaster.pid` says so; gives all of them.
fn wait_until_ready(folder: &Path, watcher: &mut Child) -> String {
    for _ in 0..600 {
        let state = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().last().is_some_and(|line| matches!(line.trim(), "ready" | "standby")) {
            return state;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
    // At the end of its input, it cleans up.
    drop(watcher.stdin.take());
    let _ = watcher.wait();
    panic!("the server is not ready after 30 seconds:\n{log}");
}

/// A program of PostgreSQL: Debian keeps those of the server off the path.
pub(crate) fn program(name: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH");
    let on_path = on_path.iter().flat_map(std::env::split_paths).map(|folder| folder.join(name));
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(name)))
        .collect();
    versions.sort();
    on_path.chain(versions.into_iter().rev()).find(|path| path.is_file()).unwrap_or_else(|| {
        let _ = writeln!(std::io::stderr(), "run scripts/setup, or name a server in TEST_DATABASE_URL");
        panic!("PostgreSQL's program `{name}` is not on this machine")
    })
}

/// PostgreSQL does not run as root: there it becomes the user that Debian's package makes, and the folder is given to it.
fn as_ordinary_user(folder: &Path) -> Vec<&'static str> {
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(folder).expect("the folder is there")) != 0 {
        return Vec::new();
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the users of this machine");
    let user = users.lines().find_map(|line| line.strip_prefix("postgres:")).expect("there is a user `postgres`");
    let mut numbers = user.split(':').skip(1).map(|number| number.parse::<u32>().expect("a number"));
    chown(folder, numbers.next(), numbers.next()).expect("the folder is given away");
    vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
}

fn command(as_user: &[&str], program: &Path) -> Command {
    let Some((first, rest)) = as_user.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

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

/// Where the tests' databases are.
#[derive(Debug)]
pub(crate) enum Server {
    /// Somebody's own.
    Given(String),
    /// Started here. Its watcher ends it when this process is gone, however it went: its input is then at its end.
    Started { url: String, _watcher: Child },
}

impl Server {
    /// A server with these settings, each `name=value`. It goes when this does.
    pub(crate) fn start(settings: &[&str]) -> Self {
        start(settings)
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Given(url) | Self::Started { url, .. } => url,
        }
    }
}

/// The one server of this test binary.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => Server::Given(url),
        Err(_) => Server::start(&[]),
    })
}

/// Starts the server and reads its own input until that ends. Then the server is told to stop at once, by its number, and the
/// folder goes.
const WATCH: &str = r#"
folder=$1; shift
"$@" >"$folder/server.log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$folder"
"#;

/// See [`Server::start`].
fn start(settings: &[&str]) -> Server {
    let initdb = program("initdb");
    let postgres = program("postgres");
    let folder = tempfile::Builder::new().prefix("scoreboard-pg-").tempdir().expect("a temporary folder").keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("its rights are set");
    let as_user = as_ordinary_user(&folder);
    let data = folder.join("data");

    let made = command(&as_user, &initdb)
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--pgdata"])
        .arg(&data)
        .current_dir("/")
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

    let server = command(&as_user, &postgres);
    let mut watcher = Command::new("sh")
        .args(["-c", WATCH, "sh"])
        .arg(&folder)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(&folder)
        .args(["-c", "listen_addresses=", "-c", "max_connections=300"])
        .args(settings.iter().flat_map(|setting| ["-c", *setting]))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What interrupts the tests, a ^C or a time limit, is for them alone: the watcher has to clean up behind them.
        .process_group(0)
        .spawn()
        .expect("a shell");
    wait_until_ready(&folder, &mut watcher);
    let host = folder.display().to_string().replace('/', "%2F");
    Server::Started { url: format!("postgres://postgres@{host}/postgres"), _watcher: watcher }
}

/// The last line of `postmaster.pid` says so.
fn wait_until_ready(folder: &Path, watcher: &mut Child) {
    for _ in 0..600 {
        let state = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().last().is_some_and(|line| line.trim() == "ready") {
            return;
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
fn program(name: &str) -> PathBuf {
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

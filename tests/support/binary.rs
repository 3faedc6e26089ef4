//! Where the server's binary is, built first if it has to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// What the server is made of; generated files and tests are not among it.
const SOURCES: [&str; 15] = [
    "Cargo.lock",
    "Cargo.toml",
    "scoreboard-client/Cargo.toml",
    "scoreboard-client/src",
    "scoreboard-core/src",
    "scoreboard-notify/src",
    "scoreboard-postgres/src",
    "scoreboard-postgres/migrations",
    "scoreboard-redis/src",
    "scoreboard-sqlite/src",
    "scoreboard-sqlite/migrations",
    "scoreboard-axum/Cargo.toml",
    "scoreboard-axum/client",
    "scoreboard-axum/src",
    "scoreboard-axum/page",
];

/// The binary `scoreboard-server` of the profile that this test was built with, no older than its sources.
pub(crate) fn server_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let profile = profile_folder();
        let binary = profile.join(format!("scoreboard-server{}", std::env::consts::EXE_SUFFIX));
        if !is_fresh(&binary) {
            build(&profile);
        }
        assert!(binary.is_file(), "cargo built no {}", binary.display());
        binary
    })
}

/// `target/debug`, `target/release` …: the folder above the one that holds the test's own executable.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its executable");
    let folder = own.parent().and_then(Path::parent).expect("cargo puts tests into a folder of the profile's");
    folder.to_owned()
}

fn build(profile: &Path) {
    let profile = match profile.file_name().and_then(|name| name.to_str()).expect("cargo names profiles in ASCII") {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--package",
        "scoreboard-axum",
        "--bin",
        "scoreboard-server",
        "--profile",
        profile,
    ]);
    let output = cargo.output().unwrap_or_else(|error| panic!("cannot run {cargo:?}: {error}"));
    assert!(output.status.success(), "{cargo:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn is_fresh(binary: &Path) -> bool {
    let Ok(built) = fs::metadata(binary).and_then(|metadata| metadata.modified()) else { return false };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    SOURCES.iter().all(|source| newest(&root.join(source)) <= built)
}

fn newest(path: &Path) -> SystemTime {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("cannot look at {}: {error}", path.display()));
    if !metadata.is_dir() {
        return metadata.modified().expect("this system keeps times of files");
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("cannot list {}: {error}", path.display()));
    let times = entries.map(|entry| newest(&entry.expect("a folder can be listed to its end").path()));
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

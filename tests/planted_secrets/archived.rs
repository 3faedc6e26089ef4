//! What becomes of the log once it is archived: a file that is kept elsewhere, for years.

use scoreboard::{Clock, SystemClock};

use crate::support::moved_clock::MovedClocks;
use crate::support::server::Server;

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Archives all that the log has, as on a day long after, and gives what the command prints and the files.
pub(crate) fn archived(server: &Server, user: &str) -> Vec<(String, Vec<u8>)> {
    let clocks = MovedClocks::compile();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder for tests takes files");
    let later = clocks.at("later", SystemClock.now().plus(DAY * 365));
    let to = folder.path().to_str().expect("text");
    let output = server.command_behind(&later, &["archive", "--older-than", "3d", "--to", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut said = vec![("what `archive` prints".to_owned(), [output.stdout, output.stderr].concat())];
    for file in std::fs::read_dir(folder.path()).expect("it is there") {
        let path = file.expect("a file").path();
        said.push((format!("the archive {}", path.display()), std::fs::read(&path).expect("it is read")));
    }
    let rows = said.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).matches(user).count()).sum::<usize>();
    assert!(rows > 5, "what the user did is in it: {rows} rows");
    said
}

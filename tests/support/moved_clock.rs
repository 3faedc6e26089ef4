//! Programs whose wall clock shows another time, real in everything else.

use std::path::{Path, PathBuf};
use std::process::Command;

use scoreboard_core::Timestamp;
use tempfile::TempDir;

/// What makes a program's wall clock stand still at a moment; what waits in it goes on.
#[derive(Debug)]
pub(crate) struct MovedClocks {
    folder: TempDir,
    library: PathBuf,
}

impl MovedClocks {
    pub(crate) fn compile() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder for tests takes files");
        let library = folder.path().join("clock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scoreboard-redis/tests/support/clock.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(compiled.expect("there is a C compiler").success(), "the clock compiles");
        Self { folder, library }
    }

    /// What has to stand before a program whose clock is to show this moment.
    pub(crate) fn at(&self, name: &str, moment: Timestamp) -> [String; 3] {
        let file = self.folder.path().join(name);
        std::fs::write(&file, (moment.as_millis() * 1000).to_ne_bytes()).expect("it is written");
        let set = |name: &str, path: &Path| format!("{name}={}", path.display());
        ["env".to_owned(), set("LD_PRELOAD", &self.library), set("TEST_CLOCK", &file)]
    }
}

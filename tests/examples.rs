//! Every example runs, ends by itself, and finds its own assertions true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the files in `examples/`.
fn examples() -> BTreeSet<String> {
    let files = fs::read_dir(root().join("examples")).expect("the folder is there");
    let paths = files.map(|file| file.expect("it can be read").path());
    let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources.map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned()).collect()
}

/// Where cargo puts examples: beside the folder of this test's own binary.
fn binary(example: &str) -> PathBuf {
    let here = std::env::current_exe().expect("this test has a path");
    let profile = here.parent().and_then(Path::parent).expect("target/<profile>/deps/<this test>");
    profile.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn each_runs_and_ends_well() {
    for example in examples() {
        let binary = binary(&example);
        assert!(
            binary.exists(),
            "{} is not built: run the whole `cargo test`, or `cargo build --examples`",
            binary.display()
        );
        let run = Command::new(&binary).output().expect("it starts");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{example} failed: {said}{}", String::from_utf8_lossy(&run.stderr));
        assert!(!said.trim().is_empty(), "{example} says what it has shown");
    }
}

#[test]
fn each_says_how_it_is_run() {
    for example in examples() {
        let source = fs::read_to_string(root().join(format!("examples/{example}.rs"))).expect("it can be read");
        assert!(source.starts_with("//! "), "{example} begins with what it shows");
        assert!(source.contains(&format!("//! Run with `cargo run --example {example}`.")), "{example}");
    }
}

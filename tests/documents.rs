//! The documents speak of what is there.

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/signed-actions.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust source of this workspace.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = [
        "scoreboard-core",
        "scoreboard-client",
        "scoreboard-sqlite",
        "scoreboard-postgres",
        "scoreboard-redis",
        "scoreboard-axum",
        "src",
        "tests",
        "examples",
        "fuzz",
    ]
    .map(|folder| root().join(folder))
    .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the workspace") {
            let path = entry.expect("it is listed").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// What stands in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// What stands between `open` and `close`, each time, within one line.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let pieces = text.lines().flat_map(move |line| line.split(open).skip(1));
    pieces.filter_map(move |piece| piece.split_once(close).map(|(inner, _)| inner))
}

#[test]
fn the_readme_shows_the_code_that_ran() {
    for path in ["examples/embed_in_memory.rs", "examples/watch_board.rs"] {
        let example = read(path);
        let (_, rest) = example.split_once("// In the README from here …\n").expect("it marks where it starts");
        let (code, _) = rest.split_once("    // … to here.").expect("and where it ends");
        let unindented: String =
            code.lines().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n").collect();
        assert!(read("README.md").contains(unindented.trim_end()), "the README shows other code than {path}");
    }
}

#[test]
fn links_lead_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        for link in between(&text, "](", ")").filter(|link| !link.starts_with("https://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let document_path = root().join(document);
            let folder = document_path.parent().expect("a document is in a folder");
            assert!(path.is_empty() || folder.join(path).exists(), "{document} links to {path}, which is not there");
            let target = if path.is_empty() { text.clone() } else { String::new() };
            let anchor = |line: &str| {
                let words = line.trim_start_matches('#').trim().to_lowercase();
                words
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                    .collect::<String>()
                    .replace(' ', "-")
            };
            let there = target.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
            assert!(heading.is_empty() || there, "{document} has no heading #{heading}");
        }
    }
}

/// A test named in DESIGN.md as what checks an invariant exists, and so does a file named anywhere.
#[test]
fn tests_and_files_that_are_named_exist() {
    let code: String = sources().iter().map(|path| fs::read_to_string(path).expect("a source can be read")).collect();
    let design = read("DESIGN.md");
    let (_, invariants) = design.split_once("## Invariants").expect("DESIGN.md lists them");
    let is_test = |name: &&str| {
        name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
    };
    let named: Vec<_> = quoted(invariants).filter(is_test).collect();
    assert!(named.len() > 20, "the table of invariants names tests");
    for name in named {
        let there =
            code.contains(&format!("fn {name}(")) || code.contains(&format!("fn {name}<")) || name.ends_with("_store");
        assert!(there, "DESIGN.md names the test {name}, which is not there");
    }
    for document in DOCUMENTS.into_iter().filter(|document| *document != "CHANGELOG.md") {
        let text = read(document);
        for path in quoted(&text).filter(|path| path.ends_with(".rs") && path.contains('/')) {
            let places = ["", "scoreboard-core/src", "scoreboard-axum/src"].map(|base| root().join(base).join(path));
            assert!(places.iter().any(|place| place.exists()), "{document} names {path}, which is not there");
        }
    }
}

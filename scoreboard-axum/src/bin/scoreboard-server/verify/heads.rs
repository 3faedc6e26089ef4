//! Heads as lines: printed, kept somewhere, and read again.
//!
//! `BOARD: head VERSION DIGEST`, and behind it, if it is signed, `signed SIGNATURE by PUBLIC-KEY`, both base64.

use std::fs;
use std::path::Path;

use scoreboard_core::{BoardId, Head};

use crate::failure::{Failure, Result};
use crate::verify::signer::{Signer, is_signed_by};

const MARK: &str = ": head ";

/// A head as a line, signed if there is who signs.
pub(super) fn line(board: &BoardId, head: Head, signer: Option<&Signer>) -> String {
    let signed = signer.map_or_else(String::new, |signer| {
        format!(" signed {} by {}", signer.sign(&text(board, head)), signer.public_key())
    });
    format!("{board}{MARK}{head}{signed}")
}

/// What is signed of a head: a line without an end, which a shell can make as well.
fn text(board: &BoardId, head: Head) -> String {
    format!("scoreboard/head/v1 {board} {head}")
}

/// The heads among the lines of a file, each of which was signed by this key, if one is given. What else was printed is passed over.
pub(super) fn read(file: &Path, public_key: Option<&str>) -> Result<Vec<(BoardId, Head)>> {
    let cannot = |error| Failure::because(format_args!("cannot read {}", file.display()), &error);
    let content = fs::read_to_string(file).map_err(cannot)?;
    let mut heads = Vec::new();
    for (number, line) in (1..).zip(content.lines()) {
        let bad = |what| Failure::new(format_args!("{}, line {number}: {what}", file.display()));
        if let Some(head) = parse(line, public_key).map_err(bad)? {
            heads.push(head);
        }
    }
    if heads.is_empty() {
        return Err(Failure::new(format_args!("there is no head in {}", file.display())));
    }
    Ok(heads)
}

fn parse(line: &str, public_key: Option<&str>) -> Result<Option<(BoardId, Head)>, &'static str> {
    const NO_HEAD: &str = "is not a head as `verify` prints it";
    let Some((board, rest)) = line.split_once(MARK) else { return Ok(None) };
    let board: BoardId = board.parse().map_err(|_| NO_HEAD)?;
    let words: Vec<&str> = rest.split(' ').collect();
    let (version, digest, signed) = match words[..] {
        [version, digest] => (version, digest, None),
        [version, digest, "signed", signature, "by", key] => (version, digest, Some((signature, key))),
        _ => return Err(NO_HEAD),
    };
    let version: u64 = version.parse().map_err(|_| NO_HEAD)?;
    let head = Head { version: scoreboard_core::Version::new(version), digest: digest.parse().map_err(|_| NO_HEAD)? };
    match (signed, public_key) {
        (None, Some(_)) => return Err("is not signed"),
        (Some((_, key)), Some(expected)) if key != expected => return Err("is signed by another key"),
        (Some((signature, key)), _) if !is_signed_by(key, &text(&board, head), signature) => {
            return Err("is not what was signed");
        }
        _ => {}
    }
    Ok(Some((board, head)))
}

#[cfg(test)]
mod tests {
    use scoreboard_core::{KeyRing, RandomIds, Version};

    use super::*;

    fn head() -> Head {
        Head { version: Version::new(7), digest: "ab".repeat(32).parse().unwrap() }
    }

    #[test]
    fn a_head_is_read_as_it_was_printed() {
        let signer = Signer::of(&KeyRing::random(&RandomIds));
        for signer in [None, Some(&signer)] {
            let line = line(&BoardId::main(), head(), signer);
            assert_eq!(parse(&line, None), Ok(Some((BoardId::main(), head()))), "{line}");
        }
        let line = line(&BoardId::main(), head(), Some(&signer));
        let key = signer.public_key();
        assert!(parse(&line, Some(&key)).unwrap().is_some());
        assert_eq!(parse("main: clean up to version 7 (3 scores)", None), Ok(None));
    }

    #[test]
    fn a_head_that_was_altered_or_is_of_another_is_refused() {
        let [signer, other] = [(); 2].map(|()| Signer::of(&KeyRing::random(&RandomIds)));
        let signed = line(&BoardId::main(), head(), Some(&signer));
        let key = signer.public_key();
        for (from, to) in [("main", "mine"), (" 7 ", " 8 "), ("abab", "abac")] {
            let altered = signed.replacen(from, to, 1);
            assert_eq!(parse(&altered, Some(&key)), Err("is not what was signed"), "{altered}");
            assert_eq!(parse(&altered, None), Err("is not what was signed"), "{altered}");
        }
        assert_eq!(parse(&signed, Some(&other.public_key())), Err("is signed by another key"));
        let claimed = signed.replace(&key, &other.public_key());
        assert_eq!(parse(&claimed, Some(&other.public_key())), Err("is not what was signed"));
        assert_eq!(parse(&line(&BoardId::main(), head(), None), Some(&key)), Err("is not signed"));
        for broken in
            ["main: head 7", "main: head x y", &signed.replace("signed", "said"), &signed.replace(" by ", " ")]
        {
            assert!(parse(broken, None).is_err(), "{broken}");
        }
        assert_eq!(parse(&signed.replace(&key, "?"), None), Err("is not what was signed"));
    }
}

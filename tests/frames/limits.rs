//! Sections 9 and 10: long messages, in fragments and in pieces, and many of them. What is too long by far there is so here as well: each case is
//! run at a size that is allowed, where it is answered, and then at its own, where it is not read.

use crate::case::{Case, Chops, LONGEST_MESSAGE, LONGEST_READ, TOO_BIG, hello, message};
use crate::frame::{BINARY, Frame, TEXT, fragments};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// As many as a client may send a minute.
const A_MINUTE: usize = 100;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
    for (last, size) in (1..).zip(sizes) {
        cases.push(lengths(format!("9.1.{last}"), size));
        cases.push(Case::new(format!("9.2.{last}")).send(&[Frame::binary(vec![0xFE; size])]).closed(TOO_BIG));
    }
    let sizes = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
    for (last, size) in (1..).zip(sizes) {
        let allowed = fragments(TEXT, &message(LONGEST_MESSAGE), size);
        let text = Case::new(format!("9.3.{last}")).send(&allowed).answered();
        cases.push(text.send(&fragments(TEXT, &message(4 * MIB), size)).closed(TOO_BIG));
        let binary = fragments(BINARY, &vec![0xFE; 4 * MIB], size);
        cases.push(Case::new(format!("9.4.{last}")).send(&binary).closed(TOO_BIG));
    }
    for (last, size) in (1..).zip([64, 128, 256, 512, KIB, 2 * KIB]) {
        let chops = Chops::Bytes(size);
        let text = Case::new(format!("9.5.{last}")).send_in(chops, &[Frame::text(message(LONGEST_MESSAGE))]).answered();
        cases.push(text.send_in(chops, &[Frame::text(message(MIB))]).closed(TOO_BIG));
        let binary = Frame::binary(vec![0xFE; MIB]);
        cases.push(Case::new(format!("9.6.{last}")).send_in(chops, &[binary]).closed(TOO_BIG));
    }
    for (last, size) in (1..).zip([0, 16, 64, 256, KIB, 4 * KIB]) {
        cases.push(round_trips(format!("9.7.{last}"), size));
        cases.push(Case::new(format!("9.8.{last}")).send(&[Frame::binary(vec![0xFE; size])]).refused());
    }
    cases.push(fragmented_by_itself());
    cases
}

/// A 4096th of the size first: of 16 MiB that is half as long as a message may be.
fn lengths(number: String, size: usize) -> Case {
    let small = message((size / (4 * KIB)).max(message_of_least_length()));
    Case::new(number).send(&[Frame::text(small)]).answered().send(&[Frame::text(message(size))]).closed(TOO_BIG)
}

fn message_of_least_length() -> usize {
    hello().len()
}

/// As many as a minute allows, each when the one before was answered; of twice as many more, some are too many. An empty text is no
/// message, so of those it is pings that go to and fro.
fn round_trips(number: String, size: usize) -> Case {
    let mut case = Case::new(number);
    for _ in 0..A_MINUTE {
        case = match size {
            0 => case.send(&[Frame::ping("")]).pong(""),
            _ => case.send(&[Frame::text(message(size))]).answered(),
        };
    }
    case.send(&vec![Frame::text(hello()); 2 * A_MINUTE]).refused_at_last()
}

fn fragmented_by_itself() -> Case {
    let allowed = fragments(TEXT, &message(LONGEST_MESSAGE), 1_300);
    let case = Case::new("10.1.1").send(&allowed).answered();
    case.send(&fragments(TEXT, &message(64 * KIB), 1_300)).closed(TOO_BIG)
}

/// What the suite cannot know: where the lengths are that make a difference here, whole and in fragments.
pub(crate) fn of_our_own() -> Vec<Case> {
    let mut cases = Vec::new();
    for (length, name) in [(LONGEST_MESSAGE, "longest message"), (LONGEST_MESSAGE + 1, "no message any more")] {
        let text = message(length);
        for frames in [vec![Frame::text(text.clone())], fragments(TEXT, &text, 1_000)] {
            let case = Case::new(format!("{name}, in {} frames", frames.len())).send(&frames);
            cases.push(if length == LONGEST_MESSAGE { case.answered() } else { case.refused() });
        }
    }
    for (length, name) in [(LONGEST_READ, "longest that is read"), (LONGEST_READ + 1, "not read any more")] {
        let text = message(length);
        for frames in [vec![Frame::text(text.clone())], fragments(TEXT, &text, 1_000)] {
            let case = Case::new(format!("{name}, in {} frames", frames.len())).send(&frames);
            cases.push(if length == LONGEST_READ { case.refused() } else { case.closed(TOO_BIG) });
        }
    }
    // What is too long is known by its head: nothing of it need have come.
    for length in [LONGEST_READ as u64 + 1, u64::from(u32::MAX) + 1, u64::MAX >> 1, u64::MAX] {
        let mut head = vec![0x81, 0xFF];
        head.extend(length.to_be_bytes());
        cases.push(
            Case::new(format!("a head of {length} bytes")).send_bytes([head, vec![0; 4]].concat()).closed(TOO_BIG),
        );
    }
    cases
}

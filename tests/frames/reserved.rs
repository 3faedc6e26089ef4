//! Sections 3 and 4: reserved bits and opcodes fail the connection. What came before is answered, what comes behind is not.

use crate::case::{Case, Chops, PROTOCOL_ERROR, hello};
use crate::frame::{CLOSE, Frame};

pub(crate) fn cases() -> Vec<Case> {
    bits().into_iter().chain(opcodes()).collect()
}

fn alone(number: &str, frame: Frame) -> Case {
    Case::new(number).send(&[frame]).closed(PROTOCOL_ERROR)
}

/// A message, the frame that is bad, and a ping that nobody answers any more.
fn between(number: &str, chops: Chops, frame: Frame) -> Case {
    let frames = [Frame::text(hello()), frame, Frame::ping("")];
    Case::new(number).send_in(chops, &frames).answered().closed(PROTOCOL_ERROR)
}

fn bits() -> Vec<Case> {
    let text = |bits| Frame::text(hello()).reserved(bits);
    vec![
        alone("3.1", text(1)),
        between("3.2", Chops::Whole, text(2)),
        between("3.3", Chops::Frames, text(3)),
        between("3.4", Chops::Bytes(1), text(4)),
        alone("3.5", Frame::binary([0, 0xFF, 0xFE]).reserved(5)),
        alone("3.6", Frame::ping("Hello, world!").reserved(6)),
        alone("3.7", Frame::new(CLOSE, "").reserved(7)),
    ]
}

/// 3 to 7 would be of data, 11 to 15 of control.
fn opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, first) in [(1, 3), (2, 11)] {
        let number = |last| format!("4.{kind}.{last}");
        cases.extend([
            alone(&number(1), Frame::new(first, "")),
            alone(&number(2), Frame::new(first + 1, "reserved opcode payload")),
            between(&number(3), Chops::Whole, Frame::new(first + 2, "")),
            between(&number(4), Chops::Whole, Frame::new(first + 3, hello())),
            between(&number(5), Chops::Bytes(1), Frame::new(first + 4, hello())),
        ]);
    }
    cases
}

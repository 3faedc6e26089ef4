//! Section 7: how a client closes, well and badly. A close is agreed to, and nothing behind it counts.

use crate::case::{Case, NORMAL, NOT_UTF8, PROTOCOL_ERROR, TOO_BIG, hello, message};
use crate::frame::{CLOSE, Frame, TEXT, fragments};

/// Codes that a client may close with, and that are then said back.
const GOOD: [u16; 13] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];

/// Codes that nobody may send (RFC 6455 §7.4).
const BAD: [u16; 9] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

/// Of these the RFC says nothing but that they are no codes: 7.13 there is for information, whatever comes of it.
const BEYOND: [u16; 2] = [5000, 65_535];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = behind();
    cases.extend(payloads());
    for (last, code) in (1..).zip(GOOD) {
        cases.push(Case::new(format!("7.7.{last}")).send(&[Frame::close(code, "")]).closed(code));
    }
    for (last, code) in (1..).zip(BAD) {
        cases.push(Case::new(format!("7.9.{last}")).send(&[Frame::close(code, "")]).closed(PROTOCOL_ERROR));
    }
    for (last, code) in (1..).zip(BEYOND) {
        cases.push(Case::new(format!("7.13.{last}")).send(&[Frame::close(code, "")]).closed(PROTOCOL_ERROR));
    }
    cases
}

/// What comes behind a close.
fn behind() -> Vec<Case> {
    let close = || Frame::close(NORMAL, "");
    let split = fragments(TEXT, &hello(), 10);
    let around = [split[0].clone(), close(), split[1].clone()];
    let long = [Frame::text(message(256 * 1024)), Frame::text(hello()), close(), Frame::ping("")];
    let closed = |number: &str, frames: &[Frame]| Case::new(number).send(frames).closed(NORMAL);
    vec![
        Case::new("7.1.1").send(&[Frame::text(hello()), close()]).answered().closed(NORMAL),
        closed("7.1.2", &[close(), Frame::new(CLOSE, "")]),
        closed("7.1.3", &[close(), Frame::ping("")]),
        closed("7.1.4", &[close(), Frame::text(hello())]),
        closed("7.1.5", &around),
        // Too much to be read, so that nothing behind it is.
        Case::new("7.1.6").send(&long).closed(TOO_BIG),
    ]
}

/// What a close may bring.
fn payloads() -> Vec<Case> {
    let not_utf8 = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64\x69\x74\x65\x64";
    vec![
        Case::new("7.3.1").send(&[Frame::new(CLOSE, "")]).closed_by([None]),
        Case::new("7.3.2").send(&[Frame::new(CLOSE, "a")]).closed(PROTOCOL_ERROR),
        Case::new("7.3.3").send(&[Frame::close(NORMAL, "")]).closed(NORMAL),
        Case::new("7.3.4").send(&[Frame::close(NORMAL, "Hello World!")]).closed(NORMAL),
        Case::new("7.3.5").send(&[Frame::close(NORMAL, "*".repeat(123))]).closed(NORMAL),
        Case::new("7.3.6").send(&[Frame::close(NORMAL, "*".repeat(124))]).closed(PROTOCOL_ERROR),
        Case::new("7.5.1").send(&[Frame::close(NORMAL, not_utf8)]).closed(NOT_UTF8),
    ]
}

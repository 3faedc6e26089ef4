//! Section 1: text and binary messages of each kind of length. What would be echoed there is answered here if it is a message; binary never is.

use crate::case::{Case, Chops, LONGEST_READ, TOO_BIG, message};
use crate::frame::Frame;

/// By the last part of the number. The last comes in pieces of 997 bytes.
const LENGTHS: [usize; 8] = [0, 125, 126, 127, 128, 65_535, 65_536, 65_536];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, is_text) in [(1, true), (2, false)] {
        for (last, length) in (1..).zip(LENGTHS) {
            let case = Case::new(format!("1.{kind}.{last}"));
            let payload = if is_text && length > 0 { message(length) } else { vec![0xFE; length] };
            let frame = if is_text { Frame::text(payload) } else { Frame::binary(payload) };
            let chops = if last == 8 { Chops::Bytes(997) } else { Chops::Whole };
            let case = case.send_in(chops, &[frame]);
            cases.push(match length {
                0 => case.refused(),
                _ if length > LONGEST_READ => case.closed(TOO_BIG),
                _ if is_text => case.answered(),
                _ => case.refused(),
            });
        }
    }
    cases
}

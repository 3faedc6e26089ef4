//! Masking (RFC 6455 §5.1): a frame that is not masked fails the connection, whatever it is. The suite has no case of it, for its own client
//! always masks.

use crate::case::{Case, PROTOCOL_ERROR, hello};
use crate::frame::{BINARY, CLOSE, Frame, PING, PONG, TEXT, fragments};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = [TEXT, BINARY, CLOSE, PING, PONG]
        .map(|opcode| {
            let payload = if opcode == CLOSE { vec![0x03, 0xE8] } else { hello() };
            let frame = Frame::new(opcode, payload).unmasked();
            Case::new(format!("unmasked, opcode {opcode}")).send(&[frame]).closed(PROTOCOL_ERROR)
        })
        .into();
    let mut split = fragments(TEXT, &hello(), 10);
    split[1] = split[1].clone().unmasked();
    cases.push(Case::new("unmasked, second fragment").send(&split).closed(PROTOCOL_ERROR));
    let behind = [Frame::text(hello()), Frame::text(hello()).unmasked()];
    cases.push(Case::new("unmasked, behind a message").send(&behind).answered().closed(PROTOCOL_ERROR));
    cases
}

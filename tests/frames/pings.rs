//! Section 2: a ping is answered by a pong with its payload, a pong by nothing.

use crate::case::{Case, Chops, PROTOCOL_ERROR};
use crate::frame::Frame;

pub(crate) fn cases() -> Vec<Case> {
    let pinged = |number: &str, payload: &[u8]| Case::new(number).send(&[Frame::ping(payload)]).pong(payload);
    let unasked = Frame::pong("unsolicited pong payload");
    let ten: Vec<_> = (0..10).map(|n| Frame::ping(format!("payload-{n}"))).collect();
    let all_answered = |case: Case| ten.iter().fold(case, |case, ping| case.pong(ping.payload.clone()));
    vec![
        pinged("2.1", b""),
        pinged("2.2", b"Hello, world!"),
        pinged("2.3", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
        pinged("2.4", &[0xFE; 125]),
        Case::new("2.5").send(&[Frame::ping([0xFE; 126])]).closed(PROTOCOL_ERROR),
        Case::new("2.6").send_in(Chops::Bytes(1), &[Frame::ping([0xFE; 125])]).pong([0xFE; 125]),
        Case::new("2.7").send(&[Frame::pong("")]),
        Case::new("2.8").send(std::slice::from_ref(&unasked)),
        Case::new("2.9").send(&[unasked, Frame::ping("ping payload")]).pong("ping payload"),
        all_answered(Case::new("2.10").send(&ten)),
        all_answered(Case::new("2.11").send_in(Chops::Bytes(1), &ten)),
    ]
}

//! Section 5: messages in fragments, control frames between them, and fragments that belong to nothing.

use crate::case::{Case, Chops, PROTOCOL_ERROR, hello};
use crate::frame::{Frame, PING, PONG, TEXT, fragments};

pub(crate) fn cases() -> Vec<Case> {
    let control = |number: &str, opcode| {
        let frames = [Frame::new(opcode, "fragment1").not_final(), Frame::continues("fragment2")];
        Case::new(number).send(&frames).closed(PROTOCOL_ERROR)
    };
    let mut cases = vec![control("5.1", PING), control("5.2", PONG)];
    let ways = [Chops::Whole, Chops::Frames, Chops::Bytes(1)];
    let [begin, end] = in_two();
    for (at, chops) in ways.into_iter().enumerate() {
        let case = Case::new(format!("5.{}", 3 + at));
        cases.push(case.send_in(chops, &[begin.clone(), end.clone()]).answered());
    }
    for (at, chops) in ways.into_iter().enumerate() {
        let case = Case::new(format!("5.{}", 6 + at));
        let frames = [begin.clone(), Frame::ping("ping payload"), end.clone()];
        cases.push(case.send_in(chops, &frames).pong("ping payload").answered());
    }
    let stray = Frame::continues("non-continuation payload");
    for (first, stray) in [(9, stray.clone()), (12, stray.not_final())] {
        for (at, chops) in ways.into_iter().enumerate() {
            let case = Case::new(format!("5.{}", first + at));
            cases.push(case.send_in(chops, &[stray.clone(), Frame::text(hello())]).closed(PROTOCOL_ERROR));
        }
    }
    cases.extend(strays());
    cases.extend([in_five("5.19", Chops::Whole), in_five("5.20", Chops::Frames)]);
    cases
}

/// A message that is answered.
fn in_two() -> [Frame; 2] {
    fragments(TEXT, &hello(), 10).try_into().expect("it has 17 bytes")
}

fn strays() -> [Case; 4] {
    let [begin, end] = in_two();
    let strays = |is_final: bool| {
        let stray = Frame::continues("fragment1");
        let once = [if is_final { stray } else { stray.not_final() }, begin.clone(), end.clone()];
        [once.clone(), once].concat()
    };
    let behind = [begin.clone(), end.clone(), Frame::continues("fragment3").not_final(), Frame::text(hello())];
    let begun_twice = [begin.clone(), Frame::text("fragment2")];
    [
        Case::new("5.15").send(&behind).answered().closed(PROTOCOL_ERROR),
        Case::new("5.16").send(&strays(false)).closed(PROTOCOL_ERROR),
        Case::new("5.17").send(&strays(true)).closed(PROTOCOL_ERROR),
        Case::new("5.18").send(&begun_twice).closed(PROTOCOL_ERROR),
    ]
}

/// The first ping is answered before the rest of the message is sent.
fn in_five(number: &str, chops: Chops) -> Case {
    let frames = fragments(TEXT, &hello(), 4);
    let (begin, rest) = frames.split_at(2);
    let first = [begin, &[Frame::ping("pongme 1!")]].concat();
    let then = [&rest[..2], &[Frame::ping("pongme 2!")], &rest[2..]].concat();
    Case::new(number).send_in(chops, &first).pong("pongme 1!").send_in(chops, &then).pong("pongme 2!").answered()
}

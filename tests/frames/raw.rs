//! Frames that are almost good: a few that go together, and then bytes changed, lost, put in and doubled.

use crate::case::{hello, message};
use crate::frame::{BINARY, Frame, TEXT, fragments};
use crate::seed::Seeded;

/// What one connection sends, and how many frames that were to be.
pub(crate) fn draw(seeded: &mut Seeded) -> (Vec<u8>, usize) {
    let count = seeded.within(1..6) as usize;
    let mut frames = Vec::new();
    while frames.len() < count {
        frames.extend(draw_frames(seeded));
    }
    frames.truncate(count);
    let mut bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    for _ in 0..seeded.within(0..5) {
        mutate(seeded, &mut bytes);
    }
    (bytes, count)
}

fn draw_frames(seeded: &mut Seeded) -> Vec<Frame> {
    let length = seeded.within(0..300) as usize;
    let noise: Vec<u8> = (0..length).map(|_| seeded.within(0..256) as u8).collect();
    match seeded.within(0..12) {
        0 => vec![Frame::text(r#"{"type":"subscribe","limit":3}"#)],
        1 => vec![Frame::text(r#"{"type":"authenticate","ticket":"x"}"#)],
        2 => vec![Frame::text(message(17 + length))],
        3 => fragments(TEXT, &hello(), 1 + length % 5),
        4 => vec![Frame::text(noise)],
        5 => vec![Frame::binary(noise)],
        6 => fragments(BINARY, &[noise, vec![0]].concat(), 50),
        7 => vec![Frame::ping(noise)],
        8 => vec![Frame::pong(noise)],
        9 => vec![Frame::close(seeded.within(0..70_000) as u16, noise)],
        10 => vec![Frame::new(seeded.within(0..16) as u8, noise).reserved(seeded.within(0..8) as u8)],
        _ => vec![Frame::text(hello()).unmasked()],
    }
}

fn mutate(seeded: &mut Seeded, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = seeded.within(0..bytes.len() as u64) as usize;
    match seeded.within(0..6) {
        0 => bytes[at] ^= 1 << seeded.within(0..8),
        1 => bytes[at] = seeded.within(0..256) as u8,
        2 => bytes.insert(at, seeded.within(0..256) as u8),
        3 => drop(bytes.remove(at)),
        4 => bytes.truncate(at),
        _ => {
            let end = (at + seeded.within(1..40) as usize).min(bytes.len());
            bytes.extend_from_within(at..end);
        }
    }
}

//! Section 6: text is UTF-8, however it is cut. What is valid stands in a ticket here, which no server has given out: the answer says so, which
//! shows that the text was read. What is not valid fails the connection.
//!
//! The sequences are those of Markus Kuhn's *UTF-8 decoder capability and stress test*, in the order and numbers of the suite.

use crate::case::{Case, NOT_UTF8, hello};
use crate::frame::{Frame, TEXT, fragments};

const GREEK: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
const GERMAN: &[u8] = "Hello-µ@ßöäüàá-UTF-8!!".as_bytes();

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = empty();
    cases.extend(cut());
    cases.extend(fails_at_once());
    for (group, sequences) in (5..).zip(groups()) {
        for (last, bytes) in (1..).zip(sequences) {
            cases.push(sequence(format!("6.{group}.{last}"), &bytes));
        }
    }
    cases
}

/// A message with this text in it, which is read and leaves the connection open.
fn with(text: &[u8]) -> Vec<u8> {
    [br#"{"type":"authenticate","ticket":""#, text, br#""}"#].concat()
}

fn sequence(number: String, bytes: &[u8]) -> Case {
    let case = Case::new(number);
    match std::str::from_utf8(bytes) {
        // In JSON only an escape may say it: this is no message, though it is UTF-8.
        Ok(text) if text.contains('\0') => case.send(&[Frame::text(with(bytes))]).refused(),
        Ok(_) => case.send(&[Frame::text(with(bytes))]).error("unauthorized"),
        Err(_) => case.send(&[Frame::text(bytes)]).closed(NOT_UTF8),
    }
}

/// 6.1: fragments of nothing.
fn empty() -> Vec<Case> {
    let none = || Frame::text("").not_final();
    let nothing = [none(), Frame::continues("").not_final(), Frame::continues("")];
    let around = [none(), Frame::continues(hello()).not_final(), Frame::continues("")];
    vec![
        Case::new("6.1.1").send(&[Frame::text("")]).refused(),
        Case::new("6.1.2").send(&nothing).refused(),
        Case::new("6.1.3").send(&around).answered(),
    ]
}

/// 6.2 and 6.3: cut between characters and within them.
fn cut() -> Vec<Case> {
    let text = with(GERMAN);
    let between = text.len() - 2 - "üàá-UTF-8!!".len();
    let parts = [Frame::text(&text[..between]).not_final(), Frame::continues(&text[between..])];
    let bytes = |text: &[u8]| fragments(TEXT, text, 1);
    let bad = [GREEK, b"\xed\xa0\x80", b"edited"].concat();
    vec![
        Case::new("6.2.1").send(&[Frame::text(text.clone())]).error("unauthorized"),
        Case::new("6.2.2").send(&parts).error("unauthorized"),
        Case::new("6.2.3").send(&bytes(&text)).error("unauthorized"),
        Case::new("6.2.4").send(&bytes(&with(GREEK))).error("unauthorized"),
        Case::new("6.3.1").send(&[Frame::text(bad.clone())]).closed(NOT_UTF8),
        Case::new("6.3.2").send(&bytes(&bad)).closed(NOT_UTF8),
    ]
}

/// 6.4: a fragment that cannot become UTF-8 any more fails before the last has come. A frame is looked at when it is whole: within one, 6.4.3
/// and 6.4.4 fail at its end, which the suite calls not strict, and allows.
fn fails_at_once() -> Vec<Case> {
    let bad = [GREEK, b"\xf4\x90\x80\x80", b"edited"].concat();
    let (first, second, third) = (&bad[..GREEK.len()], &bad[GREEK.len()..GREEK.len() + 4], &bad[GREEK.len() + 4..]);
    let still_open = |case: Case| case.send(&[Frame::ping("still open?")]).pong("still open?");
    let frames = |number: &str, first: &[u8], second: &[u8]| {
        let case = still_open(Case::new(number).send(&[Frame::text(first).not_final()]));
        case.send(&[Frame::continues(second).not_final()]).closed(NOT_UTF8)
    };
    let chops = |number: &str, at: [usize; 2]| {
        let frame = Frame::text(bad.clone()).encode();
        let head = frame.len() - bad.len();
        let parts = [&frame[..head + at[0]], &frame[head + at[0]..head + at[1]], &frame[head + at[1]..]];
        parts.iter().fold(Case::new(number), |case, part| case.send_bytes(part.to_vec())).closed(NOT_UTF8)
    };
    assert_eq!((second.len(), third), (4, &b"edited"[..]));
    vec![
        frames("6.4.1", first, second),
        frames("6.4.2", &bad[..12], &bad[12..13]),
        chops("6.4.3", [11, 15]),
        chops("6.4.4", [12, 13]),
    ]
}

fn groups() -> Vec<Vec<Vec<u8>>> {
    let list = |sequences: &[&[u8]]| sequences.iter().map(|bytes| bytes.to_vec()).collect::<Vec<_>>();
    let cut_short: [&[u8]; 10] = [
        b"\xc0",
        b"\xe0\x80",
        b"\xf0\x80\x80",
        b"\xf8\x80\x80\x80",
        b"\xfc\x80\x80\x80\x80",
        b"\xdf",
        b"\xef\xbf",
        b"\xf7\xbf\xbf",
        b"\xfb\xbf\xbf\xbf",
        b"\xfd\xbf\xbf\xbf\xbf",
    ];
    vec![
        // 6.5: some that are valid.
        list(&[
            b"hello\x24world",
            b"hello\xc2\xa2world",
            b"hello\xe2\x82\xacworld",
            b"hello\xf0\xa4\xad\xa2world",
            GREEK,
        ]),
        // 6.6: all that a valid one begins with.
        (1..=GREEK.len()).map(|length| GREEK[..length].to_vec()).collect(),
        // 6.7 and 6.8: the first of each length.
        list(&[b"\0", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]),
        list(&[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
        // 6.9 and 6.10: the last of each length.
        list(&[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]),
        list(&[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]),
        // 6.11: other borders.
        list(&[b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]),
        // 6.12: continuations of nothing.
        [vec![0x80], vec![0xBF]].into_iter().chain((2..=6).map(alternating)).chain([(0x80..0xBF).collect()]).collect(),
        // 6.13: beginnings without an end, each before a blank.
        [0xC0..0xDF, 0xE0..0xEF, 0xF0..0xF7, 0xF8..0xFB, 0xFC..0xFD]
            .map(|firsts| firsts.flat_map(|first| [first, b' ']).collect())
            .into(),
        // 6.14 and 6.15: the last byte is missing, of one and of many.
        list(&cut_short),
        vec![cut_short.concat()],
        // 6.16: bytes that are in no UTF-8.
        list(&[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
        // 6.17 to 6.19: longer than they must be.
        overlong(0xAF),
        list(&[
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xf8\x87\xbf\xbf\xbf",
            b"\xfc\x83\xbf\xbf\xbf\xbf",
        ]),
        overlong(0x80),
        // 6.20 and 6.21: halves of UTF-16, alone and in pairs.
        [0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF].map(|half| three_bytes(half).to_vec()).into(),
        [0xD800, 0xDB7F, 0xDB80, 0xDBFF]
            .into_iter()
            .flat_map(|high| [0xDC00, 0xDFFF].map(|low| [three_bytes(high), three_bytes(low)].concat()))
            .collect(),
        // 6.22: numbers that are no characters, and UTF-8 all the same.
        (0..=16).flat_map(|plane| [plane << 16 | 0xFFFE, plane << 16 | 0xFFFF]).map(encode).collect(),
        // 6.23: the specials.
        (0xFFF9..=0xFFFF).map(encode).collect(),
    ]
}

/// 80 BF 80 …
fn alternating(length: usize) -> Vec<u8> {
    [0x80, 0xBF].into_iter().cycle().take(length).collect()
}

/// A character of one byte in two to six.
fn overlong(last: u8) -> Vec<Vec<u8>> {
    let longer = |(between, first)| [vec![first], vec![0x80; between], vec![last]].concat();
    [0xC0, 0xE0, 0xF0, 0xF8, 0xFC].into_iter().enumerate().map(longer).collect()
}

/// As UTF-8 would write it if it might.
fn three_bytes(half: u16) -> [u8; 3] {
    [0xE0 | (half >> 12) as u8, 0x80 | (half >> 6 & 0x3F) as u8, 0x80 | (half & 0x3F) as u8]
}

fn encode(number: u32) -> Vec<u8> {
    char::from_u32(number).expect("it is no half").to_string().into_bytes()
}

//! Turns good input into input that is almost good.

use std::collections::HashSet;

use crate::seed::Seeded;

/// What readers of JSON and of our fields stumble over.
const WORDS: [&[u8]; 40] = [
    b"null",
    b"true",
    b"\"\"",
    b"{}",
    b"[]",
    b"0",
    b"-0",
    b"-1",
    b"1e999",
    b"1.5",
    b"NaN",
    b"9007199254740991",
    b"9007199254740992",
    b"-9007199254740992",
    b"9223372036854775808",
    b"18446744073709551616",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\"",
    b"\\",
    b",",
    b":",
    b"{\"",
    b"[[[[[[[[",
    b"]",
    b"}",
    b" \t\r\n",
    b"\0",
    b"main",
    b"\"points\":",
    b"\"id\":",
    b"\"type\":",
    b"\"since\":",
    b"1970-01-01T00:00:00.000Z",
    b"9999-12-31T23:59:60Z",
    b"00000000-0000-0000-0000-000000000000",
    b"ffffffffffffffffffffffffffffffff",
];

/// Inputs to start from, those that showed something new among them.
#[derive(Debug)]
pub(crate) struct Mutator {
    seeded: Seeded,
    corpus: Vec<Vec<u8>>,
    /// How many of the corpus were there from the start.
    good: usize,
    seen: HashSet<String>,
}

impl Mutator {
    pub(crate) fn new(corpus: Vec<Vec<u8>>) -> Self {
        assert!(!corpus.is_empty(), "something to start from");
        Self { seeded: Seeded::new(), good: corpus.len(), corpus, seen: HashSet::new() }
    }

    /// The next input: every other time a good one, changed in one place, else any of the corpus, changed in up to five.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let gently = self.below(2) == 0;
        let index = self.below(if gently { self.good } else { self.corpus.len() });
        let mut bytes = self.corpus[index].clone();
        for _ in 0..if gently { 1 } else { 1 + self.below(5) } {
            self.mutate(&mut bytes);
        }
        bytes
    }

    /// Remembers an input that had a result like none before.
    pub(crate) fn keep_if_new(&mut self, input: &[u8], result: String) {
        if self.corpus.len() < 2_000 && self.seen.insert(result) {
            self.corpus.push(input.to_owned());
        }
    }

    /// How many different results there were.
    pub(crate) fn seen(&self) -> usize {
        self.seen.len()
    }

    fn below(&mut self, end: usize) -> usize {
        self.seeded.within(0..end.max(1) as u64) as usize
    }

    fn any(&mut self) -> &Vec<u8> {
        let index = self.below(self.corpus.len());
        &self.corpus[index]
    }

    /// A stretch of at most 32 bytes.
    fn stretch(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len());
        let length = self.below(32.min(bytes.len() - start) + 1);
        start..start + length
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let last = bytes.len().saturating_sub(1);
        match self.below(10) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            2 => {
                let gone = self.stretch(bytes);
                bytes.drain(gone);
            }
            3 => {
                let again = self.stretch(bytes);
                let copy = bytes[again].to_owned();
                bytes.splice(at..at, copy);
            }
            4 => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            5 => {
                let gone = self.stretch(bytes);
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(gone, word.iter().copied());
            }
            6 => {
                let other = self.any().clone();
                let cut = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[cut..]);
            }
            7 => bytes.truncate(at),
            _ => self.replace_in_kind(&mut bytes[at.min(last)..]),
        }
    }
    /// Puts a digit in the place of the next digit, or a letter in that of the next letter: what is read stays well-formed.
    fn replace_in_kind(&mut self, bytes: &mut [u8]) {
        if let Some(byte) = bytes.iter_mut().find(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()) {
            *byte = if byte.is_ascii_digit() { b'0' + self.below(10) as u8 } else { b'a' + self.below(6) as u8 };
        }
    }
}

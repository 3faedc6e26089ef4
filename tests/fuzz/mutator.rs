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
    seen: HashSet<String>,
}

impl Mutator {
    pub(crate) fn new(corpus: Vec<Vec<u8>>) -> Self {
        assert!(!corpus.is_empty(), "something to start from");
        Self { seeded: Seeded::new(), corpus, seen: HashSet::new() }
    }

    /// The next input: one of the corpus, changed in one to five places.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.any().clone();
        for _ in 0..=self.below(5) {
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
        match self.below(8) {
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
            _ => bytes.truncate(at),
        }
    }
}

//! Lines with their numbers, bounded in length.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::transfer::Line;
use crate::transfer::import::Source;

/// No line of an export is as long: a decision is its longest, and names at most 10,000 actions.
const MAX_LINE: u64 = 1 << 20;

/// Reads an export line by line, and shows how far it is.
pub(super) struct Reader {
    input: Box<dyn BufRead>,
    progress: Progress,
    number: u64,
    read: u64,
    size: u64,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (input, size): (Box<dyn BufRead>, u64) = if path == Path::new("-") {
            (Box::new(BufReader::new(io::stdin())), 0)
        } else {
            let cannot = |error: io::Error| Failure::because(format_args!("cannot read {}", path.display()), &error);
            let file = File::open(path).map_err(cannot)?;
            let size = file.metadata().map_err(cannot)?.len();
            (Box::new(BufReader::new(file)), size)
        };
        Ok(Self { input, progress: Progress::new("importing", size, "bytes"), number: 0, read: 0, size })
    }
}

impl Source for Reader {
    async fn next(&mut self) -> Result<Option<(u64, Line)>> {
        let mut text = Vec::new();
        let count = (&mut self.input)
            .take(MAX_LINE)
            .read_until(b'\n', &mut text)
            .map_err(|error| Failure::because(format_args!("cannot read line {}", self.number + 1), &error))?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.read += count as u64;
        self.progress.at(self.read, self.size);
        if text.last() != Some(&b'\n') {
            let what = if count as u64 == MAX_LINE {
                "is too long for an export"
            } else {
                "has no end: the file was cut off here"
            };
            return Err(self.bad(self.number, what));
        }
        let line = serde_json::from_slice(&text).map_err(|error| {
            // The parser's own line number would be 1: it sees one line at a time.
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            self.bad(self.number, format_args!("{what} (column {})", error.column()))
        })?;
        Ok(Some((self.number, line)))
    }

    fn number(&self) -> u64 {
        self.number
    }
}

//! A case: what is sent, what is answered, and how it ends.

use std::net::SocketAddr;

use hyper::body::Bytes;

use crate::driver::{ANSWER, Driver, Said};
use crate::frame::{Frame, encoded};

/// The longest message that is one, and the longest that is read at all, in bytes.
pub(crate) const LONGEST_MESSAGE: usize = 8 * 1024;
pub(crate) const LONGEST_READ: usize = 16 * 1024;

/// RFC 6455 §7.4.1.
pub(crate) const NORMAL: u16 = 1000;
pub(crate) const PROTOCOL_ERROR: u16 = 1002;
pub(crate) const NOT_UTF8: u16 = 1007;
pub(crate) const TOO_BIG: u16 = 1009;
/// What can be read, and is no message of `scoreboard.v1`.
pub(crate) const BAD_MESSAGE: u16 = 4501;
/// More messages than a minute allows.
const TOO_MUCH: u16 = 4008;

/// How bytes are put on the wire: the server must not see a difference.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chops {
    /// All at once.
    Whole,
    /// Frame by frame.
    Frames,
    /// So many bytes at a time.
    Bytes(usize),
}

#[derive(Debug)]
enum Step {
    Send(Vec<Bytes>),
    Expect(Said),
    /// An error of this code, in a message.
    ExpectError(&'static str),
    /// Answers to messages, as many as there are, and then an error.
    ExpectRefusal,
}

#[derive(Debug)]
enum End {
    /// The connection is still good: the client closes it, and the server agrees.
    Open,
    /// The server closes with one of these codes, after it has said why where it is a message that was bad.
    Closed(Vec<Option<u16>>),
}

/// One case of the suite, by its number there.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) number: String,
    steps: Vec<Step>,
    end: End,
}

impl Case {
    pub(crate) fn new(number: impl Into<String>) -> Self {
        Self { number: number.into(), steps: Vec::new(), end: End::Open }
    }

    /// Sends frames.
    pub(crate) fn send(self, frames: &[Frame]) -> Self {
        self.send_in(Chops::Whole, frames)
    }

    pub(crate) fn send_in(self, chops: Chops, frames: &[Frame]) -> Self {
        let pieces = match chops {
            Chops::Whole => vec![encoded(frames).into()],
            Chops::Frames => frames.iter().map(|frame| frame.encode().into()).collect(),
            Chops::Bytes(size) => {
                let bytes = Bytes::from(encoded(frames));
                (0..bytes.len()).step_by(size).map(|at| bytes.slice(at..bytes.len().min(at + size))).collect()
            }
        };
        self.step(Step::Send(pieces))
    }

    /// Sends bytes that need be no frame.
    pub(crate) fn send_bytes(self, bytes: Vec<u8>) -> Self {
        self.step(Step::Send(vec![bytes.into()]))
    }

    /// The server's answer to a message that is good.
    pub(crate) fn answered(self) -> Self {
        self.step(Step::Expect(Said::Text(ANSWER.to_owned())))
    }

    /// The pong that belongs to a ping.
    pub(crate) fn pong(self, payload: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Expect(Said::Pong(payload.into())))
    }

    /// An error that leaves the connection open.
    pub(crate) fn error(self, code: &'static str) -> Self {
        self.step(Step::ExpectError(code))
    }

    /// The server closes with this code.
    pub(crate) fn closed(self, code: u16) -> Self {
        self.closed_by([Some(code)])
    }

    /// What was sent could be read and is no message: it is said why, and the connection closed.
    pub(crate) fn refused(self) -> Self {
        self.error("invalid_request").closed(BAD_MESSAGE)
    }

    /// Some of what was sent is answered, until there was too much of it.
    pub(crate) fn refused_at_last(self) -> Self {
        self.step(Step::ExpectRefusal).closed(TOO_MUCH)
    }

    /// The server closes with one of these.
    pub(crate) fn closed_by(mut self, codes: impl Into<Vec<Option<u16>>>) -> Self {
        self.end = End::Closed(codes.into());
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Runs it on a connection of its own; the error is what went otherwise.
    pub(crate) async fn run(&self, server: SocketAddr) -> Result<(), String> {
        let mut driver = Driver::connect(server).await?;
        for step in &self.steps {
            match step {
                Step::Send(pieces) => pieces.iter().for_each(|piece| driver.send(piece.clone())),
                Step::Expect(expected) => match driver.next().await? {
                    said if said == *expected => {}
                    said => return Err(format!("{said:?} instead of {expected:?}")),
                },
                Step::ExpectError(code) => match driver.next().await? {
                    said if said.is_error(code) => {}
                    said => return Err(format!("{said:?} instead of the error `{code}`")),
                },
                Step::ExpectRefusal => loop {
                    match driver.next().await? {
                        said if said.is_answer() => {}
                        said if said.is_error("invalid_request") => break,
                        said => return Err(format!("{said:?} instead of an answer or a refusal")),
                    }
                },
            }
        }
        let expected = match &self.end {
            End::Open => {
                driver.send(Frame::close(NORMAL, "").encode());
                &vec![Some(NORMAL)]
            }
            End::Closed(codes) => codes,
        };
        match driver.next().await? {
            Said::Close(code) if expected.contains(&code) => {}
            said => return Err(format!("{said:?} instead of a close with one of {expected:?}")),
        }
        // Agreed to, for who has not closed it.
        driver.send(Frame::close(NORMAL, "").encode());
        match driver.next().await? {
            Said::Ended => Ok(()),
            said => Err(format!("{said:?} after the close")),
        }
    }
}

/// A message that is answered, as long as is wanted: JSON may have as many blanks as it likes.
pub(crate) fn message(length: usize) -> Vec<u8> {
    let (begin, end) = (r#"{"type":"ping""#, "}");
    let blanks = length.checked_sub(begin.len() + end.len()).expect("no message is shorter");
    format!("{begin}{}{end}", " ".repeat(blanks)).into_bytes()
}

/// A short one.
pub(crate) fn hello() -> Vec<u8> {
    message(17)
}

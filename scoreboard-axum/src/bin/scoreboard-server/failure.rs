//! Why a command ends otherwise than well: one line for whoever typed it.

use std::error::Error as StdError;
use std::fmt;

use scoreboard_core::{BackendError, BoardError, Chain, Error, InvalidValue};

/// One line, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

/// What commands return.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The line, held to one: a cause may have brought line breaks with it. Exit code 1.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        let message = message.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { message, code: 1 }
    }

    /// What was tried, and its cause with the causes of that.
    pub(crate) fn because(tried: impl fmt::Display, cause: &(dyn StdError + 'static)) -> Self {
        Self::new(format_args!("{tried}: {}", Chain(cause)))
    }

    /// The same line with another exit code.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// What the process ends with.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::new(Chain(&error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Chain(&error))
    }
}

impl From<BoardError> for Failure {
    fn from(error: BoardError) -> Self {
        Self::new(Chain(&error))
    }
}

impl From<InvalidValue> for Failure {
    fn from(error: InvalidValue) -> Self {
        Self::new(error)
    }
}

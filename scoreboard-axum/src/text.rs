//! Short text without an allocation.

use std::fmt::{self, Write};

/// Up to `N` bytes of text; writing more is an error, and changes nothing.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).expect("only whole strings are written")
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Writes a number in digits, many times faster than by its `Display`.
    ///
    /// # Errors
    ///
    /// As by `write_str`.
    pub(crate) fn write_number(&mut self, number: u64) -> fmt::Result {
        let (mut digits, mut rest) = ([b'0'; 20], number);
        let mut start = digits.len();
        while rest > 0 || start == digits.len() {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.write_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII"))
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_displayed() {
        for number in [0, 7, 10, 99, 100, 1 << 53, u64::MAX] {
            let mut text = Text::<20>::default();
            text.write_number(number).unwrap();
            assert_eq!(text.as_str(), number.to_string());
        }
        assert!(Text::<2>::default().write_number(100).is_err());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut text = Text::<4>::default();
        assert!(text.write_str("abc").is_ok());
        assert!(text.write_str("de").is_err());
        assert_eq!(text.as_str(), "abc");
        assert!(text.write_str("d").is_ok());
        assert_eq!(text.as_str(), "abcd");
    }
}

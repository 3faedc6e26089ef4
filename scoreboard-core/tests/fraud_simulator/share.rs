//! So many of so many, and how sure that is.

use std::fmt;

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub(crate) part: u64,
    pub(crate) whole: u64,
}

/// What is taken for the share that there would be of ever more of them: at least, and at most.
pub(crate) type Judged = fn(Share) -> (f64, f64);

impl Share {
    pub(crate) fn of<T>(all: &[T], is: impl Fn(&T) -> bool) -> Self {
        Self { part: all.iter().filter(|one| is(one)).count() as u64, whole: all.len() as u64 }
    }

    fn ratio(self) -> f64 {
        if self.whole == 0 { 0.0 } else { self.part as f64 / self.whole as f64 }
    }

    /// What was measured, be it by chance.
    pub(crate) fn measured(self) -> (f64, f64) {
        (self.ratio(), self.ratio())
    }

    /// Wilson's interval, 95 %: E. B. Wilson, Probable Inference, JASA 22 (1927).
    pub(crate) fn interval(self) -> (f64, f64) {
        if self.whole == 0 {
            return (0.0, 1.0);
        }
        let (n, p, z) = (self.whole as f64, self.ratio(), 1.959_964);
        let middle = p + z * z / (2.0 * n);
        let width = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        (((middle - width) / scale).max(0.0), ((middle + width) / scale).min(1.0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole == 0 {
            return f.pad("—");
        }
        let (low, high) = self.interval();
        let [ratio, low, high] = [self.ratio(), low, high].map(|share| 100.0 * share);
        f.pad(&format!("{}/{} = {ratio:.2} % ({low:.2}–{high:.2})", self.part, self.whole))
    }
}

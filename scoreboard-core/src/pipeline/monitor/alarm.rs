//! When to speak, and when to act: told late rather than twice.

/// How one look at a measure came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// Beyond the threshold.
    Bad,
    /// Neither bad, nor good enough to say that it is over.
    Between,
    /// Well on the right side of the threshold.
    Good,
}

/// So many good looks in a row end an alarm.
const GOOD_LOOKS: u32 = 2;
/// The longest pause between two reactions, in periods.
const LONGEST_PAUSE: u32 = 32;

/// One measure's alarm. It is raised by one bad look and ended by several good ones, so that a measure that trembles around its threshold
/// does not ring each time.
///
/// A reaction that does not help is tried again after 1, 2, 4 … 32 periods: it may well be that it does harm. Only when the alarm has been
/// quiet for as long as the last pause does it begin anew.
#[derive(Debug)]
pub(super) struct Alarm {
    is_raised: bool,
    good_looks: u32,
    /// Periods until the next reaction.
    wait: u32,
    /// What `wait` is after the next reaction.
    pause: u32,
    /// Periods since the alarm ended.
    quiet: u32,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { is_raised: false, good_looks: 0, wait: 0, pause: 1, quiet: 0 }
    }
}

impl Alarm {
    /// One look each period; `None` if there was too little to see. Gives `Some` if the alarm was raised or ended by it.
    pub(super) fn look(&mut self, sight: Option<Sight>) -> Option<bool> {
        self.wait = self.wait.saturating_sub(1);
        self.quiet = if self.is_raised { 0 } else { self.quiet.saturating_add(1) };
        if self.quiet >= self.pause && self.wait == 0 {
            self.pause = 1;
        }
        self.good_looks = match sight {
            Some(Sight::Good) => self.good_looks + 1,
            Some(Sight::Bad | Sight::Between) => 0,
            None => self.good_looks,
        };
        let was_raised = self.is_raised;
        if sight == Some(Sight::Bad) {
            self.is_raised = true;
        } else if self.good_looks >= GOOD_LOOKS {
            self.is_raised = false;
            self.good_looks = 0;
        }
        (self.is_raised != was_raised).then_some(self.is_raised)
    }

    pub(super) const fn is_raised(&self) -> bool {
        self.is_raised
    }

    /// Whether a reaction was made so recently that its time is not over.
    pub(super) const fn waits(&self) -> bool {
        self.wait > 0
    }

    /// Whether it is time for a reaction to what this look has shown.
    pub(super) fn may_react(&self, sight: Option<Sight>) -> bool {
        self.is_raised && sight == Some(Sight::Bad) && !self.waits()
    }

    /// A reaction was made.
    pub(super) fn reacted(&mut self) {
        self.wait = self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_that_trembles_rings_once() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.look(Some(Sight::Between)), None);
        assert_eq!(alarm.look(Some(Sight::Bad)), Some(true));
        for sight in [Sight::Between, Sight::Bad, Sight::Good, Sight::Between, Sight::Good, Sight::Bad, Sight::Good] {
            assert_eq!(alarm.look(Some(sight)), None, "{sight:?}");
        }
        assert_eq!(alarm.look(None), None, "what is not seen says nothing");
        assert_eq!(alarm.look(Some(Sight::Good)), Some(false));
        assert!(!alarm.is_raised());
    }

    #[test]
    fn what_does_not_help_is_done_ever_more_rarely() {
        let mut alarm = Alarm::default();
        let mut reactions = Vec::new();
        for period in 0..150 {
            alarm.look(Some(Sight::Bad));
            if alarm.may_react(Some(Sight::Bad)) {
                alarm.reacted();
                reactions.push(period);
            }
        }
        assert_eq!(reactions, [0, 1, 3, 7, 15, 31, 63, 95, 127]);
        for _ in 0..GOOD_LOOKS {
            assert!(!alarm.may_react(Some(Sight::Good)));
            alarm.look(Some(Sight::Good));
        }
        assert_eq!(alarm.pause, LONGEST_PAUSE, "an alarm that comes back soon goes on where it was");
        for _ in 0..2 * LONGEST_PAUSE {
            alarm.look(None);
        }
        assert_eq!(alarm.pause, 1);
    }
}

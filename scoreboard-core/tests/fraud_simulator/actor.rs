//! Who plays, and when: people, and programs that are to be taken for people.

use scoreboard_core::DeviceId;

use crate::chance::Chance;

const SECOND: f64 = 1_000.0;
const HOUR: f64 = 3_600.0 * SECOND;

/// What is known of who plays. The rules do not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    Honest,
    /// A person with a few results far above all others.
    Record,
    /// Alters actions before it hands them in.
    Tamper,
    /// Hands actions in again, and those of others.
    Replay,
    /// Hands actions in before they can be done.
    TooFast,
    /// A timer.
    FixedInterval,
    /// A timer with so many per cent of jitter.
    Jitter(u32),
    /// Draws its times from those of people.
    Mimic,
    /// Fifty accounts at one address, each on a device of its own and played as a person plays.
    Farm,
    /// A person's rhythm, around the clock.
    Grinder,
    /// Another, better person plays too.
    Share,
    /// Ten accounts on a device, each at an address of its own and played as a person plays.
    DeviceFarm,
}

/// From where and on what somebody plays.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) address: String,
    pub(crate) device: DeviceId,
    /// Whether the device is a tablet on which others play too, honestly.
    pub(crate) is_tablet: bool,
}

/// What an actor does next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How long after the action before it is handed in.
    pub(crate) after_ms: u64,
    pub(crate) is_boss: bool,
    /// What a boss is worth.
    pub(crate) points: i64,
}

/// Somebody who plays.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) family: Family,
    pub(crate) source: Source,
    chance: Chance,
    /// Half of the times between actions are shorter.
    median_ms: f64,
    /// The standard deviation of the logarithm of these times.
    spread: f64,
    /// This session's pace, about 1.
    pace: f64,
    session_mean: f64,
    pause_median_h: f64,
    left_in_session: u32,
    left: u32,
    played: u32,
    skill: f64,
    /// Whether the better person of a shared account is playing.
    is_other: bool,
    /// The results of a record player that are one.
    records: [u32; 3],
}

impl Actor {
    pub(crate) fn new(family: Family, seed: u64, number: u64, source: Source) -> Self {
        let mut chance = Chance::new(seed, number);
        // Casual, regular, devoted.
        let tier = match chance.unit() {
            drawn if drawn < 0.7 => 0,
            drawn if drawn < 0.95 => 1,
            _ => 2,
        };
        let mean_left = [40.0, 150.0, 700.0][tier];
        let left = match family {
            Family::Honest => (mean_left * chance.log_normal(0.9, 0.4)) as u32 + 3,
            Family::Grinder => 4_000,
            _ => 200,
        };
        let records = [0; 3].map(|_| 30 + chance.below(100) as u32);
        Self {
            family,
            source,
            median_ms: chance.log_normal(25.0 * SECOND, 0.4).max(8.0 * SECOND),
            spread: chance.normal(0.6, 0.12).clamp(0.3, 1.2),
            pace: 1.0,
            session_mean: [8.0, 20.0, 60.0][tier],
            pause_median_h: [14.0, 9.0, 4.0][tier],
            left_in_session: 0,
            left,
            played: 0,
            skill: chance.normal([70.0, 85.0, 100.0][tier], 6.0),
            is_other: false,
            records,
            chance,
        }
    }

    /// What comes next; `None` when it has enough.
    pub(crate) fn plan(&mut self) -> Option<Plan> {
        self.left = self.left.checked_sub(1)?;
        self.played += 1;
        let after = match self.family {
            // The network adds what it adds.
            Family::FixedInterval => 20.0 * SECOND + self.chance.log_normal(60.0, 0.7),
            Family::Jitter(percent) => {
                let jitter = self.chance.normal(1.0, f64::from(percent) / 100.0).max(0.3);
                20.0 * SECOND * jitter + self.chance.log_normal(60.0, 0.7)
            }
            Family::Grinder => self.gap(),
            _ => self.gap_or_pause(),
        };
        let is_boss = self.chance.happens(0.5);
        let least = if is_boss { 5.2 } else { 2.2 } * SECOND;
        let points = self.result();
        Some(Plan { after_ms: after.max(least) as u64, is_boss, points })
    }

    fn gap(&mut self) -> f64 {
        // Now and then somebody looks up.
        let looks_up = if self.chance.happens(0.03) { 5.0 } else { 1.0 };
        self.chance.log_normal(self.median_ms * self.pace, self.spread) * looks_up
    }

    fn gap_or_pause(&mut self) -> f64 {
        if let Some(left) = self.left_in_session.checked_sub(1) {
            self.left_in_session = left;
            return self.gap();
        }
        self.left_in_session = self.chance.geometric(self.session_mean);
        // A program that draws from others' times has no days on which it is slow.
        self.pace = if self.family == Family::Mimic { 1.0 } else { self.chance.log_normal(1.0, 0.2) };
        self.is_other = self.family == Family::Share && self.played > 60 && !self.is_other;
        self.chance.log_normal(self.pause_median_h * HOUR, 0.5)
    }

    fn result(&mut self) -> i64 {
        let is_record = self.family == Family::Record && self.records.contains(&self.played);
        let raised = if is_record || self.is_other { 45.0 } else { 0.0 };
        (self.chance.normal(self.skill + raised, 9.0) as i64).clamp(50, 150)
    }

    /// One of so many ways.
    pub(crate) fn choose(&mut self, of: u64) -> u64 {
        self.chance.below(of)
    }
}

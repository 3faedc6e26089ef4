//! Which rules look, and what becomes of what they find.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::InvalidValue;
use crate::fraud::statistical::{
    ActiveHours, Evidence, IntervalVariation, PointsShift, Rule, Seen, SharedDevice, SharedSource, Velocity,
    WindowVariation,
};

/// What is done about what a statistical rule finds. Nothing here goes past *hold*: what more is done, a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Stance {
    /// The rule does not look.
    Off,
    /// It is counted, and nothing else: for a rule that is new, or has new thresholds.
    Shadow,
    /// It becomes an incident; the user's points stay.
    Flag,
    /// It becomes an incident, and the user's points are held back until somebody has looked.
    Hold,
}

impl Stance {
    /// As in settings and metrics: `off`, `shadow`, `flag`, `hold`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::Flag => "flag",
            Self::Hold => "hold",
        }
    }
}

impl fmt::Display for Stance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stance {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        [Self::Off, Self::Shadow, Self::Flag, Self::Hold]
            .into_iter()
            .find(|stance| stance.as_str() == text)
            .ok_or_else(|| InvalidValue::new("stance", "must be `off`, `shadow`, `flag` or `hold`"))
    }
}

impl TryFrom<String> for Stance {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

/// The rules that look, each with its stance. Cloning shares the rules.
#[derive(Debug, Clone)]
pub struct Rules(Vec<(Arc<dyn Rule>, Stance)>);

impl Rules {
    /// No rule looks.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// One more rule. The same kind of rule may look twice, with other thresholds: the one in use, and the one that is tried out.
    #[must_use]
    pub fn with(mut self, rule: impl Rule, stance: Stance) -> Self {
        if stance != Stance::Off {
            self.0.push((Arc::new(rule), stance));
        }
        self
    }

    /// Whether there is nothing to look with.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each rule's name and stance, in the order in which they look.
    pub fn stances(&self) -> impl Iterator<Item = (&'static str, Stance)> {
        self.0.iter().map(|(rule, stance)| (rule.id(), *stance))
    }

    /// Which rules find something, of those that are asked: by their names and stances.
    pub(crate) fn look<'r>(
        &'r self,
        seen: Seen<'_>,
        is_asked: impl Fn(&'static str, Stance) -> bool,
    ) -> impl Iterator<Item = (&'r dyn Rule, Stance)> {
        let asked = self.0.iter().filter(move |(rule, stance)| is_asked(rule.id(), *stance));
        asked.filter(move |(rule, _)| look(&**rule, seen).is_some()).map(|(rule, stance)| (&**rule, *stance))
    }
}

/// What a rule finds: nothing, if it panics. A rule that is wrong about one user must not end the watch over all.
pub(crate) fn look(rule: &dyn Rule, seen: Seen<'_>) -> Option<Evidence> {
    // A rule is pure, so that it leaves nothing behind half done.
    catch_unwind(AssertUnwindSafe(|| rule.look(seen))).unwrap_or_else(|_| {
        tracing::error!(rule = rule.id(), "a fraud rule panicked: what it would have found is not known");
        metrics::counter!("scoreboard_fraud_rule_panics_total", "rule" => rule.id()).increment(1);
        None
    })
}

/// All rules, with a stance of [`Flag`](Stance::Flag): people are told, and nothing is done.
impl Default for Rules {
    fn default() -> Self {
        Self::none()
            .with(IntervalVariation::default(), Stance::Flag)
            .with(WindowVariation::default(), Stance::Flag)
            .with(Velocity::default(), Stance::Flag)
            .with(ActiveHours::default(), Stance::Flag)
            .with(PointsShift::default(), Stance::Flag)
            .with(SharedSource::default(), Stance::Flag)
            .with(SharedDevice::default(), Stance::Flag)
    }
}

#[cfg(test)]
#[path = "rules_test.rs"]
mod tests;

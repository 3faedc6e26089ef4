//! What a rule has found, so that others can find it again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fraud::statistical::{
    Act, ActiveHours, History, IntervalVariation, Neighbours, PointsShift, Rule, Seen, SharedDevice, SharedSource,
    Velocity, WindowVariation,
};
use crate::ids::{ActionId, UserId};
use crate::store::{LogRow, Origin};
use crate::version::Version;

/// Which stretch of a user's rows was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// From this moment on.
    pub from: Timestamp,
    /// Up to the action with which it was found, and with it.
    pub to: Timestamp,
    /// The version of that action: no later row was looked at.
    pub last: Version,
}

/// What speaks against a user, in numbers: all of it but the rows themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The rule's name.
    pub rule: String,
    /// The rule's version.
    pub rule_version: u32,
    /// The rule's thresholds and sizes as they were.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, serde_json::Value>))]
    pub parameters: serde_json::Value,
    /// What `value` and `threshold` count: `perMille`, `perHour`, `hours`, `accounts`.
    pub unit: String,
    /// What was measured.
    pub value: i64,
    /// What it was compared with.
    pub threshold: i64,
    /// What else went into it, by name.
    pub inputs: BTreeMap<String, i64>,
    /// Which stretch of the user's rows.
    pub window: Window,
    /// The actions in the window, oldest first, the last 64 at most. Filled in from the log.
    pub actions: Vec<ActionId>,
    /// Other users that it is about, if it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserId>,
}

/// What evidence that was found again rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// The rows of the log, and nothing else.
    Log,
    /// Beside the rows, on the word of the process that wrote it down that [these users](Evidence::users) were seen together.
    Sightings,
}

/// Why evidence was not found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRecomputed {
    /// It is of a rule of the embedding program, or of another version of a rule: ask that rule.
    #[error("the rule is not one of this library's, in this version")]
    ForeignRule,
    /// The rows say something else.
    #[error("the rows of the log do not give this evidence")]
    Differs,
}

/// A measure beside what it is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) unit: &'static str,
    pub(super) value: i64,
    pub(super) threshold: i64,
}

impl Evidence {
    /// Over the actions from `first` to `last`.
    pub(super) fn of(
        rule: &dyn Rule,
        parameters: &impl Serialize,
        measured: Measured,
        inputs: &[(&str, i64)],
        first: &Act,
        last: &Act,
    ) -> Self {
        Self::since(rule, parameters, measured, inputs, first.at, last)
    }

    /// Over all actions since a moment, up to `last`.
    pub(super) fn since(
        rule: &dyn Rule,
        parameters: &impl Serialize,
        measured: Measured,
        inputs: &[(&str, i64)],
        from: Timestamp,
        last: &Act,
    ) -> Self {
        let Measured { unit, value, threshold } = measured;
        Self {
            rule: rule.id().to_owned(),
            rule_version: rule.version(),
            parameters: serde_json::to_value(parameters).expect("parameters are numbers and names"),
            unit: unit.to_owned(),
            value,
            threshold,
            inputs: inputs.iter().map(|(name, input)| ((*name).to_owned(), *input)).collect(),
            window: Window { from, to: last.at, last: last.version },
            actions: Vec::new(),
            users: Vec::new(),
        }
    }

    /// In words, with units: what a person reads first.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { rule, value, threshold, unit, inputs, .. } = self;
        let inputs: Vec<_> = inputs.iter().map(|(name, input)| format!("{name} {input}")).collect();
        let inputs = if inputs.is_empty() { String::new() } else { format!(" ({})", inputs.join(", ")) };
        format!("{rule}: {value} {unit}, threshold {threshold}{inputs}")
    }

    /// Names the actions of the window, from the user's rows.
    pub(crate) fn with_actions(mut self, rows: &[LogRow]) -> Self {
        let Window { from, last, .. } = self.window;
        let counts = |row: &&LogRow| row.origin == Origin::Action && row.at >= from && row.position.version <= last;
        let mut actions: Vec<_> = rows.iter().filter(counts).map(|row| row.action_id).collect();
        actions.drain(..actions.len().saturating_sub(History::CAPACITY));
        self.actions = actions;
        self
    }

    /// Finds it again in the user's rows of the board, in the order of their versions: the last [`History::CAPACITY`] up to
    /// [`Window::last`] at least, and all of the [`History::HOURS`] hours before it. What is later does no harm.
    ///
    /// Who was seen with the user is in no log: where the rule looks at that, the [`users`](Self::users) that it names are taken for it, who
    /// must be told apart, and among whom the rows' own user must be.
    ///
    /// # Errors
    ///
    /// [`NotRecomputed`] if the rows do not give this very evidence.
    pub fn recompute(&self, rows: &[LogRow]) -> Result<Grounds, NotRecomputed> {
        let rule = self.built_in().filter(|rule| rule.version() == self.rule_version);
        let rule = rule.ok_or(NotRecomputed::ForeignRule)?;
        let rows: Vec<_> = rows.iter().filter(|row| row.position.version <= self.window.last).cloned().collect();
        let (neighbours, grounds) = match self.neighbours() {
            Some(neighbours) if !self.users.is_empty() => (neighbours, Grounds::Sightings),
            _ => (Neighbours::default(), Grounds::Log),
        };
        let is_one_of_them = || rows.last().is_some_and(|row| self.users.binary_search(&row.user_id).is_ok());
        if grounds == Grounds::Sightings && !(self.users.is_sorted_by(|one, next| one < next) && is_one_of_them()) {
            return Err(NotRecomputed::Differs);
        }
        let history = History::of(&rows);
        let found =
            rule.look(Seen { history: &history, neighbours: &neighbours }).map(|found| found.with_actions(&rows));
        if found.as_ref() == Some(self) { Ok(grounds) } else { Err(NotRecomputed::Differs) }
    }

    /// Who was seen where the rule looks, if it does.
    fn neighbours(&self) -> Option<Neighbours<'static>> {
        let (users, none) = (self.users.clone(), Vec::new());
        match self.rule.as_str() {
            SharedSource::ID => Some(Neighbours::named(users, none)),
            SharedDevice::ID => Some(Neighbours::named(none, users)),
            _ => None,
        }
    }

    /// The rule as it was, if it is one of this library's.
    fn built_in(&self) -> Option<Box<dyn Rule>> {
        fn made<R: Rule + serde::de::DeserializeOwned>(parameters: &serde_json::Value) -> Option<Box<dyn Rule>> {
            Some(Box::new(serde_json::from_value::<R>(parameters.clone()).ok()?))
        }
        let parameters = &self.parameters;
        match self.rule.as_str() {
            "interval_variation" => made::<IntervalVariation>(parameters),
            "window_variation" => made::<WindowVariation>(parameters),
            "velocity" => made::<Velocity>(parameters),
            "active_hours" => made::<ActiveHours>(parameters),
            "points_shift" => made::<PointsShift>(parameters),
            SharedSource::ID => made::<SharedSource>(parameters),
            SharedDevice::ID => made::<SharedDevice>(parameters),
            _ => None,
        }
    }
}

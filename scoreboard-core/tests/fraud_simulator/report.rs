//! What the rules came to, with how sure it is.

use std::collections::BTreeMap;
use std::fmt;

use crate::actor::Family;
use crate::world::{Caught, Fate, Outcome};

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share {
    pub(crate) part: u64,
    pub(crate) whole: u64,
}

impl Share {
    pub(crate) fn ratio(self) -> f64 {
        if self.whole == 0 { 0.0 } else { self.part as f64 / self.whole as f64 }
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
        let (low, high) = self.interval();
        let text = format!(
            "{}/{} = {:.2} % ({:.2}–{:.2})",
            self.part,
            self.whole,
            100.0 * self.ratio(),
            100.0 * low,
            100.0 * high
        );
        f.pad(&text)
    }
}

/// One family.
#[derive(Debug)]
struct Line {
    held: Share,
    flagged: Share,
    attempts: Share,
    actions: u64,
    /// In the middle of those who were caught: actions and points until then.
    until: Option<(u64, i64)>,
    /// Held within so many actions.
    held_at: Vec<u64>,
}

impl Line {
    fn of(fates: &[&Fate]) -> Self {
        let whole = fates.len() as u64;
        let share =
            |is: &dyn Fn(&Fate) -> bool| Share { part: fates.iter().filter(|fate| is(fate)).count() as u64, whole };
        let mut caught: Vec<Caught> = fates.iter().filter_map(|fate| fate.held.or(fate.flagged)).collect();
        caught.sort_by_key(|caught| caught.actions);
        Self {
            held: share(&|fate| fate.held.is_some()),
            flagged: share(&|fate| fate.flagged.is_some()),
            attempts: Share {
                part: fates.iter().map(|fate| fate.attempts.caught).sum(),
                whole: fates.iter().map(|fate| fate.attempts.tried).sum(),
            },
            actions: fates.iter().map(|fate| fate.actions).sum(),
            until: caught.get(caught.len() / 2).map(|caught| (caught.actions, caught.points)),
            held_at: fates.iter().filter_map(|fate| fate.held.map(|caught| caught.actions)).collect(),
        }
    }

    fn held_within(&self, actions: u64) -> Share {
        Share { part: self.held_at.iter().filter(|&&at| at <= actions).count() as u64, whole: self.held.whole }
    }
}

/// What is asked of the rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Targets {
    fixed_within_30: f64,
    jitter_10_within_50: f64,
    people_held: f64,
    precision_of_hold: f64,
}

impl Default for Targets {
    fn default() -> Self {
        Self { fixed_within_30: 0.99, jitter_10_within_50: 0.95, people_held: 0.001, precision_of_hold: 0.95 }
    }
}

/// What became of all of them.
#[derive(Debug)]
pub(crate) struct Report {
    lines: BTreeMap<Family, Line>,
    people: Line,
    people_blocked: u64,
    precision_of_hold: Share,
    precision_of_any: Share,
    by_rule: BTreeMap<String, (u64, u64)>,
}

impl Report {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let mut families = BTreeMap::<Family, Vec<&Fate>>::new();
        for fate in &outcome.fates {
            families.entry(fate.family).or_default().push(fate);
        }
        let is_person = |fate: &&&Fate| matches!(fate.family, Family::Honest | Family::Record);
        let all: Vec<&Fate> = outcome.fates.iter().collect();
        let people: Vec<&Fate> = all.iter().filter(is_person).copied().collect();
        let precision = |is: fn(&Fate) -> bool| {
            let found = all.iter().filter(|fate| is(fate));
            let whole = found.clone().count() as u64;
            Share { part: found.filter(|fate| !is_person(fate)).count() as u64, whole }
        };
        Self {
            lines: families.iter().map(|(family, fates)| (*family, Line::of(fates))).collect(),
            people: Line::of(&people),
            people_blocked: outcome.people_blocked,
            precision_of_hold: precision(|fate| fate.held.is_some()),
            precision_of_any: precision(|fate| fate.flagged.is_some()),
            by_rule: outcome.by_rule.clone(),
        }
    }

    /// Whether the targets are met; if not, the first that is not.
    pub(crate) fn check(&self, targets: Targets) -> Result<(), String> {
        let met =
            |what: &str, share: Share, is_met: bool| if is_met { Ok(()) } else { Err(format!("{what}: {share}")) };
        let at_least =
            |what: &str, share: Share, least: f64| met(what, share, share.whole > 0 && share.ratio() >= least);
        for family in [Family::Tamper, Family::Replay, Family::TooFast] {
            at_least(&format!("{family:?}"), self.lines[&family].attempts, 1.0)?;
        }
        let blocked = Share { part: self.people_blocked, whole: self.people.actions };
        met("actions of people that were blocked", blocked, blocked.part == 0)?;
        at_least("fixed interval", self.lines[&Family::FixedInterval].held_within(30), targets.fixed_within_30)?;
        at_least("jitter of 10 %", self.lines[&Family::Jitter(10)].held_within(50), targets.jitter_10_within_50)?;
        met("people held", self.people.held, self.people.held.ratio() <= targets.people_held)?;
        at_least("precision of hold", self.precision_of_hold, targets.precision_of_hold)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<15} {:>9} {:<34} {:<34} {:<32} until caught (median)",
            "family", "actions", "held (Wilson 95 %)", "held or flagged", "attempts refused"
        )?;
        let people = ("people", &self.people);
        let names: Vec<_> = self.lines.iter().map(|(family, line)| (format!("{family:?}"), line)).collect();
        let lines = names.iter().map(|(name, line)| (name.as_str(), *line));
        for (name, line) in lines.chain([people]) {
            let attempts = if line.attempts.whole == 0 { String::from("—") } else { line.attempts.to_string() };
            let until = line
                .until
                .map_or(String::from("—"), |(actions, points)| format!("{actions} actions, {points} points"));
            writeln!(
                f,
                "{name:<15} {:>9} {:<34} {:<34} {attempts:<32} {until}",
                line.actions, line.held, line.flagged
            )?;
        }
        let fixed = self.lines[&Family::FixedInterval].held_within(30);
        let jitter = self.lines[&Family::Jitter(10)].held_within(50);
        writeln!(f, "fixed interval within 30 actions: {fixed}; jitter of 10 % within 50: {jitter}")?;
        writeln!(f, "precision of hold: {}; of hold or flag: {}", self.precision_of_hold, self.precision_of_any)?;
        writeln!(f, "actions of people: {}, of which blocked: {}", self.people.actions, self.people_blocked)?;
        for (rule, (people, cheats)) in &self.by_rule {
            writeln!(f, "{rule}: {people} incidents of people, {cheats} of cheats")?;
        }
        Ok(())
    }
}

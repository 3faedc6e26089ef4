//! What the rules came to, with how sure it is.

use std::collections::BTreeMap;
use std::fmt;

use crate::actor::Family;
use crate::share::{Judged, Share};
use crate::world::{Caught, Fate, Outcome};

/// What is asked of the rules.
const FIXED_WITHIN_30: f64 = 0.99;
const JITTER_10_WITHIN_50: f64 = 0.95;
const PEOPLE_HELD: f64 = 0.001;
const PRECISION_OF_HOLD: f64 = 0.95;
const FARMS_BY_DEVICE: f64 = 0.9;
const TABLETS_FLAGGED: f64 = 0.01;

/// What became of all of them.
#[derive(Debug)]
pub(crate) struct Report {
    lines: BTreeMap<Family, Line>,
    people: Line,
    people_blocked: u64,
    cheats: Line,
    /// Those on the devices of a farm, and people who share a tablet, of whom it was found that the accounts there are too many.
    farms_by_device: Share,
    tablets_by_device: Share,
    by_rule: BTreeMap<String, (u64, u64)>,
}

/// What became of some of them.
#[derive(Debug)]
struct Line {
    actions: u64,
    /// Of what they tried that cannot be, what was refused.
    refused: Share,
    held: Found,
    /// Held or flagged.
    noticed: Found,
}

/// Who was found in one way.
#[derive(Debug)]
struct Found {
    found: Share,
    /// When, those first who were found after the fewest actions.
    after: Vec<Caught>,
}

impl Found {
    fn of(fates: &[&Fate], when: fn(&Fate) -> Option<Caught>) -> Self {
        let mut after: Vec<Caught> = fates.iter().filter_map(|fate| when(fate)).collect();
        after.sort_by_key(|caught| caught.actions);
        Self { found: Share::of(fates, |fate| when(fate).is_some()), after }
    }

    fn within(&self, actions: u64) -> Share {
        Share { part: Share::of(&self.after, |caught| caught.actions <= actions).part, ..self.found }
    }

    /// Actions and points until so many of ten of those who were found at all were.
    fn until(&self, tenths: usize) -> String {
        let place = (self.after.len() * tenths).div_ceil(10).saturating_sub(1);
        let until = self.after.get(place);
        until.map_or(String::from("—"), |Caught { actions, points }| format!("{actions} actions, {points} points"))
    }
}

impl Line {
    fn of(fates: &[&Fate]) -> Self {
        let attempts = || fates.iter().map(|fate| fate.attempts);
        Self {
            actions: fates.iter().map(|fate| fate.actions).sum(),
            refused: Share {
                part: attempts().map(|attempts| attempts.caught).sum(),
                whole: attempts().map(|attempts| attempts.tried).sum(),
            },
            held: Found::of(fates, |fate| fate.held),
            noticed: Found::of(fates, |fate| fate.held.or(fate.flagged)),
        }
    }
}

/// Of these and people together, those who are no people.
fn precision(found: Share, people: u64) -> Share {
    Share { part: found.part, whole: found.part + people }
}

impl Report {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let mut families = BTreeMap::<Family, Vec<&Fate>>::new();
        for fate in &outcome.fates {
            families.entry(fate.family).or_default().push(fate);
        }
        let is_person = |fate: &&&Fate| matches!(fate.family, Family::Honest | Family::Record);
        let (people, cheats): (Vec<&Fate>, Vec<&Fate>) = outcome.fates.iter().partition(|fate| is_person(&fate));
        let by_device = |fates: Vec<&Fate>| Share::of(&fates, |fate| fate.found_by_device);
        let those = |are: fn(&Fate) -> bool| outcome.fates.iter().filter(|fate| are(fate)).collect();
        Self {
            farms_by_device: by_device(those(|fate| fate.family == Family::DeviceFarm)),
            tablets_by_device: by_device(those(|fate| fate.has_tablet)),
            lines: families.iter().map(|(family, fates)| (*family, Line::of(fates))).collect(),
            people: Line::of(&people),
            people_blocked: outcome.people_blocked,
            cheats: Line::of(&cheats),
            by_rule: outcome.by_rule.clone(),
        }
    }

    /// Whether all that cannot be was refused, and nothing that people did; if not, the first that was not so.
    pub(crate) fn check_refusals(&self) -> Result<(), String> {
        for family in [Family::Tamper, Family::Replay, Family::TooFast] {
            at_least(&format!("{family:?}"), self.lines[&family].refused, 1.0, Share::measured)?;
        }
        let blocked = Share { part: self.people_blocked, whole: self.people.actions };
        at_most("actions of people that were blocked", blocked, 0.0, Share::measured)
    }

    /// Whether timers are caught, and as early as is promised.
    pub(crate) fn check_timers(&self, judged: Judged) -> Result<(), String> {
        let [fixed, jitter] = self.timers();
        at_least("fixed interval within 30 actions", fixed, FIXED_WITHIN_30, judged)?;
        at_least("jitter of 10 % within 50 actions", jitter, JITTER_10_WITHIN_50, judged)
    }

    /// Whether those who are held are cheats.
    pub(crate) fn check_holds(&self, judged: Judged) -> Result<(), String> {
        at_most("people held", self.people.held.found, PEOPLE_HELD, judged)?;
        at_least("precision of hold", self.precision_of_hold(), PRECISION_OF_HOLD, judged)
    }

    /// Whether those on one device are found where they are more than a family, and families are left alone.
    pub(crate) fn check_devices(&self) -> Result<(), String> {
        at_least("accounts on the devices of a farm", self.farms_by_device, FARMS_BY_DEVICE, Share::measured)?;
        at_most("people who share a tablet", self.tablets_by_device, TABLETS_FLAGGED, Share::measured)
    }

    fn timers(&self) -> [Share; 2] {
        [(Family::FixedInterval, 30), (Family::Jitter(10), 50)]
            .map(|(family, actions)| self.lines[&family].held.within(actions))
    }

    fn precision_of_hold(&self) -> Share {
        precision(self.cheats.held.found, self.people.held.found.part)
    }
}

fn at_least(what: &str, share: Share, least: f64, judged: Judged) -> Result<(), String> {
    if share.whole > 0 && judged(share).0 >= least { Ok(()) } else { Err(format!("{what}: {share}")) }
}

fn at_most(what: &str, share: Share, most: f64, judged: Judged) -> Result<(), String> {
    if share.whole > 0 && judged(share).1 <= most { Ok(()) } else { Err(format!("{what}: {share}")) }
}

impl fmt::Display for Report {
    /// A line for each family and each way in which some of it were found. The precision of a family is that of finding it among all people
    /// that there were.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, cells: [&dyn fmt::Display; 6]| {
            let [family, how, recall, precision, half, most] = cells;
            writeln!(f, "{family:<14} {how:<16} {recall:<42} {precision:<42} {half:<26} {most}")
        };
        let heads =
            ["", "found by", "recall (Wilson 95 %)", "precision (Wilson 95 %)", "half until", "nine tenths until"];
        row(f, heads.each_ref().map(|head| head as &dyn fmt::Display))?;
        let is_person = |family: &Family| matches!(family, Family::Honest | Family::Record);
        for (family, line) in self.lines.iter().filter(|(family, _)| !is_person(family)) {
            let name = format!("{family:?}");
            if line.refused.whole > 0 {
                let precision = precision(line.refused, self.people_blocked);
                row(f, [&name, &"refusal", &line.refused, &precision, &"at once", &"at once"])?;
                continue;
            }
            for (how, found, people) in
                [("hold", &line.held, &self.people.held), ("hold or flag", &line.noticed, &self.people.noticed)]
            {
                let precision = precision(found.found, people.found.part);
                row(f, [&name, &how, &found.found, &precision, &found.until(5), &found.until(9)])?;
            }
        }
        let [fixed, jitter] = self.timers();
        writeln!(f, "fixed interval within 30 actions: {fixed}; jitter of 10 % within 50: {jitter}")?;
        let of_any = precision(self.cheats.noticed.found, self.people.noticed.found.part);
        writeln!(f, "precision of hold: {}; of hold or flag: {of_any}", self.precision_of_hold())?;
        let Line { actions, held, noticed, .. } = &self.people;
        writeln!(f, "people held: {}; held or flagged: {}", held.found, noticed.found)?;
        writeln!(f, "actions of people: {actions}, of which blocked: {}", self.people_blocked)?;
        let (farms, tablets) = (self.farms_by_device, self.tablets_by_device);
        writeln!(f, "too many on one device: {farms} of a farm's accounts, {tablets} of people who share a tablet")?;
        for (rule, (people, cheats)) in &self.by_rule {
            writeln!(f, "{rule}: {people} incidents of people, {cheats} of cheats")?;
        }
        Ok(())
    }
}

import { number } from "../format.js";

const percent = (perMille) => `${(perMille / 10).toFixed(1)} %`;

const UNITS = {
  perMille: percent,
  perHour: (value) => `${number(value)} an hour`,
  hours: (value) => `${number(value)} h of 24`,
  accounts: (value) => `${number(value)} accounts`,
};

/** What the rules of the library look for, in words, and how their evidence is drawn. A rule of somebody else's is shown by its name. */
const RULES = {
  interval_variation: { label: "Even intervals", about: "The times between actions vary less than a person's do.", drawing: "intervals", measure: "variation" },
  window_variation: { label: "Even within windows", about: "Within each short window the times between actions vary less than a person's do.", drawing: "intervals", measure: "variation" },
  velocity: { label: "Too many an hour", about: "More actions within one hour than a person does.", drawing: "intervals", measure: "rate" },
  active_hours: { label: "No sleep", about: "Played in more of the last 24 hours than a person does.", drawing: "hours", measure: "hours" },
  points_shift: { label: "Results shifted", about: "The last results are far from those before, by the spread of those before.", drawing: "points", measure: "distance" },
  shared_source: { label: "Shared address", about: "More accounts play from one address than a household or a school has.", drawing: "accounts", measure: "accounts", source: "at one address" },
  shared_device: { label: "Shared device", about: "More accounts play on one device than a family has.", drawing: "accounts", measure: "accounts", source: "on one device" },
};

export const RULE_NAMES = Object.keys(RULES);

export const ruleOf = (name) => RULES[name] ?? { label: name, about: null, drawing: null, measure: "measured" };

/** A value of evidence with its unit. Distances of results are spreads, not shares. */
export function measured({ rule, unit }, value) {
  if (rule === "points_shift") return `${(value / 1000).toFixed(2)} spreads`;
  return UNITS[unit]?.(value) ?? `${number(value)} ${unit}`;
}

/** Whether what is above the threshold speaks against the user, or what is below. */
export const speaksBelow = ({ rule }) => rule === "interval_variation" || rule === "window_variation";

import { number } from "../format.js";
import { Chart, dot, lengths } from "./chart.js";
import { svg } from "./dom.js";
import { intervalsOf, spread } from "./intervals.js";
import { duration, moment, timeOfDay } from "./moments.js";
import { measured as inWords, speaksBelow } from "./rules.js";

const HOUR = 3_600_000;
/** By so many times the median absolute deviation of a normal distribution is its standard deviation. */
const NORMAL = 1.4826;

/** The times between actions along time: how far they lie from their mean, beside how far a person's do at least. */
export function intervals(acts, finding) {
  const { all, measured, mean, deviation } = intervalsOf(acts, finding);
  if (measured.length < 2) return null;
  const isVariation = speaksBelow(finding);
  const limitOf = (middle) => (isVariation ? (middle * finding.threshold) / 1000 : HOUR / finding.threshold);
  const limit = limitOf(mean);
  const kept = all.filter(({ isPause }) => !isPause).map(({ ms }) => ms);
  // Of windows each is beside what a person's would be at its own pace: in all they differ as widely as anybody's.
  const windows = finding.rule === "window_variation" ? stretches(measured, finding.parameters.intervals) : null;
  const parts = windows ?? [{ ...stretches(measured, measured.length)[0], from: all[0].at, to: all.at(-1).at }];
  const reach = isVariation ? parts.flatMap((part) => [Math.max(part.mean - 2.5 * limitOf(part.mean), 0), part.mean + 2.5 * limitOf(part.mean)]) : [0, limit * 1.3];
  const low = isVariation ? Math.min(...reach, ...kept) : 0;
  const high = Math.max(...reach, ...kept.map((ms) => ms * 1.02));
  const span = { from: all[0].at, to: all.at(-1).at, low, high };
  const words = windows
    ? `${windows.length} windows of ${finding.parameters.intervals} intervals. Within a window they deviate by ${inWords(finding, finding.value)} of its mean, on average; a person's deviate by ${inWords(finding, finding.threshold)} or more.`
    : isVariation
    ? `${measured.length} intervals of ${duration(mean)} on average. They deviate by ${duration(deviation)}; a person's deviate by ${duration(limit)} or more.`
    : `${measured.length} intervals of ${duration(mean)} on average; at the threshold they would be ${duration(limit)}.`;
  const legend = isVariation
    ? [["threshold", `what a person's vary by at least: ${inWords(finding, finding.threshold)} of the mean`], ["measured", `what these vary by: ${inWords(finding, finding.value)}`], ["mean", windows ? "the mean of each window" : `the mean: ${duration(mean)}`], ["dot", "an interval that is measured"]]
    : [["limit", `the threshold: ${inWords(finding, finding.threshold)}, one each ${duration(limit)}`], ["mean", `the mean: ${duration(mean)}`], ["dot", "an interval"]];
  if (all.some(({ isPause }) => isPause)) legend.push(["pause", "a pause, which is left out"]);
  if (all.some(({ isPause, isMeasured }) => !isPause && !isMeasured)) legend.push(["dot-unmeasured", "an interval before those"]);
  const draw = (width) => {
    const chart = new Chart(width, span);
    const name = lengths(high, low);
    const first = measured[0].at;
    const band = (kind, part, width) => chart.band(kind, part.mean - width, part.mean + width, part.from, part.to);
    const measures = windows ?? stretches(measured, measured.length);
    const bands = isVariation ? [parts.map((part) => band("threshold", part, limitOf(part.mean))), measures.map((part) => band("measured", part, part.deviation))] : [chart.line("limit", limit)];
    const means = windows ? windows.map((part) => chart.line("mean", part.mean, part.from, part.to)) : chart.line("mean", mean, Math.min(first, span.to), span.to);
    const dots = all.map(({ at, ms, act, isPause, isMeasured }) => {
      const title = `${timeOfDay(at)}: ${duration(ms)} after the one before, ${act.kind}${isPause ? ", a pause" : ""}`;
      return isPause ? svg("path", { class: "pause", d: `M${chart.x(at) - 4} ${chart.top + 2}h8l-4 -7z` }, svg("title", {}, title)) : dot(isMeasured ? "dot" : "dot-unmeasured", chart.x(at), chart.y(ms), title);
    });
    return chart.drawing(words, name, bands, means, dots);
  };
  return { words, legend, draw };
}

/** Window by window, each of so many intervals. */
function stretches(measured, size) {
  const parts = [];
  for (let first = 0; first < measured.length; first += size) {
    const part = measured.slice(first, first + size);
    parts.push({ ...spread(part), from: Date.parse(part[0].begin.appliedAt), to: part.at(-1).at });
  }
  parts[0].from = measured[0].at;
  return parts;
}

/** The results along time, beside the middle of those before and how far from it is believed. */
export function points(acts, finding) {
  const { before, recent, medianBefore, medianRecent, deviation } = finding.inputs;
  const kind = acts.at(-1)?.kind;
  const results = acts.filter((act) => act.kind === kind).slice(-(before + recent)).map((act) => ({ act, at: Date.parse(act.appliedAt), points: act.points }));
  if (results.length < 2) return null;
  const limit = (deviation * NORMAL * finding.threshold) / 1000;
  const values = [...results.map((result) => result.points), medianBefore - limit, medianBefore + limit];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.06;
  const [from, to] = [results[0].at, results.at(-1).at];
  const since = results.at(-recent)?.at ?? to;
  const words = `The middle of the last ${recent} results is ${number(medianRecent)}, that of the ${before} before is ${number(medianBefore)}. Up to ${number(Math.round(limit))} from it is believed.`;
  const legend = [["threshold", `what is believed: ${inWords(finding, finding.threshold)} from the middle of those before`], ["mean", "the middles, before and of the last"], ["dot", "a result"]];
  const draw = (width) => {
    const chart = new Chart(width, { from, to, low: low - room, high: high + room });
    const dots = results.map(({ act, at, points: value }) => dot(at >= since ? "dot" : "dot-unmeasured", chart.x(at), chart.y(value), `${moment(at)}: ${number(value)} for ${act.kind}`));
    return chart.drawing(words, (value) => number(Math.round(value)), chart.band("threshold", medianBefore - limit, medianBefore + limit), chart.line("mean", medianBefore, from, since), chart.line("mean", medianRecent, since, to), dots);
  };
  return { words, legend, draw };
}

/** The hours of the window, and how much was done in each. */
export function hours(acts, finding) {
  const first = Math.floor(Date.parse(finding.window.from) / HOUR);
  const counts = Array.from({ length: finding.inputs.ofHours ?? 24 }, () => 0);
  for (const act of acts) {
    const hour = Math.floor(Date.parse(act.appliedAt) / HOUR) - first;
    if (hour in counts) counts[hour] += 1;
  }
  // Of a user who did more than is read on, nothing is known here of the hours before, and not all of the first: they are not drawn as if they were emptier.
  const unread = acts.length < (finding.inputs.actions ?? 0) && acts.length > 0 ? Math.floor(Date.parse(acts[0].appliedAt) / HOUR) - first + 1 : 0;
  const words = `Active in ${finding.value} of ${counts.length} hours; ${finding.threshold} are believed.`;
  const legend = [["bar", "actions in an hour (UTC)"], ["empty-hour", "an hour without any"]];
  if (unread) legend.push(["unread-hour", `not read: only the last ${number(acts.length)} of ${number(finding.inputs.actions)} actions are shown`]);
  const draw = (width) => {
    const span = { from: first * HOUR, to: (first + counts.length) * HOUR, low: 0, high: Math.max(...counts, 1) };
    const chart = new Chart(width, span);
    const bars = counts.map((count, hour) => {
      const [left, right] = [chart.x((first + hour) * HOUR), chart.x((first + hour + 1) * HOUR)];
      const isUnread = hour < unread;
      const y = isUnread ? chart.top : count ? chart.y(count) : chart.bottom - 3;
      const title = `${moment((first + hour) * HOUR)}: ${isUnread ? "not read" : number(count)}`;
      return svg("rect", { class: isUnread ? "unread-hour" : count ? "bar" : "empty-hour", x: left + 1, y, width: Math.max(right - left - 2, 1), height: chart.bottom - y }, svg("title", {}, title));
    });
    return chart.drawing(words, (value) => (Number.isInteger(value) ? number(value) : ""), bars);
  };
  return { words, legend, draw };
}

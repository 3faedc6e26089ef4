/** An interval that is so many times as long as most is a pause, as for the rules of the library. */
const PAUSE = 6;

/**
 * The times from one action to the next, as the rules see them: which are pauses, which are measured (the last so many that are none), and
 * how much those vary.
 */
export function intervalsOf(acts, { inputs, parameters }) {
  const steady = new Set(parameters?.steadyKinds ?? []);
  const all = acts.slice(1).map((act, place) => ({ act, begin: acts[place], at: Date.parse(act.appliedAt), ms: Date.parse(act.appliedAt) - Date.parse(acts[place].appliedAt) }));
  const judged = all.filter(({ act }) => !steady.has(act.kind));
  const middle = median(judged.map(({ ms }) => ms));
  for (const interval of all) interval.isPause = interval.ms > middle * PAUSE;
  const kept = judged.filter(({ isPause }) => !isPause);
  const measured = kept.slice(-(inputs.intervals ?? kept.length));
  for (const interval of measured) interval.isMeasured = true;
  return { all, measured, ...spread(measured) };
}

/** The mean, and the standard deviation of a sample. */
export function spread(intervals) {
  const mean = intervals.reduce((sum, { ms }) => sum + ms, 0) / Math.max(intervals.length, 1);
  const squares = intervals.reduce((sum, { ms }) => sum + (ms - mean) ** 2, 0);
  return { mean, deviation: intervals.length > 1 ? Math.sqrt(squares / (intervals.length - 1)) : 0 };
}

function median(values) {
  return values.length ? [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] : 0;
}

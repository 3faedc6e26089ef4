const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY = { day: "numeric", month: "short", second: "2-digit", ...CLOCK };
const THIS_YEAR = new Intl.DateTimeFormat(undefined, DAY);
const OTHER_YEAR = new Intl.DateTimeFormat(undefined, { year: "numeric", ...DAY });
const TIME = new Intl.DateTimeFormat(undefined, { second: "2-digit", ...CLOCK });
const MINUTE = new Intl.DateTimeFormat(undefined, CLOCK);
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

export function moment(time) {
  const date = new Date(time);
  return (date.getFullYear() === new Date().getFullYear() ? THIS_YEAR : OTHER_YEAR).format(date);
}

export const timeOfDay = (time) => TIME.format(new Date(time));
export const minuteOfDay = (time) => MINUTE.format(new Date(time));

/** `3 min. ago` */
export function ago(time) {
  const seconds = Math.round((new Date(time) - Date.now()) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return RELATIVE.format(Math.round(seconds / size), unit);
}

/** `0.84 s`, `12 s`, `4 min 5 s`, `3 h 2 min`. */
export function duration(ms) {
  if (ms < 10_000) return `${(ms / 1000).toFixed(ms < 1000 ? 3 : 2)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** What a catalogue says in seconds: `45 s`, `10 min`, `24 h`. */
export function wholeSeconds(seconds) {
  const [unit, size] = [["h", 3_600], ["min", 60]].find(([, size]) => seconds >= size && seconds % size === 0) ?? ["s", 1];
  return `${seconds / size} ${unit}`;
}

const NUMBER = new Intl.NumberFormat();
const SIGNED = new Intl.NumberFormat(undefined, { signDisplay: "exceptZero" });


export const number = (value) => NUMBER.format(value);
export const signed = (value) => SIGNED.format(value);

/** `1 point`, `10 points`. */
export const points = (value) => `${number(value)} ${Math.abs(value) === 1 ? "point" : "points"}`;

/** A user without a display name is shown by the end of the id: its start is the time it was made, alike for many. */
export const nameOf = (user) => user.displayName ?? `user ${(user.userId ?? user.id).slice(-6)}`;

export const initialOf = (name) => [...name.trim()][0]?.toUpperCase() ?? "?";

/** The same hue for the same user on every page, 0–359. */
export function hueOf(userId) {
  let hash = 0;
  for (const char of userId) hash = (hash * 31 + char.charCodeAt(0)) | 0;
  return ((hash % 360) + 360) % 360;
}

/** `4:05` for 245 seconds. */
export function clock(seconds) {
  const whole = Math.max(Math.ceil(seconds), 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

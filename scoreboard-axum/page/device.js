import { randomUuid } from "./uuid.js";

// What this browser is called when a result is handed in: the same for all who play here, so that the server sees when they are more than a
// family. It compares them within a day, so a name need not last long; and a new one each week says nothing of who was here before.
const KEY = "scoreboard.device";
const LIFETIME_MS = 7 * 86_400_000;

/** The name, a new one where there is none or it is old; none where nothing can be kept, for one of a moment would say nothing. */
export function deviceId() {
  try {
    const kept = read();
    const age = Date.now() - kept?.since;
    if (age >= 0 && age < LIFETIME_MS) return kept.id;
    const id = randomUuid();
    window.localStorage.setItem(KEY, JSON.stringify({ id, since: Date.now() }));
    return id;
  } catch {
    return undefined;
  }
}

/** What is kept; nothing, where that is not ours: the server takes no other names. */
function read() {
  const text = window.localStorage.getItem(KEY);
  try {
    const { id, since } = JSON.parse(text);
    return /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id) ? { id, since } : null;
  } catch {
    return null;
  }
}

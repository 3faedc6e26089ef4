// What the server gives this browser at a login: sent with the next one, it keeps the tries here apart from those of strangers who guess
// the password of the same account. It opens nothing, so it may outlive the session.
const KEY = "scoreboard.devices";
const MOST = 8;
/** Of whom a mail's is: the page that it leads to is not told, and the server takes it for that account alone. */
const MAILED = "";

function load() {
  try {
    return JSON.parse(window.localStorage.getItem(KEY)) ?? [];
  } catch {
    // Denied, or not ours: then this browser is a stranger's like any other.
    return [];
  }
}

const same = (email) => (kept) => kept.email === email.trim().toLowerCase();

/** What was given for this account, if anything. */
export function deviceToken(email) {
  const kept = load();
  return (kept.find(same(email)) ?? kept.find(same(MAILED)))?.token;
}

/** Keeps what was given for this account, and of others the newest. */
export function keepDeviceToken(email, token) {
  if (!token) return;
  const others = load().filter((kept) => !same(email)(kept));
  try {
    window.localStorage.setItem(KEY, JSON.stringify([{ email: email.trim().toLowerCase(), token }, ...others].slice(0, MOST)));
  } catch {
    // As above.
  }
}

/** Keeps what stands in a mail behind the token that sets another password. */
export function keepMailedDeviceToken(mailed) {
  keepDeviceToken(MAILED, mailed.split(".")[1]);
}

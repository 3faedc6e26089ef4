import { fullJitter } from "/client/scoreboard-client.js";
import { ApiError, request } from "./api.js";
import { deviceToken, keepDeviceToken } from "./devices.js";
import { sleep } from "./sleep.js";
import { load, remove, store } from "./tabstore.js";

const KEY = "scoreboard.session";
const REFRESH_AHEAD_MS = 30_000;
const OTHER_TAB_WAIT_MS = 1_500;

/**
 * Who is signed in, in this tab. Fires `change` whenever that changes; `detail.ended` is true where the server ended it. Fires `enrolled`
 * when who had to set up a second factor first has done so.
 *
 * The access token lives in this object alone: a script that gets into the page later finds nothing to read from storage
 * that opens the API by itself. The refresh token is kept in sessionStorage, so that a reload does not sign out: it is seen
 * by this tab only, goes with it, changes with each use, and one stolen and used ends the whole session on the server.
 */
export class Session extends EventTarget {
  user = null;
  /** Whether there is nothing to be done but to set up a second factor. */
  mustEnrol = false;
  #token = null;
  #expiresAt = 0;
  #refreshing = null;
  #isLeaving = false;

  /** Takes up the session this tab had before a reload; does nothing where there was none. */
  async restore() {
    const kept = load(KEY);
    if (kept === null) return;
    if (!(await isOnlyHolder(kept.id))) {
      // A duplicated tab starts with a copy of the other's storage. Two tabs using one refresh token in turn looks to
      // the server like a theft, and would sign out both: this one steps back.
      remove(KEY);
      return;
    }
    for (let attempt = 0; load(KEY) !== null; attempt += 1) {
      try {
        return await this.#refresh();
      } catch (error) {
        if (!error.isTransient && error.status !== 429) return;
        await sleep(Math.max(fullJitter(attempt), (error.retryAfter ?? 0) * 1000));
      }
    }
  }

  /** Begins a session; where a second factor is asked for, gives the login that waits for it. */
  async signIn(email, password) {
    const answer = await request("POST", "/api/auth/login", { body: { email, password, deviceToken: deviceToken(email) } });
    if (answer.mfaRequired) return answer;
    await this.#begin(answer);
    return null;
  }

  /** Completes a login by the second factor. */
  async complete(challengeId, method, code) {
    const body = { challengeId, method, code };
    try {
      await this.#begin(await request("POST", "/api/auth/mfa/verify", { body }));
    } catch (error) {
      if (error.status === 401) error.message = "That code is wrong, was used, or came too late. Try another, or log in anew.";
      throw error;
    }
  }

  /** Trades the tokens for new ones, which may be good for more. */
  async renew() {
    await this.#refresh();
  }

  async #begin(answer) {
    const id = randomId();
    keepDeviceToken(answer.user.email, answer.deviceToken);
    this.#take(id, answer);
    await isOnlyHolder(id);
  }

  /** Fires `leaving` before it does: what was signed in for this user is to go first. */
  async signOut() {
    this.#isLeaving = true;
    this.dispatchEvent(new CustomEvent("leaving"));
    try {
      await this.call("POST", "/api/auth/logout");
    } finally {
      this.#isLeaving = false;
      this.#end(false);
    }
  }

  /** A ticket for a live connection; `null` where nobody is signed in, or is about to leave. */
  async ticket() {
    if (!this.user || this.#isLeaving) return null;
    const { ticket } = await this.call("POST", "/api/auth/ws-ticket");
    return this.#isLeaving ? null : ticket;
  }

  /** Where there are signs that the session was ended: finds out, and if so, ends it here too. */
  async check() {
    if (!this.user || this.#isLeaving) return;
    // What is wrong other than that is seen by whoever calls next.
    await this.call("GET", "/api/auth/me").catch(() => {});
  }

  /** A request as this user: refreshes ahead of the token's end, and once where the server answers 401. */
  async call(method, path, body) {
    if (this.#token === null || Date.now() > this.#expiresAt - REFRESH_AHEAD_MS) await this.#refresh();
    const sent = this.#token;
    try {
      return await request(method, path, { body, token: sent });
    } catch (error) {
      if (error.status !== 401) throw error;
      if (this.#token === sent) await this.#refresh();
      return request(method, path, { body, token: this.#token });
    }
  }

  // All callers share one refresh: a second one with the same token would count as reuse.
  #refresh() {
    this.#refreshing ??= this.#refreshOnce().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refreshOnce() {
    const kept = load(KEY);
    if (kept === null) throw new ApiError(401, { code: "unauthorized", detail: "Sign in first." });
    try {
      const answer = await request("POST", "/api/auth/refresh", { body: { refreshToken: kept.refreshToken } });
      // Signed out while the answer was on its way: it must not sign in again.
      if (load(KEY)?.id === kept.id) this.#take(kept.id, answer);
    } catch (error) {
      if (error.status === 400 || error.status === 401) this.#end(true);
      throw error;
    }
  }

  #take(id, { token, expiresIn, refreshToken, user, mfaEnrolmentRequired = false }) {
    const enrolled = this.mustEnrol && !mfaEnrolmentRequired && this.user?.id === user.id;
    this.mustEnrol = mfaEnrolmentRequired;
    this.#token = token;
    this.#expiresAt = Date.now() + expiresIn * 1000;
    store(KEY, { id, refreshToken });
    const changed = this.user?.id !== user.id;
    this.user = user;
    if (changed) this.dispatchEvent(new CustomEvent("change", { detail: { ended: false } }));
    if (enrolled) this.dispatchEvent(new CustomEvent("enrolled"));
  }

  #end(ended) {
    this.#token = null;
    this.user = null;
    this.mustEnrol = false;
    remove(KEY);
    this.dispatchEvent(new CustomEvent("change", { detail: { ended } }));
  }
}

function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Holds a lock in the session's name as long as this page lives; false where another tab holds it. */
function isOnlyHolder(id) {
  // Locks exist on https and localhost only; elsewhere the server's reuse detection has to do.
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    // The wait covers a reload, where the page before may be a moment late in letting go.
    const signal = AbortSignal.timeout(OTHER_TAB_WAIT_MS);
    navigator.locks.request(`scoreboard.session.${id}`, { signal }, held).catch(() => resolve(false));
  });
}

import { fullJitter } from "/client/scoreboard-client.js";
import { deviceId } from "./device.js";
import { sleep } from "./sleep.js";
import { load, remove, store } from "./tabstore.js";

const KEY = "scoreboard.action";
const ATTEMPTS = 8;

/**
 * An action under way: issued when a round starts, redeemed when it is done. It is kept in sessionStorage from the
 * moment it is there, so that a reload at any point loses neither the round nor its result: the same action may be
 * sent as often as needed and counts once.
 */
export class StartedAction {
  action;
  progress = 0;
  sent = false;
  #receivedAt;

  constructor(action, { receivedAt = Date.now(), progress = 0, sent = false } = {}) {
    this.action = action;
    this.progress = progress;
    this.sent = sent;
    this.#receivedAt = receivedAt;
  }

  static async start(session, request) {
    const { action } = await session.call("POST", "/api/scoreboard/generate-action", request);
    const started = new StartedAction(action);
    started.keep();
    return started;
  }

  /** What this user had under way before a reload. */
  static kept(userId) {
    const kept = load(KEY);
    if (kept === null || kept.action.userId !== userId) return null;
    const started = new StartedAction(kept.action, kept);
    // One that was sent may have counted: it is still worth asking for its receipt after its time.
    return started.secondsLeft > 0 || started.sent ? started : null;
  }

  keep() {
    const { action, progress, sent } = this;
    store(KEY, { action, progress, sent, receivedAt: this.#receivedAt });
  }

  forget() {
    // By now there may be another's: who signed out while this one was on its way, and in again as somebody else.
    if (load(KEY)?.action.id === this.action.id) remove(KEY);
  }

  // Counted from when the action arrived, not from the two clocks: this device's may be minutes off the server's.
  // It arrived later than it was issued, so "ready" here is never too soon there.
  get secondsToReady() {
    return this.#secondsTo(this.action.notBefore);
  }

  get secondsLeft() {
    return this.#secondsTo(this.action.expiresAt);
  }

  #secondsTo(moment) {
    const span = Date.parse(moment) - Date.parse(this.action.issuedAt);
    return (span - (Date.now() - this.#receivedAt)) / 1000;
  }

  /** Sends the action, again and again while the outcome is unknown; `onWait` is called before each wait. */
  async redeem(session, onWait, signal) {
    this.sent = true;
    this.keep();
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { receipt } = await this.#handIn(session, deviceId());
        this.forget();
        return receipt;
      } catch (error) {
        if (!error.isTransient || attempt === ATTEMPTS) throw error;
        onWait();
        await sleep((error.retryAfter ?? 0) * 1000 + fullJitter(attempt), signal);
      }
    }
  }

  /** With what this browser is called; without, where a server of a release before does not know that field. */
  async #handIn(session, name) {
    try {
      return await session.call("POST", "/api/scoreboard/update", { action: this.action, deviceId: name });
    } catch (error) {
      if (name === undefined || !error.fields?.some(({ pointer }) => pointer === "/deviceId")) throw error;
      return this.#handIn(session, undefined);
    }
  }
}

import { StartedAction } from "./action.js";
import { explain, tooFast } from "./api.js";
import { clock, number, points, signed } from "./format.js";
import * as fight from "./fight.js";
import { kindCard, levelOf } from "./kinds.js";
import { clearErrors, countDown, showError } from "./notice.js";
import * as stars from "./stars.js";

const TICK_MS = 100;
const HURRY_SECONDS = 60;
const BUSY = "The server is busy. Trying again: it counts once, however often it is sent.";

/**
 * A round: start (the server issues the action) → play → finish (the server redeems it). Fires `receipt`. What is played
 * follows from the kind, not from its name: a range of points is a fight, a minimum duration is stars, else one press.
 */
export class Game extends EventTarget {
  #session;
  #board;
  #say;
  #kinds = [];
  #choice = document.getElementById("choice");
  #round = document.getElementById("round");
  #stage = document.getElementById("stage");
  #finish = document.getElementById("finish");
  #timing = document.getElementById("timing");
  #receipt = document.getElementById("receipt");
  #starting = false;
  #started = null;
  #stopPlay = null;
  #tick = null;
  #sending = null;
  #heldUntil = 0;

  constructor(session, board, say) {
    super();
    this.#session = session;
    this.#board = board;
    this.#say = say;
    this.#finish.addEventListener("click", () => this.#redeem());
    document.getElementById("leave").addEventListener("click", () => this.#leave());
    session.addEventListener("change", ({ detail }) => this.#signedInOrOut(detail.ended));
  }

  set kinds(kinds) {
    this.#kinds = kinds;
    const list = this.#choice.querySelector("ul");
    list.replaceChildren(...kinds.map((kind) => kindCard(kind, (chosen) => this.#start(kind, chosen))));
    if (this.#session.user) this.#resume();
  }

  #signedInOrOut(ended) {
    this.#receipt.hidden = true;
    clearErrors(this.#choice);
    if (this.#session.user) {
      this.#resume();
      return;
    }
    // Where the server ended the session the round is kept: after signing in again it can still be finished.
    if (!ended) this.#started?.forget();
    this.#close();
  }

  #resume() {
    if (this.#started || this.#kinds.length === 0) return;
    const started = StartedAction.kept(this.#session.user.id);
    if (started) this.#open(started);
  }

  async #start(kind, chosen) {
    // `inert` alone lets a held Enter through: the button keeps the focus until the next frame.
    if (this.#starting || this.#started) return;
    this.#starting = true;
    clearErrors(this.#choice);
    this.#choice.inert = true;
    try {
      const request = { board: this.#board, kind: kind.kind };
      if (chosen !== null) request.points = chosen;
      const started = await StartedAction.start(this.#session, request);
      this.#choice.inert = false;
      // Who started it may have signed out meanwhile: it is nobody else's to play.
      if (this.#session.user?.id === started.action.userId) this.#open(started);
      else started.forget();
    } catch (error) {
      this.#choice.inert = false;
      if (!this.#session.user) return;
      const shown = showError(this.#choice, explain(error));
      if (error.retryAfter) countDown(shown, error.retryAfter, tooFast);
      this.#focusPlay(kind.kind);
    } finally {
      this.#starting = false;
    }
  }

  #open(started) {
    const { action } = started;
    const kind = this.#kinds.find(({ kind }) => kind === action.kind) ?? {};
    const isFight = Boolean(kind.pointsRange);
    const rules = isFight ? fight : Date.parse(action.notBefore) > Date.parse(action.issuedAt) ? stars : null;
    this.#started = started;
    this.#choice.hidden = true;
    this.#receipt.hidden = true;
    this.#round.hidden = false;
    clearErrors(this.#round);
    this.#round.dataset.game = isFight ? "fight" : rules ? "stars" : "press";
    document.getElementById("round-title").textContent = rules?.title ?? "One press";
    document.getElementById("round-hint").textContent = rules?.hint ?? "That is all there is to it.";
    if (started.progress < 1 && rules) {
      const level = isFight ? levelOf(kind, action.points) : 0;
      this.#stopPlay = rules.play(this.#stage, { level, progress: started.progress, onProgress: (done) => this.#progress(done) });
    } else {
      started.progress = 1;
    }
    this.#tick = setInterval(() => this.#show(), TICK_MS);
    this.#show();
    this.#round.scrollIntoView({ block: "nearest" });
    if (!this.#round.contains(document.activeElement)) document.getElementById("round-title").focus({ preventScroll: true });
  }

  #progress(done) {
    this.#started.progress = done;
    this.#started.keep();
    if (done === 1) document.getElementById("round-title").focus({ preventScroll: true });
    this.#show();
  }

  #show() {
    const { action, progress, secondsToReady, secondsLeft, sent } = this.#started;
    const held = (this.#heldUntil - Date.now()) / 1000;
    const isReady = progress === 1 && secondsToReady <= 0 && held <= 0 && this.#sending === null;
    const isDone = progress === 1;
    this.#stage.hidden = isDone && this.#stage.childElementCount === 0;
    this.#finish.textContent = this.#round.dataset.game === "press" ? `Press for ${points(action.points)}` : `Finish for ${points(action.points)}`;

    if (secondsLeft <= 0 && !sent) {
      this.#started.forget();
      this.#fail("The time for this round ran out. Start again.");
      return;
    }
    if (this.#sending) this.#setTiming(this.#sending.waiting ? BUSY : "Sending…");
    else if (held > 0) this.#setTiming(`You can finish in ${Math.ceil(held)} s. Nothing is lost meanwhile.`);
    else if (isDone && secondsToReady > 0) this.#setTiming(`Done. You can finish in ${secondsToReady.toFixed(1)} s.`);
    else if (secondsLeft < HURRY_SECONDS && !sent) this.#setTiming(`${clock(secondsLeft)} left`);
    else this.#setTiming("");

    const becameReady = isReady && this.#finish.disabled;
    this.#finish.disabled = !isReady;
    if (becameReady && (this.#round.contains(document.activeElement) || document.activeElement === document.body)) this.#finish.focus({ preventScroll: true });
  }

  #setTiming(text) {
    if (this.#timing.textContent !== text) this.#timing.textContent = text;
  }

  async #redeem() {
    const started = this.#started;
    const aborter = new AbortController();
    this.#sending = { aborter, waiting: false };
    clearErrors(this.#round);
    this.#show();
    try {
      const receipt = await started.redeem(this.#session, () => this.#waiting(), aborter.signal);
      if (aborter.signal.aborted) return;
      this.#redeemed(receipt);
    } catch (error) {
      if (aborter.signal.aborted || !this.#session.user) return;
      this.#sending = null;
      this.#refused(started, error);
    }
  }

  #waiting() {
    if (!this.#sending || this.#sending.waiting) return;
    this.#sending.waiting = true;
    this.#say(BUSY);
  }

  #refused(started, error) {
    if (error.status === 429) {
      this.#heldUntil = Date.now() + (error.retryAfter ?? 1) * 1000;
      showError(this.#round, "That was a little fast: the server takes only so many results a minute.");
    } else if (error.isTransient || error.status >= 500) {
      showError(this.#round, `${explain(error)} The round is kept.`);
    } else if (error.code === "action_not_yet_valid") {
      this.#heldUntil = Date.now() + 1000;
      showError(this.#round, explain(error));
    } else {
      started.forget();
      this.#fail(explain(error));
      return;
    }
    this.#show();
  }

  #redeemed(receipt) {
    const { kind } = this.#started.action;
    const place = receipt.rank === null ? "" : `, rank\u00a0${number(receipt.rank)}`;
    const result = `Your score is now ${number(receipt.score)}${place}.`;
    this.#close();
    this.#receipt.hidden = false;
    this.#receipt.dataset.actionId = receipt.actionId;
    this.#receipt.dataset.points = receipt.points;
    this.#receipt.dataset.score = receipt.score;
    this.#receipt.dataset.replayed = receipt.replayed;
    this.#receipt.querySelector(".gain").textContent = signed(receipt.points);
    this.#receipt.querySelector(".result").textContent = result;
    this.#say(`${points(receipt.points)}. ${result}`);
    this.#focusPlay(kind);
    this.dispatchEvent(new CustomEvent("receipt", { detail: receipt }));
  }

  #fail(message) {
    const { kind } = this.#started.action;
    this.#close();
    showError(this.#choice, message);
    this.#focusPlay(kind);
  }

  #leave() {
    const { kind } = this.#started.action;
    this.#started.forget();
    this.#close();
    this.#focusPlay(kind);
  }

  #close() {
    this.#sending?.aborter.abort();
    this.#sending = null;
    clearInterval(this.#tick);
    this.#stopPlay?.();
    this.#stopPlay = null;
    this.#started = null;
    this.#heldUntil = 0;
    this.#finish.disabled = true;
    this.#round.hidden = true;
    this.#choice.hidden = false;
  }

  #focusPlay(kind) {
    this.#choice.querySelector(`[data-kind="${CSS.escape(kind)}"] .play`)?.focus({ preventScroll: true });
  }
}

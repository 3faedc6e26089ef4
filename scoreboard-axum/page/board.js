import { hueOf, initialOf, nameOf } from "./format.js";
import { appear, Counter, glide, isReduced } from "./motion.js";

const MARKER_MS = 5_000;
const LEAVE_MS = 260;

/**
 * A stretch of the board. One row element per user for as long as the user is in it: a row is moved, never made anew. However
 * fast updates come, at most one rendering per frame shows the newest of them, and what did not change is not touched.
 */
export class BoardView {
  #body;
  #empty;
  #testid;
  #rows = new Map();
  #entries = null;
  #ownId = null;
  #scheduled = false;

  constructor(body, empty = null, testid = "row") {
    this.#body = body;
    this.#empty = empty;
    this.#testid = testid;
  }

  show(entries) {
    this.#entries = entries;
    this.#schedule();
  }

  set ownId(userId) {
    this.#ownId = userId;
    if (this.#entries) this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render();
    });
  }

  #render() {
    const entries = this.#entries;
    const first = this.#rows.size === 0;
    const animated = !first && !isReduced();

    // All measuring comes before all changing, so that a frame lays out twice at most.
    const before = new Map();
    if (animated) {
      for (const [index, { userId }] of entries.entries()) {
        const row = this.#rows.get(userId);
        if (row && row.index !== index) before.set(row, row.element.getBoundingClientRect().top);
      }
    }

    const staying = new Set(entries.map((entry) => entry.userId));
    for (const row of this.#rows.values()) {
      if (!staying.has(row.userId)) this.#remove(row, animated);
    }

    const entered = [];
    const leader = entries[0]?.score ?? 0;
    for (const [index, entry] of entries.entries()) {
      let row = this.#rows.get(entry.userId);
      if (!row) {
        row = new Row(entry.userId, this.#testid);
        this.#rows.set(entry.userId, row);
        if (animated) entered.push(row);
      }
      const here = this.#body.children[index];
      if (here !== row.element) place(this.#body, row.element, here ?? null);
      row.index = index;
      row.show(entry, leader, entry.userId === this.#ownId, !first);
    }

    const moved = [...before].map(([row, top]) => [row, top - restingTop(row.element)]);
    for (const [row, distance] of moved) glide(row.element, distance);
    for (const row of entered) appear(row.element);
    if (this.#empty) this.#empty.hidden = entries.length > 0;
  }

  #remove(row, animated) {
    this.#rows.delete(row.userId);
    const { element } = row;
    element.remove();
    if (!animated) return;
    // A copy fades where the row stood: the row itself is already gone for everyone who reads or tests the table.
    const ghost = element.cloneNode(true);
    ghost.removeAttribute("data-testid");
    ghost.setAttribute("aria-hidden", "true");
    ghost.classList.add("leaving");
    ghost.style.setProperty("--index", row.index);
    this.#body.parentElement.after(ghost);
    ghost.animate([{ opacity: 1, transform: "none" }, { opacity: 0, transform: "translateY(16px)" }], LEAVE_MS).onfinish = () => ghost.remove();
  }
}

class Row {
  index = -1;
  #name;
  #initial;
  #you;
  #marker;
  #lane;
  #rank;
  #score;
  #shown = null;
  #laneShown = null;
  #shownRank = null;
  #markedFrom = null;

  constructor(userId, testid) {
    this.userId = userId;
    this.element = document.getElementById("row").content.firstElementChild.cloneNode(true);
    const part = (name) => this.element.querySelector(`.${name}`);
    this.#name = part("name-text");
    this.#initial = part("avatar");
    this.#you = part("you");
    this.#marker = part("marker");
    this.#lane = part("lane");
    this.#rank = part("rank");
    this.#score = new Counter(part("score-value"));
    this.element.dataset.userId = userId;
    this.element.dataset.testid = testid;
    this.element.style.setProperty("--hue", hueOf(userId));
  }

  show(entry, leader, isOwn, marks) {
    const { element } = this;
    const name = nameOf(entry);
    const shown = [name, entry.rank, entry.score, leader, isOwn].join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    if (this.#name.textContent !== name) {
      this.#name.textContent = name;
      this.#initial.textContent = initialOf(name);
    }
    element.dataset.rank = entry.rank;
    element.dataset.score = entry.score;
    element.classList.toggle("own", isOwn);
    this.#you.hidden = !isOwn;
    this.#rank.textContent = entry.rank;
    this.#score.set(entry.score);
    // In whole percents: a lane need not be drawn anew for each point of a busy leader.
    const lane = `scaleX(${Math.round(share(entry.score, leader) * 100) / 100})`;
    if (lane !== this.#laneShown) this.#lane.style.transform = this.#laneShown = lane;
    if (marks && this.#shownRank !== entry.rank) this.#mark(this.#shownRank, entry.rank);
    this.#shownRank = entry.rank;
  }

  // A marker tells the movement since it first appeared and then goes: with many updates a second, one that told each
  // single step would only flicker.
  #mark(from, to) {
    if (this.#markedFrom === null) {
      this.#markedFrom = from ?? Infinity;
      setTimeout(() => {
        this.#markedFrom = null;
        this.#marker.hidden = true;
      }, MARKER_MS);
    }
    const risen = this.#markedFrom - to;
    this.#marker.hidden = risen === 0;
    this.#marker.dataset.move = risen === Infinity ? "new" : risen > 0 ? "up" : "down";
    this.#marker.lastElementChild.textContent = risen === Infinity ? "new" : Math.abs(risen);
    this.#marker.firstElementChild.textContent = risen === Infinity ? "" : risen > 0 ? "up " : "down ";
  }
}

/** Puts a row where it belongs. Moved by `moveBefore`, where there is one, it keeps the animations that it is in. */
function place(body, element, before) {
  if (body.moveBefore && element.parentNode === body) body.moveBefore(element, before);
  else body.insertBefore(element, before);
}

/** Where the row will rest: its top on the screen without the glide it may be in. */
function restingTop(element) {
  return element.offsetParent.getBoundingClientRect().top + element.offsetTop;
}

/** A score's share of the leader's, 0 to 1, whichever direction the board runs. */
function share(score, leader) {
  if (score <= 0 || leader <= 0) return 0;
  return Math.min(score, leader) / Math.max(score, leader);
}

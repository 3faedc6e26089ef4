import { request } from "../api.js";
import { number } from "../format.js";
import { el, facts, table } from "./dom.js";
import { wholeSeconds } from "./moments.js";

/** The boards with their catalogues, to be read: they are changed on the command line. */
export class Boards {
  #root;
  #desk;

  constructor(root, desk) {
    this.#root = root;
    this.#desk = desk;
  }

  show(_, isEntered) {
    if (isEntered) this.refresh();
  }

  async refresh() {
    const answer = await this.#desk.attempt(this.#root, () => request("GET", "/api/scoreboard/boards"));
    if (answer) this.#root.querySelector(".list").replaceChildren(...answer.boards.map(card));
  }
}

function card({ id, name, direction, operator, tieBreak, season, epoch, version, total, kinds }) {
  const rows = kinds.map(({ kind, points, pointsRange, minDurationSeconds, lifetimeSeconds, perDay }) => [
    el("code", {}, kind),
    pointsRange ? `${number(pointsRange[0])} to ${number(pointsRange[1])}` : number(points),
    minDurationSeconds ? wholeSeconds(minDurationSeconds) : "–",
    wholeSeconds(lifetimeSeconds),
    perDay ? number(perDay) : "any number",
  ]);
  return el(
    "article",
    { class: "card wide", "data-testid": "board-card", "data-board": id },
    el("h3", {}, name, " ", el("code", { class: "soft" }, id)),
    facts([
      ["Users", number(total)],
      ["Leads", direction === "descending" ? "the highest" : "the lowest"],
      ["Points", operator],
      ["Among equals", tieBreak],
      ["Season", number(season)],
      ["Version", `${number(version)} in epoch ${number(epoch)}`],
    ]),
    kinds.length ? table(`Kinds of actions on ${name}`, [["Kind"], ["Points", "number"], ["Takes at least", "number"], ["Good for", "number"], ["A day", "number"]], rows) : el("p", { class: "soft" }, "No kinds of actions: nothing can be done here."),
  );
}

import { explain } from "../api.js";
import { number, signed } from "../format.js";
import { crowd } from "./crowd.js";
import { chip, el, table } from "./dom.js";
import * as drawings from "./drawings.js";
import { duration, moment } from "./moments.js";
import { ruleOf } from "./rules.js";

const PAGE = 100;
/** The rule that looks at a whole day reads on, as far as one waits; others look at the last 64 actions at most. */
const MOST_PAGES = 30;

/** What a finding rests on, read from the log again and drawn along time against the rule's threshold. */
export class Evidence {
  #place;
  #desk;
  #incident;

  constructor(place, desk, incident) {
    this.#place = place;
    this.#desk = desk;
    this.#incident = incident;
  }

  async draw() {
    const { finding } = this.#incident;
    const { drawing } = ruleOf(finding.rule);
    if (drawing === "accounts") {
      this.#accounts(finding);
      return;
    }
    this.#place.replaceChildren(el("p", { class: "soft" }, "Reading the log…"));
    try {
      const acts = await this.#acts(drawing === "hours");
      this.#place.replaceChildren(...this.#figure(drawings[drawing]?.(acts, finding) ?? null, acts));
    } catch (error) {
      this.#place.replaceChildren(el("p", { class: "error" }, `The log could not be read: ${explain(error)}`));
    }
  }

  /** The actions of the window, oldest first. What trusted servers have recorded is not judged, and so is not among them. */
  async #acts(whole) {
    const { userId, board, finding } = this.#incident;
    const { from, last } = finding.window;
    const named = new Set(finding.actions);
    const found = [];
    let before = last + 1;
    for (let page = 0; page < (whole ? MOST_PAGES : 1) && before; page += 1) {
      const { actions, next } = await this.#desk.call("GET", `/api/admin/users/${userId}/actions?board=${board}&limit=${PAGE}&before=${before}`);
      const within = actions.filter(({ appliedAt }) => appliedAt >= from);
      found.push(...within);
      before = within.length === actions.length ? next : null;
    }
    const meant = whole ? found : found.filter(({ actionId }) => named.has(actionId));
    return meant.reverse();
  }

  #figure(drawn, acts) {
    if (acts.length === 0) return [el("p", { class: "soft" }, "These actions are no longer in the log here: they are archived.")];
    const parts = drawn ? [figureOf(drawn)] : [];
    parts.push(el("details", {}, el("summary", {}, `The actions, one by one (${acts.length})`), actionTable(acts)));
    return parts;
  }

  /** Who was seen together. That they were is in no log; that they are so many can be counted. */
  #accounts(finding) {
    const { people } = this.#desk;
    const note = "The log knows neither addresses nor devices: who was seen together is known from the server that saw it, and from nowhere else.";
    const list = el("ul", { class: "ids", "data-testid": "accounts" }, (finding.users ?? []).map((user) => el("li", {}, people.link(user))));
    this.#place.replaceChildren(figureOf(crowd(finding)), el("p", { class: "soft" }, note), list);
  }
}

/** A drawing as wide as there is room, with what it says in words and what its marks mean. */
function figureOf({ draw, words, legend }) {
  const canvas = el("div", { class: "canvas" });
  new ResizeObserver(() => canvas.replaceChildren(draw(canvas.clientWidth))).observe(canvas);
  const marks = el("ul", { class: "legend" }, legend.map(([kind, text]) => el("li", {}, el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text)));
  return el("figure", { "data-testid": "evidence" }, canvas, el("figcaption", {}, el("p", { class: "words" }, words), marks));
}

function actionTable(acts) {
  const rows = acts.map((act, place) => [
    moment(act.appliedAt),
    place ? duration(Date.parse(act.appliedAt) - Date.parse(acts[place - 1].appliedAt)) : "–",
    act.kind,
    signed(act.points),
    number(act.version),
    act.voided ? chip("void", "void") : "counts",
  ]);
  return table("The actions, one by one", [["When"], ["After", "number"], ["Kind"], ["Points", "number"], ["Version", "number"], ["State"]], rows.reverse());
}

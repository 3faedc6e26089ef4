import { number } from "../format.js";
import { el } from "./dom.js";

/** Which actions of a user are meant: chosen ones, those of a stretch of time, or all. */
export class Scope {
  #about;
  #from;
  #until;

  constructor(about) {
    this.#about = about;
    const { actions = [], window: found, board } = about;
    // What a finding rests on ends with its last action, and with all of that moment.
    const [from, until] = found ? [Date.parse(found.from), Date.parse(found.to) + 1] : [Date.now() - 86_400_000, Date.now()];
    this.#from = moment("from", from);
    this.#until = moment("until", until);
    const ways = [
      actions.length ? ["chosen", actions.length === 1 ? "The chosen action" : `The ${number(actions.length)} chosen actions`] : null,
      ["window", found ? `In the window of the finding, on ${board}` : `In a stretch of time, on ${board}`],
      ["board", `All on ${board}`],
      ["all", "All, on every board"],
    ].filter(Boolean);
    this.element = el(
      "fieldset",
      { class: "scope" },
      el("legend", {}, "Which"),
      ways.map(([value, text], place) => el("label", { class: "check" }, el("input", { type: "radio", name: "scope", value, checked: place === 0, "data-testid": `scope-${value}` }), ` ${text}`)),
      el("div", { class: "stretch" }, el("label", {}, "From ", this.#from), el("label", {}, "until before ", this.#until)),
    );
    this.element.addEventListener("input", () => this.#enable());
    this.#enable();
  }

  body() {
    const { userId, board, actions } = this.#about;
    switch (this.#chosen()) {
      case "chosen":
        return { actions };
      case "window":
        return { select: { userId, board, from: instant(this.#from), until: instant(this.#until) } };
      case "board":
        return { select: { userId, board } };
      default:
        return { select: { userId } };
    }
  }

  #chosen() {
    return this.element.querySelector("input:checked").value;
  }

  #enable() {
    this.#from.disabled = this.#until.disabled = this.#chosen() !== "window";
  }
}

export function moment(name, time) {
  const local = new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 23);
  return el("input", { type: "datetime-local", name, step: "0.001", value: local, required: true });
}

/** As the server reads it; a field that holds no time is left for the server to refuse. */
export function instant(input) {
  const time = new Date(input.value);
  return Number.isNaN(time.getTime()) ? input.value : time.toISOString();
}

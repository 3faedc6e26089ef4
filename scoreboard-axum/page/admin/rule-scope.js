import { el } from "./dom.js";
import { RULE_NAMES, ruleOf } from "./rules.js";
import { instant, moment } from "./scope.js";

const DAY_MS = 86_400_000;

/** Which actions are meant of those whom a rule has found: on which board, and when they counted. */
export class RuleScope {
  #rule;
  #board = el("select", { name: "board", "data-testid": "rule-board" }, el("option", { value: "" }, "All"));
  #from = moment("from", Date.now() - DAY_MS);
  #until = moment("until", Date.now());

  /** `about` is what is chosen to begin with, if anything. */
  constructor({ rule = "", board = "" }, boards) {
    this.#rule = el("input", { name: "rule", value: rule, list: "found-by", placeholder: "Which rule", spellcheck: "false", autocomplete: "off", required: true, "data-testid": "void-rule" });
    const names = el("datalist", { id: "found-by" }, RULE_NAMES.map((name) => el("option", { value: name }, ruleOf(name).label)));
    const ways = [["always", "Whenever it counted"], ["stretch", "What counted in a stretch of time"]];
    this.element = el(
      "fieldset",
      { class: "scope by-rule" },
      el("legend", {}, "Of whom"),
      el("div", { class: "of-whom" }, el("label", {}, "Found by the rule ", this.#rule, names), el("label", {}, "on the board ", this.#board)),
      ways.map(([value, text], place) => el("label", { class: "check" }, el("input", { type: "radio", name: "scope", value, checked: place === 0, "data-testid": `scope-${value}` }), ` ${text}`)),
      el("div", { class: "stretch" }, el("label", {}, "From ", this.#from), el("label", {}, "until before ", this.#until)),
    );
    this.element.addEventListener("input", () => this.#enable());
    this.#enable();
    // The board that is meant is there before the others are known, or if they never are: without it all boards would be meant.
    if (board) this.#board.append(el("option", { value: board }, board));
    this.#board.value = board;
    boards.then((all) => this.#board.append(...all.filter(({ id }) => id !== board).map(({ id }) => el("option", { value: id }, id))), () => {});
  }

  /** Where one begins. */
  get first() {
    return this.#rule.value ? null : this.#rule;
  }

  /** What is to be said before it can be asked for. */
  get missing() {
    return this.#rule.value.trim() ? null : { field: this.#rule, says: "Name the rule." };
  }

  body() {
    const select = { rule: this.#rule.value.trim() };
    if (this.#board.value) select.board = this.#board.value;
    if (!this.#from.disabled) Object.assign(select, { from: instant(this.#from), until: instant(this.#until) });
    return { select };
  }

  #enable() {
    this.#from.disabled = this.#until.disabled = this.element.querySelector("input:checked").value !== "stretch";
  }
}

import { number } from "../format.js";
import { button, chip, el, facts } from "./dom.js";
import { Evidence } from "./evidence.js";
import { ago, moment } from "./moments.js";
import { askNote } from "./note.js";
import { measured, ruleOf } from "./rules.js";

/** One incident: what speaks against whom, what was done with it, and what may be done. */
export class IncidentFile {
  #root;
  #desk;
  #on;
  #shown = null;
  #incident = null;

  constructor(root, desk, on) {
    this.#root = root;
    this.#desk = desk;
    this.#on = on;
  }

  async show(id, says = null) {
    this.#shown = id;
    this.#incident = null;
    if (id === null) {
      this.#root.replaceChildren(el("p", { class: "nothing" }, "Choose an incident."));
      return;
    }
    this.#root.replaceChildren(el("div", { class: "errors" }), el("p", { class: "nothing" }, "Reading…"));
    const file = await this.#desk.attempt(this.#root, () => this.#desk.call("GET", `/api/admin/incidents/${encodeURIComponent(id)}`));
    if (this.#shown !== id) return;
    if (!file) {
      this.#root.querySelector(".nothing").remove();
      return;
    }
    this.#desk.people.learn(file.names);
    this.#incident = file.incident;
    this.#render(file);
    if (says) this.#desk.say(says);
    this.#root.focus({ preventScroll: true });
  }

  key(key) {
    const press = { a: "assign", c: "confirm", d: "dismiss", v: "void-by-rule" }[key];
    const pressed = press && this.#root.querySelector(`[data-testid=${press}]`);
    pressed?.click();
    return Boolean(pressed);
  }

  #render({ incident, steps }) {
    const { people } = this.#desk;
    const { rule, measure, status, userId, board, at, actionId, finding, evidence, assignee, decidedBy, note } = incident;
    const known = ruleOf(rule);
    this.#root.replaceChildren(
      el("p", { class: "back" }, button("Back to the list", () => this.#on.back())),
      el("header", { class: "file-head" }, el("h2", {}, known.label, " ", chip(measure, measure), chip(status, status)), known.about ? el("p", { class: "soft" }, known.about) : null),
      el("div", { class: "errors" }),
      this.#deeds(incident),
      facts([
        ["User", people.link(userId, board)],
        ["Board", board],
        ["Found", el("time", { datetime: at }, `${moment(at)} (${ago(at)})`)],
        ["With", assignee ? people.link(assignee) : "nobody"],
        ["Decided", decidedBy ? [people.link(decidedBy), note ? `: ${note}` : ""] : null],
      ]),
      el("p", { class: finding ? "words raw" : "words", "data-testid": "evidence-words" }, evidence),
      finding ? this.#drawn(incident) : null,
      finding ? this.#numbers(finding) : facts([["Action", el("code", {}, actionId)]]),
      el("h3", {}, "What was done with it"),
      steps.length ? el("ol", { class: "steps" }, steps.map((step) => this.#step(step))) : el("p", { class: "soft" }, "Nothing yet."),
    );
  }

  #drawn(incident) {
    const place = el("div", { class: "evidence" });
    // Whatever becomes of the drawing, the numbers are there.
    new Evidence(place, this.#desk, incident).draw();
    return place;
  }

  #numbers(finding) {
    const { value, threshold, rule, ruleVersion, inputs, parameters, window: { from, to, last }, actions } = finding;
    const pairs = Object.entries(inputs).map(([name, input]) => [name, name.endsWith("Ms") ? `${number(input)} ms` : number(input)]);
    return el(
      "div",
      {},
      facts(
        [
          ["Measured", el("strong", {}, measured(finding, value))],
          ["Threshold", measured(finding, threshold)],
          ["Rule", `${rule}, version ${ruleVersion}`],
          ["Window", `${moment(from)} to ${moment(to)}, up to version ${number(last)}`],
          ...pairs,
        ],
        { "data-testid": "finding" },
      ),
      el("details", {}, el("summary", {}, "Thresholds and sizes of the rule"), el("pre", { tabindex: "0" }, JSON.stringify(parameters, null, 2))),
      el("details", {}, el("summary", {}, `Actions in the window (${actions.length})`), el("ul", { class: "ids", "data-testid": "action-ids" }, actions.map((id) => el("li", {}, el("code", {}, id))))),
    );
  }

  #step({ at, by, deed, note }) {
    const { people } = this.#desk;
    const what = "assign" in deed ? (deed.assign ? ["gave it to ", people.link(deed.assign)] : ["gave it to nobody"]) : [{ open: "opened it again", confirmed: "confirmed it", dismissed: "dismissed it" }[deed.decide]];
    return el("li", {}, people.link(by), " ", what, note ? el("q", {}, note) : null, " ", el("time", { class: "soft", datetime: at }, moment(at)));
  }

  #deeds({ status, assignee, userId, board, rule, finding }) {
    const me = this.#desk.session.user.id;
    const mine = assignee === me;
    // Nobody decides what they did themselves: the server refuses it, so it is not offered.
    const mayDecide = userId !== me;
    const { decisions, people } = this.#desk;
    const about = { userId, name: people.name(userId), board, window: finding?.window };
    const again = () => this.show(this.#shown);
    return el(
      "div",
      { class: "deeds", role: "group", "aria-label": "What to do" },
      button(mine ? "Give back" : "Assign to me", () => this.#assign(mine ? null : me), { "data-testid": "assign" }),
      mayDecide && status !== "confirmed" ? button("Confirm…", () => this.#decide("confirmed"), { "data-testid": "confirm" }) : null,
      mayDecide && status !== "dismissed" ? button("Dismiss…", () => this.#decide("dismissed"), { "data-testid": "dismiss" }) : null,
      mayDecide && status !== "open" ? button("Open again…", () => this.#decide("open"), { "data-testid": "reopen" }) : null,
      el("span", { class: "deeds-gap" }),
      mayDecide ? button("Hold…", () => decisions.restrict(about, "held", again), { "data-testid": "hold" }) : null,
      mayDecide ? button("Ban…", () => decisions.restrict(about, "banned", again), { "data-testid": "ban" }) : null,
      mayDecide ? button("Void…", () => decisions.void(about, again), { "data-testid": "void" }) : null,
      button("Void by rule…", () => decisions.voidByRule({ rule, board }, again), { class: "quiet last", "data-testid": "void-by-rule" }),
    );
  }

  #assign(assignee) {
    return this.#take("assign", { assignee }, assignee ? "It is with you now." : "It is with nobody now.");
  }

  async #decide(status) {
    const title = { confirmed: "It was fraud", dismissed: "It was not fraud", open: "Open again" }[status];
    const done = { confirmed: "Confirmed.", dismissed: "Dismissed.", open: "Open again." }[status];
    const { measure } = this.#incident;
    // What was to hold somebody back is void by default, once it is confirmed: as the API has it.
    const isVoid = el("input", { type: "checkbox", checked: measure === "hold", "data-testid": "void-found" });
    const about = {
      confirmed: el("label", { class: "check" }, isVoid, " What was found no longer counts"),
      dismissed: measure === "hold" ? "Whom the rule holds is let go, unless another such incident is open: all that was pending counts." : null,
      open: "What was made void stays so.",
    }[status];
    const also = status === "confirmed" ? () => ({ void: isVoid.checked }) : () => ({});
    // Where it is refused, the dialog stays with what was typed.
    const send = (note) => this.#send("decide", { status, note, ...also() }, done);
    if (await askNote(title, about, this.#desk.session, send)) this.#root.focus({ preventScroll: true });
  }

  #take(deed, body, done) {
    return this.#desk.attempt(this.#root, () => this.#send(deed, body, done));
  }

  /** From the revision that is before one's eyes: who was faster is not overruled unseen. */
  async #send(deed, body, done) {
    const { id, revision } = this.#incident;
    const answer = await this.#desk.call("POST", `/api/admin/incidents/${id}/${deed}`, { revision, ...body });
    this.#on.changed(answer.incident);
    await this.show(id, done);
  }
}

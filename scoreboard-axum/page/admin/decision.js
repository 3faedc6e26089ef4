import { number } from "../format.js";
import { clearErrors, showError } from "../notice.js";
import { randomUuid } from "../uuid.js";
import { button, el } from "./dom.js";
import { previewOf } from "./preview.js";
import { refused } from "./refusal.js";
import { RuleScope } from "./rule-scope.js";
import { Scope } from "./scope.js";

/** So many ids fit into a request. */
const MOST_IDS = 2000;

const RESTRICTIONS = {
  held: { verb: "Hold", does: "Others go on seeing what they had. What they do from now on counts for nobody else, until they are released." },
  shadowed: { verb: "Shadow", does: "They stand on no board, and are not told: to themselves all is as ever." },
  banned: { verb: "Ban", does: "They stand on no board, and nothing of them is taken." },
};

/**
 * Decisions: each is previewed, then carried out under an id of its own, so that one whose answer is lost can be sent again and counts once.
 */
export class Decisions {
  #desk;

  constructor(desk) {
    this.#desk = desk;
  }

  restrict(about, restriction, then) {
    const { verb, does } = RESTRICTIONS[restriction];
    const path = `/api/admin/users/${about.userId}/restriction`;
    this.#open({
      title: `${verb} ${about.name}`,
      does,
      accept: verb,
      request: () => ["PUT", path, { restriction }],
      undo: { text: "Take it back…", act: () => this.lift(about, then) },
      then,
    });
  }

  lift(about, then) {
    const path = `/api/admin/users/${about.userId}/restriction`;
    this.#open({
      title: `Lift what ${about.name} may not`,
      does: "They are as any other again: what they have is shown.",
      accept: "Lift",
      request: () => ["DELETE", path, {}],
      then,
    });
  }

  /** Some or all of what a user did; `about.actions` are chosen ones, `about.window` a stretch that a finding rests on. */
  void(about, then) {
    const scope = new Scope(about);
    this.#open({
      title: `Void what ${about.name} did`,
      does: "These actions do not count, as if they had never been done. What remains is what the user has.",
      accept: "Void",
      scope,
      request: () => ["POST", "/api/admin/voids", scope.body()],
      undo: { text: "Take it back…", act: (decision) => this.unvoid(decision, then) },
      then,
    });
  }

  /** What those did whom a rule has found; `about` is the rule and the board to begin with, if any. */
  voidByRule(about, then) {
    const scope = new RuleScope(about, this.#desk.boards());
    this.#open({
      title: "Void by rule",
      does: "Of each user about whom the rule has an incident on that board, unless people have dismissed it, nothing that they did there counts: all of it, not only what was found.",
      accept: "Void",
      scope,
      request: () => ["POST", "/api/admin/voids", scope.body()],
      undo: { text: "Take it back…", act: (decision) => this.unvoid(decision, then) },
      then,
    });
  }

  /** These actions count again: those that the decision `id` was about, where it was one. */
  unvoid({ id, actions }, then) {
    const body = actions.length > MOST_IDS ? { moderation: id } : { actions };
    this.#open({
      title: actions.length === 1 ? "Let the action count again" : `Let ${number(actions.length)} actions count again`,
      does: "What they brought stands where it stood, its place among equals included.",
      accept: "Let it count",
      request: () => ["POST", "/api/admin/unvoids", body],
      then,
    });
  }

  #open(decision) {
    new DecisionDialog(this.#desk, decision).open();
  }
}

class DecisionDialog {
  #desk;
  #decision;
  #dialog;
  #errors = el("div", { class: "errors" });
  #shown = el("div", { class: "preview-place", "aria-live": "polite" });
  #reason = el("textarea", { name: "reason", rows: "2", maxlength: "500", required: true, "data-testid": "reason" });
  #look = el("button", { type: "submit", class: "primary", "data-testid": "preview" }, "Preview");
  #accept;
  #cancel = button("Cancel", () => this.#dialog.close());
  #opener = document.activeElement;
  /** What was previewed, and is carried out then: no other. */
  #ready = null;
  #isDone = false;

  constructor(desk, decision) {
    this.#desk = desk;
    this.#decision = decision;
    const { title, does, accept, scope } = decision;
    this.#accept = button(accept, () => this.#busy(this.#accept, () => this.#carryOut()), { class: "primary danger", disabled: true, "data-testid": "carry-out" });
    this.#dialog = el(
      "dialog",
      { class: "dialog decision", "aria-label": title, "data-testid": "decision" },
      el(
        "form",
        { novalidate: true, on: { submit: (event) => this.#submitted(event) } },
        el("h2", {}, title),
        el("p", { class: "soft" }, does),
        scope?.element ?? null,
        el("label", { class: "stacked" }, "Why (it is kept)", this.#reason),
        this.#errors,
        this.#shown,
        el("p", { class: "actions" }, this.#look, this.#accept, this.#cancel),
      ),
    );
    scope?.element.addEventListener("input", () => this.#forget());
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.addEventListener("close", () => this.#closed());
    this.#dialog.showModal();
    (this.#decision.scope?.first ?? this.#reason).focus();
  }

  #closed() {
    this.#dialog.remove();
    if (this.#isDone) this.#decision.then?.();
    else if (this.#opener?.isConnected) this.#opener.focus();
  }

  /** What is asked for is another thing now: what was previewed says nothing of it. */
  #forget() {
    this.#ready = null;
    this.#accept.disabled = true;
    this.#shown.replaceChildren();
  }

  #submitted(event) {
    event.preventDefault();
    this.#busy(this.#look, () => this.#preview());
  }

  async #busy(pressed, act) {
    if (this.#dialog.querySelector("[aria-busy=true]")) return;
    pressed.setAttribute("aria-busy", "true");
    clearErrors(this.#dialog);
    try {
      await act();
    } catch (error) {
      this.#refused(error);
    } finally {
      pressed.removeAttribute("aria-busy");
    }
  }

  async #preview() {
    this.#forget();
    const missing = this.#decision.scope?.missing;
    if (missing) {
      missing.field.focus();
      showError(this.#dialog, missing.says);
      return;
    }
    const [method, path, body] = this.#decision.request();
    const reason = this.#reason.value.trim() || "a preview";
    const { preview } = await this.#desk.call(method, path, { ...body, reason, dryRun: true });
    const { actions } = preview.wouldBe;
    // Those that were previewed and no others, be there new ones meanwhile; too many to be named are selected once more.
    const same = actions && actions.length <= MOST_IDS ? { actions } : body;
    this.#ready = [method, path, { ...same, id: randomUuid() }];
    this.#shown.replaceChildren(previewOf(preview, this.#desk.people));
    this.#accept.disabled = false;
    this.#accept.focus();
  }

  async #carryOut() {
    const reason = this.#reason.value.trim();
    if (!reason) {
      this.#reason.focus();
      showError(this.#dialog, "Say why: it is kept with the decision.");
      return;
    }
    const [method, path, body] = this.#ready;
    const { moderation } = await this.#desk.call(method, path, { ...body, reason });
    this.#isDone = true;
    this.#desk.say("It is done.");
    this.#done(moderation);
  }

  #done({ changed, corrections, ...moderation }) {
    const { undo } = this.#decision;
    this.#dialog.dataset.done = "true";
    for (const part of [this.#look, this.#accept]) part.remove();
    for (const field of this.#dialog.querySelectorAll("input, select, textarea")) field.disabled = true;
    const said = `Done. ${number(changed)} ${changed === 1 ? "action counts" : "actions count"} otherwise, and the logs got ${number(corrections)} ${corrections === 1 ? "correction" : "corrections"}.`;
    this.#shown.prepend(el("p", { class: "done", role: "status", "data-testid": "done", "data-changed": changed }, said));
    this.#cancel.textContent = "Close";
    this.#cancel.dataset.testid = "close";
    if (undo) this.#cancel.before(button(undo.text, () => this.#undo(() => undo.act(moderation)), { "data-testid": "undo" }));
    this.#cancel.focus();
    this.#shown.scrollIntoView({ block: "nearest" });
  }

  #undo(act) {
    this.#dialog.close();
    act();
  }

  #refused(error) {
    const shown = refused(this.#dialog, error, this.#desk.session);
    if (error.isTransient && this.#ready) shown.append(" Sent again, it counts once.");
  }
}

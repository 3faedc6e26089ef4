import { explain } from "../api.js";
import { nameOf } from "../format.js";
import { onSubmit } from "../forms.js";
import { SecondStep } from "../login-code.js";
import { clearErrors, showError } from "../notice.js";

/** Lets moderators and admins in, and shows everyone else why not. The server decides all the same, at each request. */
export class Gate {
  #session;
  #say;
  #doors;
  #isOpen = false;
  #gate = document.getElementById("gate");
  #signedOut = document.getElementById("signed-out");
  #login = document.getElementById("login-form");
  #code = document.getElementById("code-form");
  #refused = document.getElementById("refused");
  #restoring = document.getElementById("restoring");
  #account = document.getElementById("account");

  constructor(session, say, doors) {
    this.#session = session;
    this.#say = say;
    this.#doors = doors;
    const step = new SecondStep(session);
    onSubmit(this.#login, async ({ email, password }) => {
      const waiting = await session.signIn(email, password);
      if (waiting) this.#ask(step.ask(waiting));
    });
    document.getElementById("start-over").addEventListener("click", () => this.#ask(this.#login));
    document.getElementById("logout").addEventListener("click", () => this.#signOut());
    document.getElementById("look-again").addEventListener("click", () => this.#lookAgain());
    document.getElementById("codes-kept").addEventListener("click", () => this.#enrolled());
    session.addEventListener("change", ({ detail }) => this.#render(detail.ended));
    session.addEventListener("enrolled", () => this.#render(false));
  }

  async begin() {
    this.#restoring.hidden = false;
    await this.#session.restore();
    this.#restoring.hidden = true;
    if (!this.#session.user) this.#render(false);
  }

  #render(ended) {
    const { user, mustEnrol } = this.#session;
    const wasAsked = this.#signedOut.contains(document.activeElement);
    const mayEnter = Boolean(user) && user.roles.some((role) => role === "moderator" || role === "admin");
    this.#restoring.hidden = true;
    this.#signedOut.hidden = Boolean(user);
    this.#account.hidden = !user;
    this.#refused.hidden = !user || mayEnter;
    document.getElementById("help-open").hidden = !mayEnter || mustEnrol;
    document.getElementById("account-name").textContent = user ? `${nameOf(user)} · ${highest(user.roles)}` : "";
    this.#swing(mayEnter && !mustEnrol);
    if (!user) {
      for (const form of [this.#login, this.#code]) form.reset();
      clearErrors(this.#signedOut);
      this.#ask(this.#login);
      if (ended) showError(this.#login, "Your session has ended. Log in to go on.");
    } else if (!mayEnter && wasAsked) {
      this.#refused.querySelector("h1").focus();
    } else if (wasAsked) {
      // What one typed into is gone: the keyboard goes on where the console begins.
      document.querySelector("[role=tab][aria-selected=true]")?.focus();
      this.#say(`Signed in as ${nameOf(user)}.`);
    }
  }

  /** Who came to decide, and had to set up a second factor first, goes on to that. */
  #enrolled() {
    const security = document.getElementById("security-open");
    if (!this.#isOpen || security.getAttribute("aria-expanded") !== "true") return;
    security.click();
    document.querySelector("[role=tab][aria-selected=true]")?.focus();
  }

  #swing(open) {
    if (open === this.#isOpen) return;
    this.#isOpen = open;
    this.#gate.classList.toggle("passed", open);
    if (open) this.#doors.open();
    else this.#doors.close();
  }

  #ask(form) {
    for (const other of [this.#login, this.#code]) other.hidden = other !== form;
    form.querySelector("input").focus({ preventScroll: true });
  }

  async #lookAgain() {
    clearErrors(this.#refused);
    try {
      await this.#session.renew();
      this.#render(false);
    } catch (error) {
      showError(this.#refused, explain(error));
    }
  }

  async #signOut() {
    // This tab has forgotten its tokens either way; one that the server did not hear about runs out by itself.
    await this.#session.signOut().catch(() => {});
  }
}

const highest = (roles) => ["admin", "moderator"].find((role) => roles.includes(role)) ?? "user";

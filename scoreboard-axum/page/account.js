import { explain, request } from "./api.js";
import { nameOf } from "./format.js";
import { onSubmit, reveal } from "./forms.js";
import { SecondStep } from "./login-code.js";
import { fromMail } from "./mailed.js";
import { clearErrors, showError, showNotice } from "./notice.js";

/** Register, log in, log out. One of the forms is shown while nobody is signed in, the game otherwise. */
export class Account {
  #session;
  #say;
  #signedOut = document.getElementById("signed-out");
  #signedIn = document.getElementById("signed-in");
  #waiting = document.getElementById("restoring");
  #header = document.getElementById("account");
  #join = document.getElementById("join");
  #register = document.getElementById("register-form");
  #login = document.getElementById("login-form");
  #step;
  #begun;
  /** Settled once it is known who is signed in. */
  #known = new Promise((resolve) => {
    this.#begun = resolve;
  });

  constructor(session, say) {
    this.#session = session;
    this.#say = say;
    onSubmit(this.#register, (fields) => this.#registerAndSignIn(fields));
    this.#step = new SecondStep(session);
    onSubmit(this.#login, (fields) => this.#signIn(fields.email, fields.password));
    fromMail({ show: (form) => this.#showForm(form), say: (text) => this.#tell(text) });
    for (const button of document.querySelectorAll("[data-show]")) {
      button.addEventListener("click", () => this.#showForm(document.getElementById(button.dataset.show)));
    }
    for (const button of document.querySelectorAll(".reveal")) button.addEventListener("click", () => reveal(button));
    document.getElementById("logout").addEventListener("click", () => this.#signOut());
    this.#join.addEventListener("click", () => this.#firstField().focus());
    session.addEventListener("change", ({ detail }) => this.#render(detail.ended));
  }

  /** Shows the forms, unless a session from before a reload is being taken up. */
  async begin() {
    const restored = this.#session.restore();
    this.#waiting.hidden = false;
    await restored;
    this.#waiting.hidden = true;
    if (!this.#session.user) this.#render(false);
    this.#begun();
  }

  async #registerAndSignIn({ email, password, displayName }) {
    const made = await request("POST", "/api/auth/register", { body: { email, password, displayName } });
    if (!made) {
      this.#register.reset();
      showNotice(this.#register, "A mail is on its way. Follow the link in it, and the account is yours.");
      return;
    }
    try {
      await this.#signIn(email, password);
    } catch (error) {
      // The account is there: a second attempt to register could only be told that the address is taken.
      this.#showForm(this.#login);
      this.#login.elements.email.value = email;
      showError(this.#login, `Your account is made. Logging in failed: ${explain(error)}`);
    }
  }

  async #signIn(email, password) {
    const waiting = await this.#session.signIn(email, password);
    if (waiting) this.#showForm(this.#step.ask(waiting));
  }

  /** Something that came of a mail: said where one logs in, or, to who is signed in, where one plays. */
  async #tell(text) {
    await this.#known;
    if (this.#session.user) {
      showNotice(this.#signedIn, text);
      return;
    }
    this.#showForm(this.#login);
    showNotice(this.#login, text);
  }

  async #signOut() {
    try {
      await this.#session.signOut();
    } catch {
      // This tab has forgotten its tokens either way; one the server did not hear about runs out by itself.
    }
  }

  #render(ended) {
    const { user } = this.#session;
    // After a reload nobody had asked for anything: then neither the focus moves nor is anything said.
    const asked = this.#signedOut.contains(document.activeElement);
    this.#signedOut.hidden = Boolean(user);
    this.#signedIn.hidden = !user;
    this.#header.hidden = !user;
    this.#join.hidden = Boolean(user);
    this.#waiting.hidden = true;
    if (user) {
      document.getElementById("account-name").textContent = nameOf(user);
      // What stands at the end of a step that is done is not where the next one begins.
      if (this.#register.hidden) this.#only(this.#login);
      if (!asked) return;
      document.getElementById("choice-title").focus({ preventScroll: true });
      this.#say(`Signed in as ${nameOf(user)}.`);
      return;
    }
    for (const form of this.#signedOut.querySelectorAll("form")) form.reset();
    clearErrors(this.#signedOut);
    if (ended) {
      this.#showForm(this.#login);
      showError(this.#login, "Your session has ended. Log in to go on.");
    }
  }

  #showForm(form) {
    this.#only(form);
    this.#firstField().focus({ preventScroll: true });
  }

  #only(form) {
    for (const other of this.#signedOut.querySelectorAll("form")) other.hidden = other !== form;
  }

  #firstField() {
    return this.#signedOut.querySelector("form:not([hidden]) input");
  }
}

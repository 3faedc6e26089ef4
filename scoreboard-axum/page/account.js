import { explain, request, tooFast } from "./api.js";
import { nameOf } from "./format.js";
import { clearErrors, countDown, showError, showFieldError } from "./notice.js";

/** Register, log in, log out. One of the two forms is shown while nobody is signed in, the game otherwise. */
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

  constructor(session, say) {
    this.#session = session;
    this.#say = say;
    onSubmit(this.#register, (fields) => this.#registerAndSignIn(fields));
    onSubmit(this.#login, (fields) => this.#session.signIn(fields.email, fields.password));
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
  }

  async #registerAndSignIn({ email, password, displayName }) {
    await request("POST", "/api/auth/register", { body: { email, password, displayName } });
    try {
      await this.#session.signIn(email, password);
    } catch (error) {
      // The account is there: a second attempt to register could only be told that the address is taken.
      this.#showForm(this.#login);
      this.#login.elements.email.value = email;
      showError(this.#login, `Your account is made. Logging in failed: ${explain(error)}`);
    }
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
      if (!asked) return;
      document.getElementById("choice-title").focus({ preventScroll: true });
      this.#say(`Signed in as ${nameOf(user)}.`);
      return;
    }
    this.#register.reset();
    this.#login.reset();
    clearErrors(this.#signedOut);
    if (ended) {
      this.#showForm(this.#login);
      showError(this.#login, "Your session has ended. Log in to go on.");
    }
  }

  #showForm(form) {
    this.#register.hidden = form !== this.#register;
    this.#login.hidden = form !== this.#login;
    this.#firstField().focus({ preventScroll: true });
  }

  #firstField() {
    return (this.#login.hidden ? this.#register : this.#login).querySelector("input");
  }
}

function onSubmit(form, act) {
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    const fields = Object.fromEntries(new FormData(form));
    if (!allFilled(form)) return;
    button.setAttribute("aria-busy", "true");
    try {
      await act(fields);
    } catch (error) {
      refused(form, error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

// Only what needs no rule is checked here; what an address or a password must be like, the server says.
function allFilled(form) {
  const missing = [...form.querySelectorAll("input")].filter((input) => input.value.trim() === "");
  for (const input of missing) showFieldError(input, `${input.labels[0].textContent.trim()} is missing.`);
  missing[0]?.focus();
  return missing.length === 0;
}

function refused(form, error) {
  if (error.status === 409 && form.elements.email) {
    showFieldError(form.elements.email, error.message);
    form.elements.email.focus();
    return;
  }
  const placed = error.fields?.map(({ pointer, detail }) => {
    const input = form.elements[pointer.split("/").at(-1)];
    if (input) showFieldError(input, sentence(detail));
    return input;
  });
  const first = placed?.find(Boolean);
  if (first) {
    first.focus();
    return;
  }
  const shown = showError(form, explain(error));
  if (error.retryAfter) countDown(shown, error.retryAfter, tooFast);
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function reveal(button) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const shown = input.type === "text";
  input.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
}

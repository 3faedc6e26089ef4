import { explain, request } from "./api.js";
import { onSubmit } from "./forms.js";
import { clearErrors, showError } from "./notice.js";

const WAYS = {
  totp: { ask: "Enter the six digits that your authenticator app shows.", choose: "Use the app" },
  recovery_code: { ask: "Enter one of your recovery codes. It works once.", choose: "Use a recovery code" },
  email: { ask: "Enter the eight digits that we have mailed to you.", choose: "Mail me a code (less safe)", sent: true },
  sms: { ask: "Enter the eight digits that we have texted to you.", choose: "Text me a code (less safe)", sent: true },
};

/** The second step of a login: a code, by one of the ways that the server offers. */
export class SecondStep {
  #form = document.getElementById("code-form");
  #waiting = null;
  #method = null;

  constructor(session) {
    onSubmit(this.#form, ({ code }) => session.complete(this.#waiting.challengeId, this.#method, code));
  }

  /** Asks for the code of this login; gives the form to be shown. */
  ask(waiting) {
    this.#waiting = waiting;
    this.#use(waiting.methods[0]);
    return this.#form;
  }

  async #choose(method) {
    clearErrors(this.#form);
    try {
      if (WAYS[method].sent) {
        const body = { challengeId: this.#waiting.challengeId, method };
        await request("POST", "/api/auth/mfa/challenge", { body });
      }
      this.#use(method);
      this.#form.elements.code.focus();
    } catch (error) {
      showError(this.#form, explain(error));
    }
  }

  #use(method) {
    this.#method = method;
    this.#form.reset();
    clearErrors(this.#form);
    document.getElementById("code-lead").textContent = WAYS[method].ask;
    this.#form.elements.code.inputMode = method === "recovery_code" ? "text" : "numeric";
    const others = this.#waiting.methods.filter((other) => other in WAYS && other !== method);
    document.getElementById("code-ways").replaceChildren(...others.map((other) => this.#button(other)));
  }

  #button(method) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.dataset.testid = `use-${method}`;
    button.textContent = WAYS[method].choose;
    button.addEventListener("click", () => this.#choose(method));
    return button;
  }
}

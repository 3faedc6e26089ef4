import { explain } from "./api.js";
import { onSubmit } from "./forms.js";
import { clearErrors, showError } from "./notice.js";

/** Another password, and another address or a mail that confirms the one there is. */
export class Credentials {
  #session;
  #say;
  #password = document.getElementById("password");
  #address = document.getElementById("address");
  #state = document.getElementById("address-state");
  #confirm = document.getElementById("confirm-address");

  constructor(session, say) {
    this.#session = session;
    this.#say = say;
    this.#address.addEventListener("toggle", () => this.#address.open && this.#show());
    this.#confirm.addEventListener("click", () => this.#mailConfirmation());
    onSubmit(document.getElementById("password-form"), (fields) => this.#changePassword(fields));
    onSubmit(document.getElementById("address-form"), ({ email }) => this.#changeAddress(email));
    session.addEventListener("change", () => this.#clear());
    session.addEventListener("enrolled", () => this.#offer());
  }

  /** What somebody else has typed is not left lying about. */
  #clear() {
    for (const panel of [this.#password, this.#address]) {
      panel.open = false;
      panel.querySelector("form").reset();
      clearErrors(panel);
    }
    this.#state.textContent = "";
    this.#confirm.hidden = true;
    this.#offer();
  }

  /** Not to who can do nothing yet but set up a second factor. */
  #offer() {
    for (const panel of [this.#password, this.#address]) panel.hidden = this.#session.mustEnrol;
  }

  async #show() {
    clearErrors(this.#address);
    try {
      const [{ user }, { emailConfirmedAt }] = await Promise.all(["/api/auth/me", "/api/auth/mfa"].map((path) => this.#session.call("GET", path)));
      this.#state.textContent = `${user.email} ${emailConfirmedAt ? "is confirmed." : "is not confirmed yet."}`;
      this.#confirm.hidden = emailConfirmedAt !== null;
    } catch (error) {
      showError(this.#address, explain(error));
    }
  }

  async #mailConfirmation() {
    clearErrors(this.#address);
    try {
      await this.#session.call("POST", "/api/auth/email/confirmation");
      this.#tell("A mail is on its way. Follow the link in it.");
    } catch (error) {
      showError(this.#address, explain(error));
    }
  }

  async #changeAddress(email) {
    await this.#session.call("POST", "/api/auth/email", { email });
    this.#address.querySelector("form").reset();
    this.#tell("If the address is free, a mail is on its way there. It is yours once you follow the link in it.");
  }

  async #changePassword({ password, newPassword }) {
    await this.#session.call("POST", "/api/auth/password", { password, newPassword });
    this.#password.querySelector("form").reset();
    this.#password.open = false;
    this.#password.querySelector("summary").focus();
    document.getElementById("factor-state").textContent = "Your password is changed. You are logged out everywhere else.";
    this.#say("Your password is changed.");
  }

  #tell(text) {
    this.#state.textContent = text;
  }
}

import { explain } from "./api.js";
import { onSubmit } from "./forms.js";
import { clearErrors, showError } from "./notice.js";

const TOTP = "/api/auth/mfa/totp";

/** What secures the account of who is signed in: the authenticator app, its recovery codes, and the other sessions. */
export class Security {
  #session;
  #say;
  #panel = document.getElementById("security");
  #open = document.getElementById("security-open");
  #enrol = document.getElementById("enrol-form");
  #change = document.getElementById("factor-form");
  #codes = document.getElementById("recovery");

  constructor(session, say) {
    this.#session = session;
    this.#say = say;
    this.#open.addEventListener("click", () => this.#toggle());
    document.getElementById("enrol").addEventListener("click", () => this.#try(() => this.#begin()));
    document.getElementById("codes-kept").addEventListener("click", () => this.#try(() => this.#show()));
    document.getElementById("end-others").addEventListener("click", () => this.#try(() => this.#endOthers()));
    onSubmit(this.#enrol, ({ code }) => this.#confirm(code));
    onSubmit(this.#change, ({ code }, pressed) => (pressed?.name === "remove" ? this.#remove(code) : this.#renew(code)));
    session.addEventListener("change", () => this.#changed());
  }

  #changed() {
    const { user, mustEnrol } = this.#session;
    this.#open.hidden = !user;
    // Codes and secrets of somebody else are not left lying about.
    this.#clear();
    this.#reveal(Boolean(user && mustEnrol));
    if (user && mustEnrol) this.#try(() => this.#show());
  }

  #toggle() {
    const shown = this.#panel.hidden;
    this.#reveal(shown);
    if (shown) this.#try(() => this.#show());
  }

  #reveal(shown) {
    this.#panel.hidden = !shown;
    this.#open.setAttribute("aria-expanded", String(shown));
  }

  async #try(act) {
    clearErrors(this.#panel);
    try {
      await act();
    } catch (error) {
      showError(this.#panel, explain(error));
    }
  }

  /** How things stand. */
  async #show() {
    this.#clear();
    const { totp, required, recoveryCodesLeft } = await this.#session.call("GET", "/api/auth/mfa");
    const state = document.getElementById("factor-state");
    state.dataset.active = totp;
    state.textContent = totp
      ? `An app is set up. ${recoveryCodesLeft} recovery codes are left.`
      : required
        ? "This account needs an authenticator app before it can do anything else."
        : "A password alone lets you in. An authenticator app makes your account safer.";
    document.getElementById("enrol").hidden = totp;
    this.#change.hidden = !totp;
    document.getElementById("end-others").hidden = this.#session.mustEnrol;
  }

  async #begin() {
    const { secret, qrSvg } = await this.#session.call("POST", TOTP);
    document.getElementById("enrol").hidden = true;
    document.getElementById("qr").src = `data:image/svg+xml,${encodeURIComponent(qrSvg)}`;
    document.getElementById("totp-secret").textContent = secret.match(/.{1,4}/g).join(" ");
    this.#enrol.hidden = false;
    this.#enrol.elements.code.focus();
  }

  async #confirm(code) {
    const { recoveryCodes } = await this.#session.call("POST", `${TOTP}/confirm`, { code });
    this.#shown(recoveryCodes, "The app is set up.");
    // A session that was good for nothing but this is whole now.
    if (this.#session.mustEnrol) await this.#session.renew();
  }

  async #renew(code) {
    const { recoveryCodes } = await this.#session.call("POST", "/api/auth/mfa/recovery-codes", { code });
    this.#shown(recoveryCodes, "The recovery codes before are void.");
  }

  async #remove(code) {
    await this.#session.call("DELETE", TOTP, { code });
    await this.#show();
    this.#say("The app is removed.");
  }

  async #endOthers() {
    await this.#session.call("DELETE", "/api/auth/sessions");
    this.#panel.dispatchEvent(new Event("others-ended"));
    document.getElementById("factor-state").textContent = "You are logged out everywhere else.";
    this.#say("You are logged out everywhere else.");
  }

  #shown(recoveryCodes, what) {
    this.#clear();
    document.getElementById("factor-state").textContent = what;
    const items = recoveryCodes.map((code) => {
      const item = document.createElement("li");
      item.textContent = code;
      return item;
    });
    document.getElementById("recovery-codes").replaceChildren(...items);
    this.#codes.hidden = false;
    document.getElementById("recovery-title").focus();
  }

  #clear() {
    clearErrors(this.#panel);
    for (const part of [this.#enrol, this.#change, this.#codes]) part.hidden = true;
    for (const form of [this.#enrol, this.#change]) form.reset();
    document.getElementById("enrol").hidden = true;
    document.getElementById("qr").removeAttribute("src");
    document.getElementById("totp-secret").textContent = "";
    document.getElementById("recovery-codes").replaceChildren();
  }
}

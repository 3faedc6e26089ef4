import { explain, request } from "./api.js";
import { keepMailedDeviceToken } from "./devices.js";
import { onSubmit } from "./forms.js";

/** What links in mails ask for, and what makes such a mail be sent: another password, an address that is confirmed. */
export async function fromMail({ show, say }) {
  const reset = document.getElementById("reset-form");
  const forgot = document.getElementById("forgot-form");
  const [what, token] = location.hash.slice(1).split("=");
  // It lets somebody in: neither the history nor a bookmark is to have it.
  if (what === "reset" || what === "confirm") history.replaceState(null, "", location.pathname);

  onSubmit(forgot, async ({ email }) => {
    await request("POST", "/api/auth/password/forgot", { body: { email } });
    say("If there is such an account, a mail is on its way. Follow the link in it.");
  });
  onSubmit(reset, async ({ password }) => {
    await request("POST", "/api/auth/password/reset", { body: { token, password } });
    keepMailedDeviceToken(token);
    say("Your password is changed. Log in with it.");
  });

  if (what === "reset") {
    show(reset);
    // Who followed the link came for this, not for the board above it.
    reset.scrollIntoView({ block: "center", behavior: "instant" });
  }
  if (what === "confirm") {
    try {
      await request("POST", "/api/auth/email/confirm", { body: { token } });
      say("Your address is confirmed.");
    } catch (error) {
      say(error.status === 401 ? "This link is over. Ask for another one." : explain(error));
    }
  }
}

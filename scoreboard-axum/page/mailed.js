import { explain, request } from "./api.js";
import { keepMailedDeviceToken } from "./devices.js";
import { onSubmit } from "./forms.js";

/** Links that are done with once they are followed: what takes their token, and what that comes to. */
const FOLLOWED = {
  register: ["/api/auth/register/confirm", "Your account is made. Log in."],
  confirm: ["/api/auth/email/confirm", "Your address is confirmed."],
  address: ["/api/auth/email/change", "Your address is changed. Log in with it from now on."],
};

/** What links in mails ask for, and what makes such a mail be sent: another password, an address that is confirmed, another address. */
export async function fromMail({ show, say }) {
  const reset = document.getElementById("reset-form");
  const forgot = document.getElementById("forgot-form");
  const [what, token] = location.hash.slice(1).split("=");
  // It lets somebody in: neither the history nor a bookmark is to have it.
  if (what === "reset" || Object.hasOwn(FOLLOWED, what)) history.replaceState(null, "", location.pathname);

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
  if (Object.hasOwn(FOLLOWED, what)) {
    const [path, done] = FOLLOWED[what];
    try {
      await request("POST", path, { body: { token } });
      say(done);
    } catch (error) {
      say(error.status === 401 ? "This link is over. Ask for another one." : explain(error));
    }
  }
}

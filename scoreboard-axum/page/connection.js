const WORDS = { "catching-up": "Catching up", live: "Live", offline: "Offline", closed: "Offline", idle: "Offline" };

/** Says how fresh the board on the screen is, and lets the user hurry a reconnect. */
export class ConnectionBadge {
  #badge = document.getElementById("connection");
  #notice = document.getElementById("connection-notice");
  #text = document.getElementById("connection-text");
  #tick = null;

  constructor(client) {
    document.getElementById("reconnect").addEventListener("click", () => client.connect());
    client.addEventListener("state", ({ detail }) => this.#show(detail));
  }

  #show({ state, reason, retryAt }) {
    clearInterval(this.#tick);
    this.#badge.dataset.state = state;
    this.#badge.lastElementChild.textContent = WORDS[state];
    // The notice stays while reconnecting, else it would blink at every attempt.
    if (state === "live") this.#notice.hidden = true;
    if (state === "offline" || state === "closed" || state === "idle" || reason) this.#notice.hidden = false;
    document.getElementById("reconnect").hidden = state === "catching-up" || state === "idle";

    if (state === "closed" || state === "idle") this.#text.textContent = `${reason ?? ""} The board is shown as it was.`;
    else if (state === "catching-up") this.#text.textContent = reason ?? "Connecting…";
    else if (state === "offline") {
      const tell = () => {
        const left = Math.max(Math.ceil((retryAt - Date.now()) / 1000), 0);
        this.#text.textContent = `${reason ?? "Connection lost."} Trying again in ${left} s.`;
      };
      tell();
      this.#tick = setInterval(tell, 1000);
    }
  }
}

import { number } from "../format.js";
import { chip, el, svg, table } from "./dom.js";
import { duration, timeOfDay } from "./moments.js";
import { Lately, parse, sum } from "./metrics.js";

const EVERY_MS = 2_000;
const PATIENCE_MS = 5_000;
const NAMES = { api: "API", database: "Database", cache: "Cache", realtime: "Live connections", external: "Services outside" };

/** How the server that answers is, every two seconds as long as somebody looks; what cannot be read is marked as old. */
export class Health {
  #root;
  #list;
  #asOf;
  #lately = new Lately();
  #timer = null;
  #read = null;
  #turn = 0;

  constructor(root) {
    this.#root = root;
    this.#list = root.querySelector(".list");
    this.#asOf = root.querySelector(".as-of");
  }

  show() {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#poll(), EVERY_MS);
    this.#poll();
  }

  refresh() {
    this.#poll();
  }

  hide() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#turn += 1;
  }

  async #poll() {
    if (document.hidden) return;
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const [report, metrics] = await Promise.all([read("/health"), read("/metrics")]);
      if (turn !== this.#turn) return;
      const at = Date.now();
      if (metrics.ok) this.#lately.add(at, parse(metrics.text));
      this.#read = at;
      this.#render(JSON.parse(report.text), metrics.ok);
    } catch {
      if (turn === this.#turn) this.#old();
    }
  }

  #old() {
    this.#root.dataset.old = "true";
    this.#asOf.textContent = this.#read ? `The server cannot be read. What is shown is ${duration(Date.now() - this.#read)} old, of ${timeOfDay(this.#read)}.` : "The server cannot be read.";
  }

  #render({ status, parts }, isMeasured) {
    this.#root.dataset.old = "false";
    this.#root.dataset.status = status;
    this.#asOf.replaceChildren(chip(status, status), ` The server that answered, at ${timeOfDay(this.#read)}`);
    const rows = Object.entries(parts).map(([name, part]) => ({
      "data-testid": "part",
      "data-part": name,
      "data-status": part.status,
      cells: [NAMES[name] ?? name, [chip(part.status, part.status), " ", (part.troubles ?? []).join(", ").replaceAll("_", " ")], `${part.latencyMs.toFixed(1)} ms`],
    }));
    this.#list.replaceChildren(
      table("The parts of the server", [["Part"], ["State"], ["Took", "number"]], rows),
      isMeasured ? el("div", { class: "figures" }, this.#figures()) : el("p", { class: "soft" }, "This server keeps no metrics."),
    );
  }

  #figures() {
    const [now, lately] = [this.#lately.newest, this.#lately];
    const of = (name, labels) => sum(now, name, labels);
    const changes = lately.rates("scoreboard_commit_batch_size_sum");
    const requests = lately.rates("scoreboard_http_request_duration_seconds_count");
    const shared = hits(lately, "l2");
    const drift = of("scoreboard_rank_index_drift_total");
    const wrong = of("scoreboard_cache_audits_total", { finding: "false" }) ?? 0;
    return [
      figure("WebSockets", number(of("scoreboard_ws_connections") ?? 0), `${number(of("scoreboard_sse_connections") ?? 0)} event streams, ${number(of("scoreboard_live_windows") ?? 0)} windows`, { id: "connections" }),
      figure("Changes a second", rate(changes.at(-1)), "committed by this server", { id: "changes", line: changes }),
      figure("Requests a second", rate(requests.at(-1)), `${number(lately.growth("scoreboard_ratelimit_refusals_total"))} over a quota lately`, { id: "requests", line: requests }),
      figure("Cache, this process", hits(lately, "l1"), `${bytes(of("scoreboard_cache_bytes"))} of ${bytes(of("scoreboard_cache_max_bytes"))}`, { id: "l1" }),
      shared === "–" ? null : figure("Cache, shared", shared, "of what this process had not", { id: "l2" }),
      figure("Cache against the store", wrong ? number(wrong) : "none wrong", `${number(of("scoreboard_cache_audits_total") ?? 0)} compared, ${number(of("scoreboard_cache_audits_total", { finding: "behind" }) ?? 0)} were behind`, { id: "audits", isBad: wrong > 0 }),
      figure("Ranks in memory", drift ? `${number(drift)} drifted` : "no drift", `${number(of("scoreboard_rank_index_users") ?? 0)} users, ${bytes(of("scoreboard_rank_index_bytes"))}`, { id: "drift", isBad: drift > 0 }),
      figure("Fraud watch", number(of("scoreboard_fraud_watch_lag_changes") ?? 0), "changes not yet looked at", { id: "watch" }),
    ];
  }
}

async function read(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
  // Down, the report says so and why; of anything else a failure says nothing.
  if (!response.ok && response.status !== 503 && response.status !== 404) throw new Error(`${path}: ${response.status}`);
  return { ok: response.ok, text: await response.text() };
}

function figure(name, value, about, { id, line, isBad = false }) {
  return el("div", { class: "figure", "data-testid": "figure", "data-figure": id, "data-bad": isBad }, el("h3", {}, name), el("p", { class: "value" }, value), line && line.length > 1 ? curve(line) : null, el("p", { class: "soft" }, about));
}

/** Of late, as a line; the number beside it says the same. */
function curve(values) {
  const top = Math.max(...values, 1);
  const at = (value, place) => `${((place / (values.length - 1)) * 100).toFixed(1)},${(23 - (value / top) * 21).toFixed(1)}`;
  return svg("svg", { class: "curve", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("polyline", { points: values.map(at).join(" ") }));
}

function hits(lately, tier) {
  const asked = lately.growth("scoreboard_cache_requests_total", { tier });
  if (!asked) return "–";
  return `${Math.round((lately.growth("scoreboard_cache_requests_total", { tier, result: "hit" }) / asked) * 100)} % hits`;
}

const rate = (value) => (value === undefined ? "…" : number(Number(value.toFixed(value < 10 ? 1 : 0))));

function bytes(value) {
  if (value === null) return "–";
  return value < 1 << 20 ? `${number(Math.round(value / 1024))} KiB` : `${number(Math.round(value / (1 << 20)))} MiB`;
}

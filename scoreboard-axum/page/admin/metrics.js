/** What `/metrics` says, as samples by name: `[{ labels, value }]`. */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const [, name, inside = "", value] = found;
    const labels = Object.fromEntries([...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]));
    if (!samples.has(name)) samples.set(name, []);
    samples.get(name).push({ labels, value: Number(value) });
  }
  return samples;
}

/** The sum of all samples of a name whose labels are these; `null` where there is none. */
export function sum(samples, name, wanted = {}) {
  const found = (samples.get(name) ?? []).filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
  return found.length ? found.reduce((total, { value }) => total + value, 0) : null;
}

const KEPT_MS = 120_000;

/** The last two minutes of what was read, for rates and shares of late. */
export class Lately {
  #read = [];

  add(at, samples) {
    // A counter that is lower than before is that of another process: it begins anew.
    const before = this.#read.at(-1);
    if (before && uptime(before.samples) > uptime(samples)) this.#read = [];
    this.#read.push({ at, samples });
    this.#read = this.#read.filter((one) => at - one.at <= KEPT_MS);
  }

  get newest() {
    return this.#read.at(-1)?.samples;
  }

  /** How much a counter grew in a second, between each two readings, oldest first. */
  rates(name, labels) {
    return this.#read.slice(1).map(({ at, samples }, place) => {
      const before = this.#read[place];
      return Math.max(((sum(samples, name, labels) ?? 0) - (sum(before.samples, name, labels) ?? 0)) / ((at - before.at) / 1000), 0);
    });
  }

  /** How much a counter grew over all that is kept. */
  growth(name, labels) {
    if (this.#read.length < 2) return 0;
    return (sum(this.#read.at(-1).samples, name, labels) ?? 0) - (sum(this.#read[0].samples, name, labels) ?? 0);
  }
}

/** The requests that were ever answered: a number that only grows as long as a process lives. */
const uptime = (samples) => sum(samples, "scoreboard_http_request_duration_seconds_count") ?? 0;

// Full jitter: any moment between now and the growing bound. Clients that lost the same server at the same
// instant come back spread over the whole span instead of together.

const FIRST_MS = 500;
const LONGEST_MS = 20_000;

export function fullJitter(attempt) {
  return Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
}

export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

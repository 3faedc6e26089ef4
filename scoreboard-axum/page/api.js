// One place that speaks HTTP: JSON in, JSON out, and every failure an `ApiError`.

const TIMEOUT_MS = 10_000;

export class ApiError extends Error {
  constructor(status, problem = {}, retryAfter = null) {
    super(problem.detail ?? problem.title ?? "The request failed.");
    this.status = status;
    this.code = problem.code ?? (status === 0 ? "network" : "unknown");
    this.fields = problem.errors ?? [];
    this.incident = problem.incident ?? null;
    this.requestId = problem.requestId ?? null;
    this.retryAfter = retryAfter;
  }

  /** The outcome is unknown or the server asks to come again: the same request may be sent again. */
  get isTransient() {
    return [0, 502, 503, 504].includes(this.status);
  }
}

export async function request(method, path, { body, token } = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;

  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch {
    throw new ApiError(0, { detail: "The server could not be reached." });
  }

  const json = parse(text);
  if (response.ok) return json;
  throw new ApiError(response.status, json ?? {}, retryAfterSeconds(response));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy in between may answer with something that is not JSON; the status still says enough.
    return null;
  }
}

function retryAfterSeconds(response) {
  const value = response.headers.get("retry-after");
  if (value === null) return null;
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : null;
}

/** What to tell a person, in plain words. */
export function explain(error) {
  if (!(error instanceof ApiError)) throw error;
  switch (error.code) {
    case "network":
      return "The server could not be reached. Check your connection and try again.";
    case "unavailable":
      return "The server is busy or restarting. Try again in a moment.";
    case "rate_limited":
      return tooFast(error.retryAfter);
    case "action_expired":
      return "The time for this round ran out. Start again.";
    case "action_not_yet_valid":
      return "That was sooner than this round can be done. Wait a moment and finish again.";
    case "action_signature_invalid":
    case "action_mismatch":
      return "The server did not accept this round. Start again.";
    case "action_blocked":
      return error.incident ? `This round was not counted. Quote ${error.incident} if you ask why.` : "This round was not counted.";
    case "score_out_of_range":
      return "Your score is as far as scores go. This round cannot be added.";
    case "step_up_required":
      return "Your last login is too long ago for this. Log in again.";
    case "internal":
      return error.requestId ? `Something broke on the server. Quote ${error.requestId} if you report it.` : "Something broke on the server.";
    default:
      return error.message;
  }
}

export function tooFast(seconds) {
  return `That was a little fast. You can go on in ${seconds ? `${seconds} s` : "a moment"}.`;
}

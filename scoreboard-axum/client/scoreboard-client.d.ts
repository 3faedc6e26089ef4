// The types of scoreboard-client.js, where everything is explained.

/** The subprotocol that is spoken. */
export declare const PROTOCOL: "scoreboard.v1";

/** How long to wait before trying again, in milliseconds: between 0 and a bound that doubles with each attempt, 20 s at the most. */
export declare function fullJitter(attempt: number, atLeast?: number): number;

/** What a code says with which the server closed a connection. */
export declare function verdictOf(code: number): "again" | "spread" | "never";

/** One user's place on a board. */
export interface Entry {
  /** From 1. */
  readonly rank: number;
  readonly userId: string;
  /** `null` where no account is known. */
  readonly displayName: string | null;
  /** Exact: within ±(2^53 − 1). */
  readonly score: number;
}

/** The part of a board that is followed, at one version. Never changed: each change makes another. */
export interface View {
  readonly board: string;
  readonly season: number;
  /** Compared before the version. */
  readonly epoch: number;
  readonly version: number;
  /** All entries of the season, not only those here. */
  readonly total: number;
  /** In rank order. */
  readonly entries: readonly Entry[];
}

/** One entry that moved, came or went, as the server sent it. */
export interface Change {
  readonly op: "upsert" | "remove";
  readonly rank: number | null;
  readonly previousRank: number | null;
  readonly userId: string;
  readonly displayName: string | null;
  readonly score: number;
}

/** Which part of a board: its top, a user with those next to them, or some users. */
export type WindowKind = "top" | "around" | "users";

export type Part =
  | { limit?: number; around?: undefined; radius?: undefined; users?: undefined }
  | { around: string; radius?: number; limit?: undefined; users?: undefined }
  | { users: Iterable<string>; limit?: undefined; around?: undefined; radius?: undefined };

/** Others have passed the user; `by` is the nearest of them, if near enough to be seen. */
export interface Overtaken {
  type: "overtaken";
  board: string;
  season: number;
  epoch: number;
  version: number;
  rank: number;
  previousRank: number;
  by: { userId: string; displayName: string | null; score: number } | null;
}

/** The user has come into the top. */
export interface EnteredTop {
  type: "enteredTop";
  board: string;
  season: number;
  epoch: number;
  version: number;
  rank: number;
  limit: number;
}

/** What only its user is told; a newer server may tell more. */
export type PrivateMessage = Overtaken | EnteredTop;

export type SubscriptionState = "catching-up" | "live" | "offline" | "ended";
export type ClientState = "idle" | "catching-up" | "live" | "offline" | "closed";

export interface SubscriptionEvents {
  change: CustomEvent<{
    view: View;
    previous: View | null;
    /** `null` where the view was sent whole. */
    changes: readonly Change[] | null;
    /** `false` where it was because what was missed could not be told. */
    recovered?: false;
  }>;
  state: CustomEvent<{ state: SubscriptionState }>;
  refused: CustomEvent<{ code: string; detail: string }>;
}

export interface ClientEvents {
  /** `retryAt` as in `Date.now()`, while offline. */
  state: CustomEvent<{ state: ClientState; reason: string | null; retryAt: number | null }>;
  /** A private message: of each type and board one in a second at most. */
  message: CustomEvent<PrivateMessage>;
  /** Something was refused; the connection goes on. `code` as in a problem of the API, or `ticket` where none could be had. */
  error: CustomEvent<{ code: string; detail: string; board: string | null }>;
}

/** One part of a board that is followed. */
export declare class Subscription extends EventTarget {
  private constructor();
  readonly board: string;
  readonly window: WindowKind;
  /** Of a top. */
  readonly limit: number | undefined;
  /** Of a neighbourhood: around whom. */
  readonly around: string | undefined;
  readonly radius: number | undefined;
  /** Of a list of users. */
  readonly users: readonly string[] | undefined;
  /** The board as far as it is known; `null` before the first snapshot. */
  get view(): View | null;
  get state(): SubscriptionState;
  /** Follows the board no more. */
  unsubscribe(): void;
  addEventListener<Name extends keyof SubscriptionEvents>(
    type: Name,
    listener: (event: SubscriptionEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

export interface ClientOptions {
  /** Gives a ticket of `POST /api/auth/ws-ticket` for each connection; `null` where nobody is signed in. */
  ticket?: () => string | null | Promise<string | null>;
  /** Where the runtime has none of its own. */
  WebSocket?: typeof globalThis.WebSocket;
}

/** A connection to a scoreboard server. */
export declare class ScoreboardClient extends EventTarget {
  constructor(server?: string | URL, options?: ClientOptions);
  get state(): ClientState;
  /** Follows the top `limit` (10, 1 to 100) of a board, the user `around` with `radius` (5, 1 to 50) others on each side, or `users`. */
  subscribe(board: string, options?: Part): Subscription;
  /** To be called when somebody has signed in or out: asks for a ticket and shows it, on a new connection where this was somebody's. */
  authenticate(): void;
  /** Connects now, instead of waiting longer or after a close. */
  connect(): void;
  /** Ends the connection; `connect()` takes it up again. */
  close(): void;
  addEventListener<Name extends keyof ClientEvents>(
    type: Name,
    listener: (event: ClientEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

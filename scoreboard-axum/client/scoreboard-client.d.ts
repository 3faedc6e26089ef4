// The types of scoreboard-client.js, where everything is explained.

/** The subprotocol that is spoken. */
export declare const PROTOCOL: "scoreboard.v1";

/** How long to wait before trying again, in milliseconds: between 0 and a bound that doubles with each attempt, 20 s at the most. */
export declare function fullJitter(attempt: number, atLeast?: number): number;

/** What a code says with which the server closed a connection. */
export declare function verdictOf(code: number): "again" | "spread" | "never";

/** One user's place on a board. */
export interface Entry {
  /** From 1, without gaps. */
  readonly rank: number;
  readonly userId: string;
  /** `null` where no account is known. */
  readonly displayName: string | null;
  /** Exact: within ±(2^53 − 1). */
  readonly score: number;
}

/** The top of a board at one version. Never changed: each change makes another. */
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

export type SubscriptionState = "catching-up" | "live" | "offline" | "ended";
export type ClientState = "idle" | "catching-up" | "live" | "offline" | "closed";

export interface SubscriptionEvents {
  change: CustomEvent<{ view: View; previous: View | null; changes: readonly Change[] | null }>;
  state: CustomEvent<{ state: SubscriptionState }>;
  refused: CustomEvent<{ code: string; detail: string }>;
}

export interface ClientEvents {
  /** `retryAt` as in `Date.now()`, while offline. */
  state: CustomEvent<{ state: ClientState; reason: string | null; retryAt: number | null }>;
  /** A private message, such as `{type: "overtaken", …}`. */
  message: CustomEvent<{ type: string; [field: string]: unknown }>;
  /** Something was refused; the connection goes on. `code` as in a problem of the API, or `ticket` where none could be had. */
  error: CustomEvent<{ code: string; detail: string; board: string | null }>;
}

/** One board that is followed. */
export declare class Subscription extends EventTarget {
  private constructor();
  readonly board: string;
  readonly limit: number;
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
  /** Gives a ticket of `POST /api/auth/ws-ticket` for each connection. */
  ticket?: () => string | Promise<string>;
  /** Where the runtime has none of its own. */
  WebSocket?: typeof globalThis.WebSocket;
}

/** A connection to a scoreboard server. */
export declare class ScoreboardClient extends EventTarget {
  constructor(server?: string | URL, options?: ClientOptions);
  get state(): ClientState;
  /** Follows the top `limit` (10, from 1 to 100) of a board. */
  subscribe(board: string, options?: { limit?: number }): Subscription;
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

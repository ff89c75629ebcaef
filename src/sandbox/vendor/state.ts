import type { RandomText } from "../random.ts";
import type { TurnableClock } from "../turnable-clock.ts";
import { type BreachLog, createBreachLog } from "./breaches.ts";
import { type Credentials, createCredentials, type Lifetimes } from "./credentials.ts";
import { createVendorOrders, type VendorEdition, type VendorOrders } from "./orders.ts";
import { RULES } from "./rules.ts";
import { type Answers, createShape, type Shape } from "./shape.ts";

/** The vendor's state for one WBappid; everything the handlers read and change. */
export interface State {
  readonly appId: string;
  secret: string;
  readonly editions: ReadonlySet<VendorEdition>;
  /** The only parameter name for the app id in token and ticket queries; undefined for either. */
  readonly tokenParam: "app_id" | "appId" | undefined;
  readonly clock: TurnableClock;
  readonly lifetimes: Lifetimes;
  /** The format of answers. */
  readonly shape: Shape;
  /** The code that refuses a call with a dead token. */
  deadTokenCode: string;
  readonly credentials: Credentials;
  readonly orders: VendorOrders;
  readonly breaches: BreachLog;
  /** Nonces of uploads and queries, nonces of launches, and order numbers of uploads seen so far. */
  readonly seen: { nonces: Recent; launchNonces: Recent; orderNumbers: Recent };
}

export interface StateOptions {
  appId: string;
  secret: string;
  editions: readonly VendorEdition[];
  tokenParam: State["tokenParam"];
  clock: TurnableClock;
  text: RandomText;
  answers: Answers;
  lifetimes: Lifetimes;
  strict: boolean;
}

export function createState(options: StateOptions): State {
  const { appId, secret, editions, tokenParam, clock, text, lifetimes, strict } = options;
  const shape = createShape(options.answers, text);
  return {
    appId,
    secret,
    editions: new Set(editions),
    tokenParam,
    clock,
    lifetimes,
    shape,
    deadTokenCode: RULES.token_dead.code,
    credentials: createCredentials(
      clock,
      { ticket: () => text(64), token: () => shape.accessToken() },
      lifetimes,
    ),
    orders: createVendorOrders(clock, shape, lifetimes),
    breaches: createBreachLog(clock, strict),
    seen: {
      // A nonce cannot be replayed once the ticket that signed it has died.
      nonces: createRecent(clock, lifetimes.ticketLifeMs),
      launchNonces: createRecent(clock, lifetimes.nonceLifeMs),
      orderNumbers: createRecent(clock, lifetimes.recordLifeMs),
    },
  };
}

/** Values that must not repeat; they expire, so that a long load test does not exhaust memory. */
export interface Recent {
  has(value: string): boolean;
  add(value: string): void;
}

/** Remembers each value for at least `keepMs`. */
function createRecent(clock: TurnableClock, keepMs: number): Recent {
  // A Map keeps insertion order, so the oldest values are at its front.
  const addedAt = new Map<string, number>();
  return {
    has: (value) => addedAt.has(value),
    add(value) {
      const now = clock.now();
      for (const [old, at] of addedAt) {
        if (at + keepMs >= now) break;
        addedAt.delete(old);
      }
      addedAt.set(value, now);
    },
  };
}

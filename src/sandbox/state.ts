import { type BreachLog, createBreachLog } from "./breaches.ts";
import { type Credentials, createCredentials, type Lifetimes } from "./credentials.ts";
import { createOrders, type Edition, type Orders } from "./orders.ts";
import type { RandomText } from "./random.ts";
import { createRecent, type Recent } from "./recent.ts";
import type { TurnableClock } from "./turnable-clock.ts";

/** What the vendor knows of one WBappid; all that the handlers read and change. */
export interface State {
  readonly appId: string;
  secret: string;
  readonly editions: ReadonlySet<Edition>;
  /** The one spelling that token and ticket queries may have; undefined for either. */
  readonly tokenParam: "app_id" | "appId" | undefined;
  readonly clock: TurnableClock;
  readonly lifetimes: Lifetimes;
  readonly text: RandomText;
  readonly credentials: Credentials;
  readonly orders: Orders;
  readonly breaches: BreachLog;
  /** Seen nonces of uploads and queries, nonces of launches, and order numbers of uploads. */
  readonly seen: { nonces: Recent; launchNonces: Recent; orderNumbers: Recent };
}

export interface StateOptions {
  appId: string;
  secret: string;
  editions: readonly Edition[];
  tokenParam: State["tokenParam"];
  clock: TurnableClock;
  text: RandomText;
  lifetimes: Lifetimes;
  strict: boolean;
}

export function createState(options: StateOptions): State {
  const { appId, secret, editions, tokenParam, clock, text, lifetimes, strict } = options;
  return {
    appId,
    secret,
    editions: new Set(editions),
    tokenParam,
    clock,
    lifetimes,
    text,
    credentials: createCredentials(clock, text, lifetimes),
    orders: createOrders(clock, text, lifetimes),
    breaches: createBreachLog(clock, strict),
    seen: {
      // A nonce cannot be replayed once the ticket that signed it has died.
      nonces: createRecent(clock, lifetimes.ticketLifeMs),
      launchNonces: createRecent(clock, lifetimes.nonceLifeMs),
      orderNumbers: createRecent(clock, lifetimes.recordLifeMs),
    },
  };
}

import type { SandboxOptions } from "./options.ts";
import type { RandomText } from "./random.ts";
import type { TurnableClock } from "./turnable-clock.ts";
import type { Lifetimes } from "./vendor/credentials.ts";
import { EDITIONS } from "./vendor/orders.ts";
import { createState, type State } from "./vendor/state.ts";

/** The vendor before the first call, with the defaults of `SandboxOptions`. Throws `RangeError` for impossible credentials. */
export function createInitialState(
  options: SandboxOptions & { appId: string; secret: string },
  clock: TurnableClock,
  text: RandomText,
): State {
  const { appId, secret, editions = EDITIONS, tokenParam, answers = "captured", strict = true } = options;
  if (appId.length !== 8) throw new RangeError("appId must have 8 characters");
  if (secret.length !== 64) throw new RangeError("secret must have 64 characters");
  const lifetimes = lifetimesOf(options);
  return createState({ appId, secret, editions, tokenParam, clock, text, answers, strict, lifetimes });
}

const lifetimesOf = (options: SandboxOptions): Lifetimes => ({
  overlapMs: options.overlapMs ?? 60_000,
  tokenLifeMs: options.tokenLifeMs ?? 7_200_000,
  ticketLifeMs: options.ticketLifeMs ?? 3_600_000,
  nonceLifeMs: options.nonceLifeMs ?? 120_000,
  nonceIntervalMs: options.nonceIntervalMs ?? 2000,
  faceIdLifeMs: options.faceIdLifeMs ?? 300_000,
  recordLifeMs: options.recordLifeMs ?? 3 * 86_400_000,
});

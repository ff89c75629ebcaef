import { createSecretKey } from "node:crypto";
import { keyRing, type SealKey } from "../../src/domain/seal-keys.ts";
import { Secret } from "../../src/lib/redacted.ts";
import type { World } from "./world.ts";

/** What a process has been given, and may be given anew while it runs. */
export interface Given {
  secrets: readonly Secret[];
  keys: readonly SealKey[];
}

const key = (id: string): SealKey => ({
  id,
  key: createSecretKey(new Uint8Array(32).fill(id.charCodeAt(0))),
});
const [A, B] = [key("a"), key("b")];
const [OLD, NEW] = [new Secret("o".repeat(64)), new Secret("n".repeat(64))];
const keyed = (...keys: SealKey[]): Given => ({ secrets: [OLD], keys });
const derived = (...secrets: Secret[]): Given => ({ secrets, keys: keyRing(undefined, secrets) });

/** What processes are given unless the scenario says otherwise. */
export const GIVEN = keyed(A);

/** Opens whatever anybody sealed. */
export const EVERY_KEY: readonly SealKey[] = [A, B, ...derived(OLD, NEW).keys];

/** Changes that reach each process at a time of its own. */
export interface Rollout {
  /** The first is what all start with. */
  phases: readonly [Given, ...Given[]];
  /** After this phase the vendor takes only the last of its secrets, and all tokens are dead. */
  vendorChangesAfter?: number;
}

export const ROLLOUTS = {
  /** The runbook's way. */
  keys: { phases: [keyed(A), keyed(A, B), keyed(B, A), keyed(B)] },
  /** Without its first step: for a while, some seal what others cannot open. */
  "hasty keys": { phases: [keyed(A), keyed(B, A), keyed(B)] },
  secrets: { phases: [derived(OLD), derived(OLD, NEW), derived(NEW)], vendorChangesAfter: 1 },
} as const satisfies Readonly<Record<string, Rollout>>;

const MINUTE = 60_000;
/** From the first process to the last: less than an overlap and a poll, or the last ones would be without a pair. */
const SPREAD_MS = 50_000;

/**
 * Plans the phases: one every ten to thirty minutes. `give` hands a phase to one process; `first` is called when the first
 * has it, and `vendor` when the vendor changes over.
 */
export function roll(
  world: World,
  { phases, vendorChangesAfter }: Rollout,
  processes: number,
  act: { give(process: number, given: Given): void; first(process: number): void; vendor(): void },
): void {
  let at = 0;
  for (const [number, given] of phases.entries()) {
    if (number === 0) continue;
    at += world.between(10, 30) * MINUTE;
    const begin = at;
    const order = Array.from({ length: processes }, () => world.between(0, SPREAD_MS));
    const earliest = order.indexOf(Math.min(...order));
    for (const [process, after] of order.entries()) {
      world.at(begin + after, () => act.give(process, given));
    }
    world.at(begin + Math.min(...order) + 10, () => act.first(earliest));
    if (number === vendorChangesAfter) world.at(begin + SPREAD_MS + MINUTE, () => act.vendor());
  }
}

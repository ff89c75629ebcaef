import type { Clock } from "../lib/clock.ts";
import type { Sealer } from "../tickets/sealer.ts";
import { withFallback } from "./fallback.ts";
import { createMemoryLaunchStore } from "./memory-store.ts";
import { createRedisLaunchStore, type Send } from "./redis-store.ts";
import type { LaunchStore } from "./store.ts";

export interface LaunchStoreOptions {
  /** Begins every shared key, such as `faceid:{app@host}:launch`. */
  prefix: string;
  /** The Redis to share launches by; undefined keeps them in this process. */
  shared: { send: Send } | undefined;
  sealer: Sealer;
  clock: Clock;
  events: { launchStoreAsked(asked: { ok: boolean; error?: unknown }): void };
}

/** The store of launches: shared where there is a Redis and while it answers, else of this process. */
export function openLaunchStore({ prefix, shared, sealer, clock, events }: LaunchStoreOptions): LaunchStore {
  const own = createMemoryLaunchStore(clock);
  if (!shared) return own;
  const redis = createRedisLaunchStore({
    prefix,
    send: (key, command) => shared.send(key, command),
    seal: (plain, token) => sealer.seal(plain, identityOf(token)),
    open(sealed, token) {
      const opened = sealer.open(sealed, identityOf(token));
      return opened.ok ? opened.plain : undefined;
    },
  });
  return withFallback(redis, own, events);
}

/** Launches belong to no generation of tickets; the token keeps one from being opened as another. */
const identityOf = (token: string) => ({ generation: 0, kind: `launch ${token}` }) as const;

import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import type { Sealer } from "../tickets/sealer.ts";
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
  events: Pick<ServiceEvents, "launchStoreAsked">;
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

/**
 * The shared store while it answers, else this process's own: repeats are then known to one replica only, which is
 * better than no launches at all.
 */
export function withFallback(
  shared: LaunchStore,
  own: LaunchStore,
  events: Pick<ServiceEvents, "launchStoreAsked">,
): LaunchStore {
  async function either<T>(attempt: (store: LaunchStore) => Promise<T>): Promise<T> {
    try {
      const result = await attempt(shared);
      events.launchStoreAsked({ ok: true });
      return result;
    } catch (error) {
      events.launchStoreAsked({ ok: false, error });
      return attempt(own);
    }
  }

  return {
    shared: shared.shared,
    claim: (...args) => either((store) => store.claim(...args)),
    release: (...args) => either((store) => store.release(...args)),
    keep: (...args) => either((store) => store.keep(...args)),
    outcome: (...args) => either((store) => store.outcome(...args)),
  };
}

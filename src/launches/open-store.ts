import type { Statements } from "../database/database.ts";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import type { Sealer } from "../tickets/sealer.ts";
import { createMemoryLaunchStore } from "./memory-store.ts";
import { createPostgresLaunchStore } from "./postgres-store.ts";
import { createRedisLaunchStore, type Send } from "./redis-store.ts";
import type { LaunchStore } from "./store.ts";

export interface LaunchStoreOptions {
  /** Prefix of every shared key, such as `faceid:{app@host}:launch`. */
  prefix: string;
  /** Where to share launches; undefined keeps them in this process. */
  shared: ({ kind: "redis"; send: Send } | ({ kind: "postgres" } & Statements)) | undefined;
  pseudonym: (key: string) => string;
  sealer: Sealer;
  clock: Clock;
  events: Pick<ServiceEvents, "launchStoreAsked">;
}

/** The launch store as its two uses need it. */
export interface LaunchStores {
  /** Shared while there is a server and it responds, otherwise local to this process. */
  launches: LaunchStore;
  /** Rejects while the server does not respond: a link that one process alone knows is none. */
  links: LaunchStore;
}

/** Opens the launch store. */
export function openLaunchStores({
  prefix,
  shared,
  pseudonym,
  sealer,
  clock,
  events,
}: LaunchStoreOptions): LaunchStores {
  const local = createMemoryLaunchStore(clock);
  if (!shared) return { launches: local, links: local };
  const hidden = {
    prefix,
    pseudonym,
    seal: (plain: string, token: string) => sealer.seal(plain, identityOf(token)),
    open(sealed: string, token: string) {
      const opened = sealer.open(sealed, identityOf(token));
      return opened.ok ? opened.plain : undefined;
    },
  };
  const store =
    shared.kind === "postgres"
      ? createPostgresLaunchStore({ ...hidden, tables: shared })
      : createRedisLaunchStore({ ...hidden, send: (key, command) => shared.send(key, command) });
  return { launches: withFallback(store, local, events), links: store };
}

/** Launches belong to no ticket generation; the token prevents one outcome from being opened as another's. */
const identityOf = (token: string) => ({ generation: 0, kind: `launch ${token}` }) as const;

/**
 * Falls back to the local store while the shared one fails: repeats are then known to one replica only, which
 * is better than no launches at all.
 */
export function withFallback(
  shared: LaunchStore,
  local: LaunchStore,
  events: Pick<ServiceEvents, "launchStoreAsked">,
): LaunchStore {
  async function withFailover<T>(attempt: (store: LaunchStore) => Promise<T>): Promise<T> {
    try {
      const result = await attempt(shared);
      events.launchStoreAsked({ ok: true });
      return result;
    } catch (error) {
      events.launchStoreAsked({ ok: false, error });
      return attempt(local);
    }
  }

  return {
    shared: shared.shared,
    claim: (...args) => withFailover((store) => store.claim(...args)),
    release: (...args) => withFailover((store) => store.release(...args)),
    keep: (...args) => withFailover((store) => store.keep(...args)),
    outcome: (...args) => withFailover((store) => store.outcome(...args)),
    change: (...args) => withFailover((store) => store.change(...args)),
    erase: (...args) => withFailover((store) => store.erase(...args)),
  };
}

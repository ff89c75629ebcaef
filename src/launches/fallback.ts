import type { LaunchStore } from "./store.ts";

/**
 * The shared store while it answers, else this process's own: repeats are then known to one replica only, which is
 * better than no launches at all.
 */
export function withFallback(
  shared: LaunchStore,
  own: LaunchStore,
  events: { launchStoreAsked(asked: { ok: boolean; error?: unknown }): void },
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

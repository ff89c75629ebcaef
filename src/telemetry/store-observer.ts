import type { Clock } from "../lib/clock.ts";
import type { TicketStore } from "../tickets/store.ts";

/** The same store, each read and write of which is told. */
export function observeStore(
  store: TicketStore,
  clock: Clock,
  events: { storeAsked(asked: { op: string; ok: boolean; durationMs: number }): void },
): TicketStore {
  async function told<T>(op: string, work: () => Promise<T>): Promise<T> {
    const startedAt = clock.monotonic();
    let ok = false;
    try {
      const result = await work();
      ok = true;
      return result;
    } finally {
      events.storeAsked({ op, ok, durationMs: clock.monotonic() - startedAt });
    }
  }
  return {
    read: () => told("read", () => store.read()),
    compareAndSet: (version, value) => told("compare_and_set", () => store.compareAndSet(version, value)),
    ...(store.probe && { probe: () => told("probe", async () => store.probe?.()) }),
    watch: (listener) => store.watch(listener),
    open: () => store.open(),
    close: () => store.close(),
  };
}

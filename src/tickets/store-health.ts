import type { TicketTimings } from "../config/ticket-timings.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketEvents } from "./events.ts";
import type { TicketStore } from "./stores/store.ts";

export interface StoreHealthOptions {
  store: Pick<TicketStore, "probe">;
  clock: Clock;
  /** Whether this process writes to the store at all. */
  refreshes: boolean;
  timings: Pick<TicketTimings, "refreshIntervalMs">;
  events: Pick<TicketEvents, "storeChanged">;
}

/** Whether the store answers and takes writes. One that can only be read goes on being read, and counts as down. */
export interface StoreHealth {
  /** Undefined before the first read. */
  readonly isUp: boolean | undefined;
  /** A read or a write failed. */
  failed: (error: unknown) => void;
  /** A read succeeded: tries a write where that is due, and at every read until one succeeds. Never rejects. */
  answered(): Promise<void>;
}

/** How often in each refresh interval a write is tried while all is well: to know before one is due. */
const PROBES = 20;

export function createStoreHealth(options: StoreHealthOptions): StoreHealth {
  const { store, clock, refreshes, timings, events } = options;
  const probeMs = timings.refreshIntervalMs / PROBES;
  let isUp: boolean | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  /** What has been reported of this outage: it may begin as a timeout and turn out to be a full disk. */
  const reported = new Set<string>();

  function failed(error: unknown): void {
    isUp = false;
    const word = wordOf(error);
    if (reported.has(word)) return;
    reported.add(word);
    events.storeChanged({ up: false, error });
  }

  return {
    get isUp() {
      return isUp;
    },
    failed,
    async answered() {
      const due = isUp === false || clock.monotonic() - triedAt >= probeMs;
      if (due && refreshes) {
        triedAt = clock.monotonic();
        try {
          await store.probe?.();
        } catch (error) {
          return failed(error);
        }
      }
      if (isUp === false) events.storeChanged({ up: true, error: undefined });
      isUp = true;
      reported.clear();
    },
  };
}

function wordOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return String(code ?? name);
}

import type { TicketTimings } from "../../config/ticket-timings.ts";
import type { Clock } from "../../lib/clock.ts";
import type { TicketEvents } from "../events.ts";
import type { TicketStore } from "./store.ts";

export interface StoreHealthOptions {
  store: Pick<TicketStore, "probe">;
  clock: Clock;
  /** Whether this process refreshes, and so writes to the store. */
  refreshes: boolean;
  timings: Pick<TicketTimings, "refreshIntervalMs">;
  events: Pick<TicketEvents, "storeChanged">;
}

/** Whether the store responds and accepts writes. A read-only store counts as down, but is still polled. */
export interface StoreHealth {
  /** Undefined before the first read. */
  readonly isUp: boolean | undefined;
  /** A read or a write failed. */
  failed: (error: unknown) => void;
  /** A read succeeded. Probes with a write if one is due or the store is down. Never rejects. */
  readSucceeded(): Promise<void>;
}

/** Probe writes per refresh interval while the store is up: to detect a failure before a refresh is due. */
const PROBES_PER_INTERVAL = 20;

export function createStoreHealth(options: StoreHealthOptions): StoreHealth {
  const { store, clock, refreshes, timings, events } = options;
  const probeMs = timings.refreshIntervalMs / PROBES_PER_INTERVAL;
  let isUp: boolean | undefined;
  let probedAt = Number.NEGATIVE_INFINITY;
  /** Errors already reported in this outage: it may begin as a timeout and turn out to be a full disk. */
  const reported = new Set<string>();

  function failed(error: unknown): void {
    isUp = false;
    const code = codeOf(error);
    if (reported.has(code)) return;
    reported.add(code);
    events.storeChanged({ up: false, error });
  }

  return {
    get isUp() {
      return isUp;
    },
    failed,
    async readSucceeded() {
      const due = isUp === false || clock.monotonic() - probedAt >= probeMs;
      if (due && refreshes) {
        probedAt = clock.monotonic();
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

function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return String(code ?? name);
}

import { type UpstreamEndpoint, UpstreamError } from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import type { Clock } from "../lib/clock.ts";
import type { TicketReader } from "../tickets/reader.ts";
import type { TicketStore } from "../tickets/stores/store.ts";
import type { ExchangeOutcome, ObserveExchange } from "../upstream/observed-exchange.ts";
import type { Tracer, UpstreamUse } from "./tracer.ts";

export interface UpstreamObserverOptions {
  tracer: Tracer;
  clock: Clock;
  events: Pick<ServiceEvents, "upstreamCalled" | "clockCompared">;
}

/** Endpoints whose responses carry the current time; a query's may carry the time of the attempt. */
const REPORTS_TIME: ReadonlySet<UpstreamEndpoint> = new Set(["access_token", "sign_ticket", "nonce_ticket"]);

/** Gives each exchange with the vendor a span, an event and an entry in the access line. */
export function createUpstreamObserver({ tracer, clock, events }: UpstreamObserverOptions): ObserveExchange {
  return (endpoint) => {
    const span = tracer.leaf({ name: `upstream ${endpoint}`, kind: "client", fields: { endpoint } });
    const startedAt = clock.monotonic();
    return (reply, failure) => {
      const durationMs = clock.monotonic() - startedAt;
      const outcome = outcomeOf(reply, failure);
      const { entry, bizSeqNo } = reply ?? {};
      const code = entry?.code;
      span.set({ outcome, ...(code !== undefined && { upstream_code: code }) });
      if (bizSeqNo !== undefined) span.set({ biz_seq_no: bizSeqNo });
      if (failure !== undefined) span.fail(outcome);
      span.end();
      addUse(tracer.upstreamUse(), endpoint, durationMs, reply);
      events.upstreamCalled({ endpoint, outcome, code, bizSeqNo, durationMs });
      const writtenAt = REPORTS_TIME.has(endpoint) ? reply?.writtenAt() : undefined;
      if (writtenAt === undefined) return;
      // Compares the middle of the call with the middle of the second reported by the vendor.
      events.clockCompared({ aheadMs: clock.now() - durationMs / 2 - (writtenAt + 500) });
    };
  };
}

function outcomeOf(reply: ExchangeOutcome | undefined, failure: unknown): string {
  if (failure instanceof UpstreamError && failure.failure !== "code") return failure.failure;
  if (reply) return reply.entry.codeClass;
  // Any other failure is the reason of the caller's signal.
  return "aborted";
}

function addUse(
  uses: Partial<Record<UpstreamEndpoint, UpstreamUse>> | undefined,
  endpoint: UpstreamEndpoint,
  durationMs: number,
  reply: ExchangeOutcome | undefined,
): void {
  if (!uses) return;
  const { ms = 0, calls = 0 } = uses[endpoint] ?? {};
  uses[endpoint] = {
    ms: Math.round((ms + durationMs) * 10) / 10,
    calls: calls + 1,
    ...(reply && { code: reply.entry.code }),
    ...(reply?.bizSeqNo !== undefined && { biz_seq_no: reply.bizSeqNo }),
  };
}

/** Wraps the store and reports every read and write. */
export function observeStore(
  store: TicketStore,
  clock: Clock,
  events: Pick<ServiceEvents, "storeAsked">,
): TicketStore {
  async function reported<T>(op: string, work: () => Promise<T>): Promise<T> {
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
    read: () => reported("read", () => store.read()),
    compareAndSet: (version, value) => reported("compare_and_set", () => store.compareAndSet(version, value)),
    ...(store.probe && { probe: () => reported("probe", async () => store.probe?.()) }),
    watch: (listener) => store.watch(listener),
    open: () => store.open(),
    close: () => store.close(),
  };
}

/** Wraps the reader and counts the calls that wait for a newer pair. */
export function countWaiters(tickets: TicketReader): TicketReader & { waiters(): number } {
  let waiters = 0;
  return {
    ...tickets,
    async renewed(...report) {
      waiters++;
      try {
        return await tickets.renewed(...report);
      } finally {
        waiters--;
      }
    },
    waiters: () => waiters,
  };
}

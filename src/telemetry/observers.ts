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

/** Whose answers are written when they are asked for; that of a query may speak of the attempt that it is about. */
const TELLS_TIME: ReadonlySet<UpstreamEndpoint> = new Set(["access_token", "sign_ticket", "nonce_ticket"]);

/** A span, an event and an entry for the access line for each exchange with the vendor. */
export function createUpstreamObserver({ tracer, clock, events }: UpstreamObserverOptions): ObserveExchange {
  return (endpoint) => {
    const span = tracer.leaf({ name: `upstream ${endpoint}`, kind: "client", fields: { endpoint } });
    const startedAt = clock.monotonic();
    return (answer, failure) => {
      const durationMs = clock.monotonic() - startedAt;
      const outcome = outcomeOf(answer, failure);
      const { entry, bizSeqNo } = answer ?? {};
      const code = entry?.code;
      span.set({ outcome, ...(code !== undefined && { upstream_code: code }) });
      if (bizSeqNo !== undefined) span.set({ biz_seq_no: bizSeqNo });
      if (failure !== undefined) span.fail(outcome);
      span.end();
      addUse(tracer.upstreamUse(), endpoint, durationMs, answer);
      events.upstreamCalled({ endpoint, outcome, code, bizSeqNo, durationMs });
      const writtenAt = TELLS_TIME.has(endpoint) ? answer?.writtenAt() : undefined;
      if (writtenAt === undefined) return;
      // The middle of the call, against the middle of the second that the vendor names.
      events.clockCompared({ aheadMs: clock.now() - durationMs / 2 - (writtenAt + 500) });
    };
  };
}

function outcomeOf(answer: ExchangeOutcome | undefined, failure: unknown): string {
  if (failure instanceof UpstreamError && failure.failure !== "code") return failure.failure;
  if (answer) return answer.entry.codeClass;
  // Whatever else ends an exchange is the reason of the caller's signal.
  return "aborted";
}

function addUse(
  uses: Partial<Record<UpstreamEndpoint, UpstreamUse>> | undefined,
  endpoint: UpstreamEndpoint,
  durationMs: number,
  answer: ExchangeOutcome | undefined,
): void {
  if (!uses) return;
  const { ms = 0, calls = 0 } = uses[endpoint] ?? {};
  uses[endpoint] = {
    ms: Math.round((ms + durationMs) * 10) / 10,
    calls: calls + 1,
    ...(answer && { code: answer.entry.code }),
    ...(answer?.bizSeqNo !== undefined && { biz_seq_no: answer.bizSeqNo }),
  };
}

/** The same store, each read and write of which is told. */
export function observeStore(
  store: TicketStore,
  clock: Clock,
  events: Pick<ServiceEvents, "storeAsked">,
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

/** The same reader, which also knows how many calls wait for a newer pair. */
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

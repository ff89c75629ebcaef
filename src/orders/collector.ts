import { Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { CodeEntry } from "../domain/codes.ts";
import { judge } from "../domain/verdict.ts";
import { reasonName, ServiceError, StoreError, UpstreamError } from "../errors.ts";
import type { Evidence, Ledger, LedgerOrder } from "../ledger/ledger.ts";
import { randomToken } from "../lib/base62.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Part } from "../lib/lifecycle.ts";
import { createPollLoop } from "../lib/poll-loop.ts";
import type { TicketReader } from "../tickets/reader.ts";
import type { EndOrder } from "./end-order.ts";
import type { OrderEvents } from "./events.ts";
import { LONGEST_LOOK_MS, type LookAnswer, nextLook } from "./next-look.ts";
import { createPace } from "./pace.ts";
import type { Recorder } from "./recorder.ts";
import { createSpacing } from "./spacing.ts";

export interface CollectorOptions {
  ledger: Pick<Ledger, "claim" | "postpone">;
  endOrder: EndOrder;
  recorder: Pick<Recorder, "write">;
  /** One query, in the collector's own share of the vendor; rejects as `UpstreamClient.query` does. */
  query: (orderNo: string, how: { signal: AbortSignal }) => Promise<{ entry: CodeEntry; evidence: Evidence }>;
  tickets: Pick<TicketReader, "readiness">;
  clock: Clock;
  events: Pick<OrderEvents, "orderLookedAt" | "ordersLoopFailed">;
}

/** Time between claims while nothing is due, milliseconds. */
const POLL_MS = 1_000;
/** Max looks at once. */
const PLACES = 4;
/** Max looks a second, and at once after a pause: users' calls come first. */
const RATE = { perSecond: 20, burst: 20 };
/** Max duration of one look, milliseconds: two queries and a new pair between them. */
const LOOK_MS = 30_000;
/** How long a running look may still take when the process ends, milliseconds. */
const LAST_LOOK_MS = 1_000;
/** Pause after the vendor has complained of too many calls, milliseconds. */
const THROTTLED_MS = 10_000;
/** Longer than any look, with its write, so that no lease has to be extended, milliseconds. */
const LEASE_MS = 60_000;
/** Beyond any time that an order is put back until, milliseconds. */
const HORIZON_MS = 2 * LONGEST_LOOK_MS;

/**
 * Takes every order to its end: claims what is due, asks the vendor, and lets `nextLook` decide. Any number of processes may
 * run one; claims and fenced writes keep an order to one of them at a time.
 */
export function createCollector(options: CollectorOptions): Required<Part> {
  const { ledger, endOrder, recorder, query, tickets, clock, events } = options;
  const looking = new Set<Promise<void>>();
  const spacing = createSpacing(clock);
  const pace = createPace(RATE, clock);
  const stopping = new AbortController();
  let resumeAt = Number.NEGATIVE_INFINITY;

  async function ask({ orderNo, withPhoto }: LedgerOrder): Promise<[answer: LookAnswer, outcome: string]> {
    try {
      const { entry, evidence } = await withDeadline(
        clock,
        LOOK_MS,
        (signal) => query(orderNo, { signal }),
        stopping.signal,
      );
      const judgement = judge(entry, undefined, withPhoto);
      if ("error" in judgement) throw new UpstreamError("query", "code", { entry });
      if (judgement.verdict === Verdict.NOT_COMPLETED) return [{ kind: "no_record", evidence }, "no_record"];
      return [{ kind: "judged", judgement, evidence }, "judged"];
    } catch (error) {
      const { outcome, code = "", pauseMs } = failureOf(error);
      // All other orders would fare the same.
      if (pauseMs !== undefined) resumeAt = clock.monotonic() + pauseMs;
      return [{ kind: "failed", code, retryAfterMs: pauseMs }, outcome];
    }
  }

  async function look(order: LedgerOrder, token: string): Promise<void> {
    const { orderNo } = order;
    const leftMs = spacing.leftMs(orderNo);
    if (leftMs > 0) return void (await ledger.postpone(orderNo, token, { dueAt: clock.now() + leftMs }));
    const [answer, outcome] = await ask(order);
    events.orderLookedAt({ outcome });
    const now = clock.now();
    const next = nextLook(order, answer, now);
    if (!next.end) {
      spacing.looked(orderNo, next.dueAt - now);
      await ledger.postpone(orderNo, token, next);
      return;
    }
    const { end } = next;
    try {
      await endOrder(orderNo, end, { by: "collector", token });
    } catch (error) {
      // Another look follows when the lease runs out; but by then there may be no verdict to read any more.
      if (answer.kind === "judged") recorder.write(() => endOrder(orderNo, end, { by: "collector" }));
      throw error;
    }
  }

  function begin(order: LedgerOrder, token: string): void {
    const running = look(order, token)
      .catch((error: unknown) => loop.report(error))
      .finally(() => {
        looking.delete(running);
        loop.wake();
      });
    looking.add(running);
  }

  /** Claims as many orders as there are places, and begins to look at them. */
  async function step(): Promise<number> {
    const pauseMs = resumeAt - clock.monotonic();
    if (pauseMs > 0) return pauseMs;
    if (!tickets.readiness().ready) return POLL_MS;
    const limit = Math.min(PLACES - looking.size, pace.available());
    if (limit <= 0) return pace.waitMs();
    const token = randomToken();
    const lease = { leaseMs: LEASE_MS, horizonMs: HORIZON_MS };
    const orders = await ledger.claim({ token, now: clock.now(), limit, ...lease });
    pace.take(orders.length);
    for (const order of orders) begin(order, token);
    return POLL_MS;
  }

  const failed = (error: unknown) => {
    // The ledger reports its own failures.
    if (!(error instanceof StoreError)) events.ordersLoopFailed({ error });
  };
  const loop = createPollLoop({ clock, step, retryMs: POLL_MS, failed });

  return {
    start: async () => loop.start(),
    async stop() {
      await loop.stop();
      await withDeadline(clock, LAST_LOOK_MS, () => Promise.all(looking)).catch(() =>
        stopping.abort(STOPPING),
      );
      await Promise.all(looking);
    },
  };
}

/** Preallocated: a bare `abort()` captures a stack trace that nobody reads. */
const STOPPING = new Error("the process ends");

/** How a look failed, for the metrics; the vendor's code; and for how long no other order can be asked about. */
function failureOf(error: unknown): {
  outcome: string;
  code?: string | undefined;
  pauseMs?: number | undefined;
} {
  if (error instanceof ServiceError) {
    return { outcome: reasonName(error.reason).toLowerCase(), pauseMs: error.retryAfterMs };
  }
  if (!(error instanceof UpstreamError)) return { outcome: error === STOPPING ? "aborted" : "timeout" };
  const { failure, entry } = error;
  const throttled = failure === "throttled" || entry?.codeClass === "rate";
  return {
    outcome: failure === "code" && entry ? entry.codeClass : failure,
    code: entry?.code,
    pauseMs: throttled ? THROTTLED_MS : undefined,
  };
}

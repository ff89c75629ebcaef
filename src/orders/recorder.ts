import type { Ledger, NewOrder } from "../ledger/ledger.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { withDeadline } from "../lib/deadline.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { OrderEvents } from "./events.ts";

export interface RecorderOptions {
  ledger: Pick<Ledger, "put" | "discard">;
  clock: Clock;
  random: () => number;
  events: Pick<OrderEvents, "ordersUnwritten" | "ordersLost">;
}

/**
 * Writes to the ledger without ever failing or delaying a call: what cannot be written now waits in memory and is written
 * when the ledger is back, in order.
 */
export interface Recorder extends Pick<Required<Part>, "stop"> {
  /** Puts an order, in one transaction with all others of this turn of the event loop, or of some milliseconds. */
  put(order: NewOrder): Recording;
  /** Runs `write`, after every earlier put, and again until it succeeds. */
  write(write: () => Promise<unknown>): Recording;
  /** Whether the last write failed. */
  unreachable(): boolean;
}

/** A write on its way. */
export interface Recording {
  /** Resolves once it is durable, or after a moment; at once while the ledger is known to be unreachable. Never rejects. */
  settled(): Promise<void>;
  /** Takes a put back: its order was never answered. */
  discard(): void;
}

/** Max writes that wait in memory: some 50 MB. */
const CAPACITY = 100_000;
/** Max rows in one transaction, which bounds how long it takes. */
const BATCH = 500;
/**
 * Time from one transaction to the next, milliseconds, while no launch waits for a row: about what a quick vendor takes for an
 * upload. At a few hundred launches a second several rows share the cost of one.
 * perf: docs/performance.md#rows-together
 */
const GAP_MS = 35;
/** The same while launches wait for some of the rows, milliseconds; none once they wait for all. */
const AWAITED_GAP_MS = 20;
/** Max time that a call waits for its write, milliseconds: a healthy ledger takes a few. */
const PATIENCE_MS = 300;
const RETRY = { baseMs: 250, maxMs: 5_000 };
/** Max time for the last writes of a process, milliseconds: within what the grace leaves for the last steps. */
const FLUSH_MS = 1_500;

/** Preallocated: a bare `abort()` captures a stack trace. */
const STOPPING = new Error("the process ends");
const AWAITED = new Error("a launch waits");

interface Pending {
  order: NewOrder | undefined;
  write: () => Promise<unknown>;
  /** Whether it may have been written. */
  begun: boolean;
  done: PromiseWithResolvers<void>;
}

export function createRecorder({ ledger, clock, random, events }: RecorderOptions): Recorder {
  const waiting = new Set<Pending>();
  /** Ends the current rest. */
  let pause = new AbortController();
  let [flushing, stopped] = [false, false];
  let [unreachable, failures, dropped] = [false, 0, 0];
  let lastAt = Number.NEGATIVE_INFINITY;
  /** Those not begun that no call waits for: more may come before they have to be written. */
  const unawaited = new Set<Pending>();
  let patience = { from: Number.NEGATIVE_INFINITY, over: Promise.resolve() };
  let draining: Promise<void> | undefined;

  function add(write: Pending["write"], order?: NewOrder): Pending {
    const pending: Pending = { order, write, begun: false, done: Promise.withResolvers() };
    waiting.add(pending);
    unawaited.add(pending);
    if (waiting.size > CAPACITY) {
      const [oldest] = waiting;
      if (oldest) settle(oldest);
      dropped += 1;
    }
    if (unreachable) events.ordersUnwritten({ rows: waiting.size });
    draining ??= drain().finally(() => {
      draining = undefined;
    });
    return pending;
  }

  function settle(pending: Pending): void {
    waiting.delete(pending);
    unawaited.delete(pending);
    pending.done.resolve();
  }

  /** All rows in one transaction, and then what may be about them. Rejects if anything of it has to be repeated. */
  async function writeAll(batch: readonly Pending[]): Promise<void> {
    for (const pending of batch) {
      pending.begun = true;
      unawaited.delete(pending);
    }
    const rows = batch.filter(({ order }) => order);
    if (rows.length > 0) await ledger.put(rows.flatMap(({ order }) => order ?? []));
    for (const row of rows) settle(row);
    const others = batch.filter(({ order }) => !order);
    const results = await Promise.allSettled(others.map(({ write }) => write()));
    for (const [i, other] of others.entries()) if (results[i]?.status === "fulfilled") settle(other);
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  async function drain(): Promise<void> {
    while (waiting.size > 0 && !stopped) {
      await resumeTogether();
      await paced();
      try {
        await writeAll(firstOf(waiting, BATCH));
        if (unreachable) events.ordersUnwritten({ rows: 0 });
        [unreachable, failures] = [false, 0];
      } catch {
        unreachable = true;
        events.ordersUnwritten({ rows: waiting.size });
        await rest(backoffMs(RETRY, failures++, random));
      }
      // In sums: there may be thousands a second.
      if (dropped > 0) events.ordersLost({ rows: dropped, why: "memory is full" });
      dropped = 0;
    }
  }

  /** Time until the next transaction, milliseconds. */
  function untilNext(): number {
    if (flushing || unawaited.size === 0) return 0;
    const gapMs = unawaited.size < waiting.size ? AWAITED_GAP_MS : GAP_MS;
    return lastAt + gapMs - clock.monotonic();
  }

  async function paced(): Promise<void> {
    for (let waitMs = untilNext(); waitMs > 0; waitMs = untilNext()) await rest(waitMs);
    lastAt = clock.monotonic();
  }

  async function rest(ms: number): Promise<void> {
    pause = new AbortController();
    await clock.sleep(ms, pause.signal).catch(() => undefined);
  }

  /** Resolves after PATIENCE_MS, or up to a gap earlier: calls of one gap share a timer. */
  function impatient(): Promise<void> {
    const now = clock.monotonic();
    if (now - patience.from > GAP_MS) patience = { from: now, over: clock.sleep(PATIENCE_MS) };
    return patience.over;
  }

  const recording = (pending: Pending): Recording => ({
    async settled() {
      if (unreachable || !waiting.has(pending)) return;
      unawaited.delete(pending);
      // The first that is waited for, and the last, bring the next transaction nearer.
      if (unawaited.size === 0 || waiting.size - unawaited.size === 1) pause.abort(AWAITED);
      await Promise.race([pending.done.promise, impatient()]);
    },
    discard() {
      const { order } = pending;
      if (waiting.has(pending) && !pending.begun) settle(pending);
      else if (order) add(() => ledger.discard([order.orderNo]));
    },
  });

  return {
    put: (order) => recording(add(() => Promise.resolve(), order)),
    write: (write) => recording(add(write)),
    unreachable: () => unreachable,
    async stop() {
      failures = 0;
      flushing = true;
      pause.abort(STOPPING);
      await withDeadline(clock, FLUSH_MS, async () => draining).catch(() => undefined);
      stopped = true;
      pause.abort(STOPPING);
      if (waiting.size > 0) events.ordersLost({ rows: waiting.size, why: "the process ends" });
    },
  };
}

function firstOf<T>(all: Iterable<T>, count: number): T[] {
  const some: T[] = [];
  for (const one of all) {
    if (some.length === count) break;
    some.push(one);
  }
  return some;
}

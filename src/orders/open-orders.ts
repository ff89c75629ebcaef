import type { Clock } from "../lib/clock.ts";
import { createLifecycle, type Part } from "../lib/lifecycle.ts";
import { type CollectorOptions, createCollector } from "./collector.ts";
import { createEndOrder, type EndOrderOptions } from "./end-order.ts";
import type { OrderEvents } from "./events.ts";
import type { Orders } from "./orders.ts";
import { createRecordedOrders, type RecordedOrdersOptions } from "./recorded-orders.ts";
import { createRecorder, type RecorderOptions } from "./recorder.ts";
import { createSteadyClock } from "./steady-clock.ts";
import { createSweeper, type SweeperOptions } from "./sweeper.ts";

type Assembled = RecordedOrdersOptions &
  CollectorOptions &
  EndOrderOptions &
  RecorderOptions &
  SweeperOptions;

export interface OpenOrdersOptions extends Omit<Assembled, "recorder" | "endOrder" | "events" | "clock"> {
  events: OrderEvents;
  /** The machine's own. Ends and deletions are final, so the room goes by a clock that does not jump. */
  clock: Clock;
  /** Whether this process looks at orders by itself. */
  collects: boolean;
}

/** Opens the room over an open ledger: orders are recorded, and collected where `collects` says so. */
export function openOrders(given: OpenOrdersOptions): Required<Part> & { orders: Orders } {
  const options = { ...given, clock: createSteadyClock(given.clock) };
  const recorder = createRecorder(options);
  const assembled = { ...options, recorder, endOrder: createEndOrder(options) };
  const collecting = options.collects ? [createSweeper(options), createCollector(assembled)] : [];
  return { ...createLifecycle([recorder, ...collecting]), orders: createRecordedOrders(assembled) };
}

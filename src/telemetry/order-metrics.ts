import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { singleFlight } from "../lib/concurrency.ts";

/** A snapshot of the ledger, for the gauges. Times in milliseconds. */
export interface LedgerSnapshot {
  /** Orders without an end. */
  open: number;
  /** How long the oldest of them has been open; undefined if there is none. */
  oldestOpenMs: number | undefined;
  /** How long the order has been due that has been due longest; undefined if none is due. */
  overdueMs: number | undefined;
  /** By endpoint. */
  deliveries: readonly { name: string; waiting: number; parked: number; stopped: boolean }[];
}

const STATEMENT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];
const TRY_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];
/** From the launch to the end of an order, seconds: a person takes some thirty, an abandoned order half an hour. */
const ORDER_SECONDS = [15, 30, 45, 60, 90, 120, 180, 300, 600, 1_800, 3_600, 21_600, 86_400, 259_200];

/** The metrics of ledger, collector and deliveries; without a ledger most have no samples. */
export function createOrderMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name: `faceid_${name}_total`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name: `faceid_${name}_seconds`, help, buckets, labelNames, registers });

  let read: (() => Promise<LedgerSnapshot | undefined>) | undefined;
  /** One read of the ledger for all gauges of a scrape. */
  const snapshot = singleFlight(async () => read?.().catch(() => undefined));
  const gauge = (name: string, help: string, value: (ledger: LedgerSnapshot) => number | undefined) => {
    new Gauge({
      name: `faceid_${name}`,
      help,
      registers,
      async collect() {
        const ledger = await snapshot();
        const now = ledger && value(ledger);
        if (now === undefined) this.remove();
        else this.set(now);
      },
    });
  };
  const perEndpoint = (
    name: string,
    help: string,
    value: (endpoint: LedgerSnapshot["deliveries"][number]) => number,
  ) => {
    new Gauge({
      name: `faceid_${name}`,
      help,
      labelNames: ["endpoint"],
      registers,
      async collect() {
        this.reset();
        for (const endpoint of (await snapshot())?.deliveries ?? []) {
          this.set({ endpoint: endpoint.name }, value(endpoint));
        }
      },
    });
  };
  const seconds = (ms: number | undefined) => (ms ?? 0) / 1000;

  gauge("orders_open", "Orders without an end, in the ledger.", ({ open }) => open);
  gauge("orders_oldest_open_seconds", "How long the oldest order without an end has been open.", (ledger) =>
    seconds(ledger.oldestOpenMs),
  );
  gauge("orders_overdue_seconds", "How far the collector is behind its schedule.", (ledger) =>
    seconds(ledger.overdueMs),
  );
  perEndpoint("deliveries_waiting", "Deliveries to be tried, for the first time or again.", (e) => e.waiting);
  perEndpoint("deliveries_parked", "Deliveries given up after three days.", (e) => e.parked);
  perEndpoint("endpoint_stopped", "1 while nothing is sent to an endpoint because it answered 410.", (e) =>
    Number(e.stopped),
  );

  const ended = counter("orders_ended", "Orders ended by this process.", "state", "verdict");
  // Present from the start: Prometheus sees no increase in a counter that first appears as 1.
  ended.inc({ state: "UNKNOWN", verdict: "" }, 0);

  return {
    /** Sets the source that the gauges read. */
    observe(source: () => Promise<LedgerSnapshot | undefined>) {
      read = source;
    },
    ended,
    orderSeconds: histogram("order", "Time from launch to end of an order.", ORDER_SECONDS, "state"),
    contradictions: counter(
      "order_contradictions",
      "Answers of the vendor that differ from the end an order already has.",
    ),
    looks: counter("order_looks", "Looks at orders by the collector.", "outcome"),
    statementSeconds: histogram(
      "ledger_op",
      "Duration of ledger operations.",
      STATEMENT_SECONDS,
      "op",
      "outcome",
    ),
    unwritten: new Gauge({
      name: "faceid_ledger_rows_unwritten",
      help: "Orders that wait in memory because the ledger cannot be written.",
      registers,
    }),
    lost: counter(
      "ledger_rows_lost",
      "Orders that never reached the ledger: memory was full, or the process ended.",
    ),
    tries: counter("delivery_tries", "Tries to deliver an event.", "endpoint", "outcome"),
    trySeconds: histogram("delivery_try", "Duration of tries to deliver an event.", TRY_SECONDS, "endpoint"),
    watchers: new Gauge({ name: "faceid_watchers", help: "Open streams of WatchResults.", registers }),
  };
}

export type OrderMetrics = ReturnType<typeof createOrderMetrics>;

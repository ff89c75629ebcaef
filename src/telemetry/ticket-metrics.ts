import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** A snapshot of this process's ticket cache. Undefined: unknown. Durations in milliseconds. */
export interface TicketSnapshot {
  /** The cached pair's; 0 for none. */
  generation: number;
  usable: boolean;
  tokenAgeMs?: number | undefined;
  signAgeMs?: number | undefined;
  /** Time until the cached pair must no longer be used. */
  hardLimitInMs?: number | undefined;
  /** How long a rotation has been in doubt; undefined if none is. */
  doubtMs?: number | undefined;
  storeUp?: boolean | undefined;
  /** Requests waiting for a newer pair. */
  waiters?: number | undefined;
}

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const STORE_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2];

/** The metrics of the ticket cache (ticket-cache.md 5). */
export function createTicketMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
    new Counter({ name: `faceid_ticket_${name}_total`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, buckets: number[], ...labelNames: L[]) =>
    new Histogram({ name: `faceid_ticket_${name}_seconds`, help, buckets, labelNames, registers });

  let snapshot: (() => TicketSnapshot) | undefined;
  /** Read on scrape; without a value the metric is absent rather than a misleading 0. */
  const gauge = (name: string, help: string, read: (tickets: TicketSnapshot) => number | undefined) => {
    new Gauge({
      name: `faceid_ticket_${name}`,
      help,
      registers,
      collect() {
        const value = snapshot && read(snapshot());
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  };
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

  gauge("generation", "Generation of the pair in hand; 0 for none.", (t) => t.generation);
  gauge("pair_usable", "1 while there is a pair to sign with.", (t) => Number(t.usable));
  gauge("sign_age_seconds", "Age of the SIGN ticket in hand.", (t) => seconds(t.signAgeMs));
  gauge("token_age_seconds", "Age of the access token in hand.", (t) => seconds(t.tokenAgeMs));
  gauge("seconds_to_hard_limit", "Time until the pair in hand must not be used any more.", (t) =>
    seconds(t.hardLimitInMs),
  );
  gauge("dirty_seconds", "How long a rotation has been in doubt.", (t) => seconds(t.doubtMs ?? 0));
  gauge("store_up", "1 while the ticket store answers.", (t) =>
    t.storeUp === undefined ? undefined : Number(t.storeUp),
  );
  gauge("waiters", "Requests that wait for a newer pair.", (t) => t.waiters);

  return {
    /** Sets the source that the gauges read. */
    observe(read: () => TicketSnapshot) {
      snapshot = read;
    },
    refreshes: counter("refresh", "Refreshes by this process.", "reason", "outcome"),
    refreshSeconds: histogram("refresh", "Duration of refreshes by this process.", SECONDS),
    tokenCalls: counter("upstream_token_calls", "Calls to the vendor's token endpoint by this process."),
    foreignRotations: counter(
      "foreign_rotation",
      "Pairs that the vendor refused before their time: another installation uses this app id.",
    ),
    rejected: counter("rejected", "Calls whose pair the vendor refused, by its code.", "code"),
    orphans: counter("orphan", "Refreshes that another one overtook."),
    heals: counter("heal", "Pairs given back to a store that had lost them."),
    adoptLagSeconds: histogram("adopt_lag", "Time from a pair's commit to its adoption here.", SECONDS),
    storeSeconds: histogram("store_op", "Duration of store operations.", STORE_SECONDS, "op", "outcome"),
    unreadable: counter("record_unreadable", "Stored records that could not be read.", "why"),
    suspensions: counter("suspend_detected", "Times the process was found to have been asleep."),
    nonces: counter("nonce", "NONCE tickets asked for; outcome as for upstream calls.", "outcome"),
    nonceGuaranteedSeconds: new Gauge({
      name: "faceid_ticket_nonce_guaranteed_seconds",
      help: "How long the last launch parameters are certain to work.",
      registers,
    }),
  };
}

export type TicketMetrics = ReturnType<typeof createTicketMetrics>;

import { hostname } from "node:os";
import type { DestinationStream } from "pino";
import { createBookkeeping } from "./bookkeeping.ts";
import type { Config } from "./config/config.ts";
import { loginsOf } from "./config/store-url.ts";
import { createSharedTables } from "./database/shared-tables.ts";
import { isTestApp } from "./domain/livemode.ts";
import { SERVICE_VERSION } from "./domain/version.ts";
import { createQueryOrder } from "./handlers/query-order.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { randomBase62 } from "./lib/base62.ts";
import { certificateEnds } from "./lib/certificates.ts";
import { type Clock, systemClock } from "./lib/clock.ts";
import { createLifecycle, type Part, together } from "./lib/lifecycle.ts";
import { createListeners, STATUSES } from "./listeners.ts";
import { createRedisCommands } from "./redis/commands.ts";
import { createRpcs, type RpcsOptions } from "./rpcs.ts";
import { createSlowReaders } from "./server/slow-readers.ts";
import { countWaiters, createUpstreamObserver, observeStore } from "./telemetry/observers.ts";
import { createTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry/telemetry.ts";
import { lastRefresh } from "./telemetry/ticket-events.ts";
import { createCoordinator } from "./tickets/coordinator.ts";
import { createProcesses } from "./tickets/processes.ts";
import { createSealer } from "./tickets/sealer.ts";
import { openStore } from "./tickets/stores/open-store.ts";
import { openUpstream } from "./upstream/open.ts";
import { createNonce, createSigner } from "./upstream/signer.ts";

/** Parts that tests replace; everything else varies by configuration. */
export interface Overrides {
  clock?: Clock;
  logSink?: DestinationStream;
  store?: ReturnType<typeof openStore>;
  /** The process's own, if it has them. */
  telemetry?: Telemetry;
  ledger?: Ledger;
  diagnose?: RpcsOptions["diagnose"];
}

export interface Service extends Required<Part> {
  /** `host:port` of the open listeners, with their actual ports; after `start`. */
  addresses(): { http?: string; grpc?: string; admin: string };
  readiness(): { ready: boolean; reason: string };
  /** Reports not ready, so that load balancers send no new calls, and keeps serving until `stop`. */
  drain(): void;
  /** Adopts certificates, tokens and keys of a reloaded configuration; everything else stays as it was. */
  reload(config: Config): void;
}

/** Preallocated: a bare `abort()` captures a stack trace. */
const STOPPING = new Error("stopping");

/** Opens log, metrics, traces and audit trail as configured. */
export function openTelemetry(config: Config, options: Partial<TelemetryOptions> = {}): Telemetry {
  const defaults = { version: SERVICE_VERSION, clock: systemClock, statuses: STATUSES };
  return createTelemetry(config, { ...defaults, ...options });
}

/**
 * The whole service. Reads top to bottom as its architecture: with `bookkeeping.ts`, `rpcs.ts` and `listeners.ts`, the only
 * place that joins the folders.
 */
export function createService(config: Config, overrides: Overrides = {}): Service {
  const { clock = systemClock, logSink, telemetry = openTelemetry(config, { clock, logSink }) } = overrides;
  const { appId, livemode, register, timings, role } = config;
  const { events, metrics, tracer } = telemetry;
  let current = config;
  const [secrets, access] = [() => current.secrets, () => current.access];

  // The vendor, asked for files only while clients read those they have.
  const slowReaders = createSlowReaders({ mostBytes: config.buffers.unread, clock, events });
  const observe = createUpstreamObserver({ tracer, clock, events });
  const upstream = openUpstream(config, { observe, unread: slowReaders, events });

  // Tickets: coordinator to store to reader.
  const sealer = createSealer(appId, () => current.sealKeys);
  const logins = () => loginsOf(current.store);
  const opened = overrides.store ?? openStore(config.store, { clock, register, logins, timings });
  const store = observeStore(opened, clock, events);
  const coordinator = createCoordinator({
    secrets,
    upstream,
    store,
    sealer,
    clock,
    random: Math.random,
    timings,
    replica: `${hostname()}-${randomBase62(6)}`,
    refreshes: role !== "serve",
    processes: createProcesses(),
    events,
  });
  const tickets = countWaiters(coordinator.tickets);
  metrics.tickets.observe(() => ({ ...coordinator.operator.status(), waiters: tickets.waiters() }));

  // Requests' state shared between processes: counts and launches, on the same server as the tickets.
  const { store: place } = config;
  const shared = createRedisCommands(place, clock, logins) ?? createSharedTables(place, clock, logins);

  // Orders, from launch to end, where there is a ledger.
  const signer = createSigner({ appId });
  const signed = { signer, createNonce, tickets };
  const query = createQueryOrder({ ...signed, query: upstream.queryInBackground });
  const bookkeeping = createBookkeeping(config, {
    ledger: overrides.ledger,
    query,
    tickets,
    current: () => current,
    metrics: metrics.orders,
    sealer,
    clock,
    events,
  });

  // Requests: pipeline to handlers to vendor.
  const stopping = new AbortController();
  const { admit, ...rpcs } = createRpcs({
    config,
    access,
    secrets,
    ...signed,
    upstream,
    orders: bookkeeping.orders,
    subscribers: bookkeeping.subscribers,
    stopping: stopping.signal,
    operator: coordinator.operator,
    diagnose: overrides.diagnose,
    shared,
    sealer,
    tracer,
    clock,
    events,
  });

  // The doors.
  /** Why no call is wanted, whatever the tickets are: a port that is not open yet, or closes soon. */
  let unready: string | undefined = "starting";
  const readiness = () => (unready ? { ready: false, reason: unready } : tickets.readiness());
  const { admin, http, grpc } = createListeners({
    config,
    access,
    admit,
    ...rpcs,
    readiness,
    lastRefresh: () => lastRefresh(coordinator.operator.status()),
    slowReaders,
    telemetry,
    clock,
  });
  const doors = role === "refresh" ? [] : [grpc, http];

  const lifecycle = createLifecycle([
    telemetry,
    admin,
    { stop: () => upstream.close() },
    ...(shared ? [shared] : []),
    { start: () => store.open(), stop: () => store.close() },
    coordinator,
    bookkeeping,
    together(doors),
  ]);

  const certificatesLoaded = () =>
    doors.length > 0 && current.access.tls && events.certificatesLoaded(certificateEnds(current.access.tls));

  const service: Service = {
    async start() {
      await lifecycle.start();
      unready = undefined;
      events.serviceStarted({ ...service.addresses(), livemode, role });
      if (livemode && isTestApp(appId)) events.testAppOnLiveHost();
      if (config.warnings.length > 0) events.configWarned(config);
      certificatesLoaded();
    },
    drain() {
      unready = "shutting down";
      stopping.abort(STOPPING);
      for (const door of doors) door.drain();
    },
    async stop() {
      service.drain();
      await lifecycle.stop();
    },
    addresses: () => ({
      ...(doors.length > 0 && { http: http.address(), grpc: grpc.address() }),
      admin: admin.address(),
    }),
    readiness,
    reload(next) {
      current = next;
      for (const door of doors) door.secure();
      certificatesLoaded();
    },
  };
  return service;
}

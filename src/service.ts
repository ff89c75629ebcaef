import { hostname } from "node:os";
import type { DestinationStream } from "pino";
import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { createAdmission } from "./calls/admission.ts";
import { createAuthorisation } from "./calls/authorise.ts";
import { implement } from "./calls/implement.ts";
import { createPipeline } from "./calls/pipeline.ts";
import { createLimits } from "./calls/rate-limits.ts";
import { createValidate } from "./calls/validate.ts";
import type { Config } from "./config/config.ts";
import { loginsOf } from "./config/store-url.ts";
import { isTestApp } from "./domain/livemode.ts";
import { createOrders } from "./domain/order.ts";
import { SERVICE_VERSION } from "./domain/version.ts";
import { createGetFaceParams } from "./handlers/get-face-params.ts";
import { createGetResult } from "./handlers/get-result.ts";
import { createPrepareLaunch } from "./handlers/prepare-launch.ts";
import { createTicketAdmin, type TicketAdminOptions } from "./handlers/ticket-admin.ts";
import { openLaunchStore } from "./launches/open-store.ts";
import { shareLaunches } from "./launches/share-launches.ts";
import { randomBase62 } from "./lib/base62.ts";
import { certificateEnds } from "./lib/certificates.ts";
import { type Clock, systemClock } from "./lib/clock.ts";
import { createPseudonym } from "./lib/keyed-hash.ts";
import { createLifecycle, type Part, together } from "./lib/lifecycle.ts";
import { createListeners, STATUSES } from "./listeners.ts";
import { createRedisCommands } from "./redis/commands.ts";
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
  diagnose?: TicketAdminOptions["diagnose"];
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

/** Time limits of a request and of an operator's request, milliseconds. */
const REQUEST_TIMEOUT_MS = 15_000;
const OPERATOR_TIMEOUT_MS = 60_000;
/** Max concurrent operators' calls. */
const MAX_OPERATOR_CALLS = 20;

/** Opens log, metrics, traces and audit trail as configured. */
export function openTelemetry(config: Config, options: Partial<TelemetryOptions> = {}): Telemetry {
  const defaults = { version: SERVICE_VERSION, clock: systemClock, statuses: STATUSES };
  return createTelemetry(config, { ...defaults, ...options });
}

/**
 * The whole service. Reads top to bottom as its architecture: with `listeners.ts`, the only place that joins
 * the folders.
 */
export function createService(config: Config, overrides: Overrides = {}): Service {
  const { clock = systemClock, logSink, telemetry = openTelemetry(config, { clock, logSink }) } = overrides;
  const { appId, livemode, licence, names, register, timings, limits, role } = config;
  const [secret] = config.secrets;
  const { events, metrics, tracer } = telemetry;
  let current = config;
  const [secrets, access] = [() => current.secrets, () => current.access];

  // The vendor.
  const observe = createUpstreamObserver({ tracer, clock, events });
  const upstream = openUpstream(config, { observe, events });

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

  // Requests' state shared between processes: counts and launches, in the same Redis as the tickets.
  const shared = createRedisCommands(config.store, clock, logins);
  const prefix = `faceid:{${register}}`;
  const rateLimits = createLimits({ ...limits, prefix: `${prefix}:limit`, shared, secret, events });
  const pseudonym = createPseudonym(secret, "launches");
  const launches = openLaunchStore({ prefix: `${prefix}:launch`, shared, pseudonym, sealer, clock, events });

  // Requests: doors to pipeline to handlers to vendor.
  const everyCall = {
    authorise: createAuthorisation(access, { clock, places: limits.inFlight, events }),
    limit: rateLimits.call,
    validate: createValidate(FaceVerificationService.methods.map(({ input }) => input)),
    tracer,
    clock,
    events,
  };
  const orders = createOrders(secrets);
  const pipeline = (maxDurationMs: number, maxInFlight: number) =>
    createPipeline({ ...everyCall, admission: createAdmission(maxInFlight), maxDurationMs });
  const parts = { orders, signer: createSigner({ appId }), createNonce, tickets, upstream, livemode, clock };
  const launch = createPrepareLaunch({ ...parts, store: launches, appId, licence, admit: rateLimits.launch });
  const prepareLaunch = shareLaunches(launch, { store: launches, pseudonym, clock });
  // The table of RPCs: a new one is a line here and a file in handlers/.
  const faceVerification = implement(FaceVerificationService, pipeline(REQUEST_TIMEOUT_MS, limits.inFlight), {
    getFaceParams: createGetFaceParams({ names, orders, prepareLaunch }),
    getResult: createGetResult(parts),
  });
  const operations = { operator: coordinator.operator, role, diagnose: overrides.diagnose };
  const ticketAdmin = createTicketAdmin(pipeline(OPERATOR_TIMEOUT_MS, MAX_OPERATOR_CALLS), operations);

  // The doors.
  let draining = false;
  const readiness = () => (draining ? { ready: false, reason: "shutting down" } : tickets.readiness());
  const { admin, http, grpc } = createListeners({
    config,
    access,
    admit: rateLimits.address,
    faceVerification,
    ticketAdmin,
    readiness,
    lastRefresh: () => lastRefresh(coordinator.operator.status()),
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
    together(doors),
  ]);

  const certificatesLoaded = () =>
    doors.length > 0 && current.access.tls && events.certificatesLoaded(certificateEnds(current.access.tls));

  const service: Service = {
    async start() {
      await lifecycle.start();
      events.serviceStarted({ ...service.addresses(), livemode, role });
      if (livemode && isTestApp(appId)) events.testAppOnLiveHost();
      if (config.warnings.length > 0) events.configWarned(config);
      certificatesLoaded();
    },
    drain() {
      draining = true;
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

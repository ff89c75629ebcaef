import { hostname } from "node:os";
import type { DestinationStream } from "pino";
import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import openApi from "../gen/openapi.json" with { type: "json" };
import type { Config } from "./config.ts";
import { createOrders } from "./domain/order.ts";
import { createPseudonym } from "./domain/pseudonym.ts";
import { createFormRoutes } from "./form/routes.ts";
import { createAccess } from "./handlers/access.ts";
import { createMethods } from "./handlers/methods.ts";
import { createPipeline } from "./handlers/pipeline.ts";
import { traced } from "./handlers/traced.ts";
import { createValidate } from "./handlers/validate.ts";
import { createMemoryLaunchStore } from "./launches/memory-store.ts";
import { randomBase62 } from "./lib/base62.ts";
import { type Clock, systemClock } from "./lib/clock.ts";
import { createLifecycle, type Part, together } from "./lib/lifecycle.ts";
import type { Secret } from "./lib/secret.ts";
import { createLimits } from "./limits/limits.ts";
import { createLoad } from "./limits/load.ts";
import { createHealth } from "./rpc/health.ts";
import { connectPlugin } from "./rpc/plugin.ts";
import { createReflection } from "./rpc/reflection.ts";
import { createRoutes } from "./rpc/routes.ts";
import { createDocument } from "./server/document.ts";
import { createListener } from "./server/listener.ts";
import { createMetricsRoute } from "./server/metrics.ts";
import { createProbes } from "./server/probes.ts";
import { openTelemetry } from "./service/open-telemetry.ts";
import { openVendor } from "./service/vendor.ts";
import { createNonce } from "./signing/nonce.ts";
import { createSigner } from "./signing/signer.ts";
import { observeStore } from "./telemetry/store-observer.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { ticketSnapshot } from "./telemetry/ticket-snapshot.ts";
import { createCoordinator } from "./tickets/coordinator.ts";
import { openStore } from "./tickets/open-store.ts";
import { createSealer } from "./tickets/sealer.ts";

/** What a test may replace; everything else it wants different is configuration. */
export interface Overrides {
  clock?: Clock;
  logSink?: DestinationStream;
  /** The process's own, where it has one. */
  telemetry?: Telemetry;
}

export interface Service extends Required<Part> {
  /** `host:port` of the listeners that are open, with their real ports; after `start`. */
  addresses(): { http?: string; grpc?: string; admin: string };
  readiness(): { ready: boolean; reason: string };
  /** Takes up certificates, tokens and keys of a configuration that was read again; the rest stays as it was. */
  reload(config: Config): void;
  /** Says that it is not ready any more, so that no new work is sent here, and goes on serving until `stop`. */
  drain(): void;
}

/** Largest form, bytes. */
const FORM_BODY_LIMIT = 64 * 1024;
/** Time for a whole request, milliseconds. */
const REQUEST_TIMEOUT_MS = 15_000;

/** The whole service. Reads from top to bottom as its architecture: this is the only place where rooms meet. */
export function createService(config: Config, overrides: Overrides = {}): Service {
  const { clock = systemClock, logSink, telemetry = openTelemetry(config, { clock, logSink }) } = overrides;
  const { appId, secrets, livemode, licence, timings, limits, role } = config;
  let { access } = config;
  const [secret] = secrets as readonly [Secret, ...Secret[]];
  const { events, metrics, tracer } = telemetry;

  // The vendor.
  const vendor = openVendor(config, telemetry, clock);
  const { upstream } = vendor;

  // The river of tickets: coordinator to store to reader.
  const opened = openStore(config.storeUrl, { clock, appId, baseUrl: config.baseUrl, timings });
  const store = observeStore(opened, clock, events);
  const coordinator = createCoordinator({
    secrets,
    upstream,
    store,
    sealer: createSealer(appId, config.sealKeys),
    clock,
    random: Math.random,
    timings,
    replica: `${hostname()}-${randomBase62(6)}`,
    refreshes: role !== "serve",
    events,
  });
  const { tickets } = coordinator;
  metrics.tickets.observe(() => ticketSnapshot(tickets));

  // The river of requests: doors to pipeline to handlers to vendor.
  const limited = createLimits({ ...limits, prefix: `faceid:{${appId}}:limit`, shared: undefined, secret });
  const pipeline = createPipeline({
    load: createLoad({ mostInFlight: limits.inFlight, clock }),
    authorise: createAccess(() => access, { clock, events }),
    limit: (call, caller) => limited.call(call, caller),
    validate: createValidate([FaceVerificationService.method.getFaceParams.input]),
    maxDurationMs: REQUEST_TIMEOUT_MS,
    clock,
    events,
  });
  const methods = createMethods(traced(pipeline, tracer), {
    appId,
    licence,
    livemode,
    orders: createOrders(secrets),
    signer: createSigner({ appId }),
    createNonce,
    tickets,
    upstream,
    admit: (person) => limited.launch(person),
    store: createMemoryLaunchStore(clock),
    pseudonym: createPseudonym(secret, "launches"),
    clock,
  });

  // The doors.
  let draining = false;
  const readiness = () => (draining ? { ready: false, reason: "shutting down" } : tickets.readiness());
  const drainMs = Math.max(1_000, config.shutdownGraceMs - config.shutdownDelayMs - 2_000);
  const common = { drainMs, clock, events };
  const grpcClosing = new AbortController();
  const grpcRoutes = [
    createRoutes(methods, "internal"),
    createReflection([FaceVerificationService, Health]),
    createHealth({
      services: [FaceVerificationService.typeName],
      ready: () => readiness().ready,
      closing: grpcClosing.signal,
      clock,
    }),
  ];

  const admin = createListener({
    address: config.admin,
    cleartext: "http1",
    plugins: [createProbes({ readiness }), createMetricsRoute(metrics)],
    ...common,
  });
  const http = createListener({
    address: config.http,
    cleartext: "http1",
    tls: () => access.tls && { ...access.tls, clientCa: undefined },
    trustedProxies: access.trustedProxies,
    plugins: [
      createFormRoutes({ methods, bodyLimit: FORM_BODY_LIMIT, strict: access.formStrict, events }),
      connectPlugin([createRoutes(methods, "public")], drainMs, { events }),
      createDocument("/openapi.json", openApi),
    ],
    ...common,
  });
  const grpc = createListener({
    address: config.grpc,
    cleartext: "h2c",
    tls: () => access.tls,
    plugins: [connectPlugin(grpcRoutes, drainMs, { events })],
    closing: grpcClosing,
    ...common,
  });
  const doors = role === "refresh" ? [] : [grpc, http];

  const lifecycle = createLifecycle([
    telemetry,
    admin,
    { stop: () => vendor.close() },
    { start: () => store.open(), stop: () => store.close() },
    coordinator,
    together(doors),
  ]);

  const service: Service = {
    async start() {
      await lifecycle.start();
      events.serviceStarted({ ...service.addresses(), livemode, role });
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
      ({ access } = next);
      for (const door of doors) door.secure();
    },
  };
  return service;
}

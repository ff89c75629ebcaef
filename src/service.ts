import { hostname } from "node:os";
import type { DestinationStream } from "pino";
import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import type { Config } from "./config.ts";
import { createOrders } from "./domain/order.ts";
import { createFormRoutes } from "./form/routes.ts";
import { createAuthorise } from "./handlers/authorise.ts";
import { createMethods } from "./handlers/methods.ts";
import { createPipeline } from "./handlers/pipeline.ts";
import { createValidate } from "./handlers/validate.ts";
import { randomBase62 } from "./lib/base62.ts";
import { type Clock, systemClock } from "./lib/clock.ts";
import { createLifecycle, type Part } from "./lib/lifecycle.ts";
import { createHealth } from "./rpc/health.ts";
import { connectPlugin } from "./rpc/plugin.ts";
import { createReflection } from "./rpc/reflection.ts";
import { createRoutes } from "./rpc/routes.ts";
import { createListener } from "./server/listener.ts";
import { createProbes } from "./server/probes.ts";
import { createNonce } from "./signing/nonce.ts";
import { createSigner } from "./signing/signer.ts";
import { createEvents } from "./telemetry/events.ts";
import { createLogger } from "./telemetry/logger.ts";
import { createCoordinator } from "./tickets/coordinator.ts";
import { openStore } from "./tickets/open-store.ts";
import { createSealer } from "./tickets/sealer.ts";
import type { TicketStore } from "./tickets/store.ts";
import { createUpstreamClient } from "./upstream/client.ts";
import { createDispatcher } from "./upstream/dispatcher.ts";
import { createTransport } from "./upstream/transport.ts";

/** What a test may replace; everything else it wants different is configuration. */
export interface Overrides {
  clock?: Clock;
  logSink?: DestinationStream;
  store?: TicketStore;
}

export interface Service extends Required<Part> {
  /** `host:port` of the listeners that are open, with their real ports; after `start`. */
  addresses(): { http?: string; grpc?: string; admin: string };
  readiness(): { ready: boolean; reason: string };
}

/** Largest form, bytes. */
const FORM_BODY_LIMIT = 64 * 1024;
/** Time for one call to the vendor on behalf of a request, and for a whole request, milliseconds. */
const CALL_TIMEOUT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 15_000;

/** The whole service. Reads from top to bottom as its architecture: this is the only place where rooms meet. */
export function createService(config: Config, overrides: Overrides = {}): Service {
  const { clock = systemClock, logSink } = overrides;
  const { appId, secrets, livemode, licence, timings, tls, role } = config;
  const logger = createLogger(config.logLevel, logSink);
  const events = createEvents(logger);

  // The vendor.
  const dispatcher = createDispatcher({ connections: 64, proxy: config.proxy });
  const upstream = createUpstreamClient({
    appId,
    edition: config.edition,
    tokenParam: config.tokenParam,
    transport: createTransport({ baseUrl: config.baseUrl, dispatcher }),
    tokenTimeoutMs: timings.tokenTimeoutMs,
    signTimeoutMs: timings.signTimeoutMs,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });

  // The river of tickets: coordinator to store to reader.
  const store =
    overrides.store ?? openStore(config.storeUrl, { clock, appId, baseUrl: config.baseUrl, timings });
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

  // The river of requests: doors to pipeline to handlers to vendor.
  const pipeline = createPipeline({
    authorise: createAuthorise({ tokens: { public: config.httpTokens, internal: config.grpcTokens } }),
    validate: createValidate([FaceVerificationService.method.getFaceParams.input]),
    maxDurationMs: REQUEST_TIMEOUT_MS,
    clock,
    events,
  });
  const methods = createMethods(pipeline, {
    appId,
    licence,
    livemode,
    orders: createOrders(secrets),
    signer: createSigner({ appId }),
    createNonce,
    tickets,
    upstream,
    clock,
  });

  // The doors.
  let draining = false;
  const readiness = () => (draining ? { ready: false, reason: "shutting down" } : tickets.readiness());
  const drainMs = Math.max(1_000, config.shutdownGraceMs - 2_000);
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
    plugins: [createProbes({ readiness })],
    closing: new AbortController(),
    drainMs,
    clock,
  });
  const http = createListener({
    address: config.http,
    cleartext: "http1",
    tls: tls && { ...tls, clientCa: undefined },
    plugins: [
      createFormRoutes({ methods, bodyLimit: FORM_BODY_LIMIT, events }),
      connectPlugin([createRoutes(methods, "public")], drainMs),
    ],
    closing: new AbortController(),
    drainMs,
    clock,
  });
  const grpc = createListener({
    address: config.grpc,
    cleartext: "h2c",
    tls,
    plugins: [connectPlugin(grpcRoutes, drainMs)],
    closing: grpcClosing,
    drainMs,
    clock,
  });
  const doors = role === "refresh" ? [] : [grpc, http];

  const lifecycle = createLifecycle([
    admin,
    { stop: () => dispatcher.close() },
    { start: () => store.open(), stop: () => store.close() },
    coordinator,
    ...doors,
  ]);

  const service: Service = {
    async start() {
      await lifecycle.start();
      events.serviceStarted({ ...service.addresses(), livemode, role });
    },
    async stop() {
      draining = true;
      await lifecycle.stop();
    },
    addresses: () => ({
      ...(doors.length > 0 && { http: http.address(), grpc: grpc.address() }),
      admin: admin.address(),
    }),
    readiness,
  };
  return service;
}

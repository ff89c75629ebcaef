import { hostname } from "node:os";
import type { DestinationStream } from "pino";
import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { TicketAdminService } from "../gen/faceverification/v1/ticket_admin_service_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import openApi from "../gen/openapi.json" with { type: "json" };
import type { Config } from "./config.ts";
import { createOrders } from "./domain/order.ts";
import { createPseudonym } from "./domain/pseudonym.ts";
import { createFormRoutes } from "./form/routes.ts";
import { createAccess } from "./handlers/access.ts";
import type { Caller, IncomingCall } from "./handlers/call.ts";
import { createMethods } from "./handlers/methods.ts";
import { createPipeline } from "./handlers/pipeline.ts";
import { createTicketAdmin } from "./handlers/ticket-admin.ts";
import { createValidate } from "./handlers/validate.ts";
import { createMemoryLaunchStore } from "./launches/memory-store.ts";
import { randomBase62 } from "./lib/base62.ts";
import { type Clock, systemClock } from "./lib/clock.ts";
import { createLifecycle, type Part } from "./lib/lifecycle.ts";
import type { Secret } from "./lib/secret.ts";
import { createLimits } from "./limits/limits.ts";
import { createLoad } from "./limits/load.ts";
import { createAdminRoutes } from "./rpc/admin-routes.ts";
import { createDescriptors } from "./rpc/descriptors.ts";
import { createHealth } from "./rpc/health.ts";
import { connectPlugin } from "./rpc/plugin.ts";
import { createReflection } from "./rpc/reflection.ts";
import { createRoutes } from "./rpc/routes.ts";
import { createDocument } from "./server/document.ts";
import { createListener } from "./server/listener.ts";
import { createProbes } from "./server/probes.ts";
import { createNonce } from "./signing/nonce.ts";
import { createSigner } from "./signing/signer.ts";
import { createEvents } from "./telemetry/events.ts";
import { createLogger } from "./telemetry/logger.ts";
import { createCoordinator } from "./tickets/coordinator.ts";
import { openStore } from "./tickets/open-store.ts";
import { createSealer } from "./tickets/sealer.ts";
import { createUpstreamClient } from "./upstream/client.ts";
import { createDispatcher } from "./upstream/dispatcher.ts";
import { guarded } from "./upstream/guard.ts";
import { createTransport } from "./upstream/transport.ts";

/** What a test may replace; everything else it wants different is configuration. */
export interface Overrides {
  clock?: Clock;
  logSink?: DestinationStream;
}

export interface Service extends Required<Part> {
  /** `host:port` of the listeners that are open, with their real ports; after `start`. */
  addresses(): { http?: string; grpc?: string; admin: string };
  readiness(): { ready: boolean; reason: string };
  /** Takes up certificates, tokens and keys of a configuration that was read again; the rest stays as it was. */
  reload(config: Config): void;
}

/** Connections kept to the vendor at most. */
const CONNECTIONS = 64;
/** Largest form, bytes. */
const FORM_BODY_LIMIT = 64 * 1024;
/** Time for one call to the vendor on behalf of a request, and for a whole request, milliseconds. */
const CALL_TIMEOUT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 15_000;
const OPERATOR_TIMEOUT_MS = 60_000;

/** The whole service. Reads from top to bottom as its architecture: this is the only place where rooms meet. */
export function createService(config: Config, { clock = systemClock, logSink }: Overrides = {}): Service {
  const { appId, secrets, livemode, licence, timings, limits, role } = config;
  let { access } = config;
  const [secret] = secrets as readonly [Secret, ...Secret[]];
  const logger = createLogger(config.logLevel, logSink);
  const events = createEvents(logger);

  // The vendor.
  const dispatcher = createDispatcher({ connections: CONNECTIONS, proxy: config.proxy });
  const client = createUpstreamClient({
    appId,
    edition: config.edition,
    tokenParam: config.tokenParam,
    transport: createTransport({ baseUrl: config.baseUrl, dispatcher }),
    tokenTimeoutMs: timings.tokenTimeoutMs,
    signTimeoutMs: timings.signTimeoutMs,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  const upstream = guarded(client, { mostAtOnce: CONNECTIONS * 3, events });

  // The river of tickets: coordinator to store to reader.
  const store = openStore(config.storeUrl, { clock, appId, baseUrl: config.baseUrl, timings });
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
  const { tickets, operator } = coordinator;

  // The river of requests: doors to pipeline to handlers to vendor.
  const limited = createLimits({
    ...limits,
    prefix: `faceid:{${appId}}:limit`,
    shared: undefined,
    secret,
  });
  const everyCall = {
    load: createLoad({ mostInFlight: limits.inFlight, clock }),
    authorise: createAccess(() => access, { clock, events }),
    limit: (call: IncomingCall, caller: Caller) => limited.call(call, caller),
    validate: createValidate([FaceVerificationService.method.getFaceParams.input]),
    clock,
    events,
  };
  const pipeline = createPipeline({ ...everyCall, maxDurationMs: REQUEST_TIMEOUT_MS });
  const methods = createMethods(pipeline, {
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
  const operators = createPipeline({ ...everyCall, maxDurationMs: OPERATOR_TIMEOUT_MS });
  const ticketAdmin = createTicketAdmin(operators, { operator, role });

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
    plugins: [
      createProbes({ readiness }),
      connectPlugin([createAdminRoutes(ticketAdmin)], drainMs),
      createDescriptors([TicketAdminService]),
    ],
    closing: new AbortController(),
    drainMs,
    clock,
  });
  const http = createListener({
    address: config.http,
    cleartext: "http1",
    tls: () => access.tls && { ...access.tls, clientCa: undefined },
    trustedProxies: access.trustedProxies,
    plugins: [
      createFormRoutes({ methods, bodyLimit: FORM_BODY_LIMIT, strict: access.formStrict, events }),
      connectPlugin([createRoutes(methods, "public")], drainMs),
      createDocument("/openapi.json", openApi),
    ],
    closing: new AbortController(),
    drainMs,
    clock,
  });
  const grpc = createListener({
    address: config.grpc,
    cleartext: "h2c",
    tls: () => access.tls,
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
    reload(next) {
      ({ access } = next);
      for (const door of doors) door.secure();
    },
  };
  return service;
}

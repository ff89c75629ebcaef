import { DeliveryAdminService } from "../gen/faceverification/v1/delivery_admin_service_pb.ts";
import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { VerificationLinkService } from "../gen/faceverification/v1/link_pb.ts";
import { TicketAdminService } from "../gen/faceverification/v1/ticket_admin_service_pb.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import openApi from "../gen/openapi.json" with { type: "json" };
import type { Implementation } from "./calls/implement.ts";
import type { AccessConfig } from "./config/access.ts";
import type { Config } from "./config/config.ts";
import { createBrowserRoutes } from "./doors/browser/routes.ts";
import { HTTP_STATUS } from "./doors/form/errors.ts";
import { createFormRoutes } from "./doors/form/routes.ts";
import { GRPC_CODES } from "./doors/rpc/errors.ts";
import { createFastPath } from "./doors/rpc/fast-path/fast-path.ts";
import { createHealth } from "./doors/rpc/health.ts";
import { connectPlugin } from "./doors/rpc/plugin.ts";
import { createDescriptors } from "./doors/rpc/reflection/descriptor-set.ts";
import { createReflection } from "./doors/rpc/reflection/reflection.ts";
import { createRoutes } from "./doors/rpc/routes.ts";
import type { DeliveryAdmin } from "./handlers/delivery-admin.ts";
import type { TicketAdmin } from "./handlers/ticket-admin.ts";
import type { VerificationLinks } from "./handlers/verification-links.ts";
import { createBudget } from "./lib/budget.ts";
import type { Clock } from "./lib/clock.ts";
import type { Reloadable } from "./lib/memoize.ts";
import type { Rpcs } from "./rpcs.ts";
import { createCors } from "./server/cors.ts";
import { createDocument, createMetricsRoute } from "./server/documents.ts";
import { createListener, type Listener, type ListenerOptions } from "./server/listener.ts";
import { named } from "./server/named.ts";
import { createProbes, type ProbesOptions } from "./server/probes.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { hasPcPage } from "./upstream/editions.ts";

export interface ListenersOptions {
  config: Config;
  /** Read again by a listener's `secure`. */
  access: Reloadable<AccessConfig>;
  /** Counts requests on the public listener by address. */
  admit: ListenerOptions["admit"];
  faceVerification: Implementation<typeof FaceVerificationService>;
  ticketAdmin: TicketAdmin;
  deliveryAdmin: DeliveryAdmin;
  verificationLinks: VerificationLinks;
  visits: Rpcs["visits"];
  readiness: ProbesOptions["readiness"];
  lastRefresh: ProbesOptions["lastRefresh"];
  /** Of all listeners. */
  slowReaders: ListenerOptions["slowReaders"];
  telemetry: Pick<Telemetry, "events" | "metrics">;
  clock: Clock;
}

/** The doors' status for each reason. */
export const STATUSES = { http: HTTP_STATUS, grpc: GRPC_CODES };

/** Time to drain a listener at least, and what is left of the grace for all that ends after the listeners, milliseconds. */
const LEAST_DRAIN_MS = 1_000;
const LAST_STEPS_MS = 2_000;

/**
 * The three listeners and their routes (docs/architecture.md#the-listeners): the second half of the
 * composition root.
 */
export function createListeners(options: ListenersOptions): Record<"admin" | "http" | "grpc", Listener> {
  const { config, access, admit, faceVerification, ticketAdmin, deliveryAdmin, verificationLinks } = options;
  const { readiness, lastRefresh, slowReaders, telemetry, clock } = options;
  const { events, metrics } = telemetry;
  const { methods } = faceVerification;
  const drainMs = Math.max(LEAST_DRAIN_MS, config.shutdownGraceMs - config.shutdownDelayMs - LAST_STEPS_MS);
  // Unprocessed request bodies are bounded across all listeners.
  const intake = createBudget(config.buffers.received);
  const common = { drainMs, clock, events, slowReaders, keepAliveMs: config.keepAliveMs };
  const rpc = { intake, events };
  /** FaceVerification on one listener, whose trust holds for both ways of reading a call. */
  const faceVerificationOn = (listener: "public" | "internal") => ({
    routes: createRoutes(faceVerification, listener),
    fastPath: createFastPath(faceVerification, listener, rpc),
  });
  const [onPublic, onInternal] = [faceVerificationOn("public"), faceVerificationOn("internal")];
  const grpcClosing = new AbortController();
  const health = createHealth({
    services: [FaceVerificationService.typeName, VerificationLinkService.typeName],
    ready: () => readiness().ready,
    closing: grpcClosing.signal,
    clock,
  });

  const open = (variable: string, listener: ListenerOptions) =>
    named(variable, listener.address, createListener(listener));

  return {
    admin: open("ADMIN_ADDR", {
      address: config.admin,
      cleartext: "http1",
      hosts: config.adminHosts,
      plugins: [
        createProbes({ readiness, lastRefresh }),
        createMetricsRoute(metrics),
        connectPlugin(
          [createRoutes(ticketAdmin, "internal"), createRoutes(deliveryAdmin, "internal")],
          drainMs,
          rpc,
        ),
        createDescriptors([TicketAdminService, DeliveryAdminService]),
      ],
      closing: new AbortController(),
      ...common,
    }),
    http: open("HTTP_ADDR", {
      address: config.http,
      cleartext: "http1",
      tls: () => publicTls(access()),
      trustedProxies: config.access.trustedProxies,
      admit,
      plugins: [
        createCors(config.access.corsOrigins),
        createProbes({ readiness, lastRefresh, terse: true }),
        createFormRoutes({ methods, intake, strict: config.access.formStrict, events }),
        ...browserRoutes(options),
        connectPlugin([onPublic.routes], drainMs, { ...rpc, fastPath: onPublic.fastPath }),
        createDocument("/openapi.json", openApi),
      ],
      closing: new AbortController(),
      ...common,
    }),
    grpc: open("GRPC_ADDR", {
      address: config.grpc,
      cleartext: "h2c",
      tls: () => access().tls,
      plugins: [
        connectPlugin(
          [
            onInternal.routes,
            createRoutes(verificationLinks, "internal"),
            createReflection([FaceVerificationService, VerificationLinkService, Health]),
            health,
          ],
          drainMs,
          { ...rpc, fastPath: onInternal.fastPath },
        ),
      ],
      closing: grpcClosing,
      ...common,
    }),
  };
}

/** Pages for people with a link, where there are links. */
function browserRoutes({ config, visits, telemetry, clock }: ListenersOptions) {
  if (!visits || !config.links) return [];
  const { baseUrl, edition } = config;
  const { publicUrl } = config.links;
  const vendor = { vendorUrl: baseUrl, pcCamera: hasPcPage(edition) };
  return [
    createBrowserRoutes({
      ...visits,
      ...vendor,
      publicUrl,
      statuses: HTTP_STATUS,
      clock,
      events: telemetry.events,
    }),
  ];
}

/** Phones have no client certificates. */
const publicTls = ({ tls }: AccessConfig) => tls && { ...tls, clientCa: undefined };

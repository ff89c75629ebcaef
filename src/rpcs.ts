import { FaceVerificationService } from "../gen/faceverification/v1/face_verification_service_pb.ts";
import { VerificationLinkService } from "../gen/faceverification/v1/link_pb.ts";
import type { Bookkeeping } from "./bookkeeping.ts";
import { createAdmission } from "./calls/admission.ts";
import { createAuthorisation } from "./calls/authorise.ts";
import { type Implementation, implement } from "./calls/implement.ts";
import { createPipeline, type Pipeline, type PipelineOptions } from "./calls/pipeline.ts";
import { createLimits } from "./calls/rate-limits.ts";
import { createValidate } from "./calls/validate.ts";
import type { AccessConfig } from "./config/access.ts";
import type { Config } from "./config/config.ts";
import type { SharedTables } from "./database/shared-tables.ts";
import { createOrderNumbers } from "./domain/order-number.ts";
import type { ServiceEvents } from "./events.ts";
import { createDeliveryAdmin, type DeliveryAdmin } from "./handlers/delivery-admin.ts";
import { createGetFaceParams } from "./handlers/get-face-params.ts";
import { createGetResult } from "./handlers/get-result.ts";
import { createListOrders } from "./handlers/list-orders.ts";
import { createPrepareLaunch } from "./handlers/prepare-launch.ts";
import { createWebLaunches } from "./handlers/prepare-web-launch.ts";
import { createQueryOrder } from "./handlers/query-order.ts";
import { createOutcomeReader } from "./handlers/read-outcome.ts";
import { createTicketAdmin, type TicketAdmin, type TicketAdminOptions } from "./handlers/ticket-admin.ts";
import { createVerificationLinks, type VerificationLinks } from "./handlers/verification-links.ts";
import { createWatchResults } from "./handlers/watch-results.ts";
import { openLaunchStores } from "./launches/open-store.ts";
import { shareLaunches } from "./launches/share-launches.ts";
import type { Clock } from "./lib/clock.ts";
import { createPseudonym } from "./lib/keyed-hash.ts";
import type { Reloadable } from "./lib/memoize.ts";
import { createLinks, type Links } from "./links/links.ts";
import type { Orders } from "./orders/orders.ts";
import type { RedisCommands } from "./redis/commands.ts";
import type { TicketReader } from "./tickets/reader.ts";
import type { Sealer } from "./tickets/sealer.ts";
import type { Upstream } from "./upstream/open.ts";
import type { Signer } from "./upstream/signer.ts";
import { webLaunchUrl } from "./upstream/web-launch.ts";

export interface RpcsOptions extends Pick<TicketAdminOptions, "operator" | "diagnose"> {
  config: Config;
  access: Reloadable<AccessConfig>;
  secrets: Reloadable<Config["secrets"]>;
  signer: Signer;
  createNonce: () => string;
  tickets: TicketReader;
  upstream: Upstream;
  orders: Orders;
  subscribers: Bookkeeping["subscribers"];
  /** Aborts when the process begins to drain. */
  stopping: AbortSignal;
  /** Undefined keeps counts and launches in this process. */
  shared: RedisCommands | SharedTables | undefined;
  sealer: Sealer;
  tracer: PipelineOptions["tracer"];
  clock: Clock;
  events: ServiceEvents;
}

/** The RPCs as the listeners serve them. */
export interface Rpcs {
  faceVerification: Implementation<typeof FaceVerificationService>;
  ticketAdmin: TicketAdmin;
  deliveryAdmin: DeliveryAdmin;
  verificationLinks: VerificationLinks;
  /** Verification links as browsers see them, and what holds for each visit; undefined without PUBLIC_URL. */
  visits: { links: Links; pipeline: Pipeline } | undefined;
  /** Counts requests by address. */
  admit: ReturnType<typeof createLimits>["address"];
}

/** Time limits of a request and of an operator's request, milliseconds. */
const REQUEST_TIMEOUT_MS = 15_000;
const OPERATOR_TIMEOUT_MS = 60_000;
/** People with a link have no credential, and may do nothing else than what the link is for. */
const VISITOR = { name: "visitor", internal: false, subject: "", media: false };
/** Max concurrent operators' calls, and max open streams. */
const MAX_OPERATOR_CALLS = 20;
const MAX_STREAMS = 100;

/** What applies to every call, and the handlers behind it. */
export function createRpcs(options: RpcsOptions): Rpcs {
  const { config, access, secrets, tickets, signer, createNonce, upstream, orders, clock, events } = options;
  const { subscribers, stopping, shared, sealer, tracer, operator, diagnose } = options;
  const { appId, licence, livemode, names, register, limits, role } = config;
  const [secret] = config.secrets;

  const prefix = `faceid:{${register}}`;
  const rateLimits = createLimits({ ...limits, prefix: `${prefix}:limit`, shared, secret, events });
  const everyCall = {
    authorise: createAuthorisation(access, { clock, places: limits.inFlight, events }),
    limit: rateLimits.call,
    validate: createValidate(
      [FaceVerificationService, VerificationLinkService].flatMap(({ methods }) =>
        methods.map((m) => m.input),
      ),
    ),
    streams: createAdmission(MAX_STREAMS),
    tracer,
    clock,
    events,
  };
  const pipeline = (maxDurationMs: number, maxInFlight: number) =>
    createPipeline({ ...everyCall, admission: createAdmission(maxInFlight), maxDurationMs });

  const operatorCalls = pipeline(OPERATOR_TIMEOUT_MS, MAX_OPERATOR_CALLS);
  const calls = pipeline(REQUEST_TIMEOUT_MS, limits.inFlight);

  const visitors = createPipeline({
    ...everyCall,
    authorise: () => VISITOR,
    admission: createAdmission(limits.inFlight),
    maxDurationMs: REQUEST_TIMEOUT_MS,
  });

  const orderNumbers = createOrderNumbers(secrets);
  const signed = { signer, createNonce, tickets };
  const parts = { ...signed, orderNumbers, upstream, orders, livemode, clock };
  const queryOrder = createQueryOrder({ ...signed, query: (...args) => upstream.query(...args) });
  const pseudonym = createPseudonym(secret, "launches");
  const stores = openLaunchStores({ prefix: `${prefix}:launch`, shared, pseudonym, sealer, clock, events });
  const launching = { ...parts, store: stores.launches, admit: rateLimits.launch };
  const prepareLaunch = shareLaunches(createPrepareLaunch({ ...launching, appId, licence }), {
    store: stores.launches,
    requests: orders.requests,
    pseudonym,
    clock,
  });
  const outcomes = createOutcomeReader({ ...parts, queryOrder });

  const links =
    config.links &&
    createLinks({
      ...signed,
      publicUrl: config.links.publicUrl,
      store: stores.links,
      pseudonym,
      launches: createWebLaunches({
        ...launching,
        edition: config.edition,
        launchUrl: (page) => webLaunchUrl(config, page),
      }),
      outcomes,
      clock,
      events,
    });
  const linkOf = async (orderNo: string) => links?.linkOf(orderNo);

  return {
    // The table of RPCs: a new one is a line here and a file in handlers/.
    faceVerification: implement(FaceVerificationService, calls, {
      getFaceParams: createGetFaceParams({ names, orderNumbers, prepareLaunch }),
      getResult: createGetResult({ ...parts, outcomes, queryOrder, linkOf }),
      listOrders: createListOrders({ orders }),
      watchResults: createWatchResults({ feed: subscribers?.then(({ feed }) => feed), stopping }),
    }),
    verificationLinks: createVerificationLinks(calls, {
      links,
      returnUrls: config.links?.returnUrls ?? [],
      names,
      orderNumbers,
      livemode,
    }),
    visits: links && { links, pipeline: visitors },
    ticketAdmin: createTicketAdmin(operatorCalls, { operator, role, diagnose }),
    deliveryAdmin: createDeliveryAdmin(
      operatorCalls,
      subscribers?.then(({ operator: by }) => by),
    ),
    admit: rateLimits.address,
  };
}

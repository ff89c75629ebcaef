import type { TicketTimings } from "../config/ticket-timings.ts";
import { createUpstreamClient, type UpstreamClient, type UpstreamOptions } from "./client.ts";
import { createDispatchers, type DispatcherOptions } from "./connection.ts";
import { type GuardOptions, guarded } from "./resilience.ts";
import { createTransport } from "./transport.ts";

/** Connections kept to the vendor at most. */
const CONNECTIONS = 64;
/** Time for one call to the vendor on behalf of a request, milliseconds. */
const CALL_TIMEOUT_MS = 8_000;

/** What is configured. */
export interface UpstreamSettings extends Pick<UpstreamOptions, "appId" | "edition" | "tokenParam"> {
  baseUrl: string;
  proxy: DispatcherOptions["proxy"];
  timings: Pick<TicketTimings, "tokenTimeoutMs" | "signTimeoutMs">;
}

export interface Upstream extends UpstreamClient {
  close(): Promise<void>;
}

/** The vendor's interfaces over connections of our own, each with a bulkhead and a circuit breaker. */
export function openUpstream(
  { appId, edition, tokenParam, baseUrl, proxy, timings }: UpstreamSettings,
  { observe, events }: Pick<UpstreamOptions, "observe"> & Pick<GuardOptions, "events">,
): Upstream {
  const dispatchers = createDispatchers({ connections: CONNECTIONS, proxy });
  const client = createUpstreamClient({
    appId,
    edition,
    tokenParam,
    transport: createTransport({ baseUrl, dispatchers }),
    observe,
    tokenTimeoutMs: timings.tokenTimeoutMs,
    signTimeoutMs: timings.signTimeoutMs,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  return { ...guarded(client, { mostAtOnce: CONNECTIONS * 3, events }), close: () => dispatchers.close() };
}

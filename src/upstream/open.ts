import type { TicketTimings } from "../config/ticket-timings.ts";
import { createUpstreamClient, type UpstreamOptions } from "./client.ts";
import { createDispatchers, type DispatcherOptions } from "./connection.ts";
import { type ResilienceOptions, type ResilientClient, withResilience } from "./resilience.ts";
import { createTransport } from "./transport.ts";

/** Max connections to the vendor. */
const CONNECTIONS = 64;
/** Time limit of one vendor call on behalf of a request, milliseconds. */
const CALL_TIMEOUT_MS = 8_000;

/** The configuration of the vendor's client. */
export interface UpstreamSettings extends Pick<UpstreamOptions, "appId" | "edition" | "tokenParam"> {
  baseUrl: string;
  proxy: DispatcherOptions["proxy"];
  timings: Pick<TicketTimings, "tokenTimeoutMs" | "signTimeoutMs">;
}

export interface Upstream extends ResilientClient {
  close(): Promise<void>;
}

/**
 * Opens the vendor's client over its own connections; calls that serve requests have a bulkhead and a circuit
 * breaker.
 */
export function openUpstream(
  { appId, edition, tokenParam, baseUrl, proxy, timings }: UpstreamSettings,
  { observe, ...guards }: Pick<UpstreamOptions, "observe"> & Omit<ResilienceOptions, "maxConcurrent">,
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
  return {
    ...withResilience(client, { maxConcurrent: CONNECTIONS * 3, ...guards }),
    close: () => dispatchers.close(),
  };
}

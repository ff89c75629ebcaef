import { createUpstreamClient, type UpstreamClient, type UpstreamOptions } from "./client.ts";
import { createDispatchers, type DispatcherOptions } from "./dispatcher.ts";
import { type GuardOptions, guarded } from "./guard.ts";
import type { ObserveExchange } from "./observe.ts";
import { createTransport } from "./transport.ts";

/** What is configured. */
export interface UpstreamSettings extends Pick<UpstreamOptions, "appId" | "edition" | "tokenParam"> {
  baseUrl: string;
  proxy: DispatcherOptions["proxy"];
  timings: Pick<UpstreamOptions, "tokenTimeoutMs" | "signTimeoutMs">;
}

/** Connections kept to the vendor at most. */
const CONNECTIONS = 64;
/** Time for one call on behalf of a request, milliseconds. */
const CALL_TIMEOUT_MS = 8_000;

/** The vendor with everything between: connections, transport, client, and what keeps trouble there from spreading. */
export function openUpstream(
  { baseUrl, proxy, timings, ...app }: UpstreamSettings,
  { observe, events }: { observe: ObserveExchange; events: GuardOptions["events"] },
): { upstream: UpstreamClient; close(): Promise<void> } {
  const dispatchers = createDispatchers({ connections: CONNECTIONS, proxy });
  const client = createUpstreamClient({
    appId: app.appId,
    edition: app.edition,
    tokenParam: app.tokenParam,
    transport: createTransport({ baseUrl, dispatchers }),
    observe,
    tokenTimeoutMs: timings.tokenTimeoutMs,
    signTimeoutMs: timings.signTimeoutMs,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  return {
    upstream: guarded(client, { mostAtOnce: CONNECTIONS * 3, events }),
    close: () => dispatchers.close(),
  };
}

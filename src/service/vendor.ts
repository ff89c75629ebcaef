import type { Config } from "../config.ts";
import type { Clock } from "../lib/clock.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createUpstreamObserver } from "../telemetry/upstream-observer.ts";
import { createUpstreamClient, type UpstreamClient } from "../upstream/client.ts";
import { createDispatcher } from "../upstream/dispatcher.ts";
import { guarded } from "../upstream/guard.ts";
import { createTransport } from "../upstream/transport.ts";

/** Connections kept to the vendor at most. */
const CONNECTIONS = 64;
/** Time for one call to the vendor on behalf of a request, milliseconds. */
const CALL_TIMEOUT_MS = 8_000;

/** The way to the vendor: connections, calls, what watches them and what protects us from them. */
export function openVendor(
  { appId, edition, tokenParam, baseUrl, proxy, timings }: Config,
  { events, tracer }: Telemetry,
  clock: Clock,
): { upstream: UpstreamClient; close(): Promise<void> } {
  const dispatcher = createDispatcher({ connections: CONNECTIONS, proxy });
  const client = createUpstreamClient({
    appId,
    edition,
    tokenParam,
    transport: createTransport({ baseUrl, dispatcher }),
    observe: createUpstreamObserver({ tracer, clock, events }),
    tokenTimeoutMs: timings.tokenTimeoutMs,
    signTimeoutMs: timings.signTimeoutMs,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  return {
    upstream: guarded(client, { mostAtOnce: CONNECTIONS * 3, events }),
    close: () => dispatcher.close(),
  };
}

import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  circuitBreaker,
  handleWhen,
  SamplingBreaker,
  wrap,
} from "cockatiel";
import {
  ErrorReason,
  ServiceError,
  type UpstreamEndpoint,
  UpstreamError,
  type UpstreamFailure,
} from "../errors.ts";
import type { ServiceEvents } from "../events.ts";
import { createSemaphore } from "../lib/concurrency.ts";
import { resumeTogether } from "../lib/event-loop.ts";
import type { Secret } from "../lib/redacted.ts";
import type { Query, QueryResult, Upload, UpstreamClient } from "./client.ts";

export interface GuardOptions {
  /** Most calls of one endpoint at once, those included that wait for a connection. */
  mostAtOnce: number;
  events: Pick<ServiceEvents, "circuitChanged">;
}

/** Half of at least fifty calls in ten seconds failed: then the endpoint is left alone for five, and tried with one. */
const WINDOW_MS = 10_000;
const LEAST_PER_SECOND = 5;
const FAILURE_RATIO = 0.5;
const OPEN_MS = 5_000;
/** Answers with files are up to 11 MB of JSON and 8 MB of files: more at once fill memory and take longer each. */
const FILES_AT_ONCE = 2;
/** When to come back to a service that has too much to do, milliseconds. */
const BUSY_MS = 1_000;

/** What says that the vendor is in trouble. A code of the vendor's does not, nor that a caller left. */
const OUTAGE_FAILURES: ReadonlySet<UpstreamFailure> = new Set([
  "not_sent",
  "timeout",
  "broken",
  "status",
  "throttled",
]);

/**
 * The client with a bulkhead and a circuit breaker round each call that serves a request, so that a vendor who is slow
 * or down costs nobody time. Not round token and SIGN ticket: their refresh has a backoff that all replicas share.
 */
export function guarded(client: UpstreamClient, { mostAtOnce, events }: GuardOptions): UpstreamClient {
  function guard<A extends unknown[], T>(endpoint: UpstreamEndpoint, call: (...args: A) => Promise<T>) {
    const circuit = circuitBreaker(
      handleWhen((error) => error instanceof UpstreamError && OUTAGE_FAILURES.has(error.failure)),
      {
        halfOpenAfter: OPEN_MS,
        breaker: new SamplingBreaker({
          threshold: FAILURE_RATIO,
          duration: WINDOW_MS,
          minimumRps: LEAST_PER_SECOND,
        }),
      },
    );
    circuit.onStateChange((state) => {
      if (state !== CircuitState.HalfOpen)
        events.circuitChanged({ endpoint, open: state === CircuitState.Open });
    });
    const policy = wrap(bulkhead(mostAtOnce), circuit);
    return async (...args: A): Promise<T> => {
      try {
        return await policy.execute(() => call(...args));
      } catch (error) {
        throw refusal(endpoint, error) ?? error;
      }
    };
  }

  const fileTurns = createSemaphore(FILES_AT_ONCE);
  const query = guard("query", (asked: Query, signal: AbortSignal) => client.query(asked, signal));

  /** Others have their turn first: to make the answer, which begins at once, takes as long as to have read the files. */
  async function files(asked: Query, signal: AbortSignal): Promise<QueryResult> {
    const result = await query(asked, signal);
    await resumeTogether();
    return result;
  }

  return {
    ...client,
    fetchNonceTicket: guard("nonce_ticket", (token: Secret, userId: string, signal: AbortSignal) =>
      client.fetchNonceTicket(token, userId, signal),
    ),
    upload: guard("upload", (upload: Upload, signal: AbortSignal) => client.upload(upload, signal)),
    query: (asked, signal) =>
      asked.media ? fileTurns(signal, () => files(asked, signal)) : query(asked, signal),
  };
}

function refusal(endpoint: UpstreamEndpoint, error: unknown): ServiceError | undefined {
  if (error instanceof BulkheadRejectedError) {
    const message = `${endpoint}: too many calls at once`;
    return new ServiceError(ErrorReason.OVERLOADED, message, { retryAfterMs: BUSY_MS });
  }
  if (error instanceof BrokenCircuitError) {
    const message = `${endpoint}: left alone after too many failures`;
    return new ServiceError(ErrorReason.UPSTREAM_UNAVAILABLE, message, { retryAfterMs: OPEN_MS });
  }
  return undefined;
}

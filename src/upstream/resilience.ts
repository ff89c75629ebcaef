import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  type CircuitBreakerPolicy,
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
import type { Query, QueryResult, Upload, UpstreamClient, WebUpload } from "./client.ts";

export interface ResilienceOptions {
  /** Max concurrent calls per endpoint, including those waiting for a connection. */
  maxConcurrent: number;
  /** Responses that clients have not read yet: waits until there is room for another, or rejects with the signal's reason. */
  unread: { awaitRoom(signal: AbortSignal): Promise<void> };
  events: Pick<ServiceEvents, "circuitChanged">;
}

/**
 * The circuit opens when half of at least fifty calls in ten seconds failed; after five seconds one call
 * probes it.
 */
const WINDOW_MS = 10_000;
const MIN_CALLS_PER_SECOND = 5;
const FAILURE_RATIO = 0.5;
const OPEN_MS = 5_000;
/**
 * Responses with files are up to 11 MB of JSON and 8 MB of files: more at once fill memory and slow each
 * other down.
 */
const MAX_CONCURRENT_FILES = 2;
/** Max concurrent queries in the background, which leave their connections to callers but for a few. */
const MAX_BACKGROUND = 4;
/** When a rejected caller should retry, milliseconds. */
const BUSY_MS = 1_000;

/** Failures that count as an outage. The vendor's own codes do not, nor does a caller that disconnects. */
const OUTAGE_FAILURES: ReadonlySet<UpstreamFailure> = new Set([
  "not_sent",
  "timeout",
  "broken",
  "status",
  "throttled",
]);

/** The client with a second way to query, for work that no caller waits for. */
export interface ResilientClient extends UpstreamClient {
  /** Has a bulkhead of its own, so it never takes a caller's place, and the callers' circuit. */
  queryInBackground: UpstreamClient["query"];
}

/**
 * Adds a bulkhead and a circuit breaker to each call that serves a request, so that a slow or unreachable
 * vendor does not tie up callers. The token and SIGN ticket calls are excluded: their backoff is shared by
 * all replicas.
 */
export function withResilience(
  client: UpstreamClient,
  { maxConcurrent, unread, events }: ResilienceOptions,
): ResilientClient {
  function createCircuit(endpoint: UpstreamEndpoint): CircuitBreakerPolicy {
    const circuit = circuitBreaker(
      handleWhen((error) => error instanceof UpstreamError && OUTAGE_FAILURES.has(error.failure)),
      {
        halfOpenAfter: OPEN_MS,
        breaker: new SamplingBreaker({
          threshold: FAILURE_RATIO,
          duration: WINDOW_MS,
          minimumRps: MIN_CALLS_PER_SECOND,
        }),
      },
    );
    circuit.onStateChange((state) => {
      if (state !== CircuitState.HalfOpen)
        events.circuitChanged({ endpoint, open: state === CircuitState.Open });
    });
    return circuit;
  }

  function guard<A extends unknown[], T>(
    endpoint: UpstreamEndpoint,
    call: (...args: A) => Promise<T>,
    { circuit = createCircuit(endpoint), places = maxConcurrent } = {},
  ) {
    const policy = wrap(bulkhead(places), circuit);
    return async (...args: A): Promise<T> => {
      try {
        return await policy.execute(() => call(...args));
      } catch (error) {
        throw refusal(endpoint, error) ?? error;
      }
    };
  }

  const fileSemaphore = createSemaphore(MAX_CONCURRENT_FILES);
  const ask = (request: Query, signal: AbortSignal) => client.query(request, signal);
  const circuit = createCircuit("query");
  const query = guard("query", ask, { circuit });
  const uploads = { circuit: createCircuit("upload") };

  /**
   * Waits first, and inside the semaphore, since files that no client reads stay in memory. Yields last: encoding the
   * response blocks the event loop as long as decoding the files did.
   */
  async function queryFiles(request: Query, signal: AbortSignal): Promise<QueryResult> {
    await unread.awaitRoom(signal);
    const result = await query(request, signal);
    await resumeTogether();
    return result;
  }

  return {
    ...client,
    fetchNonceTicket: guard("nonce_ticket", (token: Secret, userId: string, signal: AbortSignal) =>
      client.fetchNonceTicket(token, userId, signal),
    ),
    upload: guard("upload", (upload: Upload, signal: AbortSignal) => client.upload(upload, signal), uploads),
    webUpload: guard(
      "upload",
      (upload: WebUpload, signal: AbortSignal) => client.webUpload(upload, signal),
      uploads,
    ),
    query: (request, signal) =>
      request.media ? fileSemaphore(signal, () => queryFiles(request, signal)) : query(request, signal),
    queryInBackground: guard("query", ask, { circuit, places: MAX_BACKGROUND }),
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

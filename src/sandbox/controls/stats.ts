import { ENDPOINTS, type Endpoint } from "../vendor/request.ts";

/** Counts since the sandbox was created. */
export interface Stats {
  /** Calls that arrived, faults included. */
  calls: Readonly<Record<Endpoint, number>>;
  /** Answers by endpoint and the vendor's code; without calls that a fault suppressed. */
  codes: Readonly<Record<Endpoint, Readonly<Record<string, number>>>>;
  /** Token calls that arrived while another was in flight. */
  overlappingRefreshes: number;
  tokenCallsInFlight: number;
  maxTokenCallsInFlight: number;
  /** Generation of the newest token; 0 before the first. */
  tokenGeneration: number;
  /** Min time between two tokens issued to callers, milliseconds; null before the second. */
  shortestTokenIntervalMs: number | null;
}

/** The counters behind `Stats`. */
export interface Counters {
  /** Counts an arrival; returns the endpoint's calls in flight, and a function to call when this one ends. */
  enter(endpoint: Endpoint): { inFlight: number; leave: () => void };
  answered(endpoint: Endpoint, code: string): void;
  tokenIssued(at: number): void;
  read(tokenGeneration: number): Stats;
  /** Forgets everything but the calls in flight. */
  clear(): void;
}

export function createCounters(): Counters {
  const perEndpoint = <T>(create: () => T) =>
    Object.fromEntries(ENDPOINTS.map((endpoint) => [endpoint, create()])) as Record<Endpoint, T>;
  const calls = perEndpoint(() => 0);
  const codes = perEndpoint((): Record<string, number> => ({}));
  const inFlight = perEndpoint(() => 0);
  let overlappingRefreshes = 0;
  let maxTokenCallsInFlight = 0;
  let lastTokenAt: number | undefined;
  let shortestTokenIntervalMs: number | null = null;

  return {
    enter(endpoint) {
      calls[endpoint] += 1;
      inFlight[endpoint] += 1;
      if (endpoint === "access_token") {
        if (inFlight.access_token > 1) overlappingRefreshes += 1;
        maxTokenCallsInFlight = Math.max(maxTokenCallsInFlight, inFlight.access_token);
      }
      let left = false;
      const leave = () => {
        if (!left) inFlight[endpoint] -= 1;
        left = true;
      };
      return { inFlight: inFlight[endpoint], leave };
    },
    answered(endpoint, code) {
      codes[endpoint][code] = (codes[endpoint][code] ?? 0) + 1;
    },
    tokenIssued(at) {
      if (lastTokenAt !== undefined) {
        shortestTokenIntervalMs = Math.min(shortestTokenIntervalMs ?? Infinity, at - lastTokenAt);
      }
      lastTokenAt = at;
    },
    read: (tokenGeneration) => ({
      calls: { ...calls },
      codes: structuredClone(codes),
      overlappingRefreshes,
      tokenCallsInFlight: inFlight.access_token,
      maxTokenCallsInFlight,
      tokenGeneration,
      shortestTokenIntervalMs,
    }),
    clear() {
      Object.assign(
        calls,
        perEndpoint(() => 0),
      );
      Object.assign(
        codes,
        perEndpoint(() => ({})),
      );
      overlappingRefreshes = 0;
      maxTokenCallsInFlight = inFlight.access_token;
      lastTokenAt = undefined;
      shortestTokenIntervalMs = null;
    },
  };
}

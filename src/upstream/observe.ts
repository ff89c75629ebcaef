import type { UpstreamEndpoint } from "../errors.ts";

/** What may be told of an answer. */
export interface Told {
  /** "0" or the vendor's code. */
  code: string;
  bizSeqNo: string | undefined;
}

/**
 * Watches one exchange with the vendor: runs `exchange` and settles as it does. `exchange` tells of the answer as soon
 * as there is one; a failure is an UpstreamError, or the reason of the caller's signal.
 */
export type ObserveExchange = <T>(
  endpoint: UpstreamEndpoint,
  exchange: (tell: (told: Told) => void) => Promise<T>,
) => Promise<T>;

/** Watches nothing. */
export const unobserved: ObserveExchange = (_endpoint, exchange) => exchange(() => undefined);

import type { UpstreamEndpoint } from "../errors.ts";

/** What may be told of an answer. */
export interface Told {
  /** "0" or the vendor's code. */
  code: string;
  bizSeqNo: string | undefined;
  /** When the vendor wrote it, whole seconds as milliseconds since the Unix epoch. */
  writtenAt: number | undefined;
}

/**
 * Watches one exchange with the vendor: called when it begins. What it returns is called when the exchange ends, with
 * the answer, if there was one, and the failure, if it failed: an UpstreamError, or the reason of the caller's signal.
 */
export type ObserveExchange = (
  endpoint: UpstreamEndpoint,
) => (told: Told | undefined, failure: unknown) => void;

/** Watches nothing. */
export const unobserved: ObserveExchange = () => () => undefined;

import { UpstreamError } from "../errors.ts";
import type { TicketStatus } from "../tickets/status.ts";
import { brief } from "./logger.ts";

/** The transport's word for what it met, such as ECONNREFUSED or HTTP 503. */
const causeOf = (error: unknown) =>
  error instanceof UpstreamError && typeof error.cause === "string" ? error.cause : undefined;

/** What may be told of the refresh that ended last: its outcome, and the failed call as the log has it. */
export function lastRefresh({ last }: Pick<TicketStatus, "last">) {
  if (!last) return undefined;
  const { error, code } = brief(last.error);
  const why = code ?? causeOf(last.error);
  return { outcome: last.outcome, agoMs: last.agoMs, error: why ? `${error} (${why})` : error };
}

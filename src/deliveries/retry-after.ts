/** The longest delay that is kept, milliseconds. */
export const LONGEST_RETRY_AFTER_MS = 24 * 60 * 60_000;

/**
 * The delay that `Retry-After` asks for, in seconds or as a date (RFC 9110 10.2.3), milliseconds; 0 without one that can be
 * read, and a day at most.
 */
export function retryAfterMs(header: string | undefined, now: number): number {
  const text = header?.trim() ?? "";
  const ms = /^\d{1,12}$/.test(text)
    ? Number(text) * 1000
    : text.endsWith("GMT")
      ? Date.parse(text) - now
      : 0;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS) : 0;
}

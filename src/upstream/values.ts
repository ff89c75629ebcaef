import { Pii } from "../lib/redacted.ts";
import { decodeBase64 } from "./streamed-json.ts";

/** A string or number as a string; undefined for anything else and for the empty string. */
export function text(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A finite number, or a string that is one, such as `expire_in`; undefined for anything else. */
export function number(value: unknown): number | undefined {
  const digits = text(value)?.trim();
  if (digits === undefined || !/^-?\d+(\.\d+)?$/.test(digits)) return undefined;
  const parsed = Number(digits);
  return Number.isFinite(parsed) ? parsed : undefined;
}

/** A score of 0 to 100; undefined for anything else, such as `-1` or `分数为空` (protocol.md 6.1). */
export function score(value: unknown): number | undefined {
  const parsed = number(value);
  return parsed !== undefined && parsed >= 0 && parsed <= 100 ? parsed : undefined;
}

/** China time is eight hours ahead of UTC, all year. */
const CHINA_MS = 8 * 3_600_000;
const CHINA_TIME = /^(\d{4})-?(\d\d)-?(\d\d)[ T]?(\d\d):?(\d\d):?(\d\d)$/;
/**
 * The range of google.protobuf.Timestamp and RFC 3339: the years 1 to 9999, milliseconds since the Unix
 * epoch.
 */
const FIRST_MS = Date.parse("0001-01-01T00:00:00Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59Z");

/**
 * `yyyyMMddHHmmss`, or the same with `-`, `:` and a space, in China time, as milliseconds since the Unix
 * epoch; undefined for anything else, for dates not in the calendar and for years outside 1 to 9999.
 */
export function chinaTime(value: unknown): number | undefined {
  const match = CHINA_TIME.exec(text(value) ?? "");
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4]), Number(match[5]), Number(match[6])];
  const written = new Date(0);
  // Not Date.UTC, which takes the year 99 for 1999.
  written.setUTCFullYear(year, month - 1, day);
  written.setUTCHours(hour, minute, second);
  // Date rolls an impossible date or time over to the next day or month.
  const rolledOver =
    written.getUTCMonth() !== month - 1 ||
    written.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59;
  if (rolledOver) return undefined;
  const time = written.getTime() - CHINA_MS;
  return time >= FIRST_MS && time <= LAST_MS ? time : undefined;
}

/**
 * A file extracted from the response, or the bytes of a short Base64 string; undefined for anything else and
 * for "".
 */
export function file(value: unknown): Pii<Uint8Array> | undefined {
  if (value instanceof Pii) return value as Pii<Uint8Array>;
  const bytes = typeof value === "string" && value !== "" ? decodeBase64(value) : undefined;
  return bytes && new Pii<Uint8Array>(bytes);
}

/** Max length of a vendor string that is passed through, characters. */
const MAX_PASSED_THROUGH = 1_024;

/** A string to pass through; undefined for anything else, and for one too long to be genuine. */
export function shortText(value: unknown): string | undefined {
  const parsed = text(value);
  return parsed !== undefined && parsed.length <= MAX_PASSED_THROUGH ? parsed : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { Pii } from "../lib/redacted.ts";
import { decodeBase64 } from "./streamed-json.ts";

/** A text or number as text; undefined for anything else and for the empty text. */
export function text(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A finite number, or a text that is one, such as `expire_in`; undefined for anything else. */
export function number(value: unknown): number | undefined {
  const digits = text(value)?.trim();
  if (digits === undefined || !/^-?\d+(\.\d+)?$/.test(digits)) return undefined;
  const found = Number(digits);
  return Number.isFinite(found) ? found : undefined;
}

/** A score of 0 to 100; undefined for anything else, such as `-1` or `分数为空` (protocol.md 6.1). */
export function score(value: unknown): number | undefined {
  const found = number(value);
  return found !== undefined && found >= 0 && found <= 100 ? found : undefined;
}

/** China time is eight hours ahead of UTC, all year. */
const CHINA_MS = 8 * 3_600_000;
const CHINA_TIME = /^(\d{4})-?(\d\d)-?(\d\d)[ T]?(\d\d):?(\d\d):?(\d\d)$/;
/** What google.protobuf.Timestamp and RFC 3339 can say: the years 1 to 9999, milliseconds since the Unix epoch. */
const FIRST_MS = Date.parse("0001-01-01T00:00:00Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59Z");

/**
 * `yyyyMMddHHmmss`, or the same with `-`, `:` and a space, in China time, as milliseconds since the Unix epoch; undefined for
 * anything else, a date that the calendar does not have, and a year outside 1 to 9999.
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
  // What the calendar or the clock does not have is rolled over to the next day or month.
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

/** A file as it was taken out of the answer, or the bytes of a short Base64 text; undefined for anything else and for "". */
export function file(value: unknown): Pii<Uint8Array> | undefined {
  if (value instanceof Pii) return value as Pii<Uint8Array>;
  const bytes = typeof value === "string" && value !== "" ? decodeBase64(value) : undefined;
  return bytes && new Pii<Uint8Array>(bytes);
}

/** Longest text of the vendor's that is handed on as it is, characters. */
const LONGEST_HANDED_ON = 1_024;

/** A text that is handed on as it is; undefined for anything else, and for one that is too long to be what it should be. */
export function shortText(value: unknown): string | undefined {
  const found = text(value);
  return found !== undefined && found.length <= LONGEST_HANDED_ON ? found : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

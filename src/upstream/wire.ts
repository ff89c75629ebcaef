import { type UpstreamEndpoint, UpstreamError } from "../errors.ts";
import { Pii } from "../lib/pii.ts";

/** The vendor's envelope, read tolerantly: fields are added without notice (protocol.md 6.1, 8.1). */
export interface Reply {
  /** "0" or the vendor's code; text or number on the wire. */
  code: string;
  bizSeqNo: string | undefined;
  /** `result` where the answer has one, else the answer itself. */
  result: Readonly<Record<string, unknown>>;
  /** The answer itself. */
  fields: Readonly<Record<string, unknown>>;
}

/** Reads the envelope; throws UpstreamError `malformed` for anything that is none. */
export function readReply(endpoint: UpstreamEndpoint, json: unknown): Reply {
  if (!isRecord(json)) throw new UpstreamError(endpoint, "malformed");
  const code = text(json["code"]);
  // Codes are short whole numbers, all of them (protocol.md 8); free text could hold anything and is logged nowhere.
  if (code === undefined || !/^-?\d{1,12}$/.test(code)) throw new UpstreamError(endpoint, "malformed");
  const result = isRecord(json["result"]) ? json["result"] : json;
  return { code, bizSeqNo: serial(json["bizSeqNo"]) ?? serial(result["bizSeqNo"]), result, fields: json };
}

/** For calls where any code but "0" is a failure. */
export function successful(endpoint: UpstreamEndpoint, reply: Reply): Reply {
  if (reply.code !== "0") throw new UpstreamError(endpoint, "code", reply);
  return reply;
}

/** A serial number of the vendor, which is logged; letters and digits, and undefined for anything else. */
function serial(value: unknown): string | undefined {
  const serialNo = text(value);
  return serialNo !== undefined && /^[0-9A-Za-z_-]{1,64}$/.test(serialNo) ? serialNo : undefined;
}

/** A text or number as text; undefined for anything else and for the empty text. */
export function text(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A number, or a text that is one, such as `expire_in` or a score; undefined for anything else. */
export function number(value: unknown): number | undefined {
  const digits = text(value)?.trim();
  return digits !== undefined && /^-?\d+(\.\d+)?$/.test(digits) ? Number(digits) : undefined;
}

/** `yyyyMMddHHmmss` in China time, as milliseconds since the Unix epoch; undefined for anything else. */
export function chinaTime(value: unknown): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text(value) ?? "");
  if (!match) return undefined;
  const time = Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}+08:00`);
  return Number.isNaN(time) ? undefined : time;
}

/** A file as it was taken out of the answer, or the bytes of a short Base64 text; undefined for anything else and for "". */
export function file(value: unknown): Pii<Uint8Array> | undefined {
  if (value instanceof Pii) return value as Pii<Uint8Array>;
  const encoded = text(value);
  return encoded === undefined ? undefined : new Pii(Buffer.from(encoded, "base64"));
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

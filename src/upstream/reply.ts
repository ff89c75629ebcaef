import { type CodeEntry, codeEntry } from "../domain/codes.ts";
import { type UpstreamEndpoint, UpstreamError } from "../errors.ts";
import { Secret } from "../lib/redacted.ts";
import { chinaTime, isRecord, number, text } from "./values.ts";

/** The vendor's envelope, read tolerantly: fields are added without notice (protocol.md 6.1, 8.1). */
export interface Reply {
  /** "0" or the vendor's code, a string or number on the wire, with its meaning: looked up only here. */
  entry: CodeEntry;
  bizSeqNo: string | undefined;
  /**
   * Parses `transactionTime`, milliseconds since the Unix epoch; undefined if absent or impossible
   * (protocol.md 1).
   */
  writtenAt: () => number | undefined;
  /** `result` if the response has one, otherwise the response itself. */
  result: Readonly<Record<string, unknown>>;
  /** The response itself. */
  fields: Readonly<Record<string, unknown>>;
}

/** Reads the envelope; throws UpstreamError `malformed` for anything else. */
export function readReply(endpoint: UpstreamEndpoint, json: unknown): Reply {
  const reply = replyOf(json);
  if (!reply) throw new UpstreamError(endpoint, "malformed");
  return reply;
}

/** Reads the envelope; undefined for anything else. */
export function replyOf(json: unknown): Reply | undefined {
  if (!isRecord(json)) return undefined;
  const code = text(json["code"]);
  // All codes are short integers (protocol.md 8); free text could contain anything and must not be logged.
  if (code === undefined || !/^-?\d{1,12}$/.test(code)) return undefined;
  const result = isRecord(json["result"]) ? json["result"] : json;
  const bizSeqNo = serial(json["bizSeqNo"]) ?? serial(result["bizSeqNo"]);
  const writtenAt = () => sameSecond(json["transactionTime"] ?? result["transactionTime"]);
  return { entry: codeEntry(code), bizSeqNo, writtenAt, result, fields: json };
}

let latest: { text: unknown; ms: number | undefined } = { text: undefined, ms: undefined };

/**
 * `chinaTime`, parsed once for all responses of the same second.
 * perf: docs/performance.md#same-second
 */
function sameSecond(text: unknown): number | undefined {
  if (text !== latest.text) latest = { text, ms: chinaTime(text) };
  return latest.ms;
}

/** For calls where any code other than "0" is a failure. */
export function successful(endpoint: UpstreamEndpoint, reply: Reply): Reply {
  if (reply.entry.code !== "0") throw new UpstreamError(endpoint, "code", reply);
  return reply;
}

/** The vendor's serial number, which is logged: letters, digits, `_` and `-`; undefined for anything else. */
function serial(value: unknown): string | undefined {
  const serialNo = text(value);
  return serialNo !== undefined && /^[0-9A-Za-z_-]{1,64}$/.test(serialNo) ? serialNo : undefined;
}

/** A token or ticket with the vendor's stated lifetime, counted from the request. */
export interface Credential {
  value: Secret;
  /** Milliseconds, from `expire_in`; `expire_time` is ignored (protocol.md 1). */
  lifeMs: number;
}

/**
 * The token or ticket in field `name` of a successful reply; throws UpstreamError `malformed` if there is
 * none.
 */
export function credential(
  endpoint: "access_token" | "sign_ticket" | "nonce_ticket",
  { bizSeqNo }: Reply,
  fields: Readonly<Record<string, unknown>>,
  name: string,
): Credential {
  const value = text(fields[name]);
  const seconds = number(fields["expire_in"]);
  if (value === undefined || seconds === undefined || seconds <= 0) {
    throw new UpstreamError(endpoint, "malformed", { bizSeqNo });
  }
  return { value: new Secret(value), lifeMs: seconds * 1000 };
}

import type { CodeEntry } from "../domain/codes.ts";
import { UpstreamError } from "../errors.ts";
import type { Pii } from "../lib/redacted.ts";
import type { Reply } from "./reply.ts";
import { chinaTime, file, isRecord, score, shortText } from "./values.ts";

/** The vendor's response to a query; any code, since most are verdicts. */
export interface QueryResult {
  entry: CodeEntry;
  bizSeqNo: string | undefined;
  /** 0 to 100; undefined if the vendor gives no such number. */
  liveRate: number | undefined;
  similarity: number | undefined;
  /** Milliseconds since the Unix epoch. */
  occurredAt: number | undefined;
  photo: Pii<Uint8Array> | undefined;
  video: Pii<Uint8Array> | undefined;
  /** The vendor's undocumented original code beside `code`, passed through. */
  oriCode: string | undefined;
  sdkVersion: string | undefined;
  /** Undefined if the response has none, as in the basic edition. */
  riskInfo: RiskInfo | undefined;
  /** Fields with invalid values, by the vendor's names; they count as absent. */
  unreadable: readonly string[];
}

/** Device risk, passed through; the vendor publishes no scale (protocol.md 6.1 and 11, point 13). */
export type RiskInfo = Readonly<Record<(typeof RISKS)[number], string | undefined>>;

const RISKS = ["deviceInfoLevel", "deviceInfoTag", "riskInfoLevel", "riskInfoTag"] as const;

/**
 * Reads the reply to a query of `orderNo`; throws UpstreamError `malformed` if it may be about another order.
 */
export function readQueryResult({ entry, bizSeqNo, result }: Reply, orderNo: string): QueryResult {
  const echo = shortText(result["orderNo"]);
  // Another person's verdict must never be taken for this one's, so a pass has to name its order.
  if (echo === undefined ? entry.code === "0" : echo !== orderNo) {
    throw new UpstreamError("query", "malformed", { bizSeqNo });
  }
  const unreadable: string[] = [];
  const reader =
    (fields: Readonly<Record<string, unknown>>) =>
    <T>(name: string, read: (value: unknown) => T | undefined): T | undefined => {
      const value = fields[name];
      if (value === undefined || value === null || value === "") return undefined;
      const parsed = read(value);
      if (parsed === undefined) unreadable.push(name);
      return parsed;
    };
  const field = reader(result);
  const risks = field("riskInfo", (value) => (isRecord(value) ? value : undefined));
  const risk = risks && reader(risks);
  return {
    entry,
    bizSeqNo,
    liveRate: field("liveRate", score),
    similarity: field("similarity", score),
    occurredAt: field("occurredTime", chinaTime),
    photo: field("photo", file),
    video: field("video", file),
    oriCode: field("oriCode", shortText),
    sdkVersion: field("sdkVersion", shortText),
    riskInfo: risk && {
      deviceInfoLevel: risk("deviceInfoLevel", shortText),
      deviceInfoTag: risk("deviceInfoTag", shortText),
      riskInfoLevel: risk("riskInfoLevel", shortText),
      riskInfoTag: risk("riskInfoTag", shortText),
    },
    unreadable,
  };
}

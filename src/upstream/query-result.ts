import type { CodeEntry } from "../domain/codes.ts";
import { UpstreamError } from "../errors.ts";
import type { Pii } from "../lib/redacted.ts";
import type { Reply } from "./reply.ts";
import { chinaTime, file, isRecord, score, shortText } from "./values.ts";

/** What the vendor says of an order; any code, since most are verdicts. */
export interface QueryResult {
  entry: CodeEntry;
  bizSeqNo: string | undefined;
  /** 0 to 100; undefined where the vendor gives no such number. */
  liveRate: number | undefined;
  similarity: number | undefined;
  /** Milliseconds since the Unix epoch. */
  occurredAt: number | undefined;
  photo: Pii<Uint8Array> | undefined;
  video: Pii<Uint8Array> | undefined;
  /** The vendor's original code beside `code`, undocumented, as it comes. */
  oriCode: string | undefined;
  sdkVersion: string | undefined;
  /** Undefined where the answer has none, as in the basic edition. */
  riskInfo: RiskInfo | undefined;
  /** The fields that had something that cannot be what they should hold, by the vendor's names: they count as absent. */
  unreadable: readonly string[];
}

/** Risk of the device, as it comes; the vendor publishes no scale (protocol.md 6.1 and 11, point 13). */
export type RiskInfo = Readonly<Record<(typeof RISKS)[number], string | undefined>>;

const RISKS = ["deviceInfoLevel", "deviceInfoTag", "riskInfoLevel", "riskInfoTag"] as const;

/** Reads an answer to the query of `orderNo`; throws UpstreamError `malformed` where it is not known to be about this order. */
export function readQueryResult({ entry, bizSeqNo, result }: Reply, orderNo: string): QueryResult {
  const echo = shortText(result["orderNo"]);
  // Somebody else's verdict must never be taken for this one's; a pass has to name its order.
  if (echo === undefined ? entry.code === "0" : echo !== orderNo) {
    throw new UpstreamError("query", "malformed", { bizSeqNo });
  }
  const unreadable: string[] = [];
  const reader =
    (fields: Readonly<Record<string, unknown>>) =>
    <T>(name: string, read: (value: unknown) => T | undefined): T | undefined => {
      const value = fields[name];
      if (value === undefined || value === null || value === "") return undefined;
      const found = read(value);
      if (found === undefined) unreadable.push(name);
      return found;
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

import type { RandomText } from "../random.ts";

export const ANSWERS = ["captured", "printed"] as const;

/**
 * Whose way to write an answer: `captured` is that of kyc1.qcloud.com in captures of 2024 and later, `printed` that of the
 * vendor's older pages. Clients meet both, and a good one reads both (protocol.md 4.3, 11).
 */
export type Answers = (typeof ANSWERS)[number];

/** What the two ways differ in. */
export interface Shape {
  accessToken(): string;
  faceId(): string;
  /** A `bizSeqNo`. */
  serial(): string;
  /** `expire_in` of a ticket; that of a token is a number either way. */
  ticketExpireIn(seconds: number): number | string;
  /** What an answer with a token or a ticket carries besides. */
  receipt(): Readonly<Record<string, unknown>>;
  /** What the result of an upload carries besides; `success` means nothing, as its value shows. */
  uploaded: Readonly<Record<string, unknown>>;
  /** What the result of a query carries besides. */
  queried(code: string): Readonly<Record<string, unknown>>;
  /** Of the enhanced and Plus editions. */
  riskInfo: Readonly<Record<string, string | null>>;
}

export function createShape(answers: Answers, text: RandomText): Shape {
  return answers === "captured" ? captured(text) : printed(text);
}

function captured(text: RandomText): Shape {
  const serial = () => text(32, "digits");
  return {
    accessToken: () => text(64, "token"),
    faceId: () => `tx${text(30, "hex")}`,
    serial,
    ticketExpireIn: (seconds) => seconds,
    receipt: () => ({ success: true, bizSeqNo: serial() }),
    uploaded: { oriCode: "0", optimalDomain: "kyc1.qcloud.com", success: true },
    queried: (code) => ({ oriCode: code }),
    riskInfo: { deviceInfoLevel: "1", deviceInfoTag: null, riskInfoLevel: null, riskInfoTag: null },
  };
}

function printed(text: RandomText): Shape {
  return {
    accessToken: () => text(64),
    faceId: () => `tx${text(30)}`,
    serial: () => text(32),
    ticketExpireIn: String,
    receipt: () => ({}),
    uploaded: { success: false },
    queried: () => ({}),
    riskInfo: { deviceInfoLevel: "1", deviceInfoTag: "", riskInfoLevel: "1", riskInfoTag: "" },
  };
}

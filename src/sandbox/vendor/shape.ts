import type { RandomText } from "../random.ts";

export const ANSWERS = ["captured", "printed"] as const;

/**
 * The format of answers: `captured` from kyc1.qcloud.com in 2024 and later, or `printed` on the vendor's
 * older pages. Clients encounter both, and a good one reads both (protocol.md 4.3, 11).
 */
export type Answers = (typeof ANSWERS)[number];

/** The differences between the two formats. */
export interface Shape {
  accessToken(): string;
  faceId(): string;
  /** A `bizSeqNo`. */
  serial(): string;
  /** `expire_in` of a ticket; a token's is a number in both formats. */
  ticketExpireIn(seconds: number): number | string;
  /** Extra fields of an answer with a token or a ticket. */
  receipt(): Readonly<Record<string, unknown>>;
  /** Extra fields of an upload's result; `success` is meaningless, as its value shows. */
  uploaded: Readonly<Record<string, unknown>>;
  /** Extra fields of a query's result. */
  queried(code: string): Readonly<Record<string, unknown>>;
  /** For the enhanced and Plus editions. */
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
    // Empty, as also captured: any other host would lead browsers away from the sandbox.
    uploaded: { oriCode: "0", optimalDomain: "", success: true },
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

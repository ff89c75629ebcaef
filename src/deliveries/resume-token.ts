import { createHash } from "node:crypto";

/**
 * A place in the sequence of events of one register, in a form that callers do not interpret: the token of another register
 * would silently skip events.
 */
export interface ResumeTokens {
  of(sequence: number): string;
  /** The sequence; undefined for a text that is no token of this register. */
  read(token: string): number | undefined;
}

const VERSION = "1";

/** The tokens of a register, named as in `registerName`. */
export function createResumeTokens(register: string): ResumeTokens {
  const check = (sequence: number) =>
    createHash("sha256").update(`${VERSION}:${register}:${sequence}`).digest("base64url").slice(0, 12);
  const of = (sequence: number) =>
    Buffer.from(`${VERSION}.${sequence}.${check(sequence)}`).toString("base64url");
  return {
    of,
    read(token) {
      const [, digits] = /^1\.(\d{1,10})\.[\w-]{12}$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
      const sequence = Number(digits);
      return digits !== undefined && of(sequence) === token ? sequence : undefined;
    },
  };
}

import { createHash } from "node:crypto";
import { Secret } from "../lib/redacted.ts";

/** A token as it was issued; `issuedAt` is the store's time just before the call, so that its end is early, never late. */
export interface IssuedToken {
  accessToken: Secret;
  issuedAt: number;
  lifeMs: number;
  /** `fingerprint` of the secret that obtained it. */
  secretId: string;
}

/** A token and the SIGN ticket that was issued for it: they live and die together (protocol.md 1). */
export interface IssuedPair extends IssuedToken {
  signTicket: Secret;
  signIssuedAt: number;
  signLifeMs: number;
}

/** Tells secrets apart without telling anything about them. */
export const fingerprint = (secret: Secret): string =>
  createHash("sha256").update(`secret fingerprint ${secret.reveal()}`).digest("hex").slice(0, 16);

/** The secret of this fingerprint, if it is among them. */
export const secretOf = (secrets: readonly Secret[], secretId: string): Secret | undefined =>
  secrets.find((secret) => fingerprint(secret) === secretId);

/** The text that is sealed; the one place where tokens are written out. */
export function writePair(pair: IssuedToken | IssuedPair): string {
  const { accessToken } = pair;
  return JSON.stringify({
    ...pair,
    accessToken: accessToken.reveal(),
    ...("signTicket" in pair && { signTicket: pair.signTicket.reveal() }),
  });
}

/** A staged token; undefined when the text is none. */
export function readToken(text: string): IssuedToken | undefined {
  const { accessToken, issuedAt, lifeMs, secretId } = parse(text);
  if (typeof accessToken !== "string" || accessToken === "" || typeof secretId !== "string") return undefined;
  if (!isNumber(issuedAt) || !isNumber(lifeMs)) return undefined;
  return { accessToken: new Secret(accessToken), issuedAt, lifeMs, secretId };
}

/** A pair; undefined when the text is none. */
export function readPair(text: string): IssuedPair | undefined {
  const token = readToken(text);
  const { signTicket, signIssuedAt, signLifeMs } = parse(text);
  if (!token || typeof signTicket !== "string" || signTicket === "") return undefined;
  if (!isNumber(signIssuedAt) || !isNumber(signLifeMs)) return undefined;
  return { ...token, signTicket: new Secret(signTicket), signIssuedAt, signLifeMs };
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

import { createHash } from "node:crypto";
import { Secret } from "../lib/redacted.ts";

/** An issued token. `issuedAt`: the store's time just before the call, so its end is computed too early, never too late. */
export interface IssuedToken {
  accessToken: Secret;
  issuedAt: number;
  lifeMs: number;
  /** `fingerprint` of the secret that obtained it. */
  secretId: string;
}

/** A token and the SIGN ticket issued for it: they live and die together (protocol.md 1). */
export interface IssuedPair extends IssuedToken {
  signTicket: Secret;
  signIssuedAt: number;
  signLifeMs: number;
}

/** Identifies a secret without revealing anything about it. */
export const fingerprint = (secret: Secret): string =>
  createHash("sha256").update(`secret fingerprint ${secret.reveal()}`).digest("hex").slice(0, 16);

/** The secret with this fingerprint, if configured. */
export const secretOf = (secrets: readonly Secret[], secretId: string): Secret | undefined =>
  secrets.find((secret) => fingerprint(secret) === secretId);

/** The plain text to seal; the only place where tokens are serialised. */
export function writePair(pair: IssuedToken | IssuedPair): string {
  const { accessToken } = pair;
  return JSON.stringify({
    ...pair,
    accessToken: accessToken.reveal(),
    ...("signTicket" in pair && { signTicket: pair.signTicket.reveal() }),
  });
}

/** Parses a staged token; undefined if invalid. */
export function readToken(text: string): IssuedToken | undefined {
  const { accessToken, issuedAt, lifeMs, secretId } = parse(text);
  if (typeof accessToken !== "string" || accessToken === "" || typeof secretId !== "string") return undefined;
  if (!isNumber(issuedAt) || !isNumber(lifeMs)) return undefined;
  return { accessToken: new Secret(accessToken), issuedAt, lifeMs, secretId };
}

/** Parses a pair; undefined if invalid. */
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

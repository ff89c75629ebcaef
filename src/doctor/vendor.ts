import type { OrderNumbers } from "../domain/order-number.ts";
import { UpstreamError } from "../errors.ts";
import { randomBase62 } from "../lib/base62.ts";
import { Pii, type Secret } from "../lib/redacted.ts";
import type { UpstreamClient } from "../upstream/client.ts";
import type { TokenParam } from "../upstream/editions.ts";
import type { Signer } from "../upstream/signer.ts";
import { type Check, checksFor } from "./check.ts";

/** Parts for calling the vendor. None of these calls invalidates a token or is charged (protocol.md 10.2). */
export interface VendorParts {
  clientWith: (tokenParam: TokenParam) => Pick<UpstreamClient, "fetchNonceTicket" | "query" | "upload">;
  tokenParam: TokenParam;
  edition: string;
  signer: Pick<Signer, "query" | "upload">;
  orderNumbers: Pick<OrderNumbers, "mint">;
  createNonce: () => string;
  now: () => number;
}

interface Pair {
  accessToken: Secret;
  signTicket: Secret;
}

const TIMEOUT_MS = 10_000;
const timeout = () => AbortSignal.timeout(TIMEOUT_MS);
/** A throwaway user id, new each time: the vendor issues a user only one NONCE ticket every two seconds. */
const throwawayUser = () => `doctor${randomBase62(18)}`;
/** The example of GB 11643-1999: a valid number known to belong to no person. */
const EXAMPLE = { name: new Pii("张三"), idNo: new Pii("11010519491231002X") };

export const FOREIGN_ROTATOR =
  "somebody else has fetched a token, or the secret was changed: docs/runbook.md, foreign rotator";

/** The vendor's code for a refused call, or else why the call failed. */
export function failureText(error: unknown): string {
  if (!(error instanceof UpstreamError)) return error instanceof Error ? error.name : "error";
  return error.entry === undefined ? error.failure : `${error.entry.code}, ${error.entry.text.en}`;
}

const classOf = (error: unknown) => (error instanceof UpstreamError ? error.entry?.codeClass : undefined);

/** Checks that the vendor accepts the token, and in which spelling of the app id, by a NONCE ticket call. */
export async function checkToken(pair: Pair, { clientWith, tokenParam }: VendorParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("token and app id");
  const fetchTicket = (param: TokenParam) =>
    clientWith(param).fetchNonceTicket(pair.accessToken, throwawayUser(), timeout());
  try {
    await fetchTicket(tokenParam);
    return ok(`accepted, with the app id spelt ${tokenParam}`);
  } catch (error) {
    const kind = classOf(error);
    if (kind === undefined || kind === "trouble" || kind === "unknown" || kind === "rate") {
      return warn(
        `the vendor gave no NONCE ticket (${failureText(error)})`,
        "try again; docs/runbook.md, vendor slow or down",
      );
    }
    const other = tokenParam === "app_id" ? "appId" : "app_id";
    const otherAccepted = await fetchTicket(other).then(
      () => true,
      () => false,
    );
    if (otherAccepted)
      return fail(
        `refused when spelt ${tokenParam}, accepted when spelt ${other}`,
        `set FACEID_TOKEN_PARAM=${other}`,
      );
    return kind === "refused"
      ? fail(`the vendor refuses the token (${failureText(error)})`, FOREIGN_ROTATOR)
      : fail(
          `the vendor refuses the app id (${failureText(error)})`,
          "check FACEID_APP_ID and the contract in the vendor's console",
        );
  }
}

/**
 * Checks that the vendor accepts a signature with the SIGN ticket, by querying an order that does not exist.
 */
export async function checkSignature(pair: Pair, parts: VendorParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("signature");
  const { clientWith, tokenParam, signer, orderNumbers, createNonce, now } = parts;
  const [orderNo, nonce] = [orderNumbers.mint("", now()), createNonce()];
  try {
    const sign = signer.query({ orderNo, nonce }, pair.signTicket);
    const { entry } = await clientWith(tokenParam).query({ orderNo, nonce, sign }, timeout());
    const { code, codeClass, text } = entry;
    if (codeClass === "noRecord") return ok("accepted: there is no such order");
    if (codeClass === "refused") return fail(`the vendor refuses it (${code}, ${text.en})`, FOREIGN_ROTATOR);
    if (codeClass === "misconfigured")
      return fail(`${code}, ${text.en}`, "check the contract in the vendor's console");
    return warn(
      `an order that does not exist is answered with ${code}, ${text.en}`,
      "try again, or ask the vendor",
    );
  } catch (error) {
    return warn(
      `the query failed (${failureText(error)})`,
      "try again; docs/runbook.md, vendor slow or down",
    );
  }
}

/** Checks that the contract covers FACEID_EDITION, by uploading a fictitious identity. */
export async function checkEdition(pair: Pair, parts: VendorParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("edition");
  const { clientWith, tokenParam, edition, signer, orderNumbers, createNonce, now } = parts;
  const [orderNo, nonce, userId] = [orderNumbers.mint("", now()), createNonce(), throwawayUser()];
  try {
    const sign = signer.upload({ userId, nonce }, pair.signTicket);
    await clientWith(tokenParam).upload({ ...EXAMPLE, orderNo, nonce, userId, sign }, timeout());
    return ok(`${edition} is contracted`);
  } catch (error) {
    if (classOf(error) === "misconfigured") {
      return fail(
        `the vendor refuses the edition ${edition} (${failureText(error)})`,
        "set FACEID_EDITION to that of the contract and of the SDK in the app",
      );
    }
    return warn(`the upload failed (${failureText(error)})`, "look at the checks above first");
  }
}

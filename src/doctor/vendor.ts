import type { Orders } from "../domain/order.ts";
import { UpstreamError } from "../errors.ts";
import { randomBase62 } from "../lib/base62.ts";
import { Pii, type Secret } from "../lib/redacted.ts";
import type { UpstreamClient } from "../upstream/client.ts";
import type { TokenParam } from "../upstream/editions.ts";
import type { Signer } from "../upstream/signer.ts";
import { type Check, checksFor } from "./check.ts";

/** What the vendor is asked with. None of these calls ends a token, and none is charged (protocol.md 10.2). */
export interface VendorParts {
  clientWith: (tokenParam: TokenParam) => Pick<UpstreamClient, "fetchNonceTicket" | "query" | "upload">;
  tokenParam: TokenParam;
  edition: string;
  signer: Pick<Signer, "query" | "upload">;
  orders: Pick<Orders, "mint">;
  createNonce: () => string;
  now: () => number;
}

interface Pair {
  accessToken: Secret;
  signTicket: Secret;
}

const PATIENCE_MS = 10_000;
const patience = () => AbortSignal.timeout(PATIENCE_MS);
/** Nobody's, and another one each time: the vendor gives a user a NONCE ticket every two seconds only. */
const nobody = () => `doctor${randomBase62(18)}`;
/** The example of GB 11643-1999: a valid number that is known to be nobody's. */
const EXAMPLE = { name: new Pii("张三"), idNo: new Pii("11010519491231002X") };

export const LIVING =
  "somebody else has fetched a token, or the secret was changed: docs/runbook.md, foreign rotator";

/** The code of a refusal, or how the call failed. */
export function said(error: unknown): string {
  if (!(error instanceof UpstreamError)) return error instanceof Error ? error.name : "error";
  return error.entry === undefined ? error.failure : `${error.entry.code}, ${error.entry.text.en}`;
}

const classOf = (error: unknown) => (error instanceof UpstreamError ? error.entry?.codeClass : undefined);

/** Whether the vendor takes the token, and in which spelling of the app id: a NONCE ticket for nobody. */
export async function checkToken(pair: Pair, { clientWith, tokenParam }: VendorParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("token and app id");
  const ask = (param: TokenParam) =>
    clientWith(param).fetchNonceTicket(pair.accessToken, nobody(), patience());
  try {
    await ask(tokenParam);
    return ok(`accepted, with the app id spelt ${tokenParam}`);
  } catch (error) {
    const kind = classOf(error);
    if (kind === undefined || kind === "trouble" || kind === "unknown" || kind === "rate") {
      return warn(
        `the vendor gave no NONCE ticket (${said(error)})`,
        "try again; docs/runbook.md, vendor slow or down",
      );
    }
    const other = tokenParam === "app_id" ? "appId" : "app_id";
    const spelling = await ask(other).then(
      () => true,
      () => false,
    );
    if (spelling)
      return fail(
        `refused when spelt ${tokenParam}, accepted when spelt ${other}`,
        `set FACEID_TOKEN_PARAM=${other}`,
      );
    return kind === "refused"
      ? fail(`the vendor refuses the token (${said(error)})`, LIVING)
      : fail(
          `the vendor refuses the app id (${said(error)})`,
          "check FACEID_APP_ID and the contract in the vendor's console",
        );
  }
}

/** Whether the vendor takes a signature with the SIGN ticket: it is asked for an order that does not exist. */
export async function checkSignature(pair: Pair, parts: VendorParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("signature");
  const { clientWith, tokenParam, signer, orders, createNonce, now } = parts;
  const [orderNo, nonce] = [orders.mint("", now()), createNonce()];
  try {
    const sign = signer.query({ orderNo, nonce }, pair.signTicket);
    const { entry } = await clientWith(tokenParam).query({ orderNo, nonce, sign }, patience());
    const { code, codeClass, text } = entry;
    if (codeClass === "noRecord") return ok("accepted: there is no such order");
    if (codeClass === "refused") return fail(`the vendor refuses it (${code}, ${text.en})`, LIVING);
    if (codeClass === "misconfigured")
      return fail(`${code}, ${text.en}`, "check the contract in the vendor's console");
    return warn(
      `an order that does not exist is answered with ${code}, ${text.en}`,
      "try again, or ask the vendor",
    );
  } catch (error) {
    return warn(`the query failed (${said(error)})`, "try again; docs/runbook.md, vendor slow or down");
  }
}

/** Whether the contract covers FACEID_EDITION: an identity of nobody is uploaded. */
export async function checkEdition(pair: Pair, parts: VendorParts): Promise<Check> {
  const { ok, warn, fail } = checksFor("edition");
  const { clientWith, tokenParam, edition, signer, orders, createNonce, now } = parts;
  const [orderNo, nonce, userId] = [orders.mint("", now()), createNonce(), nobody()];
  try {
    const sign = signer.upload({ userId, nonce }, pair.signTicket);
    await clientWith(tokenParam).upload({ ...EXAMPLE, orderNo, nonce, userId, sign }, patience());
    return ok(`${edition} is contracted`);
  } catch (error) {
    if (classOf(error) === "misconfigured") {
      return fail(
        `the vendor refuses the edition ${edition} (${said(error)})`,
        "set FACEID_EDITION to that of the contract and of the SDK in the app",
      );
    }
    return warn(`the upload failed (${said(error)})`, "look at the checks above first");
  }
}

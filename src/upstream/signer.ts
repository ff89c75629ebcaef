import { hash } from "node:crypto";
import { PROTOCOL_VERSION } from "../domain/version.ts";
import { randomBytes } from "../lib/base62.ts";
import type { Secret } from "../lib/redacted.ts";

/**
 * One method per documented call, so that no caller picks the signed values by hand (protocol.md 5.1). Each
 * requires the kind of ticket named by its parameter; the nonce is always 32 letters and digits.
 */
export interface Signer {
  /**
   * `getfaceid`, `getAdvFaceId`, `getPlusFaceId`; SIGN ticket. Does not cover order number, name or ID
   * number.
   */
  upload(values: { userId: string; nonce: string }, signTicket: Secret): string;
  /** The start of the App SDK; NONCE ticket. Does not cover order number or faceId. */
  launch(values: { userId: string; nonce: string }, nonceTicket: Secret): string;
  /** `queryfacerecord`; SIGN ticket. */
  query(values: { orderNo: string; nonce: string }, signTicket: Secret): string;
  /**
   * The vendor's front-end signature of a result: the H5 redirect, or the SDK's `sign` with code "0"; SIGN
   * ticket.
   */
  callback(values: { orderNo: string; code: string }, signTicket: Secret): string;
  /** The check of an OCR SDK result; SIGN ticket. */
  ocrCallback(values: { orderNo: string }, signTicket: Secret): string;
  /**
   * The old H5 upload, `h5/geth5faceid`; SIGN ticket. The only call that signs name and ID number, and no
   * nonce.
   */
  webUpload(
    values: { orderNo: string; name: string; idNo: string; userId: string },
    signTicket: Secret,
  ): string;
  /** The start of the standalone H5 or PC H5 page; NONCE ticket. */
  webLaunch(
    values: { userId: string; orderNo: string; faceId: string; nonce: string },
    nonceTicket: Secret,
  ): string;
}

/** The signer for one WBappid. */
export function createSigner({ appId }: { appId: string }): Signer {
  return {
    upload: ({ userId, nonce }, ticket) => sign([appId, userId, PROTOCOL_VERSION, nonce], ticket),
    launch: ({ userId, nonce }, ticket) => sign([appId, userId, PROTOCOL_VERSION, nonce], ticket),
    query: ({ orderNo, nonce }, ticket) => sign([appId, orderNo, PROTOCOL_VERSION, nonce], ticket),
    callback: ({ orderNo, code }, ticket) => sign([appId, orderNo, code], ticket),
    ocrCallback: ({ orderNo }, ticket) => sign([appId, orderNo], ticket),
    webUpload: ({ orderNo, name, idNo, userId }, ticket) =>
      sign([appId, orderNo, name, idNo, userId, PROTOCOL_VERSION], ticket),
    webLaunch: ({ userId, orderNo, faceId, nonce }, ticket) =>
      sign([appId, userId, orderNo, PROTOCOL_VERSION, faceId, nonce], ticket),
  };
}

/**
 * The vendor's signature (protocol.md 5): values and ticket sorted by UTF-16 code unit, as Java's
 * `String.compareTo` does, joined without separator, SHA-1 over UTF-8, upper-case hex. Equal values stay in
 * the list twice.
 */
export function sign(values: readonly string[], ticket: Secret): string {
  // Array.sort without a comparator sorts by UTF-16 code unit; localeCompare would be wrong.
  const canonical = [...values, ticket.reveal()].sort().join("");
  return hash("sha1", canonical, "hex").toUpperCase();
}

/**
 * The vendor's nonce: exactly 32 letters and digits, new for every signature (protocol.md 5), with 128 random
 * bits.
 */
export const createNonce = (): string => randomBytes(16).toString("hex");

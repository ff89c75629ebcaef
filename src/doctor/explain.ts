import { createHash } from "node:crypto";
import { PROTOCOL_VERSION } from "../domain/version.ts";
import type { Secret } from "../lib/redacted.ts";
import { explainSortedSha1, type SortedSha1 } from "../lib/sorted-sha1.ts";
import type { ExplainArguments } from "./arguments.ts";

/** The named values that each call signs, without the ticket (protocol.md 5.1). */
function valuesOf(
  { call, userId, orderNo, nonce, code }: ExplainArguments,
  appId: string,
): [string, string][] {
  const version: [string, string] = ["version", PROTOCOL_VERSION];
  switch (call) {
    case "upload":
    case "launch":
      return [["appId", appId], ["userId", userId], version, ["nonce", nonce]];
    case "query":
      return [["appId", appId], ["orderNo", orderNo], version, ["nonce", nonce]];
    case "callback":
      return [
        ["appId", appId],
        ["orderNo", orderNo],
        ["code", code],
      ];
  }
}

/** Enough to distinguish two tickets, without revealing them. */
export const fingerprintOf = (ticket: Secret): string =>
  createHash("sha256").update(`ticket fingerprint ${ticket.reveal()}`).digest("hex").slice(0, 12);

/**
 * How a signature is computed: each value with its length in the order of the joined string, and the result.
 * Only the ticket's fingerprint is shown. Sorts and hashes independently of the signer, so that it checks the
 * signer, too.
 */
export function explainSignature(request: ExplainArguments, appId: string, ticket: Secret): string {
  const { parts, joinedLength, digest } = explainSortedSha1([
    ...valuesOf(request, appId),
    ["ticket", ticket.reveal()],
  ]);
  const shown = parts.map(({ name, value }, i) => {
    const what =
      name === "ticket" ? `(not shown; fingerprint ${fingerprintOf(ticket)})` : JSON.stringify(value);
    return `  ${i + 1}. ${name.padEnd(8)} ${String(value.length).padStart(3)} characters  ${what}`;
  });
  return [
    `${request.call} signs ${parts.length} values, ${request.call === "launch" ? "with the NONCE ticket" : "with the SIGN ticket"}, in this order after sorting:`,
    ...shown,
    `joined without separator: ${joinedLength} characters; SHA-1 of its UTF-8 in hexadecimal digits:`,
    `  ${digest}`,
    ...findings(request, parts, digest),
  ].join("\n");
}

function findings({ call, nonce, sign }: ExplainArguments, parts: SortedSha1["parts"], computed: string) {
  const empty = parts.filter(({ value }) => value === "").map(({ name }) => name);
  const rules: [holds: boolean, sentence: string][] = [
    [empty.length > 0, `without a value: ${empty.join(", ")}`],
    [call !== "callback" && !/^[0-9A-Za-z]{32}$/.test(nonce), "the nonce must be 32 letters and digits"],
    [sign !== undefined && sign.toUpperCase() === computed, "the same as the given signature"],
    [
      sign !== undefined && sign.toUpperCase() !== computed,
      "NOT the given signature: another value, ticket or order",
    ],
  ];
  return rules.filter(([holds]) => holds).map(([, sentence]) => `  ${sentence}`);
}

import { explainSortedSha1, type SortedSha1 } from "../../lib/sorted-sha1.ts";
import type { AccessToken, Ticket } from "../vendor/credentials.ts";
import { firstValues, readJsonObject, type SandboxRequest } from "../vendor/request.ts";
import { launchFields } from "../vendor/sdk.ts";
import type { State } from "../vendor/state.ts";
import { isSignedBy } from "../vendor/verify.ts";

/** How the signature of a call is computed, and whether the one that was sent agrees. */
export interface SignedExplanation extends SortedSha1 {
  ticket: "SIGN" | "NONCE";
  /** Generation of the token that the ticket was issued for; undefined if there is no such ticket. */
  generation: number | undefined;
  /** As sent. */
  sent: string;
  agrees: boolean;
}

/** What a call proves itself with: its token or ticket, and what it signed. */
export interface Proof {
  /** Undefined if the sandbox does not know the credential. */
  life: CredentialLife | undefined;
  signed: SignedExplanation | undefined;
}

/** When a token or ticket was issued and dies; sandbox time, milliseconds since the Unix epoch. */
export interface CredentialLife {
  issuedAt: number;
  expiresAt: number;
}

/** Looks at once: the sandbox forgets dead tickets. */
export function proofOf(request: SandboxRequest, state: State): Proof {
  switch (request.endpoint) {
    case "upload":
    case "query":
    case "sdk_verify":
      return signedProof(request, state);
    default: {
      const token = state.credentials.findToken(firstValues(request.query)["access_token"] ?? "");
      return { life: token && lifeOf(token), signed: undefined };
    }
  }
}

/** A ticket dies with its token, at the latest. */
function lifeOf(credential: AccessToken | Ticket): CredentialLife {
  const { issuedAt, expiresAt } = credential;
  const end = "token" in credential ? Math.min(expiresAt, credential.token.expiresAt) : expiresAt;
  return { issuedAt, expiresAt: end };
}

function signedProof({ endpoint, body }: SandboxRequest, state: State): Proof {
  const fields = launchFields(readJsonObject(body) ?? Object.fromEntries(new URLSearchParams(body)));
  const { webankAppId, version = "", nonce = "", orderNo = "", userId = "", sign = "" } = fields;
  const appId = fields.appId ?? webankAppId ?? "";
  const named: [string, string][] = [
    ["appId", appId],
    endpoint === "query" ? ["orderNo", orderNo] : ["userId", userId],
    ["version", version],
    ["nonce", nonce],
  ];
  const values = named.map(([, value]) => value);
  const { credentials } = state;
  const tickets = endpoint === "sdk_verify" ? credentials.nonceTickets(userId) : credentials.signTickets();
  const fits = (ticket: Ticket) => isSignedBy(sign, values, ticket.value);
  const right = tickets.find(fits);
  // Without one that fits, the newest shows what would have been right.
  const ticket = right ?? tickets[0];
  return {
    life: right && lifeOf(right),
    signed: {
      ...explainSortedSha1([...named, ["ticket", ticket?.value ?? ""]]),
      ticket: endpoint === "sdk_verify" ? "NONCE" : "SIGN",
      generation: ticket?.token.generation,
      sent: sign,
      agrees: right !== undefined,
    },
  };
}

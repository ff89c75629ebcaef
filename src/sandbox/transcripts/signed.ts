import { explainSortedSha1, type SortedSha1 } from "../../lib/sorted-sha1.ts";
import type { Fields } from "../vendor/checks.ts";
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
    case "web_login":
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

/** The values that a call signs, by name (protocol.md 4.2, 5.1 and 9). */
function signedNames({ endpoint }: SandboxRequest, { nonce }: Fields): readonly string[] {
  if (endpoint === "query") return ["orderNo", "version", "nonce"];
  if (endpoint === "web_login") return ["userId", "orderNo", "version", "faceId", "nonce"];
  // The upload for a page has no nonce.
  const isWebUpload = endpoint === "upload" && nonce === undefined;
  return isWebUpload ? ["orderNo", "name", "idNo", "userId", "version"] : ["userId", "version", "nonce"];
}

function signedProof(request: SandboxRequest, state: State): Proof {
  const { endpoint, body, query } = request;
  const input = readJsonObject(body) ?? Object.fromEntries(new URLSearchParams(body));
  const fields: Fields = launchFields(endpoint === "web_login" ? firstValues(query) : input);
  const { userId = "", sign = "" } = fields;
  const values: Fields = {
    ...fields,
    appId: fields["appId"] ?? fields["webankAppId"],
    faceId: fields["faceId"] ?? fields["h5faceId"],
  };
  const named = ["appId", ...signedNames(request, fields)].map((name) => [name, values[name] ?? ""] as const);
  const isLaunch = endpoint === "sdk_verify" || endpoint === "web_login";
  const { credentials } = state;
  const tickets = isLaunch ? credentials.nonceTickets(userId) : credentials.signTickets();
  const texts = named.map(([, value]) => value);
  const fits = (ticket: Ticket) => isSignedBy(sign, texts, ticket.value);
  const right = tickets.find(fits);
  // Without one that fits, the newest shows what would have been right.
  const ticket = right ?? tickets[0];
  return {
    life: right && lifeOf(right),
    signed: {
      ...explainSortedSha1([...named, ["ticket", ticket?.value ?? ""]]),
      ticket: isLaunch ? "NONCE" : "SIGN",
      generation: ticket?.token.generation,
      sent: sign,
      agrees: right !== undefined,
    },
  };
}

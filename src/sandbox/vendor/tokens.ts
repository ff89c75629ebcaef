import type { BreachFinding } from "./breaches.ts";
import { appFindings, type Fields, isWord, queryFindings } from "./checks.ts";
import type { AccessToken, Ticket } from "./credentials.ts";
import { formatChinaTime, messageOf, refuse, type VendorReply } from "./reply.ts";
import { firstValues, type SandboxRequest } from "./request.ts";
import { RULES } from "./rules.ts";
import type { Shape } from "./shape.ts";
import type { State } from "./state.ts";
import { sameText } from "./verify.ts";

const APP = ["app_id", "appId", "version"];

/** GET /api/oauth2/access_token (protocol.md 1). */
export function answerAccessToken(request: SandboxRequest, state: State): VendorReply {
  const query = firstValues(request.query);
  const refusal = state.breaches.judge(request, [
    ["token_call_empty", Object.keys(query).length === 0],
    ...queryFindings(request, [...APP, "secret", "grant_type"]),
    ...appFindings(query, state),
    ["grant_type_wrong", query["grant_type"] !== "client_credential"],
    ["secret_wrong", !sameText(query["secret"] ?? "", state.secret)],
  ]);
  if (refusal) return refuse(state, refusal);
  const token = state.credentials.issueToken();
  return {
    code: "0",
    msg: messageOf("0"),
    transactionTime: formatChinaTime(token.issuedAt),
    access_token: token.value,
    expire_time: formatChinaTime(token.expiresAt),
    expire_in: seconds(state.lifetimes.tokenLifeMs),
    ...state.shape.receipt(),
  };
}

/** GET /api/oauth2/api_ticket with `type=SIGN` (protocol.md 2). */
export function answerSignTicket(request: SandboxRequest, state: State): VendorReply {
  const query = firstValues(request.query);
  const refusal = state.breaches.judge(request, [
    ...queryFindings(request, [
      ...APP,
      "access_token",
      "type",
      ...(query["type"] === "SIGN" ? [] : ["user_id"]),
    ]),
    ...ticketFindings(query, state),
  ]);
  const token = state.credentials.findToken(query["access_token"] ?? "");
  if (refusal || !token) return refuse(state, refusalFor(refusal, token, state));
  return ticketReply(state.credentials.issueSignTicket(token), state.lifetimes.ticketLifeMs, state.shape);
}

/** GET /api/oauth2/api_ticket with `type=NONCE` (protocol.md 3). */
export function answerNonceTicket(request: SandboxRequest, state: State): VendorReply {
  const { credentials, lifetimes, clock } = state;
  const query = firstValues(request.query);
  const userId = query["user_id"] ?? "";
  const [latest] = credentials.nonceTickets(userId);
  const refusal = state.breaches.judge(request, [
    ...queryFindings(request, [...APP, "access_token", "type", "user_id"]),
    ...ticketFindings(query, state),
    ["ticket_user_id_format", !isWord(userId, 1, 32)],
    ["nonce_too_frequent", latest !== undefined && clock.now() < latest.issuedAt + lifetimes.nonceIntervalMs],
  ]);
  const token = credentials.findToken(query["access_token"] ?? "");
  if (refusal || !token) return refuse(state, refusalFor(refusal, token, state));
  return ticketReply(credentials.issueNonceTicket(token, userId), lifetimes.nonceLifeMs, state.shape);
}

function ticketFindings(query: Fields, state: State): BreachFinding[] {
  const token = state.credentials.findToken(query["access_token"] ?? "");
  return [
    ...appFindings(query, state),
    ["ticket_type_wrong", query["type"] !== "SIGN" && query["type"] !== "NONCE"],
    ["token_unknown", token === undefined],
    ["token_dead", token !== undefined && !state.credentials.isAlive(token)],
  ];
}

/** The configured code for a dead token; for everything else the rule's. */
function refusalFor(refusal = "400103", token: AccessToken | undefined, state: State): string {
  const died = refusal === RULES.token_dead.code && token !== undefined && !state.credentials.isAlive(token);
  return died ? state.deadTokenCode : refusal;
}

function ticketReply({ value, issuedAt, expiresAt }: Ticket, lifeMs: number, shape: Shape): VendorReply {
  const expireIn = shape.ticketExpireIn(seconds(lifeMs));
  return {
    code: "0",
    msg: messageOf("0"),
    transactionTime: formatChinaTime(issuedAt),
    tickets: [{ value, expire_in: expireIn, expire_time: formatChinaTime(expiresAt) }],
    ...shape.receipt(),
  };
}

/** Whole seconds, but at least 1: with a drill's fast clock, 0 would read as already expired. */
function seconds(ms: number): number {
  return Math.max(1, Math.floor(ms / 1000));
}

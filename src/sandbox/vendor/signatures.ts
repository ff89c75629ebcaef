import type { BreachFinding } from "./breaches.ts";
import type { Ticket } from "./credentials.ts";
import type { State } from "./state.ts";
import { isSignedBy } from "./verify.ts";

/** Findings on a signature that requires a live SIGN ticket (protocol.md 5.1): why it is wrong. */
export function signFindings(
  sign: string,
  values: readonly string[],
  userId: string,
  state: State,
): BreachFinding[] {
  if (!isSign(sign)) return [["sign_format", true]];
  const { credentials } = state;
  const fits = (ticket: Ticket) => isSignedBy(sign, values, ticket.value);
  const ticket = credentials.signTickets().find(fits);
  if (ticket) return [["sign_ticket_dead", !credentials.isAlive(ticket)]];
  const isNonce = credentials.nonceTickets(userId).some(fits);
  return [[isNonce ? "ticket_kind_wrong" : "signature_wrong", true]];
}

/** As `signFindings`, for a launch, which needs this user's live, unused NONCE ticket; also returns it. */
export function launchFindings(
  sign: string,
  values: readonly string[],
  userId: string,
  state: State,
): [Ticket | undefined, BreachFinding[]] {
  if (!isSign(sign)) return [undefined, [["sign_format", true]]];
  const { credentials } = state;
  const fits = (ticket: Ticket) => isSignedBy(sign, values, ticket.value);
  const ticket = credentials.nonceTickets(userId).find(fits);
  if (ticket) {
    const dead: BreachFinding = ["nonce_ticket_dead", !credentials.isAlive(ticket)];
    return [ticket, [["nonce_ticket_used", ticket.used], dead]];
  }
  if (credentials.signTickets().some(fits)) return [undefined, [["launch_signed_with_sign_ticket", true]]];
  const isOthers = [...credentials.nonceUsers()].some((user) => credentials.nonceTickets(user).some(fits));
  return [undefined, [[isOthers ? "nonce_ticket_of_other_user" : "signature_wrong", true]]];
}

/** Whether the text has the format of a signature: SHA-1 in hexadecimal digits. */
function isSign(sign: string): boolean {
  return /^[0-9A-Fa-f]{40}$/.test(sign);
}

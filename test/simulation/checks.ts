import type { TicketState } from "../../src/tickets/protocol/state.ts";

/** What every write must keep (ticket-cache.md 3), seen from the store: the state before, the state after, the store's clock. */
export function brokenByWrite(before: TicketState, after: TicketState, now: number): string[] {
  const broken: string[] = [];
  const [old, next] = [before.published?.generation ?? 0, after.published?.generation ?? 0];
  if (next < old) broken.push(`1: generation ${next} was published after ${old}`);
  if (after.granted < before.granted)
    broken.push(`1: generation ${after.granted} granted after ${before.granted}`);
  const { lease } = before;
  const granted = after.granted !== before.granted && after.lease !== undefined && next === old;
  // A lease that outlasts its own length is of a clock that went back, and is cut by the very write.
  if (granted && lease && lease.until > now && lease.until - now <= lease.ms) {
    broken.push(`4: ${after.lease?.holder} was granted the lease that ${lease.holder} holds`);
  }
  if (granted && after.intent === undefined) broken.push("8: a lease without an intent");
  if (before.doubt && !after.doubt && !(next > before.doubt.upTo)) {
    broken.push(`5: a doubt up to ${before.doubt.upTo} ended with ${next}`);
  }
  return broken;
}

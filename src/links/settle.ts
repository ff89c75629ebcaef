import { Verdict, VerdictReason } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Call } from "../calls/call.ts";
import { enumName } from "../domain/verdict.ts";
import { ServiceError, UpstreamError } from "../errors.ts";
import type { Outcome, OutcomeReader } from "../handlers/read-outcome.ts";
import type { Clock } from "../lib/clock.ts";
import type { LinkEvents } from "./events.ts";
import { isOver, type Link, type LinkAttempt, pendingOf, withOutcome } from "./link.ts";
import type { LinkStore } from "./store.ts";

export interface SettleOptions {
  store: LinkStore;
  outcomes: OutcomeReader;
  clock: Clock;
  events: Pick<LinkEvents, "linkEnded">;
}

/** Finds out what has come of attempts, which is the only way for a link to get a verdict. */
export interface Settle {
  /** Asks about each of `attempts`; resolves to the link as it is then. Rejects as `OutcomeReader` does. */
  ask(link: Link, attempts: readonly LinkAttempt[], call: Pick<Call, "signal" | "note">): Promise<Link>;
  /** What the ledger knows by itself of attempts that are pending. Never asks the vendor. */
  recorded(link: Link): Promise<Link>;
}

export function createSettle({ store, outcomes, clock, events }: SettleOptions): Settle {
  async function apply(link: Link, orderNo: string, { judgement, evidence }: Outcome): Promise<Link> {
    const outcome = { judgement, code: evidence.code };
    let ends = false;
    const changed = await store.change(link.id, (current) => {
      const next = withOutcome(current, orderNo, outcome, clock.now());
      ends = next?.endedBy === orderNo && current.endedBy === undefined;
      return next;
    });
    if (!changed) return link;
    if (isOver(changed)) await store.forget(link.id);
    if (ends) {
      const verdict = enumName(Verdict, judgement.verdict);
      const { length } = changed.attempts;
      events.linkEnded({ orderNo, verdict, attempts: length, ageMs: clock.now() - changed.createdAt });
    }
    return changed;
  }

  return {
    async ask(link, attempts, call) {
      let settled = link;
      for (const { orderNo } of attempts) {
        const outcome = await outcomes.read(orderNo, call);
        call.note(factsOf(outcome));
        settled = await apply(settled, orderNo, outcome);
      }
      return settled;
    },

    async recorded(link) {
      let settled = link;
      for (const { orderNo } of pendingOf(link, clock.now())) {
        const outcome = await outcomes.recorded(orderNo);
        if (outcome) settled = await apply(settled, orderNo, outcome);
      }
      return settled;
    },
  };
}

/** Notes why the vendor could not be asked. Throws the error if that is not the reason, or the caller has left. */
export function noteUnanswered(error: unknown, { signal, note }: Pick<Call, "signal" | "note">): void {
  signal.throwIfAborted();
  if (!(error instanceof UpstreamError || error instanceof ServiceError)) throw error;
  note({ outcome_error: error.message });
}

const factsOf = ({ judgement, evidence }: Outcome) => ({
  upstream_code: evidence.code,
  ...(evidence.bizSeqNo !== undefined && { biz_seq_no: evidence.bizSeqNo }),
  billed: judgement.billed,
  verdict: enumName(Verdict, judgement.verdict),
  verdict_reason: enumName(VerdictReason, judgement.reason),
});

import { OrderState } from "../../gen/faceverification/v1/order_pb.ts";
import { RECORD_RETENTION_MS } from "../domain/order-number.ts";
import type { Judgement } from "../domain/verdict.ts";
import type { Evidence, LedgerOrder, OrderEnd } from "../ledger/ledger.ts";

/** What came of asking the vendor about an order. */
export type LookAnswer =
  | { kind: "judged"; judgement: Judgement; evidence: Evidence }
  /** 66660011: not finished, never to be finished, or erased (protocol.md 6.1). */
  | { kind: "no_record"; evidence: Evidence }
  /**
   * Says nothing about the order: the vendor could not be asked, refused, or answered with no verdict. `code`: its own, "" for
   * none. `retryAfterMs`: not before, milliseconds.
   */
  | { kind: "failed"; code: string; retryAfterMs?: number | undefined };

/** Either when to look again, or how the order ended. */
export type NextLook =
  | { end: OrderEnd }
  /** `quietSince`: undefined leaves it as it is. */
  | { end: undefined; dueAt: number; quietSince: number | undefined };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** First look, after the launch: hardly anybody is through a capture sooner. */
export const FIRST_LOOK_MS = 20 * SECOND;
/** Between looks while a capture may be under way. A look takes seconds at most, so its end is seen within a minute. */
const CAPTURE_LOOK_MS = 40 * SECOND;
/** Age up to which a capture may be under way: a faceId starts one for five minutes (protocol.md 4.3), which takes another. */
const CAPTURE_MS = 6 * MINUTE;
/**
 * As many looks as fit in there, and their double: an order that lies in the future after these was dated by a clock that
 * ran ahead.
 */
const CAPTURE_LOOKS = Math.ceil(CAPTURE_MS / CAPTURE_LOOK_MS);
const MOST_CAPTURE_LOOKS = 2 * CAPTURE_LOOKS;
/** Between looks afterwards: the first time, its growth with every look, and at most. */
const QUIET_LOOK_MS = 3 * MINUTE;
const GROWTH = 1.5;
export const LONGEST_LOOK_MS = 30 * MINUTE;
/** Between the two looks without a record that end an order, and its age at the second, at least. */
const CONFIRM_MS = 10 * MINUTE;
const LEAST_AGE_MS = 30 * MINUTE;
/** Looks before an end without a verdict, at least: every jump of a clock brings one of them forward, and few can. */
const LEAST_LOOKS = 5;
/** Between the two failed looks that give an order up, at least. */
const GIVE_UP_MS = HOUR;
/**
 * Age up to which a first look without a record means that there never was one. The vendor promises no number any more;
 * three days were the most (protocol.md 6.1).
 */
const KEPT_AT_LEAST_MS = 24 * HOUR;

/**
 * When to look at an order again after `answer`, which came at `now`, or how the order ended.
 *
 * A verdict ends it. No record ends it only by a second look, because the wall clock may have jumped ahead: a first answer
 * at a time when no capture can be under way sets `quietSince`, and another one, so much later that by then none can be
 * even if that clock was wrong, agrees. Once a record may have been erased before the vendor could be asked, the end is
 * UNKNOWN. Marks and ages from a clock that ran ahead are recognised by lying in the future, and count as none.
 */
export function nextLook(
  order: Pick<LedgerOrder, "createdAt" | "attempts" | "quietSince">,
  answer: LookAnswer,
  now: number,
): NextLook {
  if (answer.kind === "judged") {
    const { judgement, evidence } = answer;
    return { end: { state: OrderState.COMPLETED, endedAt: now, judgement, evidence } };
  }
  const ageMs = now - order.createdAt;
  const quietSince = order.quietSince !== undefined && order.quietSince <= now ? order.quietSince : undefined;
  const gapMs = gapAfter(ageMs, order.attempts);
  const tooFewLooks = order.attempts < LEAST_LOOKS;
  const without = (state: typeof OrderState.EXPIRED | typeof OrderState.UNKNOWN, evidence: Evidence) => ({
    end: { state, endedAt: now, judgement: undefined, evidence },
  });
  const again = (mark?: number, waitMs = gapMs) => ({
    end: undefined,
    dueAt: now + waitMs,
    quietSince: mark,
  });

  if (answer.kind === "failed") {
    const waitMs = Math.min(LONGEST_LOOK_MS, Math.max(gapMs, answer.retryAfterMs ?? 0));
    if (ageMs <= RECORD_RETENTION_MS) return again(undefined, waitMs);
    // A mark from before then is about the capture, not about the vendor's silence.
    if (quietSince === undefined || quietSince - order.createdAt <= RECORD_RETENTION_MS) {
      return again(now, waitMs);
    }
    if (now - quietSince < GIVE_UP_MS || tooFewLooks) return again(undefined, waitMs);
    return without(OrderState.UNKNOWN, { code: answer.code });
  }

  if (mayBeUnderWay(ageMs, order.attempts)) return again();
  if (quietSince === undefined) return again(now);
  const young = ageMs >= 0 && ageMs < LEAST_AGE_MS;
  if (now - quietSince < CONFIRM_MS || young || tooFewLooks) return again();
  const asked = quietSince - order.createdAt <= KEPT_AT_LEAST_MS;
  return without(asked ? OrderState.EXPIRED : OrderState.UNKNOWN, answer.evidence);
}

/** An order from the future is as old as its number of looks says: each but the first came after a gap. */
const mayBeUnderWay = (ageMs: number, attempts: number) =>
  ageMs < CAPTURE_MS && (ageMs >= 0 || attempts <= MOST_CAPTURE_LOOKS);

function gapAfter(ageMs: number, attempts: number): number {
  if (mayBeUnderWay(ageMs, attempts)) return CAPTURE_LOOK_MS;
  const grown = QUIET_LOOK_MS * GROWTH ** Math.max(0, attempts - CAPTURE_LOOKS - 1);
  return Math.min(LONGEST_LOOK_MS, Math.round(grown));
}

import { DeliveryState } from "../../gen/faceverification/v1/delivery_admin_service_pb.ts";
import type { Delivery, EndpointHealth } from "../ledger/delivery-ledger.ts";
import { retryAfterMs } from "./retry-after.ts";

/** How one try ended: with an HTTP answer, or without one. */
export type ReceiverAnswer =
  | { status: number; retryAfter: string | undefined }
  | {
      /** A word for people, such as `timeout` or `ECONNREFUSED`. */
      failure: string;
      /** Whether anything of the request may have reached the receiver. */
      sent: boolean;
    };

/** What follows from a try. */
export interface NextTry {
  outcome: "delivered" | "retry" | "parked" | "stopped";
  delivery: Pick<Delivery, "state" | "attempts" | "dueAt" | "triedAt" | "result" | "replay">;
  /** Undefined: the try says nothing about the endpoint. */
  health: EndpointHealth | undefined;
  /** The endpoint failed, but it may be due to this one delivery: another one can tell. */
  doubtful: boolean;
}

/** Gaps between the tries, milliseconds; the last one repeats. */
const GAPS_MS = [5_000, 30_000, 2 * 60_000, 10 * 60_000, 30 * 60_000];
const LAST_GAP_MS = 60 * 60_000;
/** Share of a gap that is random. */
const JITTER = 0.1;
/** How long a delivery is tried, milliseconds. */
export const PATIENCE_MS = 3 * 24 * 60 * 60_000;

/**
 * Decides what follows from a try:
 *
 * - 2xx ends it; 410 stops the endpoint, and its deliveries wait for an operator;
 * - anything else is tried again with growing gaps, not before `Retry-After`, for three days, then parked;
 * - no connection, no answer in time, 429 and 5xx are also the endpoint's failure: nothing is sent to it for a gap that
 *   grows with its failures in a row. Other statuses are the delivery's alone;
 * - a replay says nothing about the endpoint.
 *
 * The gaps of deliveries are shortened at random and those of the endpoint prolonged, so that what was tried in one round is
 * due in the next, and deliveries stay in sequence.
 *
 * @param health the endpoint's before this try, or before the first of several that run at once
 * @param random in [0, 1)
 */
export function nextTry(
  delivery: Pick<Delivery, "attempts" | "queuedAt" | "replay">,
  health: EndpointHealth,
  answer: ReceiverAnswer,
  { now, random }: { now: number; random: () => number },
): NextTry {
  const { replay, queuedAt } = delivery;
  const attempts = delivery.attempts + 1;
  const result = "status" in answer ? String(answer.status) : answer.failure;
  const waiting = { state: DeliveryState.WAITING, attempts, triedAt: now, result, replay };
  const blame = blameOf(answer);

  if (blame === "none") {
    const delivered = { ...waiting, state: DeliveryState.DELIVERED, dueAt: now };
    const working = { ...health, failures: 0, resumeAt: 0 };
    return {
      outcome: "delivered",
      delivery: delivered,
      health: replay ? undefined : working,
      doubtful: false,
    };
  }
  if (blame === "gone" && !replay) {
    const stopped = { ...health, stoppedAt: now };
    return { outcome: "stopped", delivery: { ...waiting, dueAt: now }, health: stopped, doubtful: false };
  }

  const asked = "status" in answer ? retryAfterMs(answer.retryAfter, now) : 0;
  const failures = health.failures + 1;
  const isEndpoints = !replay && (blame === "endpoint" || blame === "either");
  const resumeAt = Math.max(now + gapMs(failures) * (1 + JITTER * random()), now + asked);
  const failed = isEndpoints
    ? { health: { ...health, failures, resumeAt }, doubtful: blame === "either" }
    : { health: undefined, doubtful: false };

  const until = queuedAt + PATIENCE_MS;
  if (now >= until) {
    return {
      outcome: "parked",
      delivery: { ...waiting, state: DeliveryState.PARKED, dueAt: now },
      ...failed,
    };
  }
  const own = now + gapMs(attempts) * (1 - JITTER * random());
  // It did not fail by itself, so it need not wait longer than its endpoint.
  const gap = blame === "endpoint" && !replay ? Math.min(own, resumeAt) : own;
  return {
    outcome: "retry",
    delivery: { ...waiting, dueAt: Math.max(Math.min(gap, until), now + asked) },
    ...failed,
  };
}

const gapMs = (failures: number): number => GAPS_MS[failures - 1] ?? LAST_GAP_MS;

/** Whose failure an answer is; `either`: the endpoint's, or that of an event which the receiver cannot digest. */
function blameOf(answer: ReceiverAnswer): "none" | "gone" | "endpoint" | "either" | "delivery" {
  if (!("status" in answer)) return answer.sent ? "either" : "endpoint";
  const { status } = answer;
  if (status >= 200 && status < 300) return "none";
  if (status === 410) return "gone";
  if (status === 429) return "endpoint";
  return status >= 500 ? "either" : "delivery";
}

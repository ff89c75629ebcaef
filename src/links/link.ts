import { VerificationLinkState } from "../../gen/faceverification/v1/link_pb.ts";
import { NextStep, Verdict } from "../../gen/faceverification/v1/verdict_pb.ts";
import type { Language } from "../domain/messages.ts";
import type { Judgement } from "../domain/verdict.ts";

/** A verification link as the store keeps it. No name and no ID number. Times are wall-clock milliseconds. */
export interface Link {
  id: string;
  userId: string;
  /** Pseudonym of the ID number, for limits and the audit trail. */
  person: string;
  /** The caller's own; "" for none. */
  reference: string;
  /** Where the person goes at the end; "" for nowhere. */
  returnUrl: string;
  createdAt: number;
  /** Starts no attempt from here on. */
  expiresAt: number;
  maxAttempts: number;
  /** Oldest first. */
  attempts: readonly LinkAttempt[];
  /** The attempt whose verdict is the link's. Never changes. */
  endedBy?: string;
  revokedAt?: number;
}

/** One order: an identity upload, and one or more launches with it. */
export interface LinkAttempt {
  orderNo: string;
  faceId: string;
  /** The host that the upload recommended for its page. */
  optimalHost?: string | undefined;
  /** Before the upload: a faceId's life counts from it. */
  startedAt: number;
  /** The language that the person chose; undefined for the browser's own. */
  language?: Language | undefined;
  /** Launches with this upload so far. */
  launches: number;
  /** How the person came back. A hint, whatever it says: it came by way of their device. */
  back?: { at: number; code: string; signed: boolean };
  /** What the vendor says. NOT_COMPLETED is superseded by any other verdict. */
  outcome?: { judgement: Judgement; code: string };
}

/** What the button does. */
export type StartPlan =
  /** Nothing: the link is over. */
  | { kind: "closed" }
  /** Starts a new attempt. */
  | { kind: "attempt" }
  /** The person went back without an outcome: launches the same order again. */
  | { kind: "relaunch"; attempt: LinkAttempt };

/** Age up to which an upload is launched again, milliseconds: a faceId lives 5 minutes (protocol.md 4.3). */
const RELAUNCH_MS = 4.5 * 60_000;
/** Max launches of one upload. */
const MAX_LAUNCHES = 5;
/** How long an attempt counts as under way, milliseconds: the life of a faceId, and as long again for the capture. */
const UNDER_WAY_MS = 10 * 60_000;

const { WAITING, STARTED, RETURNED, COMPLETED, EXPIRED, REVOKED } = VerificationLinkState;
const { NOT_COMPLETED, PASSED } = Verdict;

const isJudged = ({ outcome }: LinkAttempt) =>
  outcome !== undefined && outcome.judgement.verdict !== NOT_COMPLETED;

const isUnderWay = ({ startedAt }: LinkAttempt, now: number) => now - startedAt < UNDER_WAY_MS;

/**
 * The attempts about which the vendor may have something new to say at `now`. It is asked before anything is started, lest a
 * person who has passed is sent through it again.
 */
export const pendingOf = ({ attempts }: Link, now: number): readonly LinkAttempt[] =>
  attempts.filter((each) => each.outcome === undefined || (!isJudged(each) && isUnderWay(each, now)));

/** How far the link has come at `now`. */
export function stateOf(link: Link, now: number): VerificationLinkState {
  if (link.endedBy !== undefined) return COMPLETED;
  if (link.revokedAt !== undefined) return REVOKED;
  const last = link.attempts.at(-1);
  if (last && last.outcome === undefined) {
    if (last.back) return RETURNED;
    if (isUnderWay(last, now)) return STARTED;
  }
  return now < link.expiresAt && link.attempts.length < link.maxAttempts ? WAITING : EXPIRED;
}

/** What the button does at `now`, once the outcome of every pending attempt has been asked for. */
export function planStart(link: Link, now: number): StartPlan {
  if (isOver(link) || now >= link.expiresAt) return { kind: "closed" };
  const last = link.attempts.at(-1);
  // A person who came back may have used the faceId up.
  const isUnused = last && !last.back && !last.outcome && last.launches < MAX_LAUNCHES;
  if (isUnused && now - last.startedAt < RELAUNCH_MS) return { kind: "relaunch", attempt: last };
  return link.attempts.length < link.maxAttempts ? { kind: "attempt" } : { kind: "closed" };
}

/** A new attempt; undefined if none may begin any more at `now`. */
export function withAttempt(
  link: Link,
  uploaded: Omit<LinkAttempt, "launches" | "back" | "outcome">,
  now: number,
): Link | undefined {
  if (planStart(link, now).kind === "closed" || link.attempts.length >= link.maxAttempts) return undefined;
  return { ...link, attempts: [...link.attempts, { ...uploaded, launches: 1 }] };
}

/** Another launch of the last attempt's upload; undefined if it may not be launched again at `now`. */
export function withRelaunch(link: Link, orderNo: string, now: number): Link | undefined {
  const plan = planStart(link, now);
  if (plan.kind !== "relaunch" || plan.attempt.orderNo !== orderNo) return undefined;
  return withChange(link, orderNo, ({ launches, ...rest }) => ({ ...rest, launches: launches + 1 }));
}

/**
 * The person's return; undefined if it says nothing new, so that reloading and going back start nothing, and for a success that
 * is not signed. After an unsigned return, which anybody may have sent, a signed one is new.
 */
export function withReturn(
  link: Link,
  orderNo: string,
  visit: { code: string; signed: boolean },
  now: number,
): Link | undefined {
  const attempt = link.attempts.find((each) => each.orderNo === orderNo);
  if (!attempt || isJudged(attempt) || (visit.code === "0" && !visit.signed)) return undefined;
  const isKnown = attempt.back && (attempt.back.signed || !visit.signed);
  return isKnown
    ? undefined
    : withChange(link, orderNo, (each) => ({ ...each, back: { at: now, ...visit } }));
}

/**
 * What the vendor says about an attempt; undefined if that is known, or is only that an attempt under way has no record yet.
 * The first verdict that leaves nothing to try ends the link: a pass, one that another attempt would not change, or that of the
 * last attempt.
 */
export function withOutcome(
  link: Link,
  orderNo: string,
  outcome: NonNullable<LinkAttempt["outcome"]>,
  now: number,
): Link | undefined {
  const attempt = link.attempts.find((each) => each.orderNo === orderNo);
  const { verdict, nextStep } = outcome.judgement;
  if (!attempt || isJudged(attempt)) return undefined;
  const isUnfinished = !attempt.back && isUnderWay(attempt, now);
  if (verdict === NOT_COMPLETED && (attempt.outcome || isUnfinished)) return undefined;
  const changed = withChange(link, orderNo, (each) => ({ ...each, outcome }));
  if (link.endedBy !== undefined || link.revokedAt !== undefined || verdict === NOT_COMPLETED) return changed;
  const mayTryAgain = nextStep === NextStep.RETRY && verdict !== PASSED;
  const isLast = link.attempts.length >= link.maxAttempts && attempt === link.attempts.at(-1);
  return mayTryAgain && !isLast ? changed : { ...changed, endedBy: orderNo };
}

/** The link without any more attempts; undefined if it is over already. */
export function withRevocation(link: Link, now: number): Link | undefined {
  if (link.endedBy !== undefined || link.revokedAt !== undefined) return undefined;
  return { ...link, revokedAt: now };
}

/** Whether the identity is needed no more. */
export const isOver = ({ endedBy, revokedAt }: Link): boolean =>
  endedBy !== undefined || revokedAt !== undefined;

/** The verdict of a completed link. */
export const judgementOf = ({ attempts, endedBy }: Link): Judgement | undefined =>
  attempts.find(({ orderNo }) => orderNo === endedBy)?.outcome?.judgement;

function withChange(link: Link, orderNo: string, change: (attempt: LinkAttempt) => LinkAttempt): Link {
  const attempts = link.attempts.map((each) => (each.orderNo === orderNo ? change(each) : each));
  return { ...link, attempts };
}

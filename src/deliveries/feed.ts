import { create } from "@bufbuild/protobuf";
import {
  type WatchResultsResponse,
  WatchResultsResponseSchema,
} from "../../gen/faceverification/v1/face_verification_service_pb.ts";
import { ErrorReason, invalidRequest, ledgerFailure, ServiceError } from "../errors.ts";
import { eventIdOf, type Ledger, type LedgerOrder } from "../ledger/ledger.ts";
import type { Clock } from "../lib/clock.ts";
import { orAborted } from "../lib/deadline.ts";
import type { Part } from "../lib/lifecycle.ts";
import type { OrderEvents } from "../orders/events.ts";
import { eventOf } from "./event.ts";
import { createResumeTokens } from "./resume-token.ts";
import { createWaker, type Waker } from "./waker.ts";

export interface FeedOptions {
  ledger: Pick<Ledger, "position" | "endedAfter" | "watch">;
  appId: string;
  /** The name of the register, to which tokens are bound. */
  register: string;
  clock: Clock;
  events: Pick<OrderEvents, "watchersChanged">;
}

/** Where a stream begins. */
export interface FeedStart {
  /** After this token's message. */
  resumeToken: string;
  /** Without a token: with the orders that ended at this time or later, wall-clock milliseconds; undefined for now. */
  since: number | undefined;
}

/** The events of all orders, as streams. */
export interface Feed extends Required<Part> {
  /**
   * Sends every event from `start` on, and a sign of life when it has reached the present and whenever none came for 20 s.
   * Ends only by rejecting: with what `send` rejects with, with the signal's reason, or with a ServiceError that says where
   * the client stands.
   */
  follow(start: FeedStart, send: Sending, signal: AbortSignal): Promise<never>;
}

type Sending = (message: WatchResultsResponse) => Promise<void>;

/** How often the ledger is read if no hint comes before, and when a sign of life is due, milliseconds. */
const POLL_MS = 1_000;
const SIGN_OF_LIFE_MS = 20_000;
/** Events read at once. */
const PAGE = 100;

export function createFeed({ ledger, appId, register, clock, events }: FeedOptions): Feed {
  const tokens = createResumeTokens(register);
  const stopping = new AbortController();
  /** Those of the open streams. */
  const wakers = new Set<Waker>();
  let unwatch: () => void = () => undefined;

  function wakeAll(): void {
    for (const waker of wakers) waker.wake();
  }

  /** One read for all streams; if it fails, they see for themselves. */
  async function poll(): Promise<void> {
    let seen: number | undefined;
    while (!stopping.signal.aborted) {
      await clock.sleep(POLL_MS, stopping.signal).catch(() => undefined);
      if (wakers.size === 0) continue;
      const last = await ledger.position().then(
        (position) => position.last,
        () => undefined,
      );
      if (last === undefined || last !== seen) wakeAll();
      seen = last;
    }
  }

  /** The sequence after which a stream begins. */
  async function place({ resumeToken, since }: FeedStart): Promise<number> {
    const { last, swept } = await ledger.position();
    if (resumeToken === "") return since === undefined ? last : firstSince(since, swept, last);
    const sequence = tokens.read(resumeToken);
    if (sequence === undefined) {
      throw invalidRequest([{ field: "resume_token", rule: "resume_token.unknown" }]);
    }
    if (sequence < swept) {
      throw new ServiceError(ErrorReason.RESUME_TOKEN_EXPIRED, "events after the token have been deleted");
    }
    // A ledger restored from a backup is behind its tokens: its events come again with other sequences.
    return Math.min(sequence, last);
  }

  /** Halves the span between `from` and `to` until what ended before `since` is behind it: ends are in order of time. */
  async function firstSince(since: number, from: number, to: number): Promise<number> {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [next] = await ledger.endedAfter(middle, 1);
      if (next?.end && next.end.endedAt < since) low = next.end.sequence;
      else high = middle;
    }
    return low;
  }

  function messageOf(order: LedgerOrder, end: NonNullable<LedgerOrder["end"]>): WatchResultsResponse {
    return create(WatchResultsResponseSchema, {
      eventId: eventIdOf(order.orderNo),
      event: eventOf(order, end, appId),
      resumeToken: tokens.of(end.sequence),
    });
  }

  async function stream(
    start: FeedStart,
    waker: Waker,
    sending: Sending,
    signal: AbortSignal,
  ): Promise<never> {
    let sequence = await place(start);
    let aliveUntil = Number.NEGATIVE_INFINITY;
    const send = async (message: WatchResultsResponse) => {
      await orAborted(sending(message), signal);
      aliveUntil = clock.monotonic() + SIGN_OF_LIFE_MS;
    };
    for (let isPresent = false; ; ) {
      signal.throwIfAborted();
      const ended = await ledger.endedAfter(sequence, PAGE);
      for (const order of ended) {
        if (!order.end) continue;
        await send(messageOf(order, order.end));
        sequence = order.end.sequence;
      }
      if (ended.length === PAGE) continue;
      if (!isPresent || clock.monotonic() >= aliveUntil) {
        await send(create(WatchResultsResponseSchema, { resumeToken: tokens.of(sequence) }));
      }
      isPresent = true;
      await waker.rest(aliveUntil - clock.monotonic(), signal);
    }
  }

  return {
    async follow(start, send, signal) {
      const waker = createWaker(clock);
      wakers.add(waker);
      events.watchersChanged({ watchers: wakers.size });
      try {
        return await stream(start, waker, send, signal);
      } catch (error) {
        throw ledgerFailure(error);
      } finally {
        wakers.delete(waker);
        events.watchersChanged({ watchers: wakers.size });
      }
    },
    async start() {
      unwatch = ledger.watch(wakeAll);
      void poll();
    },
    async stop() {
      unwatch();
      stopping.abort(STOPPED);
    },
  };
}

/** Preallocated: a bare `abort()` captures a stack trace. */
const STOPPED = new Error("stopped");

import type { ServerResponse } from "node:http";
import { callerLeft, ErrorReason, ServiceError } from "../../errors.ts";
import { after } from "../../lib/clock.ts";

/** Who waits for an answer, and until when. */
export interface ClientConnection {
  /** Aborts when the caller leaves or its deadline passes; the reason is a ServiceError. */
  readonly signal: AbortSignal;
  /** Whether nobody is there any more to be answered. */
  readonly left: boolean;
  /** Lets go of both, once there is an answer. */
  release(): void;
}

const NEVER = () => undefined;
/** A timer takes no more, milliseconds; with more it runs out at once. */
export const LONGEST_MS = 2 ** 31 - 1;

/** The caller behind a response, with its deadline, milliseconds from now. */
export function clientConnection(response: ServerResponse, timeoutMs: number | undefined): ClientConnection {
  const controller = new AbortController();
  let left = false;
  const leave = () => {
    left = true;
    controller.abort(callerLeft());
  };
  const late = () =>
    controller.abort(new ServiceError(ErrorReason.DEADLINE_EXCEEDED, "the caller's deadline passed"));
  response.once("close", leave);
  const stop = timeoutMs === undefined ? NEVER : after(Math.min(timeoutMs, LONGEST_MS), late);
  if (timeoutMs !== undefined && timeoutMs <= 0) late();
  return {
    signal: controller.signal,
    get left() {
      return left;
    },
    release() {
      stop();
      response.off("close", leave);
    },
  };
}

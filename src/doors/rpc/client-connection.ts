import type { ServerResponse } from "node:http";
import { callerLeft, deadlinePassed } from "../../errors.ts";
import { type CallScope, openScope } from "../../lib/deadline.ts";

/** A call's connection and lifetime: until the client disconnects or its deadline passes. */
export interface ClientConnection {
  readonly scope: CallScope;
  /** Whether the client has disconnected. */
  readonly left: boolean;
  /** Stops watching connection and deadline, once there is a response. */
  release(): void;
}

/** Watches the response's client. `timeoutMs`: the client's deadline, milliseconds from now. */
export function clientConnection(response: ServerResponse, timeoutMs: number | undefined): ClientConnection {
  const scope = openScope();
  let [left, released] = [false, false];
  // Stays until the response closes. perf: docs/performance.md#listeners-stay
  response.once("close", () => {
    if (released) return;
    left = true;
    scope.end(callerLeft());
  });
  if (timeoutMs !== undefined) scope.endAfter(timeoutMs, deadlinePassed);
  return {
    scope,
    get left() {
      return left;
    },
    release() {
      released = true;
      scope.release();
    },
  };
}
